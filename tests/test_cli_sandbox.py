"""`drillbook shell` and `drillbook up`, for real: production's names answer, nothing else can be reached, nothing is left."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.cli import running
from drillbook.clock import wait_until
from tests.command_line import ENVIRONMENT, PROGRAM, REPOSITORY, drillbook

_UP_SECONDS = 40


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of this module's own: no sandbox of another test, or of a person, is found in it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def up(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """`drillbook up`, ready."""
    folder = tmp_path_factory.mktemp("up")
    with (
        (folder / "out").open("w") as out,
        subprocess.Popen(
            [*PROGRAM, "up", "--output", str(folder)],
            cwd=REPOSITORY,
            env=os.environ | {"DRILLBOOK_CACHE": str(cache), "COLUMNS": "120"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            text=True,
        ) as process,
    ):
        try:
            ready = wait_until(lambda: process.poll() is not None or (folder / running.READY).exists(), _UP_SECONDS)
            assert ready, (folder / "out").read_text()
            assert process.poll() is None, (folder / "out").read_text()
            yield process
        finally:
            process.kill()


def _shell(cache: Path, command: str) -> subprocess.CompletedProcess[str]:
    return drillbook("shell", "-c", command, DRILLBOOK_CACHE=str(cache))


def test_a_new_sandbox_gives_stdout_and_the_exit_code_of_the_command_alone(cache: Path) -> None:
    done = _shell(
        cache, "curl -fsS --max-time 10 https://api.metaaggregator.com/health -o /dev/null && echo healthy; exit 7"
    )
    assert done.stdout == "healthy\n", done.stderr
    assert done.returncode == 7
    assert "platform ready" in done.stderr
    assert list((cache / running.FOLDER).glob("*")) == []


def test_a_command_that_a_signal_ended_exits_as_a_shell_says(cache: Path, up: subprocess.Popen[str]) -> None:
    assert up.poll() is None
    assert _shell(cache, "kill -TERM $$").returncode == 128 + signal.SIGTERM


def test_a_running_sandbox_is_joined(cache: Path, up: subprocess.Popen[str]) -> None:
    first = _shell(cache, "echo here > note; curl -fsS https://api.metaaggregator.com/health")
    assert first.returncode == 0, first.stderr
    assert '"status":"ok"' in first.stdout
    assert "ready" not in first.stderr, "nothing was started"
    assert _shell(cache, "cat note").stdout == "here\n"
    assert up.poll() is None


def _talk(argv: list[str], typed: list[bytes], prompt: bytes, variables: dict[str, str]) -> tuple[str, int]:
    """Start a program on a terminal of its own, type a line at each prompt, give what it showed and its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        os.execve(argv[0], argv, os.environ | variables)
    shown, waiting, deadline = b"", list(typed), time.monotonic() + 30
    since = 0
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # the terminal's last process is gone
                break
        if waiting and prompt in shown[since:]:
            since = len(shown)
            os.write(terminal, waiting.pop(0))
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_shell_on_a_terminal_has_job_control_and_survives_ctrl_c(cache: Path, up: subprocess.Popen[str]) -> None:
    assert up.poll() is None
    typed = [b"sleep 0.1 & jobs\n", b"bash -c 'kill -INT 0; echo not reached'\n", b"echo $((6*7))\n", b"exit 3\n"]
    shown, code = _talk([*PROGRAM, "shell"], typed, b"(drillbook) ", {"DRILLBOOK_CACHE": str(cache)})
    assert code == 3, shown
    assert "Running" in shown
    assert "\n42" in shown.replace("\x1b[?2004l\r", "\n")
    assert shown.count("not reached") == 1, "only as typed"
    assert "no job control" not in shown


def test_the_database_answers_to_its_name_without_flags(cache: Path, up: subprocess.Popen[str]) -> None:
    assert up.poll() is None
    assert _shell(cache, "psql production_db -Atc 'select 40 + 2'").stdout == "42\n"


def test_no_address_outside_answers(cache: Path, up: subprocess.Popen[str]) -> None:
    """192.0.2.1 is TEST-NET-1 (RFC 5737); there is no interface, so not even a packet is sent."""
    assert up.poll() is None
    tcp = _shell(cache, "curl -sS --max-time 5 http://192.0.2.1/")
    assert tcp.returncode == 7
    assert "192.0.2.1" in tcp.stderr
    udp = _shell(cache, "echo > /dev/udp/192.0.2.1/53")
    assert udp.returncode != 0
    assert "Network is unreachable" in udp.stderr
    name = _shell(cache, "curl -sS --max-time 5 https://drillbook.invalid/")
    assert name.returncode == 6


def test_what_listens_on_this_machine_s_loopback_is_not_reached(cache: Path, up: subprocess.Popen[str]) -> None:
    assert up.poll() is None

    def accept() -> None:
        server.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        accepted = threading.Thread(target=accept, daemon=True)
        accepted.start()
        done = _shell(cache, f"curl -sS --max-time 5 http://127.0.0.1:{port}/")
        assert done.returncode == 7
        assert accepted.is_alive(), "nobody came"
        socket.create_connection(("127.0.0.1", port), 5).close()  # it does listen
        accepted.join(5)


def test_nothing_of_the_machine_can_be_written(cache: Path, up: subprocess.Popen[str]) -> None:
    assert up.poll() is None
    assert _shell(cache, f"touch {ENVIRONMENT.parent}/written").returncode != 0
    assert not (ENVIRONMENT.parent / "written").exists()


def test_up_prints_names_and_ports_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    """Also: nothing is left in the cache by which a later shell would look for it."""
    other = tmp_path / "cache"
    with subprocess.Popen(
        [*PROGRAM, "up", "--output", str(tmp_path / "up")],
        cwd=REPOSITORY,
        env=os.environ | {"DRILLBOOK_CACHE": str(other), "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert wait_until(lambda: (tmp_path / "up" / running.READY).exists() or process.poll(), _UP_SECONDS)
            found = running.find(other, ENVIRONMENT)
            assert found is not None
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert re.search(r"^api\.metaaggregator\.com +443 +orders-api", said, re.MULTILINE), said
    assert re.search(r"^postgres +postgres +sql 5432", said, re.MULTILINE)
    assert running.find(other, ENVIRONMENT) is None
    assert list((other / running.FOLDER).iterdir()) == []
    assert running.born(found.init) == 0
    assert not (tmp_path / "up" / running.READY).exists()
    assert (tmp_path / "up/logs/postgres.log").exists()


_REFUSING = ["unshare", "--user", "--map-root-user", "bash", "-c"]
"""A user namespace of its own in which no further one may be made: what a hardened machine does, for one process."""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shell", "-c", "true"], "error: user namespaces are switched off"),
        (["up"], "error: user namespaces are switched off"),
        (["doctor"], "missing  namespaces"),
    ],
)
def test_where_the_kernel_refuses_it_says_what_mends_it(arguments: list[str], said: str, tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run([*_REFUSING, "true"], check=False).returncode != 0:
        pytest.skip("unshare, which makes a machine that refuses, is missing or refused itself")
    arguments = [*arguments, "--output", str(tmp_path / "up")] if arguments == ["up"] else arguments
    command = f"echo 0 > /proc/sys/user/max_user_namespaces && exec {shlex.join([*PROGRAM, *arguments])}"
    variables = os.environ | {"DRILLBOOK_CACHE": str(tmp_path)}
    done = subprocess.run(
        [*_REFUSING, command], cwd=REPOSITORY, env=variables, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert "mend: sudo sysctl -w user.max_user_namespaces=15000" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_record_that_a_killed_sandbox_left_is_not_believed(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        file = running.record(tmp_path, sleeper.pid, ENVIRONMENT, tmp_path)
        assert running.find(tmp_path, ENVIRONMENT) is not None
        assert running.find(tmp_path, tmp_path / "other.yaml") is None
        sleeper.kill()
    assert running.find(tmp_path, ENVIRONMENT) is None
    assert not file.exists()


def test_a_pid_that_is_used_again_is_not_taken_for_the_sandbox(tmp_path: Path) -> None:
    file = running.record(tmp_path, os.getpid(), ENVIRONMENT, tmp_path)
    file.write_text(file.read_text().replace(f'"born": {running.born(os.getpid())}', '"born": 1'))
    assert running.find(tmp_path, ENVIRONMENT) is None
