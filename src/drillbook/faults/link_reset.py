"""A link breaks connections under way: both ends see a reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.links import add_toxic


@dataclass(frozen=True, slots=True)
class LinkReset:
    """Reset connections on `link`, `after_ms` milliseconds after data first came; connecting still works.

    `stream` is downstream (answers) or upstream (requests); `toxicity` is the share of connections that it meets.
    """

    kind: ClassVar[str] = "link-reset"
    link: str
    after_ms: int = 0
    stream: str = "downstream"
    toxicity: float = 1.0

    @property
    def target(self) -> str:
        """The link."""
        return self.link

    def inject(self, environment: Environment) -> ActiveFault:
        """Add Toxiproxy's toxic `reset_peer`, and see that the link has it."""
        attributes = {"timeout": self.after_ms}
        return add_toxic(
            environment, self.link, "reset_peer", stream=self.stream, toxicity=self.toxicity, attributes=attributes
        )
