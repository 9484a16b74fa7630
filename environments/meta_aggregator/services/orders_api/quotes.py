"""A quote from 0x, checked against CoinGecko; when one of them fails, what the other says, marked as such."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from services.orders_api.breaker import Breaker
from services.orders_api.outside import Outside, OutsideError

DECIMALS = {"ETH": 18, "WETH": 18, "USDC": 6, "USDT": 6, "DAI": 18}


@dataclass(frozen=True, slots=True)
class Sources:
    """The circuits of the two sources of prices."""

    zeroex: Breaker = field(default_factory=lambda: Breaker("0x"))
    coingecko: Breaker = field(default_factory=lambda: Breaker("coingecko"))

    @property
    def circuits(self) -> dict[str, bool]:
        """Whether each circuit is open, by name."""
        return {breaker.name: breaker.is_open for breaker in (self.zeroex, self.coingecko)}


class NoQuote(Exception):
    """Neither source answered; `errors` says why, by source."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("no source of prices answers")
        self.errors = errors


async def quote(outside: Outside, sources: Sources, sell: str, buy: str, amount: int) -> dict[str, Any]:
    """Give the amount to be bought for `amount` (smallest units) with its source; raise NoQuote without any.

    `source` is 0x where 0x answers, else coingecko: an estimate that nobody has promised. `degraded` names what failed.
    """
    firm, market = await asyncio.gather(
        _attempt(sources.zeroex, lambda: _from_zeroex(outside, sell, buy, amount)),
        _attempt(sources.coingecko, lambda: _from_market(outside, sell, buy, amount)),
    )
    errors = {name: found for name, found in (("0x", firm), ("coingecko", market)) if isinstance(found, str)}
    if isinstance(firm, str) and isinstance(market, str):
        raise NoQuote(errors)
    return {
        "sell_token": sell,
        "buy_token": buy,
        "sell_amount": str(amount),
        "buy_amount": str(market if isinstance(firm, str) else firm),
        "market_amount": None if isinstance(market, str) else str(market),
        "source": "coingecko" if isinstance(firm, str) else "0x",
        "degraded": errors,
    }


async def _attempt(breaker: Breaker, ask: Callable[[], Awaitable[int]]) -> int | str:
    """Give the amount, or why there is none."""
    try:
        return await breaker.call(ask)
    except OutsideError as error:
        return str(error)


async def _from_zeroex(outside: Outside, sell: str, buy: str, amount: int) -> int:
    answer = await outside.zeroex_price(sell, buy, amount)
    try:
        return int(answer["buyAmount"])
    except (KeyError, TypeError, ValueError):
        raise OutsideError("no liquidity") from None


async def _from_market(outside: Outside, sell: str, buy: str, amount: int) -> int:
    prices = await outside.usd_prices(sell, buy)
    return int(amount * prices[sell] / prices[buy] * 10.0 ** (DECIMALS[buy] - DECIMALS[sell]))
