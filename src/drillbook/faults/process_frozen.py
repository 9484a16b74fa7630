"""A service's processes stop dead but keep their ports: connections are accepted by the kernel and never answered."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.processes import Process, serving
from drillbook.faults.proof import proven


@dataclass(frozen=True, slots=True)
class ProcessFrozen:
    """Send SIGSTOP to every process of `service` and its descendants; healing sends SIGCONT to those that still live."""

    kind: ClassVar[str] = "process-frozen"
    service: str

    @property
    def target(self) -> str:
        """The service."""
        return self.service

    def inject(self, environment: Environment) -> ActiveFault:
        """Stop all, and see that each is in state T; what a process forked meanwhile is stopped as well."""
        frozen = _Frozen([])

        def stopped() -> bool:
            newcomers = [p for p in serving(environment, self.service) if p not in frozen.processes]
            frozen.processes.extend(newcomers)
            for process in newcomers:
                process.send(signal.SIGSTOP)
            return not newcomers and all(process.state() in ("T", "") for process in frozen.processes)

        return proven(frozen, stopped, f"a process of {self.service} runs on after SIGSTOP")


@dataclass(frozen=True, slots=True)
class _Frozen:
    processes: list[Process]

    def heal(self) -> None:
        """Let those that still live run on; parents last, so that none finds its children stopped."""
        for process in reversed(self.processes):
            process.send(signal.SIGCONT)
