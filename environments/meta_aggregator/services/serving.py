"""The boring part that every service shares: the process contract, TLS, inboxes, and faults on demand.

A service process is told everything by its environment (HOST, PORT_<NAME>, TLS_CERT_FILE, TLS_KEY_FILE). A twin of an
outside API, or of what reaches people, is a `Twin`: it keeps an inbox and misbehaves as `PUT /behaviour` asks.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from drillbook.clock import SYSTEM_CLOCK, rfc3339

STOPS_WITHIN = 1.8
"""Seconds from SIGTERM after which a service is gone, whatever hangs."""

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


# The process contract


def required(name: str) -> str:
    """Give an environment variable, or stop the process and say which one is missing."""
    value = os.environ.get(name)
    if not value:
        raise SystemExit(
            f"services: the environment variable {name} is not set; the backend that starts a service sets it"
        )
    return value


@dataclass(frozen=True, slots=True)
class Listener:
    """An application on one of the process's ports: `port` is the name after PORT_, in lower case."""

    application: ASGIApp
    port: str = "https"
    tls: bool = True

    def server(self) -> uvicorn.Server:
        """Prepare uvicorn for it; requests still open 1 s after SIGTERM are cut."""
        config = uvicorn.Config(
            self.application,
            host=required("HOST"),
            port=int(required(f"PORT_{self.port.upper()}")),
            ssl_certfile=required("TLS_CERT_FILE") if self.tls else None,
            ssl_keyfile=required("TLS_KEY_FILE") if self.tls else None,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
            ws="none",
        )
        return uvicorn.Server(config)


def serve(*listeners: Listener) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return."""
    asyncio.run(_serve([listener.server() for listener in listeners]))


async def _serve(servers: Sequence[uvicorn.Server]) -> None:
    def stop() -> None:
        for server in servers:
            server.should_exit = True
        # What is cut may still clean up for seconds, against a peer that is silent; nothing waits for that.
        asyncio.get_running_loop().call_later(STOPS_WITHIN, os._exit, 0)

    # uvicorn's own handling knows one server only, and ends the process by the signal instead of with 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(server._serve() for server in servers))


async def json_object(request: Request) -> dict[str, Any]:
    """Give a request's JSON object; anything else is a 400."""
    try:
        body = await request.json()
    except ValueError:  # UnicodeDecodeError and JSONDecodeError are both of this kind
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return body


# Twins


class Mode(StrEnum):
    """How a twin answers."""

    HEALTHY = "healthy"
    ERROR = "error"
    RATE_LIMITED = "rate-limited"
    GARBAGE = "garbage"
    SLOW = "slow"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What `PUT /behaviour` asks for: `status` is the mode error's, `delay` (seconds) the mode slow's.

    `requests_per_minute` limits each caller (API key, else address) in every mode; None means no limit. The real APIs
    allow some tens a minute, which probes at 20 a second would use up, so there is none until asked for.
    """

    mode: Mode = Mode.HEALTHY
    status: int = 503
    delay: float = 2.0
    requests_per_minute: int | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Behaviour:
        """Read the JSON form; raise ValueError naming what is wrong."""
        unknown = set(values) - {"mode", "status", "delay", "requests_per_minute"}
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)[0]!r}; known: mode, status, delay, requests_per_minute")
        limit = values.get("requests_per_minute")
        behaviour = cls(
            mode=Mode(values.get("mode", "healthy")),
            status=int(values.get("status", 503)),
            delay=float(values.get("delay", 2.0)),
            requests_per_minute=None if limit is None else int(limit),
        )
        if not 400 <= behaviour.status <= 599 or behaviour.delay < 0:
            raise ValueError("status must be 400 to 599 and delay at least 0 seconds")
        return behaviour


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that reached a person; the JSON of `GET /inbox` has these keys."""

    channel: str
    recipient: str
    text: str
    time: str
    details: Mapping[str, Any] = field(default_factory=dict)


def plain_failure(status: int, retry_after: int | None = None) -> Response:
    """Fail with a JSON body of no particular API; `retry_after` is in seconds."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": f"HTTP {status}"}, status, headers)


class Twin:
    """Stands in for an outside service: health, inbox, behaviour; subclass it for more state than that.

    `channel` names its inbox ("" for none); `failure` makes the answer of the modes error and rate-limited, in the
    shape of the real thing; `key_header` is where its callers put their API key.
    """

    def __init__(
        self,
        channel: str = "",
        failure: Callable[[int, int | None], Response] = plain_failure,
        key_header: str = "authorization",
    ) -> None:
        self.channel = channel
        self.failure = failure
        self.key_header = key_header
        self.behaviour = Behaviour()
        self.inbox: list[Delivery] = []
        self._calls: dict[str, deque[float]] = {}

    def deliver(self, recipient: str, text: str, **details: Any) -> Delivery:
        """Put something in the inbox, stamped now."""
        delivery = Delivery(self.channel, recipient, text, rfc3339(SYSTEM_CLOCK.wall()), details)
        self.inbox.append(delivery)
        return delivery

    def configure(self, values: Mapping[str, Any]) -> None:
        """Take a new behaviour; raise ValueError naming what is wrong."""
        self.behaviour = Behaviour.parse(values)

    def shown_behaviour(self) -> dict[str, Any]:
        """Give the behaviour in the form that `configure` takes."""
        return asdict(self.behaviour)

    def reset(self) -> None:
        """Return to the state after start."""
        self.behaviour = Behaviour()
        self.inbox.clear()
        self._calls.clear()

    def application(self, routes: Sequence[Route], lifespan: Lifespan | None = None) -> ASGIApp:
        """Serve the routes beside /health, /behaviour and (with a channel) /inbox."""
        own = [Route("/health", _ok), Route("/behaviour", self._behave, methods=["GET", "PUT", "DELETE"])]
        if self.channel:
            own.append(Route("/inbox", self._read, methods=["GET", "DELETE"]))
        return _Misbehaving(self, Starlette(routes=[*own, *routes], lifespan=lifespan))

    def over_limit(self, caller: str) -> bool:
        """Count a call; say whether the caller has had its share of the last minute."""
        limit = self.behaviour.requests_per_minute
        if limit is None:
            return False
        calls = self._calls.setdefault(caller, deque())
        while calls and calls[0] < monotonic() - 60:
            calls.popleft()
        if len(calls) >= limit:
            return True
        calls.append(monotonic())
        return False

    async def _read(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.reset()
            return Response(status_code=204)
        return JSONResponse([asdict(delivery) for delivery in self.inbox])

    async def _behave(self, request: Request) -> Response:
        try:
            if request.method == "PUT":
                self.configure(await json_object(request))
            elif request.method == "DELETE":
                self.configure({})
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse(self.shown_behaviour())


async def _ok(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


class _Misbehaving:
    """ASGI: answers in the twin's stead while its behaviour asks for that. The harness's own paths stay as they are."""

    def __init__(self, twin: Twin, inner: Starlette) -> None:
        self.twin = twin
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ("/behaviour", "/inbox"):
            await self.inner(scope, receive, send)
            return
        answer = await self._answer(Request(scope), receive)
        await (answer or self.inner)(scope, receive, send)

    async def _answer(self, request: Request, receive: Receive) -> Response | None:
        behaviour = self.twin.behaviour
        match behaviour.mode:
            case Mode.ERROR:
                return self.twin.failure(behaviour.status, None)
            case Mode.RATE_LIMITED:
                return self.twin.failure(429, 60)
            case Mode.GARBAGE:
                return Response(b'{"status": "o\x00\xff<html>', media_type="application/json")
            case Mode.SLOW:
                await asyncio.sleep(behaviour.delay)
            case Mode.HANG:
                while (await receive())["type"] != "http.disconnect":
                    pass
                return Response(status_code=499)  # nobody reads it
        caller = request.headers.get(self.twin.key_header) or (request.client.host if request.client else "")
        limited = request.url.path != "/health" and self.twin.over_limit(caller)
        return self.twin.failure(429, 60) if limited else None
