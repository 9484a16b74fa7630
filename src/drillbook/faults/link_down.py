"""A link is cut: what was connected is disconnected, new connections are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault
from drillbook.faults.links import control_of
from drillbook.faults.proof import proven

if TYPE_CHECKING:
    from drillbook.toxiproxy.client import LinkControl


@dataclass(frozen=True, slots=True)
class LinkDown:
    """Disable `link` until healed. Raises EnvironmentFailed for a link that is down already."""

    kind: ClassVar[str] = "link-down"
    link: str

    @property
    def target(self) -> str:
        """The link."""
        return self.link

    def inject(self, environment: Environment) -> ActiveFault:
        """Disable the link, and see that it is."""
        control = control_of(environment, self.link)
        if not control.state(self.link).enabled:
            raise EnvironmentFailed(f"link {self.link} is down already", mend="heal it first")
        control.disable(self.link)
        down = _Down(control, self.link)
        return proven(down, lambda: not control.state(self.link).enabled, f"link {self.link} is still enabled")


@dataclass(frozen=True, slots=True)
class _Down:
    control: LinkControl
    link: str

    def heal(self) -> None:
        """Enable the link; one that is enabled already keeps its connections."""
        self.control.enable(self.link)
