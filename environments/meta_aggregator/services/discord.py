"""A twin of Discord's webhooks: a message posted to one reaches the developer whose channel it belongs to.

DISCORD_WEBHOOK_TOKEN is the token of the only webhook, whose id is WEBHOOK_ID. Codes and words of its refusals are those
of Discord's API (Developer Documentation, "Execute Webhook" and "Opcodes and Status Codes").
"""

from __future__ import annotations

from time import time_ns

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.serving import Listener, Twin, json_object, required, serve

WEBHOOK_ID = "1170000000000000001"
RECIPIENT = "@joeri_dev"
LONGEST = 2000


def failure(status: int, retry_after: int | None) -> Response:
    """Fail as Discord does: a rate limit says in its body how long to wait, in seconds."""
    if retry_after is None:
        return JSONResponse({"message": f"{status}: error", "code": 0}, status)
    limited = {"message": "You are being rate limited.", "retry_after": float(retry_after), "global": False}
    return JSONResponse(limited, status, {"Retry-After": str(retry_after)})


def _refused(status: int, code: int, message: str) -> Response:
    return JSONResponse({"message": message, "code": code}, status)


class Discord(Twin):
    """One webhook, into one developer's channel."""

    def __init__(self, token: str) -> None:
        super().__init__("discord", failure)
        self._token = token

    async def execute(self, request: Request) -> Response:
        """Take a message: 204, or the message itself with `?wait=true`."""
        if request.path_params["id"] != WEBHOOK_ID:
            return _refused(404, 10015, "Unknown Webhook")
        if request.path_params["token"] != self._token:
            return _refused(401, 50027, "Invalid Webhook Token")
        content = str((await json_object(request)).get("content") or "")
        if not content.strip():
            return _refused(400, 50006, "Cannot send an empty message")
        if len(content) > LONGEST:
            return _refused(400, 50035, "Invalid Form Body")
        self.deliver(RECIPIENT, content, webhook=WEBHOOK_ID)
        if request.query_params.get("wait") != "true":
            return Response(status_code=204)
        return JSONResponse({"id": str(time_ns()), "webhook_id": WEBHOOK_ID, "content": content, "type": 0})

    async def gateway(self, _: Request) -> Response:
        """Serve /gateway, which needs no key: what shows that Discord is there."""
        return JSONResponse({"url": "wss://gateway.discord.gg"})


if __name__ == "__main__":
    discord = Discord(required("DISCORD_WEBHOOK_TOKEN"))
    routes = [
        Route(f"{root}{path}", endpoint, methods=[method])
        for root in ("/api", "/api/v10")
        for path, endpoint, method in (
            ("/webhooks/{id}/{token}", discord.execute, "POST"),
            ("/gateway", discord.gateway, "GET"),
        )
    ]
    serve(Listener(discord.application(routes)))
