"""The contract probe: what does the escrow itself say, asked by `eth_call` of a chain's node?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h11

from drillbook.errors import DrillbookError
from drillbook.probes.http import exchange
from drillbook.probes.network import describe, one_line, timed_out

if TYPE_CHECKING:
    from drillbook.chain.client import Question


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
    _question: Question | None = field(default=None, init=False, repr=False)

    async def look(self) -> str:
        """Give "" or what the contract, the node or the connection said instead."""
        url = urlsplit(self.url)
        try:
            async with asyncio.timeout(self.timeout) as bound:
                value = await self._ask()
        except TimeoutError as error:
            return timed_out(self.timeout) if bound.expired() else describe(error, url.netloc)
        except OSError as error:
            return describe(error, url.netloc)
        except h11.RemoteProtocolError as error:
            return f"{url.netloc} broke HTTP: {error}"
        except DrillbookError as error:
            return one_line(f"{self.call}: {error}")
        return "" if value == self.expect else f"{self.call} is {value!r}, expected {self.expect!r}"

    async def close(self) -> None:
        """Close nothing: no look leaves a connection behind."""

    async def _ask(self) -> Any:
        from drillbook.chain.abi import parse_signature
        from drillbook.chain.client import Question

        if self._question is None:
            self._question = Question(self.address, parse_signature(self.call), self.arguments)
        answer = await exchange(urlsplit(self.url), body=self._question.body())
        return self._question.read(answer.status, answer.body, self.url)
