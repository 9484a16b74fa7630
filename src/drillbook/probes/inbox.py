"""The inbox probe: has a person been told? It asks the twin that keeps what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from drillbook.backends.base import Message
from drillbook.probes.network import timed_out

Fetch = Callable[[], Awaitable[Sequence[Message]]]


@dataclass(slots=True)
class InboxProbe:
    """Good if `at_least` of the messages that `fetch` gives hold `contains` and went to `recipient` ("": anybody)."""

    name: str
    fetch: Fetch
    at_least: int = 1
    contains: str = ""
    recipient: str = ""
    timeout: float = 1.0

    async def look(self) -> str:
        """Give "" or how many messages there were."""
        try:
            async with asyncio.timeout(self.timeout):
                messages = await self.fetch()
        except TimeoutError:
            return timed_out(self.timeout)
        count = sum(self._matches(message) for message in messages)
        return "" if count >= self.at_least else f"{count} messages{self._wanted()}, expected {self.at_least}"

    async def close(self) -> None:
        """Close nothing: the callable is its owner's."""

    def _matches(self, message: Message) -> bool:
        return self.contains in message.text and self.recipient in ("", message.recipient)

    def _wanted(self) -> str:
        to = f" to {self.recipient}" if self.recipient else ""
        return f"{to} with {self.contains!r}" if self.contains else to
