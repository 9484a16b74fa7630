"""The events of a run: frozen, plain, each with a time; the judge and the reports know a run by nothing else.

Times named `started`, `finished`, `sent` and `at` are seconds of the machine's monotonic clock, comparable within one run.
Durations are seconds. What an event is called in a journal is its class's name in kebab case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drillbook.verdict.model import Measures, Outcome, Reason

SCHEMA = 1
"""The version of the journal's format; readers refuse a newer one."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins. `omitted_steps` and `omitted_fault` say that it is a self-test, which no report may hide."""

    version: str
    seed: int
    backend: str
    environment: str
    runbook: str
    arguments: tuple[str, ...] = ()
    omitted_steps: tuple[str, ...] = ()
    omitted_fault: bool = False
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class RunbookCommand:
    """A command of the runbook; `unrehearsed` is the declared reason why no drill runs it, "" where there is none."""

    text: str
    line: int
    unrehearsed: str = ""


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """A step of the runbook, with its commands; `unrehearsed` as a command's."""

    title: str
    kind: str
    line: int
    commands: tuple[RunbookCommand, ...] = ()
    unrehearsed: str = ""


@dataclass(frozen=True, slots=True)
class RunbookSection:
    """A section of the runbook; `targets` are the seconds that it promises."""

    path: str
    line: int
    targets: tuple[float, ...] = ()
    steps: tuple[RunbookStep, ...] = ()


@dataclass(frozen=True, slots=True)
class RunbookRead:
    """What the runbook of this run holds, so that its journal alone tells what of it was rehearsed."""

    file: str
    sections: tuple[RunbookSection, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentPart:
    """Progress of one part of the environment: starting, ready, failed or stopped."""

    name: str
    state: str
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ScenarioLeftOut:
    """A scenario that was asked for did not run, because this machine lacks what it needs."""

    name: str
    feature: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class DrillStarted:
    """A scenario begins; `feature` is a path relative to the project, `line` the scenario's."""

    name: str
    feature: str
    line: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentReset:
    """The environment was returned to its baseline; `problems` are what could not be."""

    seconds: float
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SteadyStateChecked:
    """The steady state was checked; `problems` are the probes that did not hold. Empty: it holds."""

    seconds: float
    probes: tuple[str, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """One request of the workload: `outcome` is acknowledged, refused or failed; `key` is what makes it unique.

    `attempts` is how often it was sent: an acknowledgement of the second one hides that the first was lost.
    """

    outcome: str
    key: str
    sent: float
    finished: float
    status: int = 0
    error: str = ""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class TrafficEnded:
    """The workload stopped, with what it counted itself; `error` if it broke off."""

    sent: int
    acknowledged: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class LoadStarted:
    """A declared load begins: its `model` is open (`level` arrivals a second) or closed (`level` users)."""

    load: str
    model: str
    shape: str
    level: float
    duration: float
    at: float
    workers: int = 0


@dataclass(frozen=True, slots=True)
class LoadMeasured:
    """What all requests of a load say, or those of the `part` of it that is named.

    `percentiles` are seconds, None where so many failed; `errors` a share; `rate` is of those that succeeded. The warm-up is in
    none of them. `file` holds every request, relative to the run's folder.
    """

    load: str
    part: str
    count: int
    failed: int
    rate: float
    percentiles: Mapping[str, float | None]
    errors: float
    told: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class LoadBroken:
    """A load could not be made as declared: nothing was measured."""

    load: str
    error: str


@dataclass(frozen=True, slots=True)
class FaultInjected:
    """A fault is in force since `at`: the drill's clock starts at the first one."""

    fault: str
    target: str
    at: float
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaultOmitted:
    """A fault was left out by request; the drill may claim nothing."""

    fault: str
    target: str


@dataclass(frozen=True, slots=True)
class FaultHealed:
    """A fault was undone by the harness; `error` if that failed. `scripted`: the scenario itself says that it ends."""

    fault: str
    target: str
    at: float
    error: str = ""
    scripted: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """One look of one probe; `crashed` marks a defect of the probe itself, with its traceback in `error`."""

    probe: str
    ok: bool
    started: float
    finished: float
    error: str = ""
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class StepStarted:
    """The responder begins a step; `target` is the seconds of the runbook's target time that governs it, if any."""

    section: str
    title: str
    kind: str
    line: int
    at: float
    allowed: float
    target: float | None = None


@dataclass(frozen=True, slots=True)
class CommandStarted:
    """A command is given to the shell; it is killed `deadline` seconds later."""

    step: str
    text: str
    line: int
    at: float
    deadline: float


@dataclass(frozen=True, slots=True)
class CommandEnded:
    """A command ended; `accepted` says whether its exit code counts as success (None: its deadline ended it)."""

    step: str
    text: str
    line: int
    exit_code: int | None
    accepted: bool
    started: float
    finished: float
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False
    note: str = ""
    unbound: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionTaken:
    """A person's judgement at a step, and why."""

    step: str
    taken: bool
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class PersonCalled:
    """A person on call was called from `at` to `finished`, and acknowledged or was passed over.

    `waited` are seconds of people's time until then; it runs `factor` times as fast as the drill's.
    """

    step: str
    contact: str
    name: str
    number: str
    message: str
    at: float
    finished: float
    waited: float
    acknowledged: bool
    factor: float


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """Somebody was asked at a step to approve something; `answer` is approved, refused or no-answer."""

    step: str
    contact: str
    name: str
    question: str
    answer: str
    at: float


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step ended: done, skipped, omitted, unbound or failed; `allowed` are the seconds granted to people for it."""

    section: str
    title: str
    kind: str
    line: int
    outcome: str
    started: float
    finished: float
    allowed: float
    detail: str = ""
    target: float | None = None


@dataclass(frozen=True, slots=True)
class ObjectiveSet:
    """What recovery is judged by: seconds from the fault, and where that figure stands.

    `probes` must all be good, `consecutive` looks in a row. `recovers` is False where the scenario says that the target is
    missed. `rpo` is seconds of acknowledged work that may be lost, None if nothing is declared.
    """

    section: str
    target: float
    source: str
    probes: tuple[str, ...]
    consecutive: int
    recovers: bool = True
    rpo: float | None = None


@dataclass(frozen=True, slots=True)
class InvariantChecked:
    """Something that must hold after every drill; unknown if it could not be checked."""

    name: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CheckMade:
    """A Then of the scenario: what it says, how it came out, why, and the events that show it.

    `sensor` marks one by which the fault is felt where no probe feels it: a step of the runbook that must notice it.
    """

    text: str
    outcome: Outcome
    detail: str = ""
    events: tuple[int, ...] = ()
    sensor: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A fact that a step recorded for the report: a message that arrived, a figure that was read."""

    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgeCrashed:
    """The judge or a check had a defect: the drill is unknown."""

    traceback: str


@dataclass(frozen=True, slots=True)
class DrillFinished:
    """A drill's verdict."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    measures: Measures = field(default_factory=Measures)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run ended by itself, or by Ctrl-C or SIGTERM (`interrupted`). A journal without it was killed."""

    exit_code: int
    interrupted: bool = False


Event = (
    RunStarted
    | RunbookRead
    | EnvironmentPart
    | ScenarioLeftOut
    | DrillStarted
    | EnvironmentReset
    | SteadyStateChecked
    | RequestEnded
    | TrafficEnded
    | LoadStarted
    | LoadMeasured
    | LoadBroken
    | FaultInjected
    | FaultOmitted
    | FaultHealed
    | Observed
    | StepStarted
    | CommandStarted
    | CommandEnded
    | DecisionTaken
    | PersonCalled
    | ApprovalAsked
    | StepEnded
    | ObjectiveSet
    | InvariantChecked
    | CheckMade
    | Note
    | JudgeCrashed
    | DrillFinished
    | RunFinished
)


@dataclass(frozen=True, slots=True)
class Record:
    """An event with its place: `seq` counts within one `worker`; `time` is RFC 3339; `drill` is "" outside a drill."""

    seq: int
    time: str
    at: float
    drill: str
    worker: str
    event: Event


Timeline = tuple[Record, ...]
"""The records of one drill, in the order in which they were written."""
