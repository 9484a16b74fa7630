"""The platform's own HTTP API: what faults, shims and the harness speak. JSON over TLS; errors are {"error", "mend"}."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drillbook.clock import rfc3339
from drillbook.errors import DrillbookError
from drillbook.platform.app import App, NotHealthy, Superseded
from drillbook.platform.config import MOST_REPLICAS
from drillbook.platform.platform import Platform, UnknownApp
from drillbook.platform.releases import BadArtifact, Defect, UnknownRelease

STATUS: dict[type[DrillbookError], int] = {
    UnknownApp: 404,
    UnknownRelease: 404,
    NotHealthy: 409,
    Superseded: 409,
    BadArtifact: 422,
}
_SHA256 = re.compile("[0-9a-f]{64}")


class BadRequest(DrillbookError):
    """Report a request body that does not fit."""


def admin_api(platform: Platform) -> Starlette:
    """Make the ASGI application."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def apps(_: Request) -> Response:
        return JSONResponse([describe(app) for app in platform.apps.values()])

    async def reset(_: Request) -> Response:
        await platform.reset()
        return JSONResponse({"status": "ok"})

    async def capacity(request: Request) -> Response:
        if request.method == "PUT":
            platform.places.resize(_integer((await _body(request)).get("processes"), "processes"))
        return JSONResponse({"processes": platform.places.room})

    async def upload(request: Request) -> Response:
        app, digest = platform.app(request.path_params["app"]), request.path_params["digest"]
        app.shelf.keep(digest, await request.body())
        return JSONResponse({"artifact": digest}, status_code=201)

    def act(action: Callable[[App, dict[str, Any]], Awaitable[Response | None]]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            app = platform.app(request.path_params["app"])
            return await action(app, await _body(request)) or JSONResponse(describe(app))

        return endpoint

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/apps", apps),
            Route("/apps/{app}", act(_show)),
            Route("/apps/{app}/artifacts/{digest}", upload, methods=["PUT"]),
            Route("/apps/{app}/releases", act(_release), methods=["POST"]),
            Route("/apps/{app}/rollback", act(_rollback), methods=["POST"]),
            Route("/apps/{app}/scale", act(_scale), methods=["POST"]),
            Route("/apps/{app}/restart", act(_restart), methods=["POST"]),
            Route("/capacity", capacity, methods=["GET", "PUT"]),
            Route("/reset", reset, methods=["POST"]),
        ],
        exception_handlers={DrillbookError: _failed},
    )


def describe(app: App) -> dict[str, Any]:
    """Give an app as the API shows it."""
    return {
        "name": app.config.name,
        "current": app.current,
        "previous": app.previous,
        "rolling": app.rolling.release.number if app.rolling and app.rolling.release else None,
        "replicas": app.replicas,
        "deployment": app.config.deployment,
        "project": app.config.project,
        "releases": [
            {
                "number": r.number,
                "created": rfc3339(r.created),
                "defect": r.defect,
                "settings": dict(r.settings),
                "artifact": r.artifact,
                "url": r.url,
                "id": r.id,
            }
            for r in app.shelf.releases
        ],
        "instances": [
            {
                "name": i.name,
                "release": i.release.number,
                "pid": i.pid,
                "state": i.state,
                "ports": {name: port.port for name, port in i.ports.items()},
            }
            for i in app.instances
        ],
    }


async def _show(_app: App, _body: dict[str, Any]) -> None:
    return None


async def _release(app: App, body: dict[str, Any]) -> Response:
    word = body.get("defect")
    try:
        defect = Defect(word) if word is not None else None
    except ValueError:
        raise BadRequest(f"no defect is called {word!r}", mend=f"choose one of {', '.join(Defect)}") from None
    settings = body.get("settings") or {}
    if not isinstance(settings, dict) or not all(isinstance(value, str) for value in settings.values()):
        raise BadRequest(f"settings is {settings!r}", mend="give variables as strings")
    if body.get("live") is False:
        return JSONResponse({"number": app.build(defect)}, status_code=201)
    artifact = body.get("artifact") or ""
    if artifact and not _SHA256.fullmatch(str(artifact)):
        raise BadRequest(f"artifact is {artifact!r}", mend="give the SHA-256 of an archive that was uploaded, in hex")
    number = await app.release(defect, gate=body.get("gate") is True, settings=settings, artifact=str(artifact))
    return JSONResponse({"number": number}, status_code=201)


async def _rollback(app: App, body: dict[str, Any]) -> None:
    number = body.get("release")
    await app.rollback(None if number is None else _integer(number, "release"))


async def _scale(app: App, body: dict[str, Any]) -> None:
    app.scale(_integer(body.get("replicas"), "replicas"))
    await app.settle()


async def _restart(app: App, _body: dict[str, Any]) -> None:
    await app.restart()


def _integer(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_REPLICAS:
        raise BadRequest(f"{name} is {value!r}", mend=f"give a whole number from 0 to {MOST_REPLICAS}")
    return value


async def _body(request: Request) -> dict[str, Any]:
    text = await request.body()
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        raise BadRequest("the body is not JSON", mend="send a JSON object") from None
    if not isinstance(body, dict):
        raise BadRequest("the body is no JSON object", mend="send a JSON object")
    return body


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, DrillbookError)
    status = STATUS.get(type(error), 400 if isinstance(error, BadRequest) else 500)
    return JSONResponse({"error": error.message, "mend": error.mend}, status_code=status)
