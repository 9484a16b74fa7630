"""The orders API against a real Postgres, a real chain and the twins: what customers get, and how it comes back."""

from __future__ import annotations

import asyncio
import importlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from threading import Thread
from time import monotonic
from typing import Any

import httpx
import psycopg
import pytest
from eth_utils.crypto import keccak

from drillbook.clock import wait_until
from tests.postgres import ENVIRONMENT_FOLDER, PostgresServer, free_port, running_postgres
from tests.running import REPOSITORY, Certificates, Service, running

ORDER = {"customer": "0x" + "ab" * 20, "sell_token": "ETH", "buy_token": "USDC", "sell_amount": "1000000000000000000"}
DATABASE = "production_db"


class Link:
    """A TCP proxy between a service and what it needs: open, cut, or silent (connected, and nothing passes)."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self._silent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()

    def open(self) -> None:
        self._silent = False
        self._do(self._listen())

    def silence(self) -> None:
        self._silent = True

    def cut(self) -> None:
        self._do(self._close())

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0.05)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer), return_exceptions=True)
        self._writers -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self._silent:
                writer.write(data)
        writer.close()


@dataclass(frozen=True, slots=True)
class System:
    """The API and all that it depends on."""

    api: Service
    postgres: PostgresServer
    database: Link
    zeroex: Service
    coingecko: Service
    chain: str
    certificates: Certificates

    def status(self) -> str:
        return str(self.api.client.get("/health").json()["status"])

    def await_status(self, status: str, seconds: float) -> bool:
        return bool(wait_until(lambda: self.status() == status, seconds))


@contextmanager
def running_chain() -> Iterator[str]:
    """Serve a chain; give its URL."""
    port = free_port()
    command = [sys.executable, "-m", "drillbook.chain", "--port", str(port), "--chain-id", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            assert wait_until(lambda: _listens(port), 30), "the chain does not listen"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    certificates = Certificates(tmp_path_factory.mktemp("orders-api"))
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        postgres.create(DATABASE)
        link = stack.enter_context(closing(Link(postgres.port)))
        chain = stack.enter_context(running_chain())
        zeroex = stack.enter_context(running("zeroex", certificates))
        coingecko = stack.enter_context(running("coingecko", certificates))
        environment = {
            "DATABASE_URL": postgres.url(DATABASE).replace(f":{postgres.port}/", f":{link.port}/"),
            "CHAIN_URL": chain,
            "ZEROEX_URL": zeroex.url,
            "COINGECKO_URL": coingecko.url,
            "ZEROEX_API_KEY": "a-key",
            "RELEASE": "7",
        }
        api = stack.enter_context(
            running("orders_api", certificates, names=["api.metaaggregator.com"], environment=environment)
        )
        yield System(api, postgres, link, zeroex, coingecko, chain, certificates)


@pytest.fixture(autouse=True)
def whole(system: System) -> Iterator[None]:
    """Begin each test with everything up, and put it back afterwards."""
    assert system.await_status("ok", 5), system.api.client.get("/health").text
    yield
    for twin in (system.zeroex, system.coingecko):
        twin.client.delete("/behaviour")


def place(system: System, key: str, **changes: object) -> httpx.Response:
    return system.api.client.post("/api/orders", json={**ORDER, **changes}, headers={"Idempotency-Key": key})


def test_health_names_every_dependency(system: System) -> None:
    body = system.api.client.get("/health").json()
    assert (body["status"], body["down"], body["release"]) == ("ok", [], "7")
    assert set(body["dependencies"]) == {"database", "chain", "zeroex", "coingecko"}
    assert all(found["error"] is None and found["latency_ms"] > 0 for found in body["dependencies"].values())


def test_an_order_is_kept_once_it_is_acknowledged(system: System) -> None:
    placed = place(system, "key-kept")
    assert placed.status_code == 201
    order = placed.json()
    assert int(order["total"]) == int(order["sell_amount"]) + int(order["fee"])
    with psycopg.connect(system.postgres.url(DATABASE)) as link:
        row = link.execute("select id, total from orders where idempotency_key = 'key-kept'").fetchone()
    assert row == (order["id"], int(order["total"]))
    assert system.api.client.get(placed.headers["location"]).json() == order


def test_a_repeat_gives_the_same_order_and_another_body_a_conflict(system: System) -> None:
    first, again = place(system, "key-again"), place(system, "key-again")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert place(system, "key-again", sell_amount="5").status_code == 409


def test_the_same_key_at_the_same_time_makes_one_order(system: System) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: place(system, "key-race"), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_what_is_wrong_with_an_order_is_said_by_field(system: System) -> None:
    wrong = place(system, "key-wrong", customer="me", sell_token="GOLD", sell_amount="-1", colour="red")
    assert wrong.status_code == 422
    assert set(wrong.json()["errors"]) == {"customer", "sell_token", "sell_amount", "colour"}
    assert set(place(system, "key-wrong", buy_token="ETH").json()["errors"]) == {"buy_token"}
    headers = {"Idempotency-Key": "key-wrong", "Content-Type": "application/json"}
    assert system.api.client.post("/api/orders", content="{", headers=headers).status_code == 400
    assert system.api.client.post("/api/orders", json=ORDER).status_code == 400


@pytest.mark.parametrize("amount", [True, 1.5, "", "1e3", "0", "9" * 77, None, [1]])
def test_amounts_that_are_none(system: System, amount: object) -> None:
    assert set(place(system, "key-amount", sell_amount=amount).json()["errors"]) == {"sell_amount"}


def test_orders_are_paged_newest_first(system: System) -> None:
    first = system.api.client.get("/api/orders?limit=3").json()
    second = system.api.client.get(f"/api/orders?limit=3&cursor={first['next_cursor']}").json()
    numbers = [order["id"] for order in first["orders"] + second["orders"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 6
    cancelled = system.api.client.get("/api/orders?status=cancelled&limit=200").json()
    assert {order["status"] for order in cancelled["orders"]} == {"cancelled"}
    assert cancelled["next_cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=-1", "status=lost"])
def test_wrong_questions_are_refused(system: System, query: str) -> None:
    assert system.api.client.get(f"/api/orders?{query}").status_code == 422


def test_an_unknown_order_is_not_found(system: System) -> None:
    assert system.api.client.get("/api/orders/99999999").status_code == 404
    assert system.api.client.get(f"/api/orders/{10**30}").status_code == 404


@pytest.mark.parametrize("mode", ["error", "rate-limited", "garbage", "hang"])
def test_a_failing_outside_api_degrades_within_a_second(system: System, mode: str) -> None:
    system.zeroex.client.put("/behaviour", json={"mode": mode})
    assert system.await_status("degraded", 2)
    started = monotonic()
    answer = system.api.client.get("/health")
    assert monotonic() - started < 1.0
    assert (answer.status_code, answer.json()["down"]) == (200, ["zeroex"])
    assert answer.json()["dependencies"]["zeroex"]["error"]
    assert place(system, f"key-{mode}").status_code == 201


def test_quotes_fall_back_and_say_so(system: System) -> None:
    question = "/api/quote?sell_token=ETH&buy_token=USDC&sell_amount=2000000000000000000"
    firm = system.api.client.get(question).json()
    assert (firm["source"], firm["market_amount"], firm["degraded"]) == ("0x", "6000000000", {})
    system.zeroex.client.put("/behaviour", json={"mode": "error"})
    estimate = system.api.client.get(question).json()
    assert (estimate["source"], estimate["buy_amount"], set(estimate["degraded"])) == (
        "coingecko",
        "6000000000",
        {"0x"},
    )
    system.coingecko.client.put("/behaviour", json={"mode": "rate-limited"})
    none = system.api.client.get(question)
    assert none.status_code == 503
    assert "429" in none.json()["errors"]["coingecko"]


def test_a_late_source_is_not_waited_for_once_its_circuit_is_open(system: System) -> None:
    question = "/api/quote?sell_token=ETH&buy_token=USDC&sell_amount=2000000000000000000"
    system.zeroex.client.put("/behaviour", json={"mode": "slow", "delay": 3})

    def asked() -> tuple[float, str]:
        started = monotonic()
        source = str(system.api.client.get(question).json()["source"])
        return monotonic() - started, source

    assert wait_until(lambda: asked()[0] < 0.5, 10)
    assert asked()[1] == "coingecko"
    assert 'orders_api_circuit_open{name="0x"} 1' in system.api.client.get("/metrics").text
    system.zeroex.client.put("/behaviour", json={"mode": "healthy"})
    assert wait_until(lambda: asked()[1] == "0x", 10)
    assert 'orders_api_circuit_open{name="0x"} 0' in system.api.client.get("/metrics").text


def test_an_open_order_is_cancelled_once_and_by_its_customer_only(system: System) -> None:
    order = place(system, "key-cancel").json()

    def cancel(customer: str) -> httpx.Response:
        return system.api.client.post(f"/api/orders/{order['id']}/cancel", json={"customer": customer})

    assert cancel("0x" + "cd" * 20).status_code == 404
    cancelled = cancel(ORDER["customer"])
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancel(ORDER["customer"]).status_code == 409


def test_a_list_tells_what_each_token_was_worth(system: System) -> None:
    orders = system.api.client.get("/api/orders?limit=200").json()["orders"]
    worth = {order["sell_token"]: float(order["sell_token_usd"]) for order in orders if order["sell_token_usd"]}
    assert 2900 < worth["ETH"] < 3100
    assert 0.9 < worth["USDC"] < 1.1


def test_a_cut_link_is_said_within_a_second_and_mends_itself(system: System) -> None:
    system.database.cut()
    try:
        assert system.await_status("down", 2)
        started = monotonic()
        answer = system.api.client.get("/health")
        assert monotonic() - started < 1.0
        assert (answer.status_code, answer.json()["down"]) == (503, ["database"])
        assert "refused" in answer.json()["dependencies"]["database"]["error"].lower()
        refused = place(system, "key-cut")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    finally:
        system.database.open()
    assert system.await_status("ok", 1)
    assert place(system, "key-cut").status_code == 201


def test_a_silent_link_holds_nobody_for_long(system: System) -> None:
    system.database.silence()
    try:
        started = monotonic()
        answer = system.api.client.get("/health")
        assert answer.status_code == 503 or wait_until(lambda: system.status() == "down", 1)
        assert monotonic() - started < 2.0
        started = monotonic()
        assert place(system, "key-silent").status_code == 503
        assert monotonic() - started < 4.0
    finally:
        system.database.cut()
        system.database.open()
    assert system.await_status("ok", 3)
    assert place(system, "key-silent").status_code in (200, 201)


def test_a_database_made_anew_is_used_at_once(system: System) -> None:
    system.postgres.drop(DATABASE)
    assert system.await_status("down", 2)
    error = system.api.client.get("/health").json()["dependencies"]["database"]["error"]
    assert "does not exist" in error
    system.postgres.create(DATABASE)
    started = monotonic()
    assert system.await_status("ok", 2)
    assert monotonic() - started < 1.0
    assert place(system, "key-anew").status_code == 201


def test_a_locked_table_is_down_and_an_order_waits_no_longer_than_the_limit(system: System) -> None:
    with system.postgres.superuser(DATABASE) as link, link.transaction():
        link.execute("lock table orders in access exclusive mode")
        assert system.await_status("down", 2)
        started = monotonic()
        assert system.api.client.get("/api/orders").status_code == 503
        assert monotonic() - started < 4.0
    assert system.await_status("ok", 3)


def test_a_dropped_table_is_no_outage_of_the_server_but_down_all_the_same(system: System) -> None:
    with system.postgres.superuser(DATABASE) as link:
        link.execute("alter table orders rename to orders_elsewhere")
        try:
            assert system.await_status("down", 2)
            assert system.api.client.get("/api/orders").status_code == 500
        finally:
            link.execute("alter table orders_elsewhere rename to orders")
    assert system.await_status("ok", 2)


def test_metrics_count_requests_by_handler_and_status(system: System) -> None:
    system.api.client.get("/api/orders/99999999")
    text = system.api.client.get("/metrics").text
    assert 'orders_api_requests_total{method="GET",handler="show_order",status="404"}' in text
    assert 'orders_api_pool{name="pool_size"}' in text
    assert 'orders_api_request_seconds_bucket{le="+Inf"}' in text


def test_selectors_are_the_hashes_of_the_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ENVIRONMENT_FOLDER))
    escrow = importlib.import_module("services.escrow")
    assert {name: "0x" + keccak(text=name)[:4].hex() for name in escrow.SELECTORS} == dict(escrow.SELECTORS)


def test_the_workload_counts_what_the_database_holds(system: System) -> None:
    command = [
        sys.executable,
        "-m",
        "load.orders",
        "--url",
        system.api.url,
        "--rate",
        "20",
        "--seconds",
        "1",
        "--seed",
        "4",
    ]
    environment = {"SSL_CERT_FILE": str(system.certificates.file)}
    run = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=20, check=True
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert {name: lines[-1][name] for name in ("event", "sent", "acknowledged")} == {
        "event": "stopped", "sent": 20, "acknowledged": 20,
    }  # fmt: skip
    with psycopg.connect(system.postgres.url(DATABASE)) as link:
        kept: dict[str, int] = dict(
            link.execute("select idempotency_key, id from orders where idempotency_key like 'load-%'").fetchall()
        )
    assert kept == {line["key"]: line["order_id"] for line in lines[:-1]}
    assert all(line["at"] - line["sent"] == pytest.approx(line["latency"]) for line in lines[:-1])


def test_the_workload_stops_on_sigterm_and_tells_failures(system: System) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "load.orders", "--url", url, "--rate", "10"]
    environment = {"SSL_CERT_FILE": str(system.certificates.file)}
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(2) == 0
        last = [json.loads(line) for line in process.stdout][-1]
    assert (first["event"], first["status"], first["attempts"]) == ("failed", None, 3)
    assert last["event"] == "stopped"
    assert last["sent"] == last["failed"] + last["acknowledged"] + last["refused"]


def test_the_escrow_is_read_once_it_is_deployed_and_not_guessed_before(system: System) -> None:
    before = system.api.client.get("/api/escrow")
    assert before.status_code == 502
    assert "contract" in before.json()["error"]
    deploy_contracts(system.chain)
    state = system.api.client.get("/api/escrow").json()
    trades = json.loads((ENVIRONMENT_FOLDER / "contracts" / "seed_trades.json").read_text())
    total = sum(int(trade["amount_wei"]) for trade in trades)
    assert {name: state[name] for name in ("paused", "openCount", "openTotal", "balance")} == {
        "paused": False, "openCount": len(trades), "openTotal": str(total), "balance": str(total),
    }  # fmt: skip


def test_verification_compares_the_trades_with_the_escrow(system: System) -> None:
    deploy_contracts(system.chain)
    assert verify(system).returncode == 0
    with system.postgres.superuser(DATABASE) as link:
        link.execute("update trades set status = 'confirmed', closed_at = now() where reference = 'MA-2026-0002'")
        wrong = verify(system)
        link.execute("update trades set status = 'open', closed_at = null where reference = 'MA-2026-0002'")
    assert wrong.returncode == 1
    assert "NOT whole: escrow" in wrong.stdout


def deploy_contracts(chain: str) -> None:
    environment = {"CHAIN_URL": chain, "PYTHONPATH": str(ENVIRONMENT_FOLDER)}
    command = [sys.executable, "-m", "ops.deploy_contracts"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


def verify(system: System) -> subprocess.CompletedProcess[str]:
    variables = {**system.postgres.variables(DATABASE), "CHAIN_URL": system.chain}
    command = [sys.executable, "-m", "ops.verify_data_integrity"]
    return subprocess.run(command, cwd=ENVIRONMENT_FOLDER, env=variables, capture_output=True, text=True, check=False)
