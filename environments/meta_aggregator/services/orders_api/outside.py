"""What the API asks of others over HTTP: the chain, 0x and CoinGecko. Each call is bounded, each failure says why."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from services import escrow
from services.orders_api.settings import Settings

WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
ADDRESSES = {
    "ETH": "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
    "WETH": WETH,
    "USDC": USDC,
    "USDT": "0xdac17f958d2ee523a2206206994597c13d831ec7",
    "DAI": "0x6b175474e89094c44da98b954eedeac495271d0f",
}
COINS = {"ETH": "ethereum", "WETH": "weth", "USDC": "usd-coin", "USDT": "tether", "DAI": "dai"}


class OutsideError(Exception):
    """Somebody else's service failed; says how in one line."""


class RateLimited(OutsideError):
    """We asked too often (429): the service is up."""


class Outside:
    """One HTTP client for all of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(5.0, connect=2.0), limits=limits)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def block_number(self) -> int:
        """Give the chain's newest block."""
        return escrow.word(await self._rpc({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}))

    async def escrow_state(self, address: str) -> escrow.EscrowState:
        """Read the escrow contract at an address. Raises ChainError or OutsideError."""
        answers = await asyncio.gather(*(self._rpc(request) for request in escrow.requests(address)))
        return escrow.state(address, list(answers))

    async def zeroex_price(self, sell: str, buy: str, amount: int) -> dict[str, Any]:
        """Ask 0x for an indicative price; tokens by symbol."""
        headers = {"0x-api-key": self._settings.zeroex_api_key, "0x-version": "v2"}
        parameters = {
            "chainId": "1",
            "sellToken": ADDRESSES[sell],
            "buyToken": ADDRESSES[buy],
            "sellAmount": str(amount),
        }
        url = f"{self._settings.zeroex_url}/swap/allowance-holder/price"
        return await self._json("GET", url, params=parameters, headers=headers)

    async def coingecko_ping(self) -> None:
        """Ask CoinGecko whether it is there."""
        answer = await self._json("GET", f"{self._settings.coingecko_url}/api/v3/ping")
        if "gecko_says" not in answer:
            raise OutsideError("the answer to ping is not CoinGecko's")

    async def usd_prices(self, *symbols: str) -> dict[str, float]:
        """Give dollars for one whole token of each symbol."""
        parameters = {"ids": ",".join(COINS[symbol] for symbol in symbols), "vs_currencies": "usd"}
        answer = await self._json("GET", f"{self._settings.coingecko_url}/api/v3/simple/price", params=parameters)
        try:
            return {symbol: float(answer[COINS[symbol]]["usd"]) for symbol in symbols}
        except (KeyError, TypeError) as error:
            raise OutsideError(f"no price in the answer: {error!r}") from None

    async def _rpc(self, request: dict[str, Any]) -> dict[str, Any]:
        return await self._json("POST", self._settings.chain_url, json=request)

    async def _json(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        try:
            response = await self._client.request(method, url, **options)
        except httpx.HTTPError as error:
            raise OutsideError(f"{type(error).__name__}: {error}".rstrip(": ")) from None
        if response.status_code == 429:
            raise RateLimited(f"HTTP 429, retry after {response.headers.get('retry-after', 'some')} s")
        if response.status_code != 200:
            raise OutsideError(f"HTTP {response.status_code}")
        try:
            body = response.json()
        except ValueError:
            raise OutsideError("HTTP 200, but the body is not JSON") from None
        if not isinstance(body, dict):
            raise OutsideError("HTTP 200, but the body is not a JSON object")
        return body
