"""Journals as real runs write them: real events through the real Journal, with a clock that a test sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drillbook.journal import (
    CommandEnded,
    DrillFinished,
    DrillStarted,
    FaultInjected,
    Journal,
    Note,
    ObjectiveSet,
    Observed,
    RequestEnded,
    RunFinished,
    RunStarted,
    StepEnded,
    StepStarted,
)
from drillbook.journal.events import InvariantChecked
from drillbook.verdict.model import Measures, Outcome, Reason

FEATURE = "features/emergency/system_down.feature"
RUN = RunStarted("0.1.0", 42, "embedded", "meta_aggregator", "runbook.md")
PASSED = Measures(detect=0.31, act=2.1, recover=14.2, allowed=150.0, target=300.0)
LATE = Measures(detect=0.31, act=2.1, recover=331.5, allowed=150.0, target=300.0)


class SetClock:
    """A clock that only `sleep` and `moment` move (seconds); its wall clock starts at noon."""

    def __init__(self) -> None:
        self.moment = 1000.0

    def now(self) -> float:
        return self.moment

    def wall(self) -> datetime:
        return datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(seconds=self.moment - 1000.0)

    def sleep(self, seconds: float) -> None:
        self.moment += seconds


class Run:
    """A run being written."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock()
        self.folder = folder
        self.journal = Journal(folder / "journal.jsonl", clock=self.clock)

    def begin(self, name: str, *, feature: str = FEATURE, line: int = 7) -> None:
        """Begin a drill whose fault is injected one second later."""
        self.journal.begin(name)
        self.journal.write(DrillStarted(name, feature, line, ("@smoke",)))
        self.clock.sleep(1.0)
        self.journal.write(FaultInjected("link-down", "api-database", self.clock.now(), {"stream": "both"}))
        self.journal.write(ObjectiveSet("1. System Down", 300.0, "runbook.md:40", ("api",), 3, rpo=60.0))

    def look(self, *, ok: bool, error: str = "", probe: str = "api") -> int:
        """Let a probe look, and give the look's number."""
        now = self.clock.now()
        return self.journal.write(Observed(probe, ok, now - 0.01, now, error)).seq

    def command(self, text: str, exit_code: int, stdout: str = "", stderr: str = "") -> int:
        """Let a step run a command for half a second, and give its end's number."""
        start = self.clock.now()
        self.journal.write(StepStarted("1. System Down", "Check the API", "command", 44, start, 0.0, 300.0))
        self.clock.sleep(0.5)
        end = self.clock.now()
        ended = CommandEnded("Check the API", text, 45, exit_code, exit_code == 0, start, end, stdout, stderr)
        seq = self.journal.write(ended).seq
        self.journal.write(StepEnded("1. System Down", "Check the API", "command", 44, "done", start, end, 0.0))
        return seq

    def end(self, outcome: Outcome, *reasons: Reason, measures: Measures = PASSED, seconds: float = 20.0) -> None:
        """End the drill with a verdict."""
        self.journal.write(RequestEnded("acknowledged", "o-1", self.clock.now(), self.clock.now(), 201))
        self.journal.write(InvariantChecked("no acknowledged order is lost", Outcome.PASS))
        self.journal.write(DrillFinished(outcome, reasons, measures, seconds))
        self.journal.end()


@contextmanager
def run(folder: Path, started: RunStarted = RUN, *, end: RunFinished | None = None) -> Iterator[Run]:
    """Write a run; without an `end` it is one that was killed."""
    made = Run(folder)
    made.journal.write(started)
    try:
        yield made
        if end:
            made.journal.write(end)
    finally:
        made.journal.close()


def three_drills(folder: Path) -> None:
    """Write a run of which one drill passed, one failed and one is unknown."""
    with run(folder, end=RunFinished(1)) as made:
        made.begin("A release that answers 500 is rolled back")
        made.journal.write(Note("orders lost beyond the backup: 3", {"rpo_orders": 3, "rpo_seconds": 12.5}))
        made.end(Outcome.PASS, Reason(Outcome.PASS, "recovered in time"))
        made.begin("The database link is cut and comes back", line=21)
        made.clock.sleep(0.25)
        bad = made.look(ok=False, error="status 503")
        ended = made.command("curl -fsS https://api.metaaggregator.com/health", 22, "one\ntwo", "curl: (22) error 503")
        made.end(Outcome.FAIL, Reason(Outcome.FAIL, "recovered 181.5 s too late", (bad, ended)), measures=LATE)
        made.begin("A dropped table is restored", feature="features/recovery/database.feature")
        made.end(Outcome.UNKNOWN, Reason(Outcome.UNKNOWN, "no probe felt the fault"), measures=Measures(target=900.0))
