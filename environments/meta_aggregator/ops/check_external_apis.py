"""Look at the outside APIs that prices come from, 0x and CoinGecko, and at nothing else.

A 429 is no outage: the API is there, and limits our rate. Run as `python -m ops.check_external_apis` with ZEROEX_API_KEY.
Exit 0: both are up; 1: one is not, and it is named.
"""

from __future__ import annotations

import os
import sys

from ops.looking import Answer, Broken, ask, look_at

WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
ZEROEX = (
    "https://api.0x.org/swap/allowance-holder/price"
    f"?chainId=1&sellToken={WETH}&buyToken={USDC}&sellAmount=1000000000000000000"
)
COINGECKO = "https://api.coingecko.com/api/v3/simple/price?ids=ethereum&vs_currencies=usd"
TOO_MANY, REFUSED = 429, (401, 403)


def zeroex() -> str:
    """Ask 0x for the price of one WETH, with our key."""
    answer = ask(ZEROEX, {"0x-api-key": os.environ.get("ZEROEX_API_KEY", ""), "0x-version": "v2"})
    if limited := _limited(answer):
        return limited
    amount = answer.json().get("buyAmount")
    if not isinstance(amount, str) or not amount.isdecimal():
        raise Broken(f"HTTP {answer.status}, but the answer has no price")
    return f"1 WETH buys {int(amount) / 10**6:,.2f} USDC"


def coingecko() -> str:
    """Ask CoinGecko for the price of one ether, as a caller without a key."""
    answer = ask(COINGECKO)
    if limited := _limited(answer):
        return limited
    ethereum = answer.json().get("ethereum")
    price = ethereum.get("usd") if isinstance(ethereum, dict) else None
    if not isinstance(price, int | float):
        raise Broken(f"HTTP {answer.status}, but the answer has no price")
    return f"1 ETH is {price:,.2f} USD"


def _limited(answer: Answer) -> str:
    """Give what a 429 means, "" for a 200; raise Broken for any other status."""
    if answer.status == TOO_MANY:
        return f"but it limits our rate: again in {answer.retry_after or 'some'} s"
    if answer.status in REFUSED:
        raise Broken(f"HTTP {answer.status}: it refuses our key")
    if answer.status != 200:
        raise Broken(f"HTTP {answer.status}")
    return ""


if __name__ == "__main__":
    sys.exit(look_at({"0x": zeroex, "CoinGecko": coingecko}))
