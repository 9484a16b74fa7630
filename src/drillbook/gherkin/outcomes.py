"""Then: what must have come of it. Each phrase is one check; none stops the others, and the verdict takes in all."""

from __future__ import annotations

from pytest_bdd import parsers, then

from drillbook.clock import wait_until
from drillbook.drill import Drill
from drillbook.drill.words import listed
from drillbook.errors import UsageError
from drillbook.journal import CommandEnded, CommandStarted, DecisionTaken, StepEnded, StepStarted
from drillbook.verdict.model import Outcome
from drillbook.verdict.recovery import false_returns, recovery
from drillbook.verdict.timeline import each, fault_time, looks, objective

Look = tuple[bool, str, tuple[int, ...]]
_ARRIVAL_SECONDS = 2.0


def followed(drill: Drill) -> str:
    """Give the section that the responder followed first."""
    for _, step in each(drill.timeline, StepStarted):
        return step.section
    raise UsageError("no section was followed", mend='say which: When the responder follows "…"')


@then("service is restored within the target")
def restored(drill: Drill) -> None:
    """Judge measured plus allowed time against the target of the section that was followed. Late is a failure."""
    drill.set_objective(followed(drill))
    drill.settle()


@then(parsers.parse('service is restored within the target of "{section}"'))
def restored_by(drill: Drill, section: str) -> None:
    """Judge measured plus allowed time against the target of a section."""
    drill.set_objective(section)
    drill.settle()


@then(parsers.re(r"service is restored within (?P<number>\d+) (?P<unit>second|minute)s?"))
def restored_within(drill: Drill, number: str, unit: str) -> None:
    """Judge measured plus allowed time against a target of the scenario's own, for a section that promises none."""
    drill.set_objective(followed(drill), seconds=int(number) * (60.0 if unit == "minute" else 1.0))
    drill.settle()


@then("no return before the last one counts as recovery")
def returns_only_once(drill: Drill) -> None:
    """See that service came back long enough to pass for restored, went again, and is judged by its last return alone."""

    def look() -> Look:
        promised = objective(drill.timeline)
        begun, found = fault_time(drill.timeline), looks(drill.timeline)
        if promised is None or begun is None:
            raise UsageError("no recovery is promised, or nothing broke", mend="say `service is restored …` before it")
        seen = recovery(drill.timeline, promised)
        moment = None if seen.measures.recover is None else begun + seen.measures.recover
        returns = [
            (r, o) for probe in seen.felt_by for r, o in false_returns(found[probe], begun, promised.consecutive)
        ]
        counted = tuple(record.seq for record, last in returns if moment is not None and last.finished >= moment)
        detail = f"{len(returns)} times back for {promised.consecutive} looks or more, and gone again"
        return bool(returns) and moment is not None and not counted, detail, counted or tuple(r.seq for r, _ in returns)

    drill.check("no return before the last one counts as recovery", look)


@then(
    parsers.re(
        r'the probes? "(?P<probes>[^"]+)" (?:is|are) restored within '
        r"(?:the target|(?P<number>\d+) (?P<unit>second|minute)s?)"
    )
)
def probes_restored(drill: Drill, probes: str, number: str | None, unit: str | None) -> None:
    """Judge measured plus allowed time by these probes alone: what has not come back is said by the other checks."""
    seconds = int(number) * (60.0 if unit == "minute" else 1.0) if number else None
    drill.set_objective(followed(drill), seconds=seconds, probes=listed(probes))
    drill.settle()


@then("the target is missed")
def missed(drill: Drill) -> None:
    """Say that recovery fails here: a recovery in time would be the surprise."""
    drill.set_objective(followed(drill), recovers=False)
    drill.settle()


@then("the loss of acknowledged requests is within the RPO")
def within_rpo(drill: Drill) -> None:
    """Count what was acknowledged and is gone, by number and by seconds, and judge it by the objective's RPO."""

    def look() -> Look:
        kept = drill.measure_loss()
        if kept.outcome is Outcome.UNKNOWN:
            raise UsageError(kept.detail)
        return kept.outcome is Outcome.PASS, kept.detail, ()

    drill.check("the loss of acknowledged requests is within the RPO", look)


@then(parsers.parse("the follow-up is done within {minutes:d} minutes"))
def follow_up(drill: Drill, minutes: int) -> None:
    """See that every step under that target of the runbook was done, measured and allowed time taken together."""

    def look() -> Look:
        begun = fault_time(drill.timeline)
        steps = list(each(drill.timeline, StepEnded))
        mine = [(record, step) for record, step in steps if step.target == minutes * 60]
        if begun is None or not mine:
            return False, f"no step was followed under a target of {minutes} minutes", ()
        undone = [step.title for _, step in mine if step.outcome != "done"]
        allowed = sum(step.allowed for _, step in steps if step.outcome != "omitted")
        total = max(step.finished for _, step in mine) - begun + allowed
        detail = f"{total:.0f} of {minutes * 60} s, {allowed:.0f} s of them allowed to people"
        if undone:
            detail = f"not done: {', '.join(undone)}"
        return not undone and total <= minutes * 60, detail, tuple(record.seq for record, _ in mine)

    drill.check(f"the follow-up is done within {minutes} minutes", look)


@then(parsers.parse('"{channel}" is told before any command runs'))
def told_first(drill: Drill, channel: str) -> None:
    """See that a message reached a channel before the responder's first command."""

    def look() -> Look:
        commands = list(each(drill.timeline, CommandStarted))
        messages = drill.environment.inbox(channel)
        if not messages or not commands:
            return False, f"{len(messages)} messages on {channel}, {len(commands)} commands", ()
        first, said = commands[0][0], messages[0]
        detail = f"{said.recipient} got {said.text!r} at {said.time}, the first command ran at {first.time}"
        return said.time <= first.time, detail, (first.seq,)

    drill.check(f"{channel} is told before any command runs", look)


@then(parsers.parse('"{channel}" receives "{text}"'))
def receives(drill: Drill, channel: str, text: str) -> None:
    """See that a message with this text reached a channel's inbox."""

    def look() -> Look:
        def arrived() -> str:
            found = [m for m in drill.environment.inbox(channel) if text.casefold() in m.text.casefold()]
            return f"{found[-1].recipient}: {found[-1].text!r} at {found[-1].time}" if found else ""

        detail = wait_until(arrived, _ARRIVAL_SECONDS)
        return bool(detail), detail or f"nothing with {text!r} arrived", ()

    drill.check(f"{channel} receives {text!r}", look)


@then(parsers.parse('"{recipient}" is reached by "{channel}"'))
def reached(drill: Drill, recipient: str, channel: str) -> None:
    """See that a channel's inbox holds a message to this recipient: a number, a channel, an address."""

    def look() -> Look:
        def arrived() -> str:
            found = [m for m in drill.environment.inbox(channel) if m.recipient == recipient]
            return f"{found[-1].text!r} at {found[-1].time}" if found else ""

        detail = wait_until(arrived, _ARRIVAL_SECONDS)
        return bool(detail), detail or f"nothing reached {recipient}", ()

    drill.check(f"{recipient} is reached by {channel}", look)


@then("nothing that the responder started is still running")
def nothing_left(drill: Drill) -> None:
    """See that every command has ended, those in the background too. What has not is ended at the drill's end, and told."""

    def look() -> Look:
        wait_until(lambda: not drill.still_running(), _ARRIVAL_SECONDS, interval=0.05)
        left = drill.still_running()
        return not left, f"still running: {', '.join(left)}" if left else "", ()

    drill.check("nothing that the responder started is still running", look)


@then(parsers.parse('the step "{step}" says "{text}"'))
def step_says(drill: Drill, step: str, text: str) -> None:
    """See that a command of a step printed this text: the runbook's own check names what is broken."""

    def look() -> Look:
        ended = [(r, c) for r, c in each(drill.timeline, CommandEnded) if step.casefold() in c.step.casefold()]
        said = [record.seq for record, command in ended if text in command.stdout + command.stderr]
        last = (ended[-1][1].stdout + ended[-1][1].stderr).strip() if ended else "it ran no command"
        return bool(said), "" if said else f"it said: {last[-300:]}", tuple(said or [r.seq for r, _ in ended])

    drill.check(f"the step {step!r} says {text!r}", look)


@then(parsers.parse('the step "{step}" fails'))
def step_fails(drill: Drill, step: str) -> None:
    """See that a step was carried out and did not succeed."""
    _ended(drill, step, "failed")


@then(parsers.parse('the step "{step}" notices the fault'))
def step_notices(drill: Drill, step: str) -> None:
    """See that a step failed after the fault. It is the drill's sensor: no probe needs to feel what the runbook finds."""
    _ended(drill, step, "failed", sensor=True)


@then(parsers.parse('the step "{step}" succeeds'))
def step_succeeds(drill: Drill, step: str) -> None:
    """See that a step was carried out and every command of it succeeded."""
    _ended(drill, step, "done")


def _ended(drill: Drill, step: str, outcome: str, *, sensor: bool = False) -> None:
    def look() -> Look:
        found = [(r, s) for r, s in each(drill.timeline, StepEnded) if step.casefold() in s.title.casefold()]
        if sensor:
            begun = fault_time(drill.timeline)
            found = [(r, s) for r, s in found if begun is not None and s.started >= begun]
        ends = {s.outcome for _, s in found}
        detail = (
            "; ".join(f"{s.outcome}: {s.detail}" if s.detail else s.outcome for _, s in found) or "it was not reached"
        )
        return ends == {outcome}, detail, tuple(r.seq for r, _ in found)

    drill.check(f"the step {step!r} {'notices the fault' if sensor else f'is {outcome}'}", look, sensor=sensor)


@then(parsers.parse('the decision "{step}" is no'))
def decided_no(drill: Drill, step: str) -> None:
    """See that a decision was made, and that its commands were not run."""
    _decided(drill, step, taken=False)


@then(parsers.parse('the decision "{step}" is yes'))
def decided_yes(drill: Drill, step: str) -> None:
    """See that a decision was made, and that its commands were run."""
    _decided(drill, step, taken=True)


def _decided(drill: Drill, step: str, *, taken: bool) -> None:
    def look() -> Look:
        made = [(r, d) for r, d in each(drill.timeline, DecisionTaken) if step.casefold() in d.step.casefold()]
        detail = "; ".join(f"{'yes' if d.taken else 'no'}: {d.reason}" for _, d in made) or "it was not made"
        return bool(made) and all(d.taken is taken for _, d in made), detail, tuple(r.seq for r, _ in made)

    drill.check(f"the decision {step!r} is {'yes' if taken else 'no'}", look)


@then(parsers.parse('"{app}" has {count:d} processes'))
def has_processes(drill: Drill, app: str, count: int) -> None:
    """See that so many ready processes serve an app, and no other."""

    def look() -> Look:
        def counted() -> int:
            return sum(instance.state == "ready" for instance in drill.environment.platform.app(app).instances)

        wait_until(lambda: counted() == count, _ARRIVAL_SECONDS, interval=0.05)
        return counted() == count, f"{counted()} of {len(drill.environment.platform.app(app).instances)} are ready", ()

    drill.check(f"{app} has {count} processes", look)
