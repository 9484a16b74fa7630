"""What an order is, which ones are taken, and how they are kept: an order is acknowledged only once it is committed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from psycopg.rows import DictRow

from services.orders_api.database import Connection

TOKENS = ("ETH", "WETH", "USDC", "USDT", "DAI")
STATUSES = ("open", "filled", "cancelled")
FEE_BPS = 15
"""The fee in hundredths of a percent of the sold amount."""
LARGEST = 10**76
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
DIGITS = re.compile(r"[0-9]{1,77}")

INSERT = """
    insert into orders (idempotency_key, fingerprint, customer, sell_token, buy_token, sell_amount, fee, total)
    values (%(key)s, %(fingerprint)s, %(customer)s, %(sell_token)s, %(buy_token)s, %(sell_amount)s, %(fee)s, %(total)s)
    on conflict (idempotency_key) do nothing returning *
"""


CANCEL = "update orders set status = 'cancelled' where id = %s and status = 'open' returning *"

NEWEST = """
    select o.*, (select p.usd from price_ticks as p
                 where p.token = o.sell_token and p.at <= o.created_at order by p.at desc limit 1) as usd
    from orders as o
    where (%(before)s::bigint is null or o.id < %(before)s) and (%(status)s::text is null or o.status = %(status)s)
    order by o.id desc limit %(limit)s
"""


class Invalid(Exception):
    """An order that is not taken; `errors` has a sentence for each field that is wrong."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors))
        self.errors = errors


class KeyReused(Exception):
    """The idempotency key was used before, for another order."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A valid request for an order; `sell_amount` is in the sold token's smallest unit."""

    customer: str
    sell_token: str
    buy_token: str
    sell_amount: int

    @property
    def fee(self) -> int:
        """The fee, rounded down, in the unit of `sell_amount`."""
        return self.sell_amount * FEE_BPS // 10_000

    @property
    def fingerprint(self) -> str:
        """The SHA-256 that tells whether two requests ask for the same."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> NewOrder:
        """Read a request's body; raise Invalid with every field that is wrong."""
        errors = dict.fromkeys(set(body) - {"customer", "sell_token", "buy_token", "sell_amount"}, "unknown field")
        customer, sell, buy = (body.get(name) for name in ("customer", "sell_token", "buy_token"))
        amount = _amount(body.get("sell_amount"))
        if not isinstance(customer, str) or not ADDRESS.fullmatch(customer):
            errors["customer"] = "must be an address: 0x and 40 hexadecimal digits"
        errors |= {
            name: f"must be one of {', '.join(TOKENS)}"
            for name, token in (("sell_token", sell), ("buy_token", buy))
            if token not in TOKENS
        }
        if sell == buy and "buy_token" not in errors:
            errors["buy_token"] = "must differ from sell_token"
        if amount is None:
            errors["sell_amount"] = "must be a whole number above 0, as digits, in the token's smallest unit"
        if errors or amount is None:
            raise Invalid(errors)
        return cls(str(customer).lower(), str(sell), str(buy), amount)


def _amount(value: object) -> int | None:
    """Read an amount: a string of digits, or a JSON integer."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    amount = int(text) if DIGITS.fullmatch(text) else 0
    return amount if 0 < amount < LARGEST else None


def shown(row: DictRow) -> dict[str, Any]:
    """Give an order as the API shows it: amounts as strings, since JSON's numbers are too small for wei."""
    return {
        "id": row["id"],
        "customer": row["customer"],
        "sell_token": row["sell_token"],
        "buy_token": row["buy_token"],
        **{name: str(row[name]) for name in ("sell_amount", "fee", "total")},
        "status": row["status"],
        "created_at": row["created_at"].isoformat(),
        "acknowledged_at": row["acknowledged_at"].isoformat(),
    }


def listed(row: DictRow) -> dict[str, Any]:
    """Give an order of a list: with what its sold token was worth when it was placed, null where nobody knows."""
    return {**shown(row), "sell_token_usd": None if row["usd"] is None else str(row["usd"])}


async def place(connection: Connection, key: str, order: NewOrder) -> tuple[DictRow, bool]:
    """Keep an order and give its row, with True if it is new and False if this very request was kept before.

    Committed on return. Raises KeyReused where the key belongs to another order.
    """
    values = {**asdict(order), "key": key, "fingerprint": order.fingerprint, "fee": order.fee}
    async with connection.transaction():
        cursor = await connection.execute(INSERT, {**values, "total": order.sell_amount + order.fee})
        row = await cursor.fetchone()
    if row is not None:
        return row, True
    cursor = await connection.execute("select * from orders where idempotency_key = %s", (key,))
    row = await cursor.fetchone()
    if row is None or row["fingerprint"] != order.fingerprint:
        raise KeyReused(key)
    return row, False


async def find(connection: Connection, number: int) -> DictRow | None:
    """Give the order of that number."""
    cursor = await connection.execute("select * from orders where id = %s", (number,))
    return await cursor.fetchone()


async def cancel(connection: Connection, number: int) -> DictRow | None:
    """Cancel an order and give it; None if it is not open. Committed on return."""
    cursor = await connection.execute(CANCEL, (number,))
    return await cursor.fetchone()


async def newest(connection: Connection, limit: int, before: int | None, status: str | None) -> list[DictRow]:
    """Give up to `limit` orders, newest first, those below the number `before`, in one status or in any."""
    cursor = await connection.execute(NEWEST, {"limit": limit, "before": before, "status": status})
    return await cursor.fetchall()
