"""A link swallows data: connections stand, nothing arrives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.links import add_toxic


@dataclass(frozen=True, slots=True)
class LinkTimeout:
    """Drop data on `link` and close connections after `close_ms` milliseconds of it; 0 never closes.

    Healing closes what was connected, so that callers connect anew.

    `stream` is upstream (requests; the default, for a server that closes after its answer would end the silence) or
    downstream (answers); `toxicity` is the share of connections that it meets.
    """

    kind: ClassVar[str] = "link-timeout"
    link: str
    close_ms: int = 0
    stream: str = "upstream"
    toxicity: float = 1.0

    @property
    def target(self) -> str:
        """The link."""
        return self.link

    def inject(self, environment: Environment) -> ActiveFault:
        """Add Toxiproxy's toxic `timeout`, and see that the link has it."""
        attributes = {"timeout": self.close_ms}
        return add_toxic(
            environment, self.link, "timeout", stream=self.stream, toxicity=self.toxicity, attributes=attributes
        )
