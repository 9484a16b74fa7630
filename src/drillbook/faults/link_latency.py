"""A link is slow: each chunk arrives late, none is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.links import add_toxic


@dataclass(frozen=True, slots=True)
class LinkLatency:
    """Delay data on `link` by `latency_ms` milliseconds, give or take `jitter_ms`.

    `stream` is downstream (answers) or upstream (requests); `toxicity` is the share of connections that it meets.
    """

    kind: ClassVar[str] = "link-latency"
    link: str
    latency_ms: int
    jitter_ms: int = 0
    stream: str = "downstream"
    toxicity: float = 1.0

    @property
    def target(self) -> str:
        """The link."""
        return self.link

    def inject(self, environment: Environment) -> ActiveFault:
        """Add Toxiproxy's toxic `latency`, and see that the link has it."""
        attributes = {"latency": self.latency_ms, "jitter": self.jitter_ms}
        return add_toxic(
            environment, self.link, "latency", stream=self.stream, toxicity=self.toxicity, attributes=attributes
        )
