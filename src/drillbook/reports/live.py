"""A run while it happens, for whoever waits for it: told by the journal's own events, so it can show nothing else.

On a terminal a few lines at the bottom are redrawn (the clock against the target, the step, the traffic, the probes) below a
log; elsewhere there is only the log. Probes look 20 times a second, so the log has only their changes.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live as Redrawn
from rich.text import Text

from drillbook.clock import SYSTEM_CLOCK, Clock
from drillbook.journal.events import (
    CommandEnded,
    CommandStarted,
    DrillFinished,
    DrillStarted,
    EnvironmentPart,
    FaultInjected,
    ObjectiveSet,
    Observed,
    Record,
    RequestEnded,
    RunFinished,
    StepEnded,
    StepStarted,
)
from drillbook.reports.telling import moment, plain, seconds, sum_of_target, tell
from drillbook.reports.terminal import verdict

_REDRAWS = 8
"""A second: as fast as one reads a clock; each costs about a millisecond."""
LONGEST_LINE = 200
"""Characters of one line of progress; the report and the journal have the whole."""


@dataclass(slots=True)
class _Scene:
    """What is known of one worker's present drill."""

    name: str = ""
    started: float = 0.0
    zero: float | None = None
    target: float | None = None
    step: str = ""
    command: str = ""
    probes: dict[str, bool] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)

    def take(self, record: Record) -> bool:
        """Take an event in; say whether it belongs in the log."""
        match record.event:
            case Observed() as look:
                known = self.probes.get(look.probe, True)
                self.probes[look.probe] = look.ok
                return known != look.ok
            case RequestEnded(outcome):
                self.requests[outcome] = self.requests.get(outcome, 0) + 1
                return False
            case FaultInjected(at=at):
                self.zero = at if self.zero is None else self.zero
            case ObjectiveSet(target=target):
                self.target = target
            case StepStarted() as step:
                self.step, self.target = step.title, step.target if self.target is None else self.target
            case CommandStarted(text=text):
                self.command = text
            case CommandEnded():
                self.command = ""
            case StepEnded() as step:
                self.step = ""
                return step.outcome != "done"
            case EnvironmentPart(state="starting"):
                return False
            case RunFinished():
                return False
        return True

    def lines(self, now: float) -> list[Text]:
        """Give what is redrawn: clock, step, traffic and probes."""
        bad = [probe for probe, ok in self.probes.items() if not ok]
        clock = f"{seconds_of(now, self.started)} running, no fault yet"
        if self.zero is not None:
            target = f" of {seconds(self.target)} s" if self.target is not None else ""
            clock = f"{seconds_of(now, self.zero)}{target} since the fault"
        doing = self.command or self.step
        traffic = ", ".join(f"{count} {outcome}" for outcome, count in self.requests.items())
        good = f"{len(self.probes) - len(bad)} of {len(self.probes)} probes good"
        lines = [
            Text.assemble((plain(self.name), "bold"), "  ", (clock, "bold red" if bad else "bold")),
            Text.assemble("  ", (f"bad: {', '.join(map(plain, bad))}", "red") if bad else good, f"  {traffic}"),
        ]
        return [*lines, Text(f"  > {' '.join(plain(doing).split())}", "cyan")] if doing else lines


class Live:
    """A listener for `Journal.listen`; called from any thread. Use `start` and `stop`, or `with`."""

    def __init__(self, console: Console, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._scenes: dict[str, _Scene] = {}
        self._coming: dict[str, None] = {}
        self._redrawn: Redrawn | None = None

    def start(self) -> None:
        """Begin to redraw, where the console is a terminal."""
        if self._console.is_terminal and self._redrawn is None:
            self._redrawn = Redrawn(
                console=self._console,
                get_renderable=self._picture,
                refresh_per_second=_REDRAWS,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._redrawn.start(refresh=True)

    def stop(self) -> None:
        """Take the redrawn lines away; the log stays."""
        redrawn, self._redrawn = self._redrawn, None
        if redrawn:
            redrawn.stop()

    def __enter__(self) -> Live:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, record: Record) -> None:
        """Take in one event of the journal."""
        with self._lock:
            line = self._take(record)
        if line is None:
            return
        # Outside the lock, for the redrawing thread holds the console's and wants ours. A reader that has gone away (Rich
        # then asks for the process's end) is no reason to end a drill.
        with contextlib.suppress(OSError, SystemExit):
            self._console.print(line, soft_wrap=not self._console.is_terminal)

    def _take(self, record: Record) -> Text | None:
        event = record.event
        if isinstance(event, DrillStarted):
            self._scenes[record.worker] = _Scene(event.name, record.at)
        if isinstance(event, EnvironmentPart):
            self._part(event, "" if record.worker == "main" else f"{record.worker} ")
        scene = self._scenes.setdefault(record.worker, _Scene())
        logged = scene.take(record)
        if isinstance(event, DrillFinished):
            del self._scenes[record.worker]
        return _line(record, scene.zero) if logged else None

    def _part(self, part: EnvironmentPart, worker: str) -> None:
        if part.state == "starting":
            self._coming[worker + part.name] = None
        else:
            self._coming.pop(worker + part.name, None)

    def _picture(self) -> Group:
        with self._lock:
            now = self._clock.now()
            lines = [line for scene in self._scenes.values() if scene.name for line in scene.lines(now)]
            if self._coming:
                lines.append(Text(f"starting: {', '.join(self._coming)}", "cyan"))
        return Group(*lines)


def seconds_of(now: float, then: float) -> str:
    """Give the seconds between two moments, to a tenth: a clock's digits must not jump about."""
    return f"{max(now - then, 0.0):.1f} s"


def _line(record: Record, zero: float | None) -> Text:
    """Give a line of the log: time of day, seconds since the fault, worker, what happened."""
    event = record.event
    since = "" if zero is None else f"{moment(record) - zero:+8.2f} s  "
    worker = "" if record.worker == "main" else f"[{record.worker}] "
    head = (f"{record.time[11:19]}  {worker}{since}", "dim")
    if isinstance(event, DrillFinished):
        return Text.assemble(
            head, verdict(event.outcome.value), f" {plain(record.drill)}: {sum_of_target(event.measures)}"
        )
    style = "bold" if isinstance(event, DrillStarted) else "red" if _is_bad(event) else ""
    line = Text.assemble(head, (plain(tell(event)), style))
    line.truncate(LONGEST_LINE, overflow="ellipsis")  # a whole loop of a runbook is one command
    return line


def _is_bad(event: object) -> bool:
    match event:
        case Observed(ok=ok):
            return not ok
        case CommandEnded(accepted=accepted):
            return not accepted
        case EnvironmentPart(state=state):
            return state == "failed"
    return False
