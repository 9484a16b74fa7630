"""The cluster has no room: a node is gone, or others have taken what was left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven

if TYPE_CHECKING:
    from drillbook.platform.client import PlatformClient


@dataclass(frozen=True, slots=True)
class ClusterFull:
    """Leave the cluster room for `room` processes of all apps. Those that run stay; further ones are Pending."""

    kind: ClassVar[str] = "cluster-full"
    room: int

    @property
    def target(self) -> str:
        """The cluster."""
        return "cluster"

    def inject(self, environment: Environment) -> ActiveFault:
        """Take the room away, and see that the platform says so. Raises EnvironmentFailed if there was no more before."""
        platform = environment.platform
        before = platform.capacity()
        if before <= self.room:
            raise EnvironmentFailed(f"the fault did not take: the cluster had room for {before} processes only")
        platform.set_capacity(self.room)
        narrowed = _Narrowed(platform, before)
        return proven(narrowed, lambda: platform.capacity() == self.room, "the cluster still has its old room")


@dataclass(frozen=True, slots=True)
class _Narrowed:
    platform: PlatformClient
    before: int

    def heal(self) -> None:
        """Give the room back; what waits is placed."""
        self.platform.set_capacity(self.before)
