"""The contract probe: what does the escrow itself say, asked by `eth_call` of a chain's node?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drillbook.errors import DrillbookError
from drillbook.probes.http import tls_context
from drillbook.probes.network import one_line, timed_out

if TYPE_CHECKING:
    import httpx


@dataclass(slots=True)
class ContractProbe:
    """Call `call`, a signature with its result such as `paused()(bool)`, with `arguments`; good if it gives `expect`.

    `url` is the node's JSON-RPC endpoint, `address` the contract's. A look has its own connection and
    `timeout` seconds.
    """

    name: str
    url: str
    address: str
    call: str
    expect: object
    arguments: tuple[object, ...] = ()
    timeout: float = 1.0
    _client: httpx.AsyncClient | None = field(default=None, init=False, repr=False)

    async def look(self) -> str:
        """Give "" or what the contract, the node or the connection said instead."""
        from drillbook.chain.client import read_async

        client = self._open()
        try:
            async with asyncio.timeout(self.timeout):
                value = await read_async(client, self.url, self.address, self.call, self.arguments)
        except TimeoutError:
            return timed_out(self.timeout)
        except DrillbookError as error:
            return one_line(f"{self.call}: {error}")
        return "" if value == self.expect else f"{self.call} is {value!r}, expected {self.expect!r}"

    async def close(self) -> None:
        """Close the client."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        import httpx

        if self._client is None:
            fresh_each_time = httpx.Limits(max_keepalive_connections=0)
            verify = tls_context() if self.url.startswith("https:") else False
            self._client = httpx.AsyncClient(verify=verify, timeout=None, limits=fresh_each_time, trust_env=False)
        return self._client
