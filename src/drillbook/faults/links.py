"""What the faults of links share: finding the link, adding one toxic, taking that one away again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.backends.base import Environment
from drillbook.errors import UnsupportedFault
from drillbook.faults.proof import proven

if TYPE_CHECKING:
    from drillbook.toxiproxy.client import LinkControl


def control_of(environment: Environment, link: str) -> LinkControl:
    """Give the control of the environment's links; raise UnsupportedFault if it has none of that name."""
    names = environment.links.names()
    if link not in names:
        raise UnsupportedFault(f"there is no link {link!r}", mend=f"choose one of {', '.join(sorted(names))}")
    return environment.links


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic that was added to a link, under a name that no other has."""

    control: LinkControl
    link: str
    name: str

    def there(self) -> bool:
        """Say whether the link has it."""
        return any(toxic.name == self.name for toxic in self.control.state(self.link).toxics)

    def heal(self) -> None:
        """Remove it, unless a reset of the links already has."""
        if self.there():
            self.control.remove_toxic(self.link, self.name)


def add_toxic(
    environment: Environment,
    link: str,
    toxic_type: str,
    *,
    stream: str,
    toxicity: float,
    attributes: Mapping[str, int],
) -> Toxic:
    """Add a toxic (Toxiproxy's types, streams and attributes) and see that the link has it."""
    control = control_of(environment, link)
    wanted = f"drillbook-{toxic_type}-{secrets.token_hex(4)}"
    name = control.add_toxic(link, toxic_type, stream=stream, toxicity=toxicity, name=wanted, attributes=attributes)
    toxic = Toxic(control, link, name)
    return proven(toxic, toxic.there, f"link {link} does not list the toxic {name}")
