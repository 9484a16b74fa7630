"""The room of the cluster: so many processes of all apps together. Who finds none waits, first come, first served.

As with Kubernetes' limit of pods per node: a pod that cannot be placed is Pending until another one has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.platform.instance import Instance


class Places:
    """`room` places."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._taken: set[Instance] = set()
        self._waiting: dict[Instance, Callable[[], None]] = {}

    def ask(self, instance: Instance, start: Callable[[], None]) -> None:
        """Call `start` as soon as there is a place for the instance: now, or when others have left."""
        self._waiting[instance] = start
        self._place()

    def leave(self, instance: Instance) -> None:
        """Give an instance's place to the next, or take it out of the queue."""
        self._waiting.pop(instance, None)
        self._taken.discard(instance)
        self._place()

    def resize(self, room: int) -> None:
        """Have another number of places from now on; nobody who has one loses it."""
        self.room = room
        self._place()

    def _place(self) -> None:
        while self._waiting and len(self._taken) < self.room:
            instance = next(iter(self._waiting))
            start = self._waiting.pop(instance)
            self._taken.add(instance)
            start()
