"""Escalation and channels: whom an alert reaches, by which way, and what the public is told."""

from __future__ import annotations

import re
import smtplib
from typing import Any

import httpx
from pytest_bdd import parsers, then

from drillbook.clock import wait_until
from drillbook.drill import Drill
from drillbook.drill.words import listed
from drillbook.errors import EnvironmentFailed
from drillbook.responder.registry import decision, manual
from drillbook.responder.situation import Situation
from steps._reaching import SECONDS, STATUS_PAGE, call, post, post_to_discord, post_to_slack, send_mail

ALERT = "ALERT: checks fail, see the dashboard"
SITE_HEALTH = "https://metaaggregator.com/api/health"
INCIDENTS = "https://status.metaaggregator.com/api/v2/incidents.json"
GOOD_WITHIN = 3.0
"""Seconds that whoever resolves an incident looks for the site to be good again."""
Look = tuple[bool, str, tuple[int, ...]]


@manual("Post the alert to #emergency-response")
def alert(_: Situation) -> str:
    """Begin the escalation where everybody can see it."""
    return post_to_slack("#emergency-response", ALERT)


@manual("Call the primary")
def call_the_primary(situation: Situation) -> str:
    """Ring the development lead, for as long as the path grants."""
    return call(situation, "primary", ALERT)


@decision("If the primary has not acknowledged")
def call_the_secondary(situation: Situation) -> tuple[bool, str]:
    """Call the operations team unless the primary has it."""
    if situation.acknowledged("primary"):
        return False, "the primary has acknowledged"
    return True, call(situation, "secondary", ALERT)


@decision("If nobody has acknowledged")
def call_security(situation: Situation) -> tuple[bool, str]:
    """Call the security team when nobody else has taken the alert."""
    taken = [one.name for one in situation.called if one.acknowledged]
    if taken:
        return False, f"{taken[0]} has acknowledged"
    return True, call(situation, "security", ALERT)


@manual("Call Security Hotline")
def call_security_hotline(situation: Situation) -> str:
    """Ring the security team before anybody else."""
    return call(situation, "security", "Smart contract incident")


@manual("Send message to #emergency-response with")
def send_exact_words(situation: Situation) -> str:
    """Post the words that the runbook puts in quotes, and nothing else: people search for them."""
    words = re.search(r"[\"“]([^\"”]+)[\"”]", situation.step.title)
    if words is None:
        raise EnvironmentFailed(f"the step {situation.step.title!r} quotes no words to send")
    return post_to_slack("#emergency-response", words[1])


@manual("Post the alert to Slack")
def alert_slack(_: Situation) -> str:
    """Try the first channel."""
    return post_to_slack("#emergency-response", ALERT)


@decision("If Slack does not take the alert")
def alert_discord(situation: Situation) -> tuple[bool, str]:
    """Try the second channel only if the first has failed."""
    if situation.done("Post the alert to Slack"):
        return False, "Slack took the alert"
    return True, post_to_discord(situation, ALERT)


@decision("If Discord does not take the alert either")
def alert_by_phone(situation: Situation) -> tuple[bool, str]:
    """Call somebody when no channel took the alert."""
    if situation.done("Post the alert to Slack") or situation.done("If Slack does not take the alert"):
        return False, "a channel took the alert"
    return True, call(situation, "primary", ALERT)


@manual("Post development issues to Discord")
def post_development_issue(situation: Situation) -> str:
    """Tell the developer where developers look."""
    return post_to_discord(situation, "DEVELOPMENT: the quote of DAI is rounded down twice")


@manual("Email non-urgent matters")
def mail_operations(_: Situation) -> str:
    """Write to operations what can wait."""
    try:
        return send_mail("operations@metaaggregator.com", "Certificate of the test API", "It ends in 30 days.")
    except smtplib.SMTPException as error:
        raise EnvironmentFailed(f"the mail server did not take it: {error}") from error


@manual("Publish the incident as investigating")
def publish_incident(_: Situation) -> str:
    """Open the incident on the status page."""
    body = {"name": "Quotes are degraded", "status": "investigating", "impact": "minor", "body": "We are looking."}
    made = post(STATUS_PAGE, {"incident": body})
    return f"published {made['id']} as {made['status']}"


@manual("Update the incident to identified")
def incident_identified(_: Situation) -> str:
    """Say that the cause is known."""
    return _move("identified", "A source of prices does not answer.")


@manual("Update the incident to monitoring")
def incident_monitoring(_: Situation) -> str:
    """Say that the cause is gone, and that we still watch."""
    return _move("monitoring", "The source of prices answers again.")


@manual("Resolve the incident")
def resolve_incident(_: Situation) -> str:
    """Close the incident, but only if the site itself says that it is good again."""

    def good() -> bool:
        return bool(httpx.get(SITE_HEALTH, timeout=SECONDS).json().get("status") == "ok")

    if not wait_until(good, GOOD_WITHIN, interval=0.1):
        raise EnvironmentFailed(f"{SITE_HEALTH} is not ok: the incident stays open")
    return _move("resolved", "Quotes are complete again.")


def _move(status: str, words: str) -> str:
    """Move the open incident to a status; EnvironmentFailed if none is open."""
    incidents: list[dict[str, Any]] = httpx.get(INCIDENTS, timeout=SECONDS).json()["incidents"]
    open_ones = [one for one in incidents if one["status"] != "resolved"]
    if not open_ones:
        raise EnvironmentFailed(f"no incident is open on the status page, so none can become {status}")
    change = {"incident": {"status": status, "body": words}}
    answer = httpx.patch(f"{STATUS_PAGE}/{open_ones[0]['id']}", json=change, timeout=SECONDS)
    if answer.is_error:
        raise EnvironmentFailed(f"the status page answered {answer.status_code}: {answer.text[:200]}")
    return f"{open_ones[0]['id']} is {status}"


@then(parsers.parse('the status page carries one incident through "{states}"'))
def status_page_states(drill: Drill, states: str) -> None:
    """See that customers could read these states of one incident, in this order and no others."""

    def look() -> Look:
        messages = drill.environment.inbox("status")
        seen = [str(message.details["status"]) for message in messages]
        incidents = {str(message.details["incident"]) for message in messages}
        held = seen == list(listed(states)) and len(incidents) == 1
        return held, f"{', '.join(seen) or 'nothing'} of {len(incidents)} incidents", ()

    drill.check(f"the status page carries one incident through {states}", look)


@then(parsers.parse('"{channel}" receives exactly "{text}"'))
def receives_exactly(drill: Drill, channel: str, text: str) -> None:
    """See that a message of these words, no more and no fewer, reached a channel."""

    def look() -> Look:
        texts = [message.text for message in drill.environment.inbox(channel)]
        return text in texts, ", ".join(map(repr, texts)) or "nothing arrived", ()

    drill.check(f"{channel} receives exactly {text!r}", look)


@then(parsers.parse('nothing reaches "{channel}"'))
def receives_nothing(drill: Drill, channel: str) -> None:
    """See that a channel's inbox is empty."""

    def look() -> Look:
        texts = [message.text for message in drill.environment.inbox(channel)]
        return not texts, ", ".join(map(repr, texts)), ()

    drill.check(f"nothing reaches {channel}", look)
