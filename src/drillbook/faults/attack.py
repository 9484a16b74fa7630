"""Somebody attacks the system: a program of the environment's own does what a thief would, as long as it is let."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import ClassVar

from drillbook.backends.base import Environment, RunningModule
from drillbook.clock import wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault

ENDS_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Attack:
    """Run the Python module `module` of the environment until healed.

    It prints one line for each blow that struck, and ends by itself after `seconds` (its option --seconds). What it did is
    undone by the environment's reset: healing only ends it. EnvironmentFailed if no blow struck `within` seconds.
    """

    kind: ClassVar[str] = "attack"
    module: str
    arguments: tuple[str, ...] = ()
    seconds: float = 30.0
    within: float = 10.0

    @property
    def target(self) -> str:
        """The module."""
        return self.module

    def inject(self, environment: Environment) -> ActiveFault:
        """Start it, and wait until its first blow has struck."""
        process = environment.start_module(self.module, [*self.arguments, "--seconds", f"{self.seconds:g}"])
        attacker = _Attacker(process)
        attacker.reader.start()
        wait_until(lambda: attacker.said or process.poll() is not None, self.within, interval=0.01)
        if attacker.said and process.poll() is None:
            return attacker
        attacker.heal()
        raise EnvironmentFailed(f"the fault did not take: {self.module}: {' / '.join(attacker.said[-3:]) or 'silent'}")


@dataclass(slots=True)
class _Attacker:
    process: RunningModule
    said: list[str] = field(default_factory=list)
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, name="drillbook-attack", daemon=True)

    def heal(self) -> None:
        """End the attacker, and see that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        if not wait_until(lambda: self.process.poll() is not None, ENDS_WITHIN):
            raise EnvironmentFailed("the attacker does not end")
        self.reader.join(ENDS_WITHIN)

    def _read(self) -> None:
        with self.process.stdout as output:
            for line in output:
                self.said.append(line.strip())
