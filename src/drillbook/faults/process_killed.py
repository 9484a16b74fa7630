"""A service's processes die at once, as by the kernel's out-of-memory killer: no goodbye, connections reset."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.processes import alive, serving
from drillbook.faults.proof import proven


@dataclass(frozen=True, slots=True)
class ProcessKilled:
    """Send SIGKILL to every process of `service` and its descendants. Healing starts it again if nobody has."""

    kind: ClassVar[str] = "process-killed"
    service: str

    @property
    def target(self) -> str:
        """The service."""
        return self.service

    def inject(self, environment: Environment) -> ActiveFault:
        """Kill, and see that each of them is gone."""
        processes = serving(environment, self.service)
        for process in processes:
            process.send(signal.SIGKILL)
        gone = f"a process of {self.service} survived SIGKILL"
        return proven(_Killed(environment, self.service), lambda: not any(p.state() for p in processes), gone)


@dataclass(frozen=True, slots=True)
class _Killed:
    environment: Environment
    service: str

    def heal(self) -> None:
        """Start the service unless it lives already."""
        if not alive(self.environment, self.service):
            self.environment.restart(self.service)
