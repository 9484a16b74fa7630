"""Locust itself against a real server: what it measured is what the server was asked, and what breaks off measures nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from drillbook.errors import EnvironmentFailed
from drillbook.load.inside import Spawned, Starter
from drillbook.load.run import LoadRun, Measured
from drillbook.topology.loads import Load
from tests.postgres import free_port

FIXTURES = Path(__file__).parent / "fixtures" / "locustfiles"
STARTER = Starter([FIXTURES], os.environ)


class Server(ThreadingHTTPServer):
    """Counts what it is asked; /slow takes a third of a second, /missing is not there."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.connections = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(handler) -> None:  # noqa: N805 - self is the server here
                self.connections += 1
                super().setup()

            def do_GET(handler) -> None:  # noqa: N805
                self.asked[handler.path] += 1
                if handler.path == "/slow":
                    threading.Event().wait(0.3)
                handler.send_response(404 if handler.path == "/missing" else 200)
                handler.send_header("Content-Length", "2")
                handler.end_headers()
                handler.wfile.write(b"ok")

            def log_message(handler, *_: Any) -> None:  # noqa: N805
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def load_of(server: Server | None, **given: Any) -> Load:
    host = f"http://127.0.0.1:{server.server_port if server else free_port()}"
    common = {"locustfile": "visitors", "host": host, "duration": "1s", "thresholds": {"p95": "1s"}, "timeout": "2s"}
    return Load.model_validate_json(json.dumps(common | given))


def run(load: Load, folder: Path, workers: int = 0) -> Measured:
    return LoadRun(STARTER, load, folder, workers=workers).finish()


def test_the_open_model_asks_at_its_rate_each_time_over_a_new_connection(server: Server, tmp_path: Path) -> None:
    measured = run(load_of(server, rate="40/s", mix={"page": 3, "missing": 1}, warm_up="250ms"), tmp_path)
    asked = Counter(f"/{sample.task}" for sample in measured.samples)
    assert asked == server.asked
    assert sum(asked.values()) == 40
    assert server.connections >= 40
    assert len(measured.counted) == 30
    assert {s.error for s in measured.samples if s.task == "missing"} == {"HTTP 404"}
    assert not any(s.error for s in measured.samples if s.task == "page")
    assert "gevent" not in sys.modules


def test_a_slow_server_is_asked_as_often_and_its_slowness_is_measured(server: Server, tmp_path: Path) -> None:
    measured = run(load_of(server, rate="30/s", mix={"slow": 1}), tmp_path)
    assert len(measured.samples) == 30
    assert min(s.seconds for s in measured.samples) >= 0.3


def test_the_closed_model_waits_for_its_answers(server: Server, tmp_path: Path) -> None:
    measured = run(load_of(server, users=3, mix={"slow": 1}), tmp_path)
    assert 6 <= len(measured.samples) <= 15  # three users, a third of a second each
    assert len(measured.samples) == server.asked["/slow"]


def test_workers_share_the_load_and_every_request_counts_once(server: Server, tmp_path: Path) -> None:
    measured = run(load_of(server, rate="60/s", mix={"page": 1}), tmp_path, workers=2)
    assert len(measured.samples) == server.asked["/page"]
    assert 56 <= len(measured.samples) <= 62
    assert len(list(tmp_path.glob("worker-*.csv"))) == 2


def test_a_load_that_goes_on_is_ended_and_who_is_there_is_served(server: Server, tmp_path: Path) -> None:
    going = LoadRun(STARTER, load_of(server, rate="20/s", mix={"slow": 1}, duration="60s"), tmp_path)
    threading.Event().wait(0.6)
    measured = going.finish(early=True)
    assert 8 <= len(measured.samples) <= 30
    assert len(measured.samples) == server.asked["/slow"]
    assert not any(s.error for s in measured.samples)
    assert measured.counted_seconds < 5


def test_a_host_that_nobody_answers_at_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="cannot be reached"):
        LoadRun(STARTER, load_of(None, rate="20/s", mix={"page": 1}), tmp_path)


def test_a_task_that_raises_measures_nothing_and_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="this task is broken"):
        run(load_of(server, rate="20/s", mix={"broken": 1, "page": 1}), tmp_path)


def test_a_locust_that_dies_measures_nothing(server: Server, tmp_path: Path) -> None:
    started: list[Spawned] = []

    def start(module: str, arguments: Sequence[str]) -> Spawned:
        started.append(STARTER(module, arguments))
        return started[-1]

    going = LoadRun(start, load_of(server, users=1, mix={"page": 1}, duration="30s"), tmp_path)
    started[0].signal(signal.SIGKILL)
    with pytest.raises(EnvironmentFailed, match="Locust broke off"):
        going.finish(early=True)


def test_a_locustfile_that_cannot_be_imported_is_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="No module named 'nobody'"):
        LoadRun(STARTER, load_of(server, locustfile="nobody", rate="20/s", mix={"page": 1}), tmp_path)
