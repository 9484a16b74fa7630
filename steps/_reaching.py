"""The ways by which people on call reach others: Slack, Discord, the phone, mail, the status page.

Its name begins with an underscore because it has no step of its own: the modules beside it share it.
"""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from typing import Any

import httpx

from drillbook.errors import EnvironmentFailed
from drillbook.responder.situation import Situation

SLACK = "https://slack.com/api/chat.postMessage"
STATUS_PAGE = "https://status.metaaggregator.com/api/v1/incidents"
MAIL = "mail.metaaggregator.com"
SECONDS = 5.0


def post(url: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Post JSON as a person's tool does; EnvironmentFailed if it was not taken."""
    try:
        answer = httpx.post(url, json=body, headers=headers, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise EnvironmentFailed(f"{url} did not answer: {error}") from error
    if answer.is_error:
        raise EnvironmentFailed(f"{url} answered {answer.status_code}: {answer.text[:200]}")
    taken: dict[str, Any] = answer.json()
    return taken


def post_to_slack(channel: str, text: str) -> str:
    """Post a message as the bot; EnvironmentFailed if Slack does not take it."""
    told = post(SLACK, {"channel": channel, "text": text}, Authorization="Bearer xoxb-drill")
    if not told.get("ok"):
        raise EnvironmentFailed(f"Slack refused the message: {told.get('error')}")
    return f"told {channel}"


def post_to_discord(situation: Situation, text: str) -> str:
    """Post by the team's webhook; EnvironmentFailed if Discord does not take it."""
    url = situation.environment.variables["DISCORD_WEBHOOK_URL"]
    try:
        answer = httpx.post(url, json={"content": text}, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise EnvironmentFailed(f"Discord did not answer: {error!r}") from error
    if answer.is_error:
        raise EnvironmentFailed(f"Discord refused the message: {answer.status_code} {answer.text[:200]}")
    return "told @joeri_dev"


def call(situation: Situation, contact: str, message: str) -> str:
    """Ring a contact until they acknowledge; EnvironmentFailed if they are passed over."""
    answer = situation.call(contact, message)
    if not answer.acknowledged:
        raise EnvironmentFailed(str(answer))
    return str(answer)


def send_mail(recipient: str, subject: str, text: str) -> str:
    """Send a letter from operations; OSError or SMTPException if the server does not take it."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "operations@metaaggregator.com", recipient, subject
    message.set_content(text)
    with smtplib.SMTP(MAIL, 25, timeout=SECONDS) as server:
        server.send_message(message)
    return f"mailed {recipient}"
