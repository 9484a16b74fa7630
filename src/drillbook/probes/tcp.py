"""The TCP probe: does anybody accept a connection? It tells a dead port from a server that is there but ill."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from drillbook.backends.base import Address
from drillbook.probes.network import describe, timed_out


@dataclass(slots=True)
class TcpProbe:
    """Connect to `address` within `timeout` seconds and hang up. A frozen process still passes: its kernel accepts."""

    name: str
    address: Address
    timeout: float = 1.0

    async def look(self) -> str:
        """Give "" if a connection was accepted, else why not."""
        try:
            async with asyncio.timeout(self.timeout) as bound:
                _, writer = await asyncio.open_connection(self.address.host, self.address.port)
        except TimeoutError as error:
            return timed_out(self.timeout) if bound.expired() else describe(error, str(self.address))
        except OSError as error:
            return describe(error, str(self.address))
        writer.transport.abort()
        return ""

    async def close(self) -> None:
        """Close nothing: no look leaves a connection behind."""
