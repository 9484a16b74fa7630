"""Load tests: When a declared load is run, Then it keeps its thresholds, or does not; before and after a step."""

from __future__ import annotations

from pytest_bdd import given, parsers, then, when

from drillbook.clock import wait_until
from drillbook.drill import Drill
from drillbook.drill.loads import Finding
from drillbook.errors import UsageError
from drillbook.journal import StepEnded
from drillbook.load.compare import Comparison, compare
from drillbook.load.samples import milliseconds, needed
from drillbook.load.thresholds import Judged, Kept, judge
from drillbook.verdict.timeline import each, fault_time

Look = tuple[bool, str, tuple[int, ...]]
AFTER_SECONDS = 1.5
"""How long a load is looked at once a step has ended, at its end: what had queued up before has gone by then."""


@given(parsers.parse('the load "{load}" goes on'))
def goes_on(drill: Drill, load: str) -> None:
    """Start a load of the environment file that goes on beside everything else, until it is asked for."""
    drill.loads.start(load)


@given(parsers.parse('the load "{load}" has been run as its baseline'))
def baseline(drill: Drill, load: str) -> None:
    """Run a load to its end, and keep what it measured to compare a later run with."""
    drill.loads.keep_baseline(load)


@when(parsers.parse('the load "{load}" is run'))
def is_run(drill: Drill, load: str) -> None:
    """Run a load of the environment file to its end."""
    drill.loads.run(load)


@when(parsers.parse('the load "{load}" is run by {workers:d} workers'))
def is_run_by(drill: Drill, load: str, workers: int) -> None:
    """Run a load to its end, made by Locust's own master and so many of its workers."""
    drill.loads.run(load, workers=workers)


@then(parsers.parse('the load "{load}" keeps its thresholds'))
def keeps(drill: Drill, load: str) -> None:
    """See that every bound that the environment file declares for a load is kept."""

    def look() -> Look:
        finding, judged = _judged(drill, load)
        doubtful = [bound.text for bound in judged if bound.kept is Kept.UNKNOWN]
        broken = [bound.text for bound in judged if bound.kept is Kept.BROKEN]
        if doubtful and not broken:
            raise UsageError("; ".join(doubtful))
        return not broken, "; ".join(broken or [bound.text for bound in judged]), (finding.record.seq,)

    drill.check(f"the load {load!r} keeps its thresholds", look)


@when(parsers.parse('the load "{load}" ends'))
def ends(drill: Drill, load: str) -> None:
    """End a load that goes on: nobody new comes, who is there is served."""
    drill.loads.stop(load)


@then(parsers.parse('the load "{load}" fails its threshold "{name}"'))
def fails(drill: Drill, load: str, name: str) -> None:
    """See that a load breaks the bound of that name: the regression is found."""

    def look() -> Look:
        finding, judged = _judged(drill, load)
        mine = [bound for bound in judged if bound.name == name]
        if not mine:
            raise UsageError(f"the load {load!r} declares no threshold {name!r}")
        return mine[0].kept is Kept.BROKEN, mine[0].text, (finding.record.seq,)

    drill.check(f"the load {load!r} fails its threshold {name!r}", look, sensor=True)


@then(parsers.parse('{name} of the load "{load}" falls below {limit:d} ms with the step "{step}"'))
def falls_below(drill: Drill, name: str, load: str, limit: int, step: str) -> None:
    """See that a percentile was above so many ms from the fault to a step, and is below it after that step. Ends the load."""
    bound, text = limit / 1000, f"{name} of the load {load!r} falls below {limit} ms with the step {step!r}"

    def look() -> Look:
        before, after = _around(drill, load, step)
        was, now = before.figures.percentile(name), after.figures.percentile(name)
        least = needed(name)
        if min(before.figures.count, after.figures.count) < least:
            raise UsageError(
                f"{before.figures.count} requests before it and {after.figures.count} after it; {name} needs {least}"
            )
        fell = (was is None or was > bound) and now is not None and now <= bound
        detail = f"{milliseconds(was)} before it, {milliseconds(now)} after it"
        return fell, detail, (before.record.seq, after.record.seq)

    drill.check(text, look)


@then(parsers.parse('the load "{load}" is slower than its baseline'))
def slower(drill: Drill, load: str) -> None:
    """See that a load takes longer than its baseline by more than noise: Mann-Whitney's test and a bootstrap interval."""
    _compared(drill, load, slower=True)


@then(parsers.parse('the load "{load}" is no slower than its baseline'))
def no_slower(drill: Drill, load: str) -> None:
    """See that noise explains whatever a load takes longer than its baseline."""
    _compared(drill, load, slower=False)


def _compared(drill: Drill, load: str, *, slower: bool) -> None:
    def look() -> Look:
        now, before = drill.loads.finding(load), drill.loads.baseline(load)
        found: Comparison = compare(_times(now), _times(before), drill.seed)
        return found.slower is slower, str(found), (before.record.seq, now.record.seq)

    drill.check(f"the load {load!r} is {'slower' if slower else 'no slower'} than its baseline", look, sensor=slower)


def _times(finding: Finding) -> list[float]:
    return [sample.effective for sample in finding.samples]


def _judged(drill: Drill, load: str) -> tuple[Finding, tuple[Judged, ...]]:
    finding = drill.loads.finding(load)
    return finding, judge(finding.figures, drill.loads.declared(load).thresholds.declared)


def _around(drill: Drill, load: str, words: str) -> tuple[Finding, Finding]:
    """Give what a load measured from the fault to a step, and in its last seconds after that step."""
    begun = fault_time(drill.timeline)
    ended = [step for _, step in each(drill.timeline, StepEnded) if words.casefold() in step.title.casefold()]
    if begun is None or not ended:
        raise UsageError("there was no fault" if begun is None else f"the step {words!r} was not reached")
    first, last = ended[0], ended[-1]
    wait_until(lambda: drill.clock.now() >= last.finished + AFTER_SECONDS, AFTER_SECONDS + 1, clock=drill.clock)
    stopped = drill.clock.now()
    drill.loads.stop(load)
    before = drill.loads.part(load, f"before the step {first.title!r}", begun, first.started)
    return before, drill.loads.part(load, f"after the step {last.title!r}", stopped - AFTER_SECONDS, stopped)
