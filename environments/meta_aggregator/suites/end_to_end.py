"""An order from end to end: the checkout's orders API on a database of its own, and its frontend before it.

TEST_PGHOST is the server that test databases are made on, and never the one that production's are on by name.
"""

from __future__ import annotations

import os
import socket
import threading
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import uvicorn
from psycopg import sql

from drillbook.clock import wait_until
from services.frontend.api_link import ApiLink
from services.frontend.site import Site
from services.orders_api.application import OrdersApi
from services.orders_api.settings import Settings

HOST = "127.0.0.1"
NOWHERE = f"http://{HOST}:9"
ORDER = {"customer": "0x" + "ab" * 20, "sell_token": "ETH", "buy_token": "USDC", "sell_amount": "1000000000000000000"}
STARTS_WITHIN = 10.0
Cleanup = Callable[[Callable[[], object]], object]


def serve(application: Any, cleanup: Cleanup) -> str:
    """Serve an application on a free port until cleaned up; give its URL."""
    listener = socket.create_server((HOST, 0))
    config = uvicorn.Config(application, log_level="warning", access_log=False, ws="none", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(5)
        listener.close()

    cleanup(stop)
    if not wait_until(lambda: server.started, STARTS_WITHIN):
        raise RuntimeError("the server did not start")
    return f"http://{HOST}:{listener.getsockname()[1]}"


def make_database(cleanup: Cleanup) -> str:
    """Make a database with the checkout's migrations, dropped when cleaned up; give its libpq URL."""
    name = f"meta_aggregator_test_{os.getpid()}"
    server = psycopg.connect(host=os.environ["TEST_PGHOST"], dbname="postgres", autocommit=True, connect_timeout=5)
    cleanup(server.close)
    server.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    cleanup(lambda: server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name))))
    with psycopg.connect(host=os.environ["TEST_PGHOST"], dbname=name, autocommit=True) as fresh:
        for file in sorted(Path("database").glob("0*.sql")):
            fresh.execute(file.read_bytes())
    user, password = os.environ["PGUSER"], os.environ["PGPASSWORD"]
    return f"postgresql://{user}:{password}@{os.environ['TEST_PGHOST']}:{os.environ.get('PGPORT', '5432')}/{name}"


class AnOrder(unittest.TestCase):
    """A customer with the site open."""

    api: httpx.Client
    site: httpx.Client

    @classmethod
    def setUpClass(cls) -> None:
        """Start everything once."""
        database = make_database(cls.addClassCleanup)
        settings = Settings(database, NOWHERE, NOWHERE, NOWHERE, "", "test")
        api = serve(OrdersApi(settings).application, cls.addClassCleanup)
        site = serve(Site(ApiLink(api), "test").application(), cls.addClassCleanup)
        cls.api, cls.site = httpx.Client(base_url=api, timeout=5), httpx.Client(base_url=site, timeout=5)
        for client in (cls.api, cls.site):
            cls.addClassCleanup(client.close)

    def place(self, key: str, **changes: str) -> httpx.Response:
        """Place an order."""
        return self.api.post("/api/orders", json={**ORDER, **changes}, headers={"Idempotency-Key": key})

    def test_the_page_is_served(self) -> None:
        answer = self.site.get("/")
        self.assertEqual(answer.status_code, 200)
        self.assertIn("Meta Aggregator", answer.text)

    def test_an_order_that_is_placed_is_shown_on_the_site(self) -> None:
        placed = self.place("end-to-end-1")
        self.assertEqual(placed.status_code, 201, placed.text)
        listed = self.site.get("/api/orders?limit=5")
        self.assertEqual(listed.status_code, 200, listed.text)
        (shown,) = [order for order in listed.json()["orders"] if order["id"] == placed.json()["id"]]
        self.assertEqual({name: shown[name] for name in placed.json()}, placed.json())
        self.assertEqual(shown["total"], "1001500000000000000")

    def test_an_order_that_is_placed_twice_is_one_order(self) -> None:
        first, again = self.place("end-to-end-2"), self.place("end-to-end-2")
        self.assertEqual((first.status_code, again.status_code), (201, 200))
        self.assertEqual(first.json()["id"], again.json()["id"])
        self.assertEqual(self.place("end-to-end-2", sell_amount="5").status_code, 409)

    def test_an_order_that_makes_no_sense_is_refused(self) -> None:
        refused = self.place("end-to-end-3", buy_token="ETH")
        self.assertEqual(refused.status_code, 422)
        self.assertIn("buy_token", refused.json()["errors"])

    def test_the_site_says_what_is_behind_it(self) -> None:
        health = self.site.get("/api/health").json()
        self.assertEqual((health["service"], health["release"], health["api"]), ("frontend", "test", "down"))
