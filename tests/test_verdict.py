"""The judge's rules, one by one: each test changes one thing of a drill that passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drillbook.journal import (
    CheckMade,
    CommandStarted,
    DecisionTaken,
    EnvironmentReset,
    Event,
    FaultHealed,
    FaultInjected,
    FaultOmitted,
    InvariantChecked,
    JudgeCrashed,
    LoadBroken,
    ObjectiveSet,
    Observed,
    RequestEnded,
    SteadyStateChecked,
    TrafficEnded,
)
from drillbook.verdict.judge import BLIND_SECONDS, judge
from drillbook.verdict.model import Measures, Outcome, Reason, Verdict
from drillbook.verdict.recovery import false_returns
from drillbook.verdict.timeline import each
from tests.timelines import FAULT_AT, OBJECTIVE, PROBES, Story, look, looks, step, timeline

PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN
STORY = Story()
GOOD = tuple(looks("+++++++", "frontend"))
FAILED = CheckMade("a failed check", FAIL)


def _seen(pattern: str, every: float = 0.5) -> tuple[Event, ...]:
    """Give the API's looks, and the front end's, good, at the same moments."""
    return (*looks(pattern, every=every), *looks("+" * len(pattern), "frontend", every=every))


def _of(verdict: Verdict, outcome: Outcome) -> str:
    return " / ".join(reason.text for reason in verdict.reasons if reason.outcome is outcome)


def test_the_drill_that_every_test_here_changes_passes() -> None:
    verdict = judge(STORY.timeline())
    assert verdict.outcome is PASS, verdict.reasons
    assert verdict.measures.detect == pytest.approx(0.51)
    assert verdict.measures.recover == pytest.approx(2.01)
    assert verdict.measures.allowed == 60.0
    assert verdict.measures.total == pytest.approx(62.01)
    assert verdict.measures.margin == pytest.approx(237.99)
    assert {reason.outcome for reason in verdict.reasons} == {PASS}


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (replace(STORY, objective=replace(OBJECTIVE, target=62.0)), "62.0 of 62 s"),
        (replace(STORY, seen=_seen("------")), "did not come back: api still bad"),
        (replace(STORY, seen=_seen("--++-+-+-++")), "did not come back: api still bad"),
        (replace(STORY, seen=_seen("--++++-")), "did not come back: api still bad"),
        (replace(STORY, seen=(*looks("--+++++"), *looks("--++-++", "frontend"))), "frontend still bad"),
        (replace(STORY, checks=(FAILED,)), "a failed check"),
        (replace(STORY, checks=(InvariantChecked("orders are kept", FAIL, "3 lost"),)), "orders are kept: 3 lost"),
        (replace(STORY, objective=None, checks=(FAILED,)), "a failed check"),
    ],
    ids=["late", "never", "flapping", "bad again", "one of two", "check", "invariant", "check alone"],
)
def test_what_was_promised_and_not_kept_fails(story: Story, said: str) -> None:
    verdict = judge(story.timeline())
    assert verdict.outcome is FAIL
    assert said in _of(verdict, FAIL)


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (replace(STORY, seen=_seen("+++++++")), "no probe felt the fault (link-down of api-database)"),
        (replace(STORY, seen=_seen("+++++++"), objective=None), "no probe felt the fault (link-down of api-database)"),
        (replace(STORY, steady=None), "steady state was never checked"),
        (replace(STORY, steady=SteadyStateChecked(5, PROBES, ("api: 503",))), "no steady state before the fault: api"),
        (replace(STORY, reset=EnvironmentReset(0.2, ("chain: lost",))), "could not be reset: chain: lost"),
        (replace(STORY, fault=None), "no fault was injected"),
        (replace(STORY, fault=FaultOmitted("link-down", "api-database")), "left out by request: link-down of api"),
    ],
    ids=["not felt", "not felt, nothing promised", "not steady", "steady not held", "reset", "no fault", "omitted"],
)
@pytest.mark.parametrize("more", [(), (FAILED,)], ids=["", "with a failed check"])
def test_a_drill_without_its_premises_claims_nothing(story: Story, said: str, more: tuple[Event, ...]) -> None:
    """Not even that something failed: what was never broken, or was broken before, shows nothing of the runbook."""
    verdict = judge(story.timeline(*more))
    assert verdict.outcome is UNKNOWN
    assert said in _of(verdict, UNKNOWN)
    assert {reason.outcome for reason in verdict.reasons if said in reason.text} == {UNKNOWN}


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (replace(STORY, seen=_seen("--!++++")), "the probe api crashed: Boom: it broke"),
        (replace(STORY, seen=(*looks("--+++++"), *looks("+++!+++", "frontend"))), "the probe frontend crashed"),
        (replace(STORY, steps=(step(1, 60, "unbound", "Fax"),)), "nothing performs the step 'Fax'"),
        (replace(STORY, healed=(FaultHealed("x", "y", FAULT_AT + 9, "stuck"),)), "x of y could not be healed: stuck"),
        (replace(STORY, checks=(JudgeCrashed("Traceback\n  Boom: no\n"),)), "the drill broke off: Boom: no"),
        (replace(STORY, checks=(JudgeCrashed(""),)), "the drill broke off"),
        (replace(STORY, checks=(LoadBroken("rush", "it died"),)), "the load rush could not be measured: it died"),
        (replace(STORY, checks=(CheckMade("seen", UNKNOWN, "not to be seen"),)), "seen: not to be seen"),
        (replace(STORY, traffic=(TrafficEnded(3, 0),)), "no request of the traffic was ever acknowledged"),
        (
            replace(STORY, traffic=(RequestEnded("failed", "o", 1, 2), TrafficEnded(1, 0))),
            "no request of the traffic was ever acknowledged",
        ),
        (replace(STORY, traffic=(*STORY.traffic[:-1], TrafficEnded(0, 0, "killed"))), "the traffic broke off: killed"),
        (replace(STORY, traffic=STORY.traffic[:-1]), "the traffic never said that it ended"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_could_not_be_known_is_unknown_and_fail_dominates_it(story: Story, said: str) -> None:
    verdict = judge(story.timeline())
    assert verdict.outcome is UNKNOWN
    assert said in _of(verdict, UNKNOWN)
    failed = judge(story.timeline(FAILED))
    assert failed.outcome is FAIL
    assert said in _of(failed, UNKNOWN), "what else is in doubt is still said"


def test_a_scenario_that_checks_nothing_is_unknown() -> None:
    verdict = judge(replace(STORY, objective=None, checks=()).timeline())
    assert verdict.outcome is UNKNOWN
    assert _of(verdict, UNKNOWN) == "the scenario checks nothing"


@pytest.mark.parametrize(
    ("seen", "who"),
    [
        ((*looks("--++"), *looks("++++", since=2.0 + BLIND_SECONDS + 0.1), *GOOD), "api"),
        ((*looks("---++++", since=BLIND_SECONDS + 0.1), *looks("+" * 8, "frontend")), "api"),
        ((*looks("---+++++++"), *looks("+" * 3, "frontend")), "frontend"),
        ((*looks("---++++"), *looks("+", "frontend", since=-0.5)), "frontend"),
        (tuple(looks("---++++")), "frontend"),
    ],
    ids=["between two looks", "after the fault", "at the end", "only before the fault", "never"],
)
def test_a_probe_that_did_not_look_for_long_is_blind(seen: tuple[Event, ...], who: str) -> None:
    verdict = judge(replace(STORY, seen=seen).timeline())
    assert verdict.outcome is UNKNOWN
    assert _of(verdict, UNKNOWN).startswith(f"{who} ")


@pytest.mark.parametrize("gap", [0.5, BLIND_SECONDS])
def test_a_gap_that_is_short_enough_is_none(gap: float) -> None:
    seen = (*looks("--++"), *looks("++++", since=2.0 + gap), *looks("+" * 8, "frontend"))
    assert judge(replace(STORY, seen=seen).timeline()).outcome is PASS


def test_a_hung_look_is_no_gap_for_it_lasts_until_its_end() -> None:
    hung = [look(0.9, ok=False, took=4.0), look(1.5, ok=False, took=3.5), look(2.2, took=2.0)]
    seen = (look(0.2), *hung, *looks("++", since=2.5), *looks("+" * 9, "frontend"))
    assert judge(replace(STORY, seen=seen, healed=()).timeline()).outcome is PASS


def test_a_last_look_that_hangs_to_its_time_out_makes_no_other_probe_blind() -> None:
    seen = (*looks("---"), look(2.0, ok=False, took=BLIND_SECONDS + 1), *looks("+" * 4, "frontend"))
    verdict = judge(replace(STORY, objective=None, seen=seen).timeline())
    assert verdict.outcome is PASS, verdict.reasons


def test_exactly_at_the_target_is_in_time() -> None:
    story = replace(STORY, fault=FaultInjected("f", "t", 0.0), steps=(step(-99, 60.0),))
    back = replace(look(0), started=1.0, finished=2.0)
    seen = (replace(look(0, ok=False), started=0.1, finished=0.2), back, replace(back, started=1.5), back)
    story = replace(story, seen=seen, healed=(), objective=replace(OBJECTIVE, probes=("api",), target=62.0))
    assert judge(story.timeline()).measures.total == 62.0
    assert judge(story.timeline()).outcome is PASS
    assert story.objective is not None
    late = replace(story, objective=replace(story.objective, target=61.999))
    assert judge(late.timeline()).outcome is FAIL


def test_recovery_is_the_first_look_of_the_last_streak_of_the_probe_that_came_last() -> None:
    seen = (*looks("-+++--++++"), *looks("---+++++++", "frontend"))
    assert judge(replace(STORY, seen=seen).timeline()).measures.recover == pytest.approx(3.51)


def test_looks_that_a_freeze_held_up_are_taken_in_the_order_in_which_they_began() -> None:
    """They all end together, the newest of them first on the timeline."""
    held = [replace(look(0.2 * n, ok=n > 3), finished=FAULT_AT + 4.0) for n in range(8)]
    seen = (*reversed(held), look(4.1), *looks("+" * 8, "frontend"))
    measures = judge(replace(STORY, seen=seen).timeline()).measures
    assert (measures.detect, measures.recover) == (4.0, 4.0)


def test_a_look_that_ended_before_the_fault_shows_nothing_of_it() -> None:
    before = (look(-2.0, ok=False), look(-0.5))
    verdict = judge(replace(STORY, seen=(*before, *_seen("+++++++"))).timeline())
    assert "no probe felt the fault" in _of(verdict, UNKNOWN)


@pytest.mark.parametrize(
    ("scripted", "outcome"), [(False, FAIL), (True, PASS)], ids=["the harness's own", "an outside party's"]
)
def test_healing_is_recovery_only_if_the_scenario_says_so(scripted: bool, outcome: Outcome) -> None:
    healed = FaultHealed("link-down", "api-database", FAULT_AT + 1.4, scripted=scripted)
    assert judge(replace(STORY, healed=(healed,)).timeline()).outcome is outcome


@pytest.mark.parametrize(
    ("steps", "allowed"),
    [
        ([step(0.5, 60.0), step(1.0, 30.0)], 90.0),
        ([step(0.5, 60.0), step(3.0, 600.0)], 60.0),
        ([step(-1.0, 600.0), step(0.5, 60.0)], 60.0),
        ([step(0.5, 60.0, "omitted")], 0.0),
        ([step(0.5, 60.0, "failed")], 60.0),
    ],
    ids=["all", "not after recovery", "not before the fault", "not what was omitted", "in vain, but taken"],
)
def test_people_are_allowed_the_time_of_what_they_did_until_recovery(steps: list[Event], allowed: float) -> None:
    assert judge(replace(STORY, steps=tuple(steps)).timeline()).measures.allowed == allowed


def test_without_recovery_all_that_people_did_counts() -> None:
    story = replace(STORY, seen=_seen("-----"), steps=(step(0.5, 60.0), step(400.0, 30.0)))
    assert judge(story.timeline()).measures.allowed == 90.0


@pytest.mark.parametrize(
    ("pattern", "target", "outcome", "said"),
    [
        ("-------", 300.0, PASS, "recovery failed as expected: api"),
        ("---++++", 60.0, PASS, "recovery failed as expected: it came too late"),
        ("---++++", 300.0, FAIL, "but the scenario says that it can't"),
        ("+++++++", 300.0, UNKNOWN, "no probe felt the fault"),
    ],
)
def test_a_scenario_that_expects_no_recovery(pattern: str, target: float, outcome: Outcome, said: str) -> None:
    story = replace(STORY, objective=replace(OBJECTIVE, target=target, recovers=False), seen=_seen(pattern))
    verdict = judge(story.timeline())
    assert verdict.outcome is outcome
    assert said in _of(verdict, outcome)


def test_the_objective_that_was_set_last_counts() -> None:
    late = ObjectiveSet("Outage", 10.0, "the scenario", PROBES, 3)
    assert judge(STORY.timeline(late)).outcome is FAIL
    assert judge(STORY.timeline(late, OBJECTIVE)).outcome is PASS


def test_a_probe_that_the_objective_does_not_name_delays_nothing() -> None:
    seen = (*_seen("--+++++"), *looks("-------", "0x"))
    assert judge(replace(STORY, seen=seen).timeline()).outcome is PASS


def test_the_clock_starts_at_the_first_of_several_faults() -> None:
    again = FaultInjected("process-killed", "api", FAULT_AT + 1.0)
    assert judge(STORY.timeline(again)).measures.recover == pytest.approx(2.01)


def test_acting_is_the_first_command_of_a_decision_that_was_taken() -> None:
    told = [
        CommandStarted("Look", "curl", 1, FAULT_AT - 1, 30),
        CommandStarted("Look", "curl", 1, FAULT_AT + 0.2, 30),
        CommandStarted("Roll back", "vercel", 2, FAULT_AT + 1.5, 30),
    ]
    assert judge(STORY.timeline(*told)).measures.act == pytest.approx(0.2)
    no = DecisionTaken("Roll back", False, "no", FAULT_AT + 1)
    assert judge(STORY.timeline(*told, no)).measures.act == pytest.approx(0.2)
    yes = DecisionTaken("Roll back", True, "yes", FAULT_AT + 1)
    assert judge(STORY.timeline(*told, yes)).measures.act == pytest.approx(1.5)
    assert judge(STORY.timeline()).measures.act is None


def test_every_reason_cites_events_that_show_it() -> None:
    story = STORY.timeline()
    by_number = {record.seq: record.event for record in story}
    restored = judge(story).reasons[0]
    assert [by_number[seq] for seq in restored.events] == [
        look(0.5, False, error="Traceback:\n  Boom: it broke"),
        look(2),
    ]
    cited = judge(replace(STORY, checks=(CheckMade("as seen", FAIL, events=(7,)),)).timeline()).reasons[1]
    assert cited.events[0] == 7


def test_an_empty_timeline_is_unknown() -> None:
    verdict = judge(timeline([]))
    assert verdict.outcome is UNKNOWN
    assert verdict.measures == Measures()


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [([], UNKNOWN), ([PASS], PASS), ([PASS, UNKNOWN], UNKNOWN), ([FAIL, UNKNOWN, PASS], FAIL), ([FAIL, PASS], FAIL)],
)
def test_fail_dominates_unknown_and_unknown_dominates_pass(outcomes: list[Outcome], worst: Outcome) -> None:
    assert Outcome.worst(outcomes) is worst
    assert Outcome.worst(reversed(outcomes)) is worst
    assert Reason(worst, "").outcome is worst


REHEARSAL = replace(STORY, fault=None, healed=(), objective=None, seen=(), tags=("@no-fault:a_healthy_run",))
NOTICED = CheckMade("the step 'Audit' notices the fault", PASS, sensor=True)
UNFELT = replace(STORY, seen=_seen("+++++++"), objective=None)


def test_a_rehearsal_that_breaks_nothing_is_judged_by_its_checks() -> None:
    assert judge(REHEARSAL.timeline()).outcome is PASS
    assert judge(replace(REHEARSAL, checks=(FAILED,)).timeline()).outcome is FAIL
    assert judge(replace(REHEARSAL, checks=()).timeline()).outcome is UNKNOWN
    assert judge(replace(REHEARSAL, steady=None).timeline()).outcome is UNKNOWN
    assert judge(replace(REHEARSAL, tags=()).timeline()).outcome is UNKNOWN
    assert judge(REHEARSAL.timeline(FaultOmitted("there is none", ""))).outcome is UNKNOWN


def test_a_rehearsal_that_breaks_something_after_all_claims_nothing() -> None:
    verdict = judge(replace(STORY, tags=REHEARSAL.tags).timeline())
    assert verdict.outcome is UNKNOWN
    assert "it breaks nothing (a healthy run), but it does" in _of(verdict, UNKNOWN)


def test_what_a_step_of_the_runbook_notices_no_probe_needs_to_feel() -> None:
    assert judge(replace(UNFELT, checks=(NOTICED,)).timeline()).outcome is PASS
    assert judge(replace(UNFELT, checks=(replace(NOTICED, sensor=False),)).timeline()).outcome is UNKNOWN


def test_a_step_that_does_not_notice_the_fault_fails() -> None:
    assert judge(replace(UNFELT, checks=(replace(NOTICED, outcome=FAIL),)).timeline()).outcome is FAIL


def test_probes_that_are_watched_too_must_feel_it_or_another() -> None:
    beside = SteadyStateChecked(0.1, ("beside",))
    story = replace(STORY, objective=None, seen=(*_seen("+++++++"), *looks("---++++", "beside")))
    assert judge(story.timeline()).outcome is UNKNOWN
    assert judge(story.timeline(beside)).outcome is PASS


@pytest.mark.parametrize(
    ("pattern", "ends"),
    [("+++--+++", []), ("-+++-++-+++-+++", [2.0, 5.5]), ("-++-++-", []), ("+++", [])],
    ids=["good before it was felt", "two returns and a last one", "too short", "never felt"],
)
def test_a_return_that_did_not_last_is_told_from_the_last_one(pattern: str, ends: list[float]) -> None:
    found = [(record, event) for record, event in each(timeline(looks(pattern)), Observed)]
    assert [seen.started - FAULT_AT for _, seen in false_returns(found, FAULT_AT, 3)] == ends
