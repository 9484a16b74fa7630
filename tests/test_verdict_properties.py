"""What holds of every verdict, whatever the drill: less evidence never excuses, and trouble never helps."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drillbook.journal import (
    CheckMade,
    DrillFinished,
    EnvironmentReset,
    Event,
    FaultInjected,
    InvariantChecked,
    ObjectiveSet,
    Observed,
    Record,
    RequestEnded,
    SteadyStateChecked,
    Timeline,
    TrafficEnded,
)
from drillbook.verdict.judge import judge
from drillbook.verdict.model import Outcome, Verdict
from tests.timelines import FAULT_AT, PROBES, Story, look, looks, step

ORDER = [Outcome.PASS, Outcome.UNKNOWN, Outcome.FAIL]
OUTCOMES = st.sampled_from(Outcome)
PROBLEMS = st.sampled_from([(), (), (), ("broken",)])
TICKS = 8


def _worse_or_same(after: Verdict, before: Verdict) -> bool:
    return ORDER.index(after.outcome) >= ORDER.index(before.outcome)


@st.composite
def stories(draw: st.DrawFn, signs: str = "+++--!") -> Story:
    """Give a drill in which anything may have gone wrong, most often nothing; its probes look at the same moments."""
    patterns = {probe: draw(st.text(signs, min_size=TICKS, max_size=TICKS)) for probe in PROBES}
    recovered = draw(st.booleans())
    seen = [event for probe, text in patterns.items() for event in looks(text + "+++" * recovered, probe)]
    outcome = st.sampled_from([Outcome.PASS, Outcome.PASS, *Outcome])
    fault: Event = FaultInjected("link-down", "api-database", FAULT_AT)
    requests = [RequestEnded(said, str(n), n, n) for n, said in enumerate(draw(st.lists(_ANSWERS, max_size=3)))]
    return Story(
        reset=EnvironmentReset(0.1, draw(PROBLEMS)),
        steady=SteadyStateChecked(0.1, PROBES, draw(PROBLEMS)),
        objective=ObjectiveSet(
            "Outage", draw(st.sampled_from([1.0, 62.0, 300.0])), "r", PROBES, draw(st.integers(1, 3))
        ),
        fault=draw(st.sampled_from([fault, fault, fault, None])),
        seen=tuple(seen),
        steps=tuple(draw(st.lists(st.builds(step, st.sampled_from([0.2, 2.0, 9.0]), st.just(30.0)), max_size=2))),
        traffic=(*requests, TrafficEnded(len(requests), 0, draw(st.sampled_from(["", "", "", "killed"])))),
        checks=(
            *draw(st.lists(st.builds(CheckMade, st.just("seen"), outcome), max_size=2)),
            *draw(st.lists(st.builds(InvariantChecked, st.just("kept"), outcome), max_size=2)),
        ),
    )


_ANSWERS = st.sampled_from(["acknowledged", "acknowledged", "refused", "failed"])


def _is_evidence_of_success(event: Event) -> bool:
    match event:
        case Observed(ok=True) | RequestEnded(outcome="acknowledged"):
            return True
        case CheckMade(outcome=Outcome.PASS) | InvariantChecked(outcome=Outcome.PASS):
            return True
        case SteadyStateChecked(problems=()):
            return True
    return False


@given(stories(), st.data())
@settings(max_examples=400, deadline=None)
def test_losing_one_piece_of_evidence_of_success_never_makes_a_pass(story: Story, data: st.DataObject) -> None:
    whole = story.timeline()
    good = [record for record in whole if _is_evidence_of_success(record.event)]
    assume(good)
    lost = data.draw(st.sampled_from(good))
    without = tuple(record for record in whole if record is not lost)
    assert judge(whole).outcome is Outcome.PASS or judge(without).outcome is not Outcome.PASS


@given(stories(signs="+-"), st.floats(0.01, 5.9), st.sampled_from(PROBES))
@settings(max_examples=300, deadline=None)
def test_one_more_bad_look_never_makes_a_judged_drill_better(story: Story, at: float, probe: str) -> None:
    """Of a drill that the judge could judge: one that it could not may have lacked just this look."""
    story = replace(story, healed=())
    before = judge(story.timeline())
    assume(before.outcome is not Outcome.UNKNOWN)
    worse = replace(story, seen=(*story.seen, look(at, ok=False, probe=probe)))
    assert _worse_or_same(judge(worse.timeline()), before)


@given(stories(), st.sampled_from([Outcome.UNKNOWN, Outcome.FAIL]))
@settings(max_examples=200, deadline=None)
def test_a_check_that_does_not_hold_never_makes_a_verdict_better(story: Story, outcome: Outcome) -> None:
    assert _worse_or_same(judge(story.timeline(CheckMade("more", outcome))), judge(story.timeline()))


@given(stories())
@settings(max_examples=200, deadline=None)
def test_a_pass_has_recovered_in_time_and_nothing_speaks_against_it(story: Story) -> None:
    verdict = judge(story.timeline())
    if verdict.outcome is Outcome.PASS:
        assert {reason.outcome for reason in verdict.reasons} == {Outcome.PASS}
        assert verdict.measures.total is not None
        assert verdict.measures.target is not None
        assert verdict.measures.total <= verdict.measures.target
        assert not any(isinstance(event, Observed) and event.crashed for event in story.seen)


@given(stories(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_looks_may_be_written_in_any_order(story: Story, random: object) -> None:
    shuffled = list(story.seen)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = judge(story.timeline()), judge(replace(story, seen=tuple(shuffled)).timeline())
    assert (one.outcome, one.measures) == (other.outcome, other.measures)


@given(stories())
@settings(max_examples=100, deadline=None)
def test_judging_twice_gives_the_same_and_cites_only_what_is_there(story: Story) -> None:
    whole: Timeline = story.timeline()
    verdict = judge(whole)
    assert judge(whole) == verdict
    assert {seq for reason in verdict.reasons for seq in reason.events} <= {record.seq for record in whole}
    finished = Record(99, "", 0.0, "f::d", "main", DrillFinished(verdict.outcome, verdict.reasons))
    assert judge((*whole, finished)) == verdict, "a verdict is no evidence"
