"""The server as a process: how it starts, stops and fails; and which program is chosen."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.toxiproxy.binary import own_command, server_command
from tests.toxiproxy_process import Api, Link, Stopwatch, free_port, running


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*own_command(), *options], stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_within_a_second(number: signal.Signals, tmp_path: Path) -> None:
    config = tmp_path / "proxies.json"
    config.write_text('[{"name":"db","listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}]')
    with start("--port", "0", "--config", str(config)) as process:
        assert process.stderr is not None
        listens = process.stderr.readline()
        api = Api(int(listens.rpartition(":")[2]))
        assert list(api.do("GET", "/proxies")) == ["db"]
        with Stopwatch() as watch:
            process.send_signal(number)
            assert process.wait(5) == 0
        assert watch.seconds < 1
        assert process.stderr.read() == ""


def test_a_taken_port_is_said_in_one_line() -> None:
    with running(own_command()) as api, start("--port", str(api.port)) as process:
        assert process.wait(5) == 1
        assert process.stderr is not None
        assert process.stderr.read().startswith(
            f"Toxiproxy cannot listen on 127.0.0.1:{api.port}: Address already in use"
        )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read the proxies"),
        ("{", "unexpected EOF"),
        ('[{"name":"x"}]', "missing required field: upstream"),
    ],
)
def test_a_bad_configuration_is_refused_with_its_file(tmp_path: Path, content: str | None, reason: str) -> None:
    config = tmp_path / "proxies.json"
    if content is not None:
        config.write_text(content)
    with start("--port", str(free_port()), "--config", str(config)) as process:
        assert process.wait(5) == 2
        assert process.stderr is not None
        said = process.stderr.read()
    assert said.startswith(f"{config}: ")
    assert reason in said
    assert "Traceback" not in said


def test_a_request_in_chunks_is_understood() -> None:
    with running(own_command()) as api:
        connection = HTTPConnection("127.0.0.1", api.port, timeout=5)
        body = json.dumps({"name": "x", "upstream": "127.0.0.1:1", "listen": "127.0.0.1:0"}).encode()
        connection.request("POST", "/proxies", iter([body[:10], body[10:]]), encode_chunked=True)
        assert connection.getresponse().status == 201
        connection.close()


def test_many_connections_come_and_go_without_leaving_a_descriptor() -> None:
    with running(own_command()) as api:
        for _ in range(3):
            with ExitStack() as resources:
                link = Link(api, resources)
                for _ in range(50):
                    client, server = link.live_pair()
                    client.close()
                    assert server.recv(1) == b""
        process = _process_that_listens_on(api.port)
        assert len(list((process / "fd").iterdir())) < 20


def _process_that_listens_on(port: int) -> Path:
    return next(
        process
        for process in Path("/proc").glob("[0-9]*")
        if f"--port\0{port}\0" in (process / "cmdline").read_text(errors="replace")
    )


def test_the_real_program_is_preferred_when_it_is_on_path(tmp_path: Path) -> None:
    program = tmp_path / "toxiproxy-server"
    program.touch(0o755)
    own = [sys.executable, "-m", "drillbook.toxiproxy"]
    assert server_command({"PATH": str(tmp_path)}) == [str(program)]
    assert server_command({"PATH": str(tmp_path), "DRILLBOOK_TOXIPROXY": "own"}) == own
    assert server_command({"PATH": ""}) == own
    assert server_command({"PATH": "", "DRILLBOOK_TOXIPROXY": str(program)}) == [str(program)]
    with pytest.raises(UsageError, match=r"names nowhere, which is no program here\n.*`own`"):
        server_command({"PATH": str(tmp_path), "DRILLBOOK_TOXIPROXY": "nowhere"})
