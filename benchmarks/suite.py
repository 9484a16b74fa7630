"""The whole suite with two workers: how long, where the time goes by phase of a drill, and how much memory at its peak."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.memory import proportional
from drillbook.clock import SYSTEM_CLOCK
from drillbook.errors import EnvironmentFailed
from drillbook.journal import (
    DrillFinished,
    DrillStarted,
    EnvironmentReset,
    FaultInjected,
    JournalFile,
    SteadyStateChecked,
    StepEnded,
    Timeline,
    TrafficEnded,
    read,
)

ROOT = Path(__file__).parents[1]
WORKERS = 2
_LOOK_SECONDS = 2.0
PHASES = ("start", "reset", "steady state", "fault", "response", "recovery and checks", "end")
_ENDS: dict[type, str] = {
    EnvironmentReset: "reset",
    SteadyStateChecked: "steady state",
    FaultInjected: "fault",
    StepEnded: "response",
    TrafficEnded: "recovery and checks",
    DrillFinished: "end",
}


def measure() -> list[Figure]:
    """Run every drill once; give wall seconds, peak memory in MB, and the seconds of each phase of the drills together.

    A phase's peer is the sum of all phases: both workers' time, so that the sum is about twice the wall seconds.
    """
    seconds, memory, journal = _run()
    spent = Counter({"start": _start(journal)})
    for timeline in journal.drills().values():
        spent.update(dict(phases(timeline)))
    whole = sum(spent.values())
    parts = [Figure(f"whole suite: {name}", spent[name], "s", whole, spent[name] / whole) for name in PHASES]
    return [
        Figure(f"whole suite, {WORKERS} workers", seconds, "s"),
        Figure("whole suite, drills", len(journal.drills()), ""),
        Figure("whole suite, peak memory (PSS)", memory / 1e6, "MB"),
        *parts,
    ]


def phases(timeline: Timeline) -> Iterator[tuple[str, float]]:
    """Split one drill into its phases, in seconds: each reaches from the end of the one before to the last event of its kind.

    What comes before the first step of the responder, traffic included, belongs to the fault.
    """
    began = next(record.at for record in timeline if isinstance(record.event, DrillStarted))
    for kind, name in _ENDS.items():
        last = max((record.at for record in timeline if isinstance(record.event, kind)), default=began)
        yield name, max(0.0, last - began)
        began = max(began, last)


def _start(journal: JournalFile) -> float:
    """Give the seconds until the first drill of each worker."""
    workers = {record.worker for record in journal.records if isinstance(record.event, DrillStarted)}
    first = journal.records[0].at
    return sum(
        next(r.at for r in journal.records if r.worker == worker and isinstance(r.event, DrillStarted)) - first
        for worker in workers
    )


def _run() -> tuple[float, float, JournalFile]:
    runs = ROOT / "runs"
    runs.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs) as folder:
        command = [sys.executable, "-m", "drillbook", "run", "-n", str(WORKERS), f"--output={folder}", "--seed=1"]
        began, ended, seen = SYSTEM_CLOCK.now(), threading.Event(), [0.0]
        with (Path(folder) / "said").open("w+") as said:
            with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as running:
                watcher = threading.Thread(target=_watch, args=(running.pid, ended, seen))
                watcher.start()
                code = running.wait()
            seconds = SYSTEM_CLOCK.now() - began
            ended.set()
            watcher.join()
            if code != 0:
                said.seek(0)
                raise EnvironmentFailed(f"drillbook run ended with {code}:\n{said.read()[-3000:]}")
        return seconds, max(seen), read(Path(folder))


def _watch(pid: int, ended: threading.Event, seen: list[float]) -> None:
    while not ended.wait(_LOOK_SECONDS):
        seen.append(proportional(pid))
