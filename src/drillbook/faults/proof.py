"""A fault counts only when it can be shown to have taken: an injection that did nothing must never look like resilience."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from drillbook.clock import wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault

Active = TypeVar("Active", bound=ActiveFault)


@dataclass(frozen=True, slots=True)
class Undo:
    """The handle of a fault that was made in several moves: healing takes them back, last first, past any error."""

    moves: ExitStack

    def heal(self) -> None:
        """Take every move back; raise the last error."""
        self.moves.close()


def proven(active: Active, took: Callable[[], bool], otherwise: str, *, within: float = 2.0) -> Active:
    """Give `active` once `took` holds; after `within` seconds heal it and raise EnvironmentFailed, saying `otherwise`."""
    with ExitStack() as undo:
        undo.callback(active.heal)
        if not wait_until(took, within):
            raise EnvironmentFailed(f"the fault did not take: {otherwise}")
        undo.pop_all()
    return active
