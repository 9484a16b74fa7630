"""What a drill costs beside its own waiting, and how long `make drill` takes: whole `drillbook run`s, as people start them."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure
from drillbook.clock import SYSTEM_CLOCK
from drillbook.errors import EnvironmentFailed
from drillbook.journal import DrillFinished, DrillStarted, EnvironmentReset, JournalFile, StepEnded, read

ROOT = Path(__file__).parents[1]
SMOKE = ["--tags", "@smoke"]
"""What `make drill` runs."""


def measure(*, rounds: int = 3) -> list[Figure]:
    """Run the suite once and its shortest scenario alone, `rounds` times; give medians of wall seconds, start to exit.

    A scenario's peer is the time of the runbook's own steps in it; the rest is overhead: interpreter, environment,
    steady state, settling, invariants, end.
    """
    suite, journal = _run(SMOKE)
    resets = [r.event.seconds for r in journal.records if isinstance(r.event, EnvironmentReset)]
    feature, name = _shortest(journal)
    alone = [_run([feature, "-k", _expression(name)]) for _ in range(rounds)]
    if any(len(one.drills()) != 1 for _, one in alone):
        raise EnvironmentFailed(f"more than one scenario is meant by {name!r}")
    whole = median(seconds for seconds, _ in alone)
    steps = median(_steps(one) for _, one in alone)
    ratio = median((seconds - _steps(one)) / _steps(one) for seconds, one in alone)
    drills = len(journal.drills())
    return [
        Figure("one scenario, start to exit", whole, "s"),
        Figure("overhead of a scenario", whole - steps, "s", steps, ratio),
        Figure("default suite", suite, "s"),
        Figure("default suite, a scenario", suite / drills, "s"),
        Figure("longest reset in the suite", max(resets), "s"),
    ]


def _run(arguments: list[str]) -> tuple[float, JournalFile]:
    """Run drills that must pass; give the wall seconds from the process's start to its exit, and the journal."""
    with tempfile.TemporaryDirectory(dir=_runs()) as folder:
        command = [sys.executable, "-m", "drillbook", "run", *arguments, f"--output={folder}", "--seed=1"]
        began = SYSTEM_CLOCK.now()
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        seconds = SYSTEM_CLOCK.now() - began
        if done.returncode != 0:
            raise EnvironmentFailed(f"drillbook run ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return seconds, read(Path(folder))


def _runs() -> Path:
    """Give the folder of runs: a sandbox hides the machine's temporary files."""
    folder = ROOT / "runs"
    folder.mkdir(exist_ok=True)
    return folder


def _shortest(journal: JournalFile) -> tuple[str, str]:
    """Give the feature file and the name of the scenario that took least."""
    took: dict[str, float] = {r.drill: r.event.seconds for r in journal.records if isinstance(r.event, DrillFinished)}
    shortest = min(took, key=lambda drill: took[drill])
    started = next(r.event for r in journal.records if r.drill == shortest and isinstance(r.event, DrillStarted))
    return started.feature, started.name


def _expression(name: str) -> str:
    """Give an expression for -k that chooses the scenario of this name: all its words, without those that -k reads itself."""
    return " and ".join(word for word in re.findall(r"\w+", name) if word.casefold() not in ("and", "or", "not"))


def _steps(journal: JournalFile) -> float:
    ended = (r.event for r in journal.records if isinstance(r.event, StepEnded))
    return sum(step.finished - step.started for step in ended)
