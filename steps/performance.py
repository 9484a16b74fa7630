"""What people decide when the API is slow, and checks of what a load leaves behind."""

from __future__ import annotations

from pytest_bdd import then

from drillbook.drill import Drill
from drillbook.journal import RequestEnded
from drillbook.responder.registry import decision
from drillbook.responder.situation import Situation
from drillbook.verdict.timeline import each, fault_time
from steps._looking import printed

Look = tuple[bool, str, tuple[int, ...]]
USUAL_REPLICAS = 2


def replicas(situation: Situation) -> int:
    """Ask how many pods the API should have."""
    query = "kubectl --context production -n default get deployment meta-aggregator-api -o 'jsonpath={.spec.replicas}'"
    return int(situation.run(query).stdout.strip() or "0")


@decision("If an index is missing")
def index_is_missing(situation: Situation) -> tuple[bool, str]:
    """Make an index anew only if the database's check names one that is missing."""
    named = [line for line in printed(situation, "Check database performance").splitlines() if "is missing" in line]
    return bool(named), named[0].removeprefix("SLOW  ") if named else "every declared index is there"


@decision("If the API is slow under load")
def api_is_slow(situation: Situation) -> tuple[bool, str]:
    """Scale only where more processes help: not against a query that is slow by itself."""
    if "API: SLOW" not in printed(situation, "Check API metrics"):
        return False, "the API answers within its bound"
    if "is missing" in printed(situation, "Check database performance"):
        return False, "a query is slow by itself: more processes would only ask it more often"
    return True, "the API is slow, and no query of the database is"


@decision("If the rush is over")
def rush_is_over(situation: Situation) -> tuple[bool, str]:
    """Scale down once the API was not slow at all and has more pods than usual."""
    have = replicas(situation)
    if have <= USUAL_REPLICAS:
        return False, f"it has {have} pods, as usual"
    if "API: SLOW" in printed(situation, "Check API metrics"):
        return False, f"it was slow a moment ago; its {have} pods stay"
    return True, f"it is fast, and has {have} pods instead of {USUAL_REPLICAS}"


@then("every order that was placed meanwhile was taken")
def orders_were_taken(drill: Drill) -> None:
    """See that the traffic went on after the fault, and that each of its orders was acknowledged."""

    def look() -> Look:
        begun = fault_time(drill.timeline)
        sent = [(r, e) for r, e in each(drill.timeline, RequestEnded) if begun is not None and e.sent >= begun]
        lost = [(record, event) for record, event in sent if event.outcome != "acknowledged"]
        detail = f"{len(sent) - len(lost)} of {len(sent)} orders acknowledged"
        return bool(sent) and not lost, detail, tuple(record.seq for record, _ in lost[:3])

    drill.check("every order that was placed meanwhile was taken", look)
