"""What the people on call do: the manual steps and the decisions of the runbook, made only from what its checks show."""

from __future__ import annotations

import json
from typing import Any

from drillbook.responder.registry import decision, manual
from drillbook.responder.situation import Situation
from steps._looking import printed
from steps._reaching import STATUS_PAGE, call, post, post_to_slack, send_mail


@manual("Send Slack message to #emergency-response")
def alert_team(_: Situation) -> str:
    """Tell the team, before anything is touched."""
    return post_to_slack("#emergency-response", "Service is down. Following the runbook: System Down.")


@manual("Call primary on-call")
def call_primary(situation: Situation) -> str:
    """Ring the development lead."""
    return call(situation, "primary", "Service is down, see #emergency-response")


def pods(situation: Situation) -> str:
    """Look at the API's pods, as the person at the keyboard would."""
    return situation.run("kubectl --context production -n default get pods").stdout


def api_answer(situation: Situation) -> dict[str, Any]:
    """Give the API's own health answer as the runbook's check showed it, empty if there was none."""
    _, _, rest = printed(situation, "Check our services").partition("API: DOWN: ")
    try:
        answer: dict[str, Any] = json.loads(rest.splitlines()[0]) if rest else {}
    except ValueError:
        return {}
    return answer


OUTSIDE = {
    "Could not resolve host": "its name does not resolve: an older release has the same name",
    "certificate has expired": "its certificate has expired: an older release has the same certificate",
}
"""What curl says of a fault that lies before a service, and why a rollback is in vain then."""


def not_its_release(situation: Situation, service: str) -> str:
    """Say why a service's check failed although its release may be good; "" if nothing shows that."""
    results = situation.result_of("Check our services")
    said = "\n".join(r.stdout + r.stderr for r in results if f"{service}: DOWN" in r.stdout)
    return next((why for words, why in OUTSIDE.items() if words in said), "")


@decision("If the frontend is down")
def frontend_is_down(situation: Situation) -> tuple[bool, str]:
    """Roll the frontend back only if its own check failed, and not for its name or its certificate."""
    if "frontend: DOWN" not in printed(situation, "Check our services"):
        return False, "the frontend's check did not fail"
    why = not_its_release(situation, "frontend")
    return not why, why or "the frontend's check failed"


@decision("If the rollback hangs")
def rollback_hangs(situation: Situation) -> tuple[bool, str]:
    """Go one release further back if the rollback of the frontend was begun and did not come to its end."""
    begun = situation.result_of("If the frontend is down")
    if not begun:
        return False, "nothing was rolled back"
    failed = not situation.succeeded("If the frontend is down")
    return failed, "the rollback did not come to its end" if failed else "the rollback came to its end"


@decision("If the API is down")
def api_is_down(situation: Situation) -> tuple[bool, str]:
    """Roll the API back if it is down by itself: not for a database or a chain, nor for a process that died."""
    checks = printed(situation, "Check our services")
    if "API: DOWN" not in checks:
        return False, "the API's check did not fail"
    if why := not_its_release(situation, "API"):
        return False, why
    below = [name for name in api_answer(situation).get("down", []) if name in ("database", "chain")]
    if below:
        return False, f"the API is down because of its {' and '.join(below)}: an older release has the same"
    listed = pods(situation)
    if "Error" in listed:
        return False, "its processes have died; the release itself was good"
    return True, "the API's check failed, and its processes run"


@decision("If an API process has died")
def api_process_died(situation: Situation) -> tuple[bool, str]:
    """Restart the deployment if Kubernetes shows a pod that has ended."""
    died = [line.split()[0] for line in pods(situation).splitlines() if "Error" in line]
    return bool(died), f"ended: {', '.join(died)}" if died else "every process runs"


@decision("If service is not restored, call secondary on-call")
def escalate(situation: Situation) -> tuple[bool, str]:
    """Call the operations team if the runbook's own monitoring gave up."""
    if situation.succeeded("Monitor recovery"):
        return False, "service is restored"
    return True, call(situation, "secondary", "Service is still down after the runbook's steps")


@manual("Update status page")
def update_status_page(situation: Situation) -> str:
    """Publish how things stand."""
    restored = situation.succeeded("Monitor recovery")
    words = "Service is restored." if restored else "We are still working on it."
    incident = {"name": "Outage", "status": "resolved" if restored else "identified", "impact": "major", "body": words}
    made = post(STATUS_PAGE, {"incident": incident})
    return f"published {made['id']} as {made['status']}"


@manual("Send customer communication")
def mail_customers(_: Situation) -> str:
    """Write to the customers' list."""
    words = "We had an interruption of service. No order that was confirmed is lost."
    return send_mail("customers@metaaggregator.com", "Service interruption", words)
