"""References such as `${links.api-database}`: how they are found in a text, and how they are resolved at start.

A topology is frozen before anything runs, so passwords, addresses and folders that exist only in a run stand in it as
references. `$${` writes a literal `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.errors import UsageError

if TYPE_CHECKING:
    from drillbook.topology.addresses import Addresses
    from drillbook.topology.model import Topology

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<body>[^}\n]*)(?P<close>\}?)")
_OUTER = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*):-(?P<default>.*)")


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${name}` or `${name:-default}` in a text; `start` is its offset there, `raw` how it is written.

    `default` is None where none is given: only a variable of the outer environment has one.
    """

    name: str
    default: str | None
    start: int
    raw: str

    @property
    def closed(self) -> bool:
        """Whether its brace closes."""
        return self.raw.endswith("}")


def references(text: str) -> list[Reference]:
    """Find every reference in a text, in order; a brace that does not close gives one whose `closed` is false."""
    return [_reference(found) for found in _REFERENCE.finditer(text) if found["body"] is not None]


def resolve(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of references: `{"secrets.x": "…", "links.y": "host:port", "state": "…"}`.

    A name without a value takes its default; UsageError where it has none.
    """
    return _REFERENCE.sub(lambda found: _value(found, values), text)


def reference_values(
    topology: Topology, addresses: Addresses, secrets: Mapping[str, str], state: Path | None = None
) -> dict[str, str]:
    """Give the values that a topology's references resolve to.

    `secrets` are the run's, by name; `state` is the folder of the service whose text is resolved. A link's value is
    `host:port`, with `.host` and `.port` for its halves.
    """
    values = {f"secrets.{name}": value for name, value in secrets.items()}
    for name in topology.links:
        address = addresses.link(name)
        values |= {
            f"links.{name}": str(address),
            f"links.{name}.host": address.host,
            f"links.{name}.port": str(address.port),
        }
    values["people.contacts"] = topology.people.contacts_json()
    return values | ({"state": str(state)} if state else {})


def _reference(found: re.Match[str]) -> Reference:
    outer = _OUTER.fullmatch(found["body"])
    name, default = (outer["name"], outer["default"]) if outer else (found["body"], None)
    return Reference(name, default, found.start(), found[0])


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    if found["body"] is None:
        return "${"
    reference = _reference(found)
    if reference.default is not None:
        return values.get(reference.name) or reference.default
    if reference.name not in values or not reference.closed:
        raise UsageError(f"nothing gives {reference.raw} a value here", mend=f"use one of: {', '.join(sorted(values))}")
    return values[reference.name]
