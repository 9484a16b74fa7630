"""Somebody releases the same code with another setting: it works, until there is more to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven

if TYPE_CHECKING:
    from drillbook.platform.client import PlatformClient


@dataclass(frozen=True, slots=True)
class ChangedRelease:
    """Release `app` with the variable `setting` at `value`. Healing goes back to the release before, if this one is live."""

    kind: ClassVar[str] = "changed-release"
    app: str
    setting: str
    value: str

    @property
    def target(self) -> str:
        """The app."""
        return self.app

    def inject(self, environment: Environment) -> ActiveFault:
        """Release it without a gate, and see that the live release has the setting."""
        platform = environment.platform
        before = platform.app(self.app).current
        number = platform.release(self.app, settings={self.setting: self.value})
        released = _Released(platform, self.app, before, number)
        return proven(released, released.live, f"release {number} of {self.app} is not the live one")


@dataclass(frozen=True, slots=True)
class _Released:
    platform: PlatformClient
    app: str
    before: int
    number: int

    def live(self) -> bool:
        """Say whether the changed release is the current one."""
        app = self.platform.app(self.app)
        return app.current == self.number and any(r.number == self.number and r.settings for r in app.releases)

    def heal(self) -> None:
        """Go back to what was live, if the changed release still is."""
        if self.platform.app(self.app).current == self.number:
            self.platform.rollback(self.app, self.before)
