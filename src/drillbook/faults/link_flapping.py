"""A link comes and goes by itself: each return looks like a recovery to whoever looks once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from drillbook.backends.base import Environment
from drillbook.clock import SYSTEM_CLOCK
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault
from drillbook.faults.links import control_of
from drillbook.faults.proof import proven

if TYPE_CHECKING:
    from drillbook.toxiproxy.client import LinkControl


@dataclass(frozen=True, slots=True)
class LinkFlapping:
    """Cut `link` for `down_ms` milliseconds, let it be for `up_ms`, and so on, for `seconds` at most: then it stays up.

    Healing ends it sooner.
    """

    kind: ClassVar[str] = "link-flapping"
    link: str
    up_ms: int
    down_ms: int
    seconds: float

    @property
    def target(self) -> str:
        """The link."""
        return self.link

    def inject(self, environment: Environment) -> ActiveFault:
        """Begin with a cut, and see that it is one."""
        control = control_of(environment, self.link)
        if not control.state(self.link).enabled:
            raise EnvironmentFailed(f"link {self.link} is down already", mend="heal it first")
        flapping = _Flapping(control, self)
        flapping.start()
        return proven(flapping, lambda: flapping.cuts > 0, f"link {self.link} was not cut")


class _Flapping:
    def __init__(self, control: LinkControl, fault: LinkFlapping) -> None:
        self.cuts = 0
        self._control = control
        self._fault = fault
        self._ending = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._main, name="drillbook-flapping", daemon=True)

    def start(self) -> None:
        """Begin to flap."""
        self._thread.start()

    def heal(self) -> None:
        """End it with the link up; raise what made the flapping break off."""
        self._ending.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _main(self) -> None:
        try:
            self._flap()
        except Exception as error:
            self._failure = error

    def _flap(self) -> None:
        fault, ends = self._fault, SYSTEM_CLOCK.now() + self._fault.seconds
        try:
            while SYSTEM_CLOCK.now() < ends:
                self._control.disable(fault.link)
                self.cuts += 1
                if self._ending.wait(fault.down_ms / 1000):
                    return
                self._control.enable(fault.link)
                if self._ending.wait(fault.up_ms / 1000):
                    return
        finally:
            self._control.enable(fault.link)
