"""Somebody releases a version that is broken, as most outages begin."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven

if TYPE_CHECKING:
    from drillbook.platform.client import PlatformClient


@dataclass(frozen=True, slots=True)
class BadRelease:
    """Release `app` with a `defect`: answers-500, hangs or exits.

    With `previous_too` it is released twice, so that a rollback to the previous release finds a broken one as well.
    Healing goes back to the release that was live before, unless the bad ones are live no longer.
    """

    kind: ClassVar[str] = "bad-release"
    app: str
    defect: str = "answers-500"
    previous_too: bool = False

    @property
    def target(self) -> str:
        """The app."""
        return self.app

    def inject(self, environment: Environment) -> ActiveFault:
        """Release without a gate, and see that the bad release is the live one."""
        platform = environment.platform
        released = _Released(platform, self.app, platform.app(self.app).current, [])
        with ExitStack() as undo:
            undo.callback(released.heal)
            for _ in range(2 if self.previous_too else 1):
                released.bad.append(platform.release(self.app, self.defect, gate=False))
            undo.pop_all()
        return proven(released, released.live, f"release {released.bad[-1]} of {self.app} is not the live one")


@dataclass(frozen=True, slots=True)
class _Released:
    platform: PlatformClient
    app: str
    good: int
    bad: list[int]

    def live(self) -> bool:
        """Say whether the newest bad release is the current one, and marked as bad."""
        app = self.platform.app(self.app)
        return app.current == self.bad[-1] and any(r.number == app.current and r.defect for r in app.releases)

    def heal(self) -> None:
        """Go back to what was live, if a bad release still is."""
        if self.platform.app(self.app).current in self.bad:
            self.platform.rollback(self.app, self.good)
