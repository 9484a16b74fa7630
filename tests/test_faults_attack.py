"""An attack is a real program: it counts when a blow has struck, and is gone when it is healed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from drillbook.backends.base import RunningModule
from drillbook.errors import EnvironmentFailed
from drillbook.faults.attack import Attack
from tests.parts_environment import PartsEnvironment

STRIKES = "import sys, time; print('struck', *sys.argv[1:], flush=True); time.sleep(60)"
MISSES = "print('the door is locked', flush=True); raise SystemExit(1)"


@dataclass
class Attacked(PartsEnvironment):
    """An environment whose modules are one-line programs."""

    programs: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start_module(self, module: str, arguments: Sequence[str] = ()) -> RunningModule:
        command = [sys.executable, "-c", self.programs[module], *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.started.append(process)
        return process  # type: ignore[return-value]  # Popen's stdout may be None; this one's is a pipe


def test_an_attacker_strikes_until_it_is_healed() -> None:
    environment = Attacked(programs={"thief": STRIKES})
    attack = Attack("thief", ("--hard",)).inject(environment)
    assert environment.started[0].poll() is None
    attack.heal()
    assert environment.started[0].poll() is not None


def test_an_attack_that_never_strikes_is_no_fault() -> None:
    environment = Attacked(programs={"thief": MISSES})
    with pytest.raises(EnvironmentFailed, match="the door is locked"):
        Attack("thief").inject(environment)


def test_a_silent_attacker_is_ended() -> None:
    environment = Attacked(programs={"thief": "import time; time.sleep(60)"})
    with pytest.raises(EnvironmentFailed, match="silent"):
        Attack("thief", within=0.2).inject(environment)
    assert environment.started[0].poll() is not None
