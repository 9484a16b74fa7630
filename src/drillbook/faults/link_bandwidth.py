"""A link is narrow: little goes through in a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.links import add_toxic


@dataclass(frozen=True, slots=True)
class LinkBandwidth:
    """Let `rate` kilobytes (1000 bytes) a second through `link`; 0 lets nothing through.

    `stream` is downstream (answers) or upstream (requests); `toxicity` is the share of connections that it meets.
    """

    kind: ClassVar[str] = "link-bandwidth"
    link: str
    rate: int
    stream: str = "downstream"
    toxicity: float = 1.0

    @property
    def target(self) -> str:
        """The link."""
        return self.link

    def inject(self, environment: Environment) -> ActiveFault:
        """Add Toxiproxy's toxic `bandwidth`, and see that the link has it."""
        attributes = {"rate": self.rate}
        return add_toxic(
            environment, self.link, "bandwidth", stream=self.stream, toxicity=self.toxicity, attributes=attributes
        )
