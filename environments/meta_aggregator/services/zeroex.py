"""A twin of the 0x Swap API v2 as it answers today: a key and a version header, and nothing at the v1 paths.

Paths, headers and error names follow 0x's own reference for v2; v1 was switched off on 2025-04-11, so
`/swap/v1/quote` is a 404. Prices are a fixed table, in the scale of each token.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.serving import Listener, Twin, serve

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
ALLOWANCE_HOLDER = "0x0000000000001ff3684f28c67538d4d072c22734"
FEE_BPS = 15
GAS, GAS_PRICE = 288_095, 7_062_490_000
ZID = "0x111111111111111111111111"


@dataclass(frozen=True, slots=True)
class Token:
    """A token that the twin can price: `usd` for one whole token of `decimals`."""

    symbol: str
    decimals: int
    usd: int


TOKENS = {
    "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee": Token("ETH", 18, 3000),
    "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2": Token("WETH", 18, 3000),
    "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48": Token("USDC", 6, 1),
    "0xdac17f958d2ee523a2206206994597c13d831ec7": Token("USDT", 6, 1),
    "0x6b175474e89094c44da98b954eedeac495271d0f": Token("DAI", 18, 1),
}


def failure(status: int, retry_after: int | None) -> Response:
    """Fail in 0x's shape."""
    name = {429: "TOO_MANY_REQUESTS", 500: "INTERNAL_SERVER_ERROR"}.get(status, "UNCATEGORIZED")
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"name": name, "message": f"HTTP {status}", "data": {"zid": ZID}}, status, headers)


def _refuse_headers(request: Request) -> Response | None:
    key, expected = request.headers.get("0x-api-key"), os.environ.get("ZEROEX_API_KEY")
    if not key:
        return JSONResponse({"message": "No API key found in request"}, 401)
    if expected and key != expected:
        return JSONResponse({"message": "Unauthorized"}, 401)
    if request.headers.get("0x-version") != "v2":
        return _invalid([("0x-version", "Must be v2")])
    return None


def _invalid(problems: list[tuple[str, str]]) -> Response:
    details = [{"field": name, "reason": reason} for name, reason in problems]
    body = {"name": "INPUT_INVALID", "message": "The input is invalid", "data": {"zid": ZID, "details": details}}
    return JSONResponse(body, 400)


def _problems(request: Request, *, taker_needed: bool) -> list[tuple[str, str]]:
    given = request.query_params
    found = [(name, "Required") for name in ("chainId", "sellToken", "buyToken", "sellAmount") if name not in given]
    found += [
        (n, "Invalid ethereum address") for n in ("sellToken", "buyToken") if not ADDRESS.fullmatch(given.get(n, ""))
    ]
    if not given.get("sellAmount", "").isdecimal() or int(given["sellAmount"]) == 0:
        found.append(("sellAmount", "Must be a positive integer in the token's smallest unit"))
    if given.get("chainId", "1") != "1":
        found.append(("chainId", "Unsupported chain"))
    if (taker_needed or "taker" in given) and not ADDRESS.fullmatch(given.get("taker", "")):
        found.append(("taker", "Invalid ethereum address"))
    return found


def _price(sell: str, buy: str, amount: int) -> dict[str, Any]:
    seller, buyer = TOKENS.get(sell), TOKENS.get(buy)
    if seller is None or buyer is None:
        return {"liquidityAvailable": False, "zid": ZID}
    gross = amount * seller.usd * 10**buyer.decimals // (buyer.usd * 10**seller.decimals)
    fee = gross * FEE_BPS // 10_000
    taxes = {"buyTaxBps": "0", "sellTaxBps": "0"}
    return {
        "allowanceTarget": ALLOWANCE_HOLDER,
        "blockNumber": "20114676",
        "buyAmount": str(gross - fee),
        "buyToken": buy,
        "fees": {
            "integratorFee": None,
            "zeroExFee": {"amount": str(fee), "token": buy, "type": "volume"},
            "gasFee": None,
        },
        "gas": str(GAS),
        "gasPrice": str(GAS_PRICE),
        "issues": {
            "allowance": {"actual": "0", "spender": ALLOWANCE_HOLDER},
            "balance": None,
            "simulationIncomplete": False,
            "invalidSourcesPassed": [],
        },
        "liquidityAvailable": True,
        "minBuyAmount": str((gross - fee) * 99 // 100),
        "route": {
            "fills": [{"from": sell, "to": buy, "source": "Uniswap_V3", "proportionBps": "10000"}],
            "tokens": [{"address": sell, "symbol": seller.symbol}, {"address": buy, "symbol": buyer.symbol}],
        },
        "sellAmount": str(amount),
        "sellToken": sell,
        "tokenMetadata": {"buyToken": taxes, "sellToken": taxes},
        "totalNetworkFee": str(GAS * GAS_PRICE),
        "zid": ZID,
    }


def _answer(request: Request, *, quote: bool) -> Response:
    refusal = _refuse_headers(request)
    if refusal is not None:
        return refusal
    problems = _problems(request, taker_needed=quote)
    if problems:
        return _invalid(problems)
    given = request.query_params
    body = _price(given["sellToken"].lower(), given["buyToken"].lower(), int(given["sellAmount"]))
    if quote and body["liquidityAvailable"]:
        value = given["sellAmount"] if TOKENS[given["sellToken"].lower()].symbol == "ETH" else "0"
        body["transaction"] = {
            "to": ALLOWANCE_HOLDER, "data": "0x2213bc0b", "gas": str(GAS), "gasPrice": str(GAS_PRICE), "value": value,
        }  # fmt: skip
    return JSONResponse(body)


async def price(request: Request) -> Response:
    """Answer an indicative price."""
    return _answer(request, quote=False)


async def quote(request: Request) -> Response:
    """Answer a firm quote with the transaction to sign."""
    return _answer(request, quote=True)


async def gone(_: Request) -> Response:
    """Answer what 0x's gateway says to a path that it no longer routes."""
    return JSONResponse({"message": "no Route matched with those values"}, 404)


if __name__ == "__main__":
    routes = [
        Route("/swap/allowance-holder/price", price),
        Route("/swap/allowance-holder/quote", quote),
        Route("/{path:path}", gone),
    ]
    serve(Listener(Twin(failure=failure, key_header="0x-api-key").application(routes)))
