"""The orders API's HTTP face: routes, and what each failure is called in HTTP."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

import psycopg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.escrow import ChainError, escrow_address
from services.orders_api import orders
from services.orders_api.database import Database, Unavailable, one_line
from services.orders_api.health import HealthCheck
from services.orders_api.metrics import Metrics
from services.orders_api.outside import Outside, OutsideError
from services.orders_api.quotes import NoQuote, Sources, quote
from services.orders_api.settings import Settings
from services.serving import json_object

log = logging.getLogger("orders_api")
LIVE_ESCROW = "select address from contracts where name = 'Escrow' and live"
ADDRESS_SECONDS = 0.4
"""How long the database may take to say which escrow is live."""


class OrdersApi:
    """The handlers, and the connections that they share."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings.database_url, settings.pool)
        self._outside = Outside(settings)
        self._sources = Sources()
        self._escrow_address = ""
        self._health = HealthCheck(self._database, self._outside)
        self._metrics = Metrics(self._routed())

    @property
    def application(self) -> ASGIApp:
        """The ASGI application."""
        return self._metrics

    def _routed(self) -> Starlette:
        routes = [
            Route("/health", self.health),
            Route("/metrics", self.metrics),
            Route("/api/orders", self.list_orders),
            Route("/api/orders", self.place_order, methods=["POST"]),
            Route("/api/orders/{id:int}", self.show_order),
            Route("/api/orders/{id:int}/cancel", self.cancel_order, methods=["POST"]),
            Route("/api/escrow", self.escrow),
            Route("/api/quote", self.quote),
        ]
        failures = {
            orders.Invalid: _invalid,
            HTTPException: _http_error,
            Unavailable: _unavailable,
            psycopg.OperationalError: _unavailable,
            psycopg.Error: _broken,
            OutsideError: _bad_gateway,
            ChainError: _bad_gateway,
            NoQuote: _no_quote,
        }
        return Starlette(routes=routes, exception_handlers=failures, lifespan=self._running)

    @asynccontextmanager
    async def _running(self, _: Starlette) -> AsyncIterator[None]:
        await self._database.open()
        yield
        await self._outside.close()
        await self._database.close()

    async def health(self, _: Request) -> Response:
        """Say how the API and what it depends on are: 503 only where orders can't be taken."""
        health = await self._health.look()
        body = {
            "status": health.status,
            "service": "orders-api",
            "release": self._settings.release,
            "down": health.down,
            "dependencies": {name: asdict(found) for name, found in health.dependencies.items()},
        }
        return JSONResponse(body, 503 if health.status == "down" else 200)

    async def metrics(self, _: Request) -> Response:
        """Serve Prometheus."""
        return PlainTextResponse(self._metrics.render(self._database.statistics(), self._sources.circuits))

    async def list_orders(self, request: Request) -> Response:
        """List orders, newest first: `limit` (1 to 200), `cursor` (the last answer's next_cursor), `status`."""
        limit = _whole(request, "limit", 50)
        before = _whole(request, "cursor", None)
        status = request.query_params.get("status")
        if limit is None or not 1 <= limit <= 200:
            raise orders.Invalid({"limit": "must be 1 to 200"})
        if status is not None and status not in orders.STATUSES:
            raise orders.Invalid({"status": f"must be one of {', '.join(orders.STATUSES)}"})
        async with self._database.connection() as connection:
            rows = await orders.newest(connection, limit, before, status)
        cursor = str(rows[-1]["id"]) if len(rows) == limit else None
        return JSONResponse({"orders": [orders.listed(row) for row in rows], "next_cursor": cursor})

    async def show_order(self, request: Request) -> Response:
        """Show one order."""
        number = request.path_params["id"]
        async with self._database.connection() as connection:
            row = await orders.find(connection, number) if number < 2**63 else None
        if row is None:
            raise HTTPException(404, f"there is no order {number}")
        return JSONResponse(orders.shown(row))

    async def place_order(self, request: Request) -> Response:
        """Take an order: 201 once it is committed, 200 for a repeat, 409 where the key was another order's."""
        key = request.headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 200:
            raise HTTPException(400, "the header Idempotency-Key is needed: 1 to 200 characters, new for each order")
        order = orders.NewOrder.parse(await json_object(request))
        async with self._database.connection() as connection:
            try:
                row, new = await orders.place(connection, key, order)
            except orders.KeyReused:
                raise HTTPException(409, "this Idempotency-Key was used for another order") from None
        headers = {"Location": f"/api/orders/{row['id']}"}
        return JSONResponse(orders.shown(row), 201 if new else 200, headers)

    async def cancel_order(self, request: Request) -> Response:
        """Cancel an open order of the customer that the body names; 409 where it is open no longer."""
        number, customer = request.path_params["id"], (await json_object(request)).get("customer")
        async with self._database.connection() as connection:
            row = await orders.find(connection, number) if number < 2**63 else None
            if row is None or not isinstance(customer, str) or row["customer"] != customer.lower():
                raise HTTPException(404, f"this customer has no order {number}")
            cancelled = await orders.cancel(connection, number)
        if cancelled is None:
            raise HTTPException(409, f"order {number} is not open any more")
        return JSONResponse(orders.shown(cancelled))

    async def escrow(self, _: Request) -> Response:
        """Show the live escrow contract's state; wei as strings. `usable`: it takes deposits, and holds what it owes."""
        address = await self._live_escrow()
        try:
            state = await self._outside.escrow_state(address)
        except ChainError as error:  # the chain answers, but there is no working escrow: the address is what helps
            return JSONResponse({"error": one_line(error), "address": address, "usable": False}, 502)
        return JSONResponse(
            {
                "address": state.address,
                "usable": not state.paused and state.balance >= state.open_total,
                "paused": state.paused,
                "openCount": state.open_count,
                "openTotal": str(state.open_total),
                "balance": str(state.balance),
            }
        )

    async def _live_escrow(self) -> str:
        """Give the address that is live by the database; without an answer the last one known."""
        try:
            async with self._database.connection(wait=ADDRESS_SECONDS, deadline=ADDRESS_SECONDS) as connection:
                found = await (await connection.execute(LIVE_ESCROW)).fetchone()
        except (Unavailable, psycopg.Error) as error:
            log.warning("the escrow's address is not read: %s", one_line(error))
        else:
            self._escrow_address = str(found["address"]) if found else self._escrow_address
        return self._escrow_address or escrow_address()

    async def quote(self, request: Request) -> Response:
        """Quote a swap: `sell_token`, `buy_token`, `sell_amount`."""
        given = request.query_params
        body = {name: given.get(name) for name in ("sell_token", "buy_token", "sell_amount")}
        order = orders.NewOrder.parse({**body, "customer": "0x" + "0" * 40})
        return JSONResponse(
            await quote(self._outside, self._sources, order.sell_token, order.buy_token, order.sell_amount)
        )


def _whole(request: Request, name: str, default: int | None) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 18:
        raise orders.Invalid({name: "must be a whole number"})
    return int(text)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, orders.Invalid)
    return JSONResponse({"error": "invalid", "errors": dict(error.errors)}, 422)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _unavailable(request: Request, error: Exception) -> Response:
    """The outcome of a placement is not known then: the customer repeats it with the same key."""
    log.warning("%s %s: %s", request.method, request.url.path, one_line(error))
    return JSONResponse({"error": "the database does not answer"}, 503, {"Retry-After": "1"})


async def _broken(request: Request, error: Exception) -> Response:
    log.error("%s %s: %s", request.method, request.url.path, one_line(error))
    return JSONResponse({"error": "the database refused the query"}, 500)


async def _bad_gateway(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, one_line(error))
    return JSONResponse({"error": one_line(error)}, 502)


async def _no_quote(_: Request, error: Exception) -> Response:
    assert isinstance(error, NoQuote)
    return JSONResponse({"error": str(error), "errors": error.errors}, 503, {"Retry-After": "5"})
