"""A broken release is live, and the one before it never gets as far as listening: going back to that never ends."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven

if TYPE_CHECKING:
    from drillbook.platform.client import PlatformClient

STALLS = "stalls"


@dataclass(frozen=True, slots=True)
class RollbackHangs:
    """Release `app` with a `defect` after a release that stalls at its start, which was built but never made live.

    Healing goes back to the release that was live before, unless neither of them is live or coming up.
    """

    kind: ClassVar[str] = "rollback-hangs"
    app: str
    defect: str = "answers-500"

    @property
    def target(self) -> str:
        """The app."""
        return self.app

    def inject(self, environment: Environment) -> ActiveFault:
        """Build the one, release the other without a gate, and see that the other is live, with the one before it."""
        platform = environment.platform
        good = platform.app(self.app).current
        with ExitStack() as undo:
            undo.callback(lambda: platform.rollback(self.app, good))
            stalled = platform.build(self.app, STALLS)
            broken = platform.release(self.app, self.defect, gate=False)
            undo.pop_all()
        released = _Released(platform, self.app, good, stalled, broken)
        return proven(released, released.live, f"release {broken} of {self.app} is not the live one after {stalled}")


@dataclass(frozen=True, slots=True)
class _Released:
    platform: PlatformClient
    app: str
    good: int
    stalled: int
    broken: int

    def live(self) -> bool:
        """Say whether the broken release is the current one, and the stalled one is next to it on the shelf."""
        app = self.platform.app(self.app)
        defects = {release.number: release.defect for release in app.releases}
        return app.current == self.broken == self.stalled + 1 and defects.get(self.stalled) == STALLS

    def heal(self) -> None:
        """Go back to what was live, if one of the two is still live or coming up."""
        app = self.platform.app(self.app)
        if {app.current, app.rolling} & {self.stalled, self.broken}:
            self.platform.rollback(self.app, self.good)
