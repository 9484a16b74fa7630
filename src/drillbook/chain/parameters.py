"""Read the hex forms in which JSON-RPC clients send numbers, bytes, addresses, blocks, transactions and log filters.

The forms are those of the Ethereum execution API: a quantity is `0x` and digits, data is `0x` and an even number of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from eth.constants import CREATE_CONTRACT_ADDRESS
from eth_typing import Address

from drillbook.chain.ledger import Ledger, Mined, Request

QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
HEAD_TAGS = ("latest", "pending", "safe", "finalized")


class InvalidParamsError(Exception):
    """Decline parameters that have not the method's form (JSON-RPC error -32602)."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which logs are wanted: blocks by number (both ends included), addresses (none: any), topics by place (None: any)."""

    first: int
    last: int | None
    addresses: frozenset[bytes]
    topics: tuple[frozenset[bytes] | None, ...]

    def matches(self, address: bytes, topics: tuple[bytes, ...]) -> bool:
        """Tell whether a log is wanted."""
        if self.addresses and address not in self.addresses:
            return False
        if len(self.topics) > len(topics):
            return False
        return all(wanted is None or topic in wanted for wanted, topic in zip(self.topics, topics, strict=False))


def parse_quantity(value: Any, name: str = "quantity") -> int:
    """Read a number."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and QUANTITY.fullmatch(value):
        return int(value, 16)
    raise InvalidParamsError(f"{name}: expected a hex number such as 0x1f, got {value!r}")


def parse_data(value: Any, name: str = "data", size: int | None = None) -> bytes:
    """Read bytes, of a fixed size if one is given."""
    if not isinstance(value, str) or not DATA.fullmatch(value):
        raise InvalidParamsError(f"{name}: expected 0x and an even number of hex digits, got {value!r}")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise InvalidParamsError(f"{name}: expected {size} bytes, got {len(data)}")
    return data


def parse_address(value: Any, name: str = "address") -> Address:
    """Read an address: 20 bytes."""
    return Address(parse_data(value, name, 20))


def parse_block(ledger: Ledger, value: Any) -> Mined | None:
    """Find a block by tag, number, or EIP-1898's object; None where there is no such block."""
    if isinstance(value, dict):
        if "blockHash" in value:
            return ledger.find_block(parse_data(value["blockHash"], "blockHash", 32))
        value = value.get("blockNumber")
    number = block_number(ledger, value)
    return ledger.blocks[number] if number < len(ledger.blocks) else None


def block_number(ledger: Ledger, value: Any) -> int:
    """Read a block's tag or number, whether there is such a block or not."""
    if value is None or value in HEAD_TAGS:
        return ledger.head.number
    return 0 if value == "earliest" else parse_quantity(value, "block")


def parse_request(ledger: Ledger, value: Any) -> Request:
    """Read a transaction object; unknown keys are ignored, as geth does. `from` defaults to the zero address."""
    if not isinstance(value, dict):
        raise InvalidParamsError(f"transaction: expected an object, got {value!r}")
    fields = {key: item for key, item in value.items() if item is not None}
    if "chainId" in fields and parse_quantity(fields["chainId"], "chainId") != ledger.chain_id:
        raise InvalidParamsError(f"chainId does not match node's (have={fields['chainId']}, want={ledger.chain_id:#x})")
    data, text = fields.get("data"), fields.get("input")
    if data and text and data != text:
        raise InvalidParamsError('both "data" and "input" are set and not equal; use "input"')

    def number(key: str) -> int | None:
        return parse_quantity(fields[key], key) if key in fields else None

    return Request(
        sender=parse_address(fields.get("from", "0x" + "00" * 20), "from"),
        to=parse_address(fields["to"], "to") if fields.get("to") not in (None, "", "0x") else CREATE_CONTRACT_ADDRESS,
        data=parse_data(text or data or "0x", "input"),
        value=number("value") or 0,
        gas=number("gas"),
        nonce=number("nonce"),
        gas_price=number("gasPrice"),
        max_fee=number("maxFeePerGas"),
        tip=number("maxPriorityFeePerGas"),
        access_list=_access_list(fields.get("accessList", [])),
    )


def _access_list(entries: Any) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    try:
        return tuple(
            (
                parse_address(entry["address"]),
                tuple(int.from_bytes(parse_data(key, "storageKeys", 32)) for key in entry["storageKeys"]),
            )
            for entry in entries
        )
    except (TypeError, KeyError) as error:
        raise InvalidParamsError('accessList: expected [{"address": …, "storageKeys": […]}]') from error


def parse_log_query(ledger: Ledger, value: Any) -> LogQuery:
    """Read a log filter; block numbers beyond the head are allowed. `last` is None for "as far as there is"."""
    if not isinstance(value, dict):
        raise InvalidParamsError(f"filter: expected an object, got {value!r}")
    if value.get("blockHash") is not None:
        block = parse_block(ledger, {"blockHash": value["blockHash"]})
        if block is None:
            raise InvalidParamsError("unknown block")
        first = block.number
        last: int | None = first
    else:
        first = block_number(ledger, value.get("fromBlock"))
        end = value.get("toBlock")
        last = None if end is None or end in HEAD_TAGS else block_number(ledger, end)
        if last is not None and first > last:
            raise InvalidParamsError("invalid block range params")
    addresses = value.get("address")
    listed = addresses if isinstance(addresses, list) else [] if addresses is None else [addresses]
    return LogQuery(first, last, frozenset(map(parse_address, listed)), _topics(value.get("topics") or []))


def _topics(value: Any) -> tuple[frozenset[bytes] | None, ...]:
    if not isinstance(value, list) or len(value) > 4:
        raise InvalidParamsError("topics: expected a list of at most 4")
    return tuple(_topic(item) for item in value)


def _topic(item: Any) -> frozenset[bytes] | None:
    # An empty list of alternatives means any, as null does; so does a null among them.
    if item is None or item == [] or (isinstance(item, list) and None in item):
        return None
    return frozenset(parse_data(topic, "topic", 32) for topic in (item if isinstance(item, list) else [item]))
