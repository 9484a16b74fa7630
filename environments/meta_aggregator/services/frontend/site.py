"""The site's routes. The page itself is `page.html`; it stays up, and says so, when the API behind it is down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.frontend.api_link import ApiLink, ApiUnreachable

PAGE = Path(__file__).with_name("page.html")


class Site:
    """The page, the frontend's health, and the API's orders under the site's own name."""

    def __init__(self, api: ApiLink, release: str) -> None:
        self._api = api
        self._release = release
        self._page = PAGE.read_text()

    def application(self) -> ASGIApp:
        """The ASGI application."""
        routes = [
            Route("/", self.page),
            Route("/api/health", self.health),
            Route("/api/orders", self.orders),
            Route("/api/escrow", self.escrow),
        ]
        return Starlette(routes=routes, lifespan=self._running)

    @asynccontextmanager
    async def _running(self, _: Starlette) -> AsyncIterator[None]:
        yield
        await self._api.close()

    async def page(self, _: Request) -> Response:
        """Serve the page."""
        return HTMLResponse(self._page, headers={"Cache-Control": "no-store"})

    async def health(self, _: Request) -> Response:
        """Say how the site is: always 200, since it answers; `degraded` when the API is not `ok`, named in `api`.

        A balancer must not take the site away because the API is down: the page tells customers so.
        """
        api = await self._api_status()
        status = "ok" if api == "ok" else "degraded"
        return JSONResponse({"status": status, "service": "frontend", "release": self._release, "api": api})

    async def _api_status(self) -> str:
        try:
            body = (await self._api.get("/health")).json()
        except (ApiUnreachable, ValueError):
            return "down"
        status = body.get("status") if isinstance(body, dict) else None
        return status if status in ("ok", "degraded") else "down"

    async def orders(self, request: Request) -> Response:
        """Hand the API's list of orders through; 502 without an answer."""
        return await self._handed_through("/api/orders", request.url.query)

    async def escrow(self, _: Request) -> Response:
        """Hand the API's word on the escrow through: where customers deposit; 502 without an answer."""
        return await self._handed_through("/api/escrow")

    async def _handed_through(self, path: str, query: str = "") -> Response:
        try:
            answer = await self._api.get(path, query)
        except ApiUnreachable as error:
            return JSONResponse({"error": f"the orders API does not answer: {error}"}, 502)
        media_type = answer.headers.get("content-type", "application/json")
        return Response(answer.content, answer.status_code, media_type=media_type)


def redirect_to_https() -> ASGIApp:
    """Send every plain request to the same place over TLS (308: the method stays)."""

    async def redirect(request: Request) -> Response:
        return RedirectResponse(str(request.url.replace(scheme="https", port=None)), 308)

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(routes=[Route("/{path:path}", redirect, methods=methods)])
