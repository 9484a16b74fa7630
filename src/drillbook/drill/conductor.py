"""Conducts one scenario. The Gherkin words call it; it breaks, follows, watches and records; it never judges by itself."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, is_dataclass

from drillbook.backends.base import Environment
from drillbook.clock import SYSTEM_CLOCK, Clock, wait_until
from drillbook.drill.invariants import check_declared, check_kept
from drillbook.drill.loads import Loads
from drillbook.drill.probes import make_probes
from drillbook.drill.telling import tell
from drillbook.drill.traffic import Traffic
from drillbook.errors import UsageError
from drillbook.faults.base import Fault
from drillbook.faults.stack import FaultStack, HealFailure
from drillbook.journal import (
    CheckMade,
    DrillFinished,
    DrillStarted,
    EnvironmentReset,
    FaultHealed,
    FaultInjected,
    FaultOmitted,
    InvariantChecked,
    Journal,
    JudgeCrashed,
    Note,
    ObjectiveSet,
    Observed,
    SteadyStateChecked,
    Timeline,
)
from drillbook.pager import Pager
from drillbook.probes.base import Observation
from drillbook.probes.sampler import Sampler
from drillbook.probes.steady import steady
from drillbook.responder.follow import Responder, matching_steps
from drillbook.responder.registry import Registry
from drillbook.responder.report import Notification
from drillbook.responder.session import ShellSession
from drillbook.runbook import Runbook, Section, Step, find_section
from drillbook.tags import NO_FAULT, words_of_tag
from drillbook.verdict.judge import judge
from drillbook.verdict.model import Outcome, Reason, Verdict
from drillbook.verdict.recovery import recovery
from drillbook.verdict.timeline import each, fault_time, looks, objective

DETECT_SECONDS = 3.0
"""How long a responder waits for a probe to feel the fault before following the runbook all the same."""
SETTLE_SECONDS = 1.5
"""How long after the response ended service may still take to show that it is restored; nobody acts any more by then."""


@dataclass(frozen=True, slots=True)
class Options:
    """What one run asks of all its drills."""

    seed: int = 0
    omit_steps: tuple[str, ...] = ()
    omit_fault: bool = False
    omit_recovering_step: bool = False
    """Each drill leaves out the step that its scenario's tag @recovers-by:… names, and must go red."""
    felt_by_step: bool = False
    """Of one drill: a step of the runbook notices the fault, so that nobody waits for a probe to."""


class Drill:
    """One scenario against one environment. Make it, let the steps call it, then `finish` it, whatever happened."""

    def __init__(
        self,
        environment: Environment,
        runbook: Runbook,
        registry: Registry,
        journal: Journal,
        options: Options,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.environment = environment
        self.runbook = runbook
        self.journal = journal
        self.clock = clock
        self.loads = Loads(environment, journal, options.seed, clock)
        self._registry = registry
        self._options = options
        self._faults = FaultStack(environment)
        self._session: ShellSession | None = None
        self._samplers: list[Sampler] = []
        self._watched: tuple[str, ...] = ()
        self._answers: dict[str, bool] = {}
        self._traffic: Traffic | None = None
        self._settled = False
        self._stopped = False
        self._finished = False
        self._kept: InvariantChecked | None = None
        self._begun = clock.now()

    @property
    def seed(self) -> int:
        """What makes the choices of traffic and loads the same from run to run."""
        return self._options.seed

    @property
    def timeline(self) -> Timeline:
        """What has happened so far."""
        return self.journal.timeline()

    def begin(self, started: DrillStarted, *, fresh: bool) -> None:
        """Open the drill's timeline and, unless the environment has just started, return that to its baseline."""
        self.journal.begin(started.feature + "::" + started.name)
        self.journal.write(started)
        begun = self.clock.now()
        problems = [] if fresh else self.environment.reset()
        self.journal.write(EnvironmentReset(self.clock.now() - begun, tuple(problems)))
        why = words_of_tag(started.tags, NO_FAULT)
        if why and self._options.omit_fault:
            self.journal.write(FaultOmitted(f"there is none to leave out ({why})", ""))

    def check_steady_state(self) -> None:
        """See that every probe of the steady state holds; then keep looking, all through the drill."""
        self.watch(self.environment.topology.steady_state.probes)

    def watch(self, names: Sequence[str]) -> None:
        """Take further probes into the steady state of this drill: they must hold now, and after the fault again."""
        names = tuple(name for name in names if name not in self._watched)
        declared, begun = self.environment.topology.steady_state, self.clock.now()
        probes = make_probes(self.environment, names)
        problems = steady(probes, declared.consecutive, declared.within, self.clock)
        self.journal.write(SteadyStateChecked(self.clock.now() - begun, names, tuple(problems)))
        sampler = Sampler(probes, self._observe, clock=self.clock)
        sampler.start()
        self._samplers.append(sampler)
        self._watched += names

    def start_traffic(self) -> None:
        """Start the workload of the environment file and wait for its first acknowledgement."""
        workload = self.environment.topology.workload
        if workload is None:
            raise UsageError("the environment file declares no workload", mend="add `workload:` to it")
        self._traffic = Traffic(self.environment, workload, self.journal, self._options.seed, self.clock)
        self._traffic.wait_for_first()

    def inject(self, fault: Fault) -> None:
        """Put a fault in force, unless the run leaves faults out."""
        if self._options.omit_fault:
            self.journal.write(FaultOmitted(fault.kind, fault.target))
            return
        begun = self.clock.now()
        self._faults.inject(fault)
        parameters = {name: value for name, value in _fields(fault).items() if name != "target"}
        self.journal.write(FaultInjected(fault.kind, fault.target, begun, parameters))

    def heal(self, fault: Fault) -> None:
        """End a fault as the scenario says: an outside party has put it right."""
        failure = None if self._options.omit_fault else self._faults.heal(fault)
        error = failure.error if failure else ""
        self.journal.write(FaultHealed(fault.kind, fault.target, self.clock.now(), error, scripted=True))

    def heal_service(self, service: str) -> None:
        """End every fault of one service as the scenario says, the newest first."""
        for fault in reversed(self._faults.faults):
            if fault.target == service:
                self.heal(fault)

    def section(self, words: str) -> Section:
        """Give the runbook's section of that name."""
        return find_section(self.runbook, words)

    def follow(self, words: str, steps: Sequence[str] = ()) -> None:
        """Have the responder follow a section, or only its steps that contain one of `steps`, in one shell."""
        section = self.section(words)
        chosen = _chosen(section, steps)
        self.wait_for_alarm()
        if self._session is None:
            self._session = ShellSession(self.environment.variables, self.environment.workspace, clock=self.clock)
            self._session.__enter__()
        responder = Responder(
            self.environment,
            self._session,
            self._registry,
            lambda told: self._tell(section, told),
            omit=self._options.omit_steps,
            answers=self._answers,
            clock=self.clock,
        )
        responder.follow(section, chosen)

    def set_objective(
        self, words: str, *, recovers: bool = True, seconds: float | None = None, probes: Sequence[str] = ()
    ) -> None:
        """Declare what recovery is judged by: a section's objective in the environment file, or `seconds`.

        It is judged by `probes`, without any by all that are watched.
        """
        unwatched = [name for name in probes if name not in self._watched]
        if unwatched:
            raise UsageError(
                f"nobody watches {', '.join(unwatched)}", mend="watch it: Given the probes … are watched too"
            )
        section, topology = self.section(words), self.environment.topology
        declared = next((o for name, o in topology.objectives.items() if self.section(name) == section), None)
        target, source = self._target(section, declared.rto if declared else "runbook", seconds)
        state, rpo = topology.steady_state, declared.rpo if declared else None
        judged = tuple(probes) or self._watched
        self.journal.write(ObjectiveSet(section.path, target, source, judged, state.consecutive, recovers, rpo))

    def _target(self, section: Section, rto: float | str, seconds: float | None) -> tuple[float, str]:
        if seconds is not None:
            return seconds, "the scenario"
        if not isinstance(rto, str):
            return rto, "environment file"
        if not section.targets:
            raise UsageError(f"{section.path} promises no time", mend="name one in the scenario, or under objectives")
        target = section.targets[0]
        return target.seconds, f"runbook line {target.line}: {target.text}"

    def settle(self) -> None:
        """Wait until service shows that it is restored, or for SETTLE_SECONDS: nobody acts any more.

        Where no recovery was promised, nothing is waited for.
        """
        timeline = self.timeline
        if self._settled or not self._samplers or fault_time(timeline) is None or objective(timeline) is None:
            return
        self._settled = True
        if self._options.felt_by_step and objective(self.timeline) is None:
            return  # nobody promises a recovery, and no probe need feel that there is one
        state = self.environment.topology.steady_state
        declared = objective(self.timeline)
        promised = ObjectiveSet("", 0.0, "", declared.probes if declared else self._watched, state.consecutive)
        wait_until(lambda: _restored(self.timeline, promised), SETTLE_SECONDS, interval=0.1, clock=self.clock)

    def wait_for_alarm(self) -> None:
        """Wait until a probe feels the fault, as a responder is only called then; DETECT_SECONDS at most."""
        if self._options.felt_by_step or not self._samplers or fault_time(self.timeline) is None:
            return
        wait_until(lambda: _felt(self.timeline), DETECT_SECONDS, interval=0.02, clock=self.clock)

    def check(self, text: str, look: Callable[[], tuple[bool, str, Sequence[int]]], *, sensor: bool = False) -> None:
        """Make one check of the scenario: (holds, why, the events that show it). A look that raises is unknown.

        `sensor`: the check shows that the fault was felt, where no probe of the steady state would feel it.
        """
        try:
            holds, detail, events = look()
            outcome = Outcome.PASS if holds else Outcome.FAIL
        except Exception as error:
            self.journal.write(JudgeCrashed(traceback.format_exc()))
            outcome, detail, events = Outcome.UNKNOWN, f"it could not be checked: {error}", ()
        self.journal.write(CheckMade(text, outcome, detail, tuple(events), sensor))

    def set_answer(self, contact: str, *, approves: bool) -> None:
        """Let a person on call approve, or refuse, whatever they are asked in this drill."""
        self._answers[contact] = approves
        self.note(f"{contact} {'approves' if approves else 'refuses'} what they are asked")

    def hasten_people(self, factor: float) -> None:
        """Let people's time run `factor` times as fast in this drill, and say so in its report."""
        with Pager.of(self.environment) as pager:
            pager.behave(clock_factor=factor)
        self.note(f"people's time runs {factor:g} times as fast as the drill's")

    def note(self, text: str, **details: object) -> None:
        """Put a fact on the timeline."""
        self.journal.write(Note(text, details))

    def broke_off(self, error: BaseException) -> None:
        """Record that a step of the scenario raised: the drill is unknown."""
        self.journal.write(JudgeCrashed("".join(traceback.format_exception(error))))

    def finish(self) -> Verdict:
        """End the drill, whatever state it is in: stop traffic and probes, check, heal everything, judge."""
        self._finished = True
        for act in (
            self._stop_traffic,
            self.loads.close,
            self.settle,
            self._stop_sampler,
            self._check_invariants,
            self.heal_all,
            self._close,
        ):
            try:
                act()
            except Exception:
                self.journal.write(JudgeCrashed(traceback.format_exc()))
        try:
            verdict = judge(self.timeline)
        except Exception:
            record = self.journal.write(JudgeCrashed(traceback.format_exc()))
            verdict = Verdict(Outcome.UNKNOWN, (Reason(Outcome.UNKNOWN, "the judge crashed", (record.seq,)),))
        seconds = self.clock.now() - self._begun
        self.journal.write(DrillFinished(verdict.outcome, verdict.reasons, verdict.measures, seconds))
        self.journal.end()
        return verdict

    def abandon(self) -> None:
        """End a drill that was interrupted: stop and heal everything, judge nothing. A finished drill is left alone."""
        if self._finished:
            return
        self._finished = True
        for act in (self._stop_traffic, self.loads.close, self.heal_all, self._stop_sampler, self._close):
            try:
                act()
            except Exception:
                self.journal.write(JudgeCrashed(traceback.format_exc()))
        self.journal.end()

    def heal_all(self) -> list[HealFailure]:
        """Undo every fault that is in force, last in, first out."""
        in_force = self._faults.faults
        failures = self._faults.heal_all()
        errors = {failure.fault: failure.error for failure in failures}
        for fault in reversed(in_force):
            self.journal.write(FaultHealed(fault.kind, fault.target, self.clock.now(), errors.get(fault, "")))
        return failures

    def measure_loss(self) -> InvariantChecked:
        """Stop the traffic and count what of the acknowledged requests is lost; once a drill."""
        if self._kept is None:
            self._stop_traffic()
            workload = self.environment.topology.workload
            self._kept, figures = check_kept(self.environment, workload.stored if workload else None, self.timeline)
            for event in (self._kept, figures):
                if event is not None:
                    self.journal.write(event)
        return self._kept

    def _tell(self, section: Section, told: Notification) -> None:
        self.journal.write(tell(section, told))

    def _observe(self, seen: Observation) -> None:
        self.journal.write(Observed(seen.probe, seen.ok, seen.started, seen.finished, seen.error, seen.crashed))

    def _stop_traffic(self) -> None:
        traffic, self._stopped = None if self._stopped else self._traffic, True
        if traffic:
            traffic.stop()

    def _stop_sampler(self) -> None:
        samplers, self._samplers = self._samplers, []
        with ExitStack() as stopping:  # each is stopped, whatever another raises
            for sampler in samplers:
                stopping.callback(sampler.stop)

    def _check_invariants(self) -> None:
        if self._traffic is not None:
            self.measure_loss()
            for event in check_declared(self.environment):
                self.journal.write(event)

    def still_running(self) -> tuple[str, ...]:
        """Give the commands that the responder started and that have not ended."""
        return self._session.still_running() if self._session else ()

    def _close(self) -> None:
        if self._session:
            for command in self.still_running():
                self.note(f"still running at the drill's end, and ended then: {command}")
            self._session.__exit__(None, None, None)


def _chosen(section: Section, words: Sequence[str]) -> Sequence[Step] | None:
    """Give the steps of a section that contain one of the words, in the runbook's order; None for all of them."""
    for text in words:
        if not matching_steps([section], text):
            raise UsageError(f"no step of {section.path!r} contains {text!r}", mend="`drillbook outline` lists them")
    chosen = [step for step in section.steps if any(step in matching_steps([section], text) for text in words)]
    return chosen if words else None


def _fields(fault: Fault) -> dict[str, object]:
    return asdict(fault) if is_dataclass(fault) and not isinstance(fault, type) else {}


def _restored(timeline: Timeline, promised: ObjectiveSet) -> bool:
    """Say whether no probe is bad any more, and each has shown it often enough."""
    seen = recovery(timeline, promised)
    enough = all(len(found) >= promised.consecutive for found in looks(timeline).values())
    return enough and bool(seen.felt_by) and not seen.still_bad


def _felt(timeline: Timeline) -> bool:
    start = fault_time(timeline)
    return start is not None and any(not look.ok and look.finished >= start for _, look in each(timeline, Observed))
