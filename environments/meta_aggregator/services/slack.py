"""A twin of Slack: `chat.postMessage` and incoming webhooks, with Slack's habit of saying no under HTTP 200.

CHANNELS (comma-separated, without #) names the workspace's channels; SLACK_BOT_TOKEN, if set, is the only token taken,
else any that begins with `xoxb-`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from time import time
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.serving import Listener, Twin, serve

CHANNELS = "emergency-response,incidents,operations,general"
WEBHOOK_CHANNEL = "#emergency-response"
WEBHOOK = re.compile(r"T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24}")


def failure(status: int, retry_after: int | None) -> Response:
    """Fail as Slack's edge does; `ratelimited` is the one error that is not HTTP 200 in peace."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"ok": False, "error": "ratelimited" if status == 429 else "fatal_error"}, status, headers)


def _decode(content_type: str, body: bytes) -> Mapping[str, Any] | None:
    """Read JSON or a form; None if it is neither."""
    try:
        decoded = json.loads(body) if content_type.startswith("application/json") else dict(parse_qsl(body.decode()))
    except ValueError:
        return None
    return decoded if isinstance(decoded, dict) else None


def _refused(token: str) -> str:
    expected = os.environ.get("SLACK_BOT_TOKEN")
    if not token:
        return "not_authed"
    return "" if token == expected or (not expected and token.startswith("xoxb-")) else "invalid_auth"


class Slack(Twin):
    """A workspace with a few channels."""

    def __init__(self) -> None:
        super().__init__("slack", failure)
        self.channels = frozenset(os.environ.get("CHANNELS", CHANNELS).split(","))

    async def post_message(self, request: Request) -> Response:
        """Serve https://api.slack.com/methods/chat.postMessage."""
        body = _decode(request.headers.get("content-type", ""), await request.body())
        if body is None:
            return JSONResponse({"ok": False, "error": "invalid_json"})
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        channel, text = str(body.get("channel", "")), str(body.get("text", ""))
        error = _refused(bearer if scheme.lower() == "bearer" else str(body.get("token", "")))
        error = error or ("" if channel.removeprefix("#") in self.channels else "channel_not_found")
        error = error or ("" if text else "no_text")
        if error:
            return JSONResponse({"ok": False, "error": error})
        stamp = f"{time():.6f}"
        self.deliver("#" + channel.removeprefix("#"), text, method="chat.postMessage", ts=stamp)
        message = {"type": "message", "subtype": "bot_message", "text": text, "bot_id": "B19LU7CSY", "ts": stamp}
        return JSONResponse({"ok": True, "channel": channel, "ts": stamp, "message": message})

    async def test(self, _: Request) -> Response:
        """Serve https://api.slack.com/methods/api.test, which needs no token."""
        return JSONResponse({"ok": True})

    async def webhook(self, request: Request) -> Response:
        """Serve https://api.slack.com/messaging/webhooks: answers are plain words."""
        if not WEBHOOK.fullmatch(request.path_params["path"]):
            return PlainTextResponse("no_service", 404)
        body = _decode(request.headers.get("content-type", ""), await request.body())
        if body is not None and isinstance(body.get("payload"), str):
            body = _decode("application/json", body["payload"].encode())
        if body is None:
            return PlainTextResponse("invalid_payload", 400)
        if not body.get("text"):
            return PlainTextResponse("no_text", 400)
        self.deliver(WEBHOOK_CHANNEL, str(body["text"]), method="webhook")
        return PlainTextResponse("ok")


if __name__ == "__main__":
    slack = Slack()
    routes = [
        Route("/api/chat.postMessage", slack.post_message, methods=["POST"]),
        Route("/api/api.test", slack.test, methods=["GET", "POST"]),
        Route("/services/{path:path}", slack.webhook, methods=["POST"]),
    ]
    serve(Listener(slack.application(routes)))
