"""The fork server, as a process: programs run as `python -m` runs them, and none outlives who asked for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.backends.embedded.programs import Piped
from drillbook.backends.embedded.zygote import Forked, _encode
from drillbook.clock import wait_until
from drillbook.platform.launcher import Program

SECONDS = 30

_PROGRAM = """
import os, signal, sys
def main(what):
    if what == "told":
        print(__name__, sys.argv[1:], os.environ["WORD"], os.getcwd(), "HOME" in os.environ)
    elif what == "raise":
        raise RuntimeError("its own defect")
    elif what == "words":
        sys.exit("said at the end")
    elif what == "wait":
        print("waiting", flush=True)
        signal.pause()
    else:
        sys.exit(int(what))
main(sys.argv[1])
"""


class Server:
    """A running fork server with a folder of programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "zygote.sock"
        (folder / "small_program.py").write_text(_PROGRAM)
        self.process = subprocess.Popen([sys.executable, "-m", "drillbook.backends.embedded.zygote", str(self.socket)])
        assert wait_until(lambda: self.socket.exists() or self.process.poll() is not None, SECONDS)
        assert self.process.poll() is None

    def program(self, *arguments: str, log: str = "log") -> Program:
        """Describe a program that behaves as its first argument says."""
        path = (str(self.folder),)
        return Program("small_program", arguments, {"WORD": "given"}, path, self.folder, self.folder / log)

    def run(self, *arguments: str, log: str) -> tuple[int, str]:
        """Run a program to its end; give its exit code and output."""
        code = Forked(self.socket, self.program(*arguments, log=log)).wait(SECONDS)
        return code, (self.folder / log).read_text()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="zygote-") as folder:  # short: a socket's path has 108 bytes
        made = Server(Path(folder))
        yield made
        assert made.process.poll() is None, "nothing that a test did ended it"
        made.process.kill()
        made.process.wait()


def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_program_gets_its_own_arguments_variables_folder_and_log(server: Server) -> None:
    code, said = server.run("told", "x y", log="told")
    assert code == 0
    assert said == f"__main__ ['told', 'x y'] given {server.folder} False\n"


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [("0", 0, ""), ("7", 7, ""), ("words", 1, "said at the end\n"), ("raise", 1, "RuntimeError: its own defect\n")],
)
def test_exit_codes_and_tracebacks_are_told(server: Server, what: str, code: int, said: str) -> None:
    ended, log = server.run(what, log=f"log-{what}")
    assert ended == code
    assert log.endswith(said)
    assert ("Traceback" in log) == (what == "raise")


def test_a_module_that_is_not_there_is_told(server: Server) -> None:
    program = Program("no_such_program", (), {}, (), server.folder, server.folder / "missing")
    assert Forked(server.socket, program).wait(SECONDS) == 1
    assert "no_such_program" in (server.folder / "missing").read_text()


def test_a_signal_s_end_is_told_and_kill_ends(server: Server) -> None:
    first, second = (Forked(server.socket, server.program("wait", log="killed")) for _ in range(2))
    assert first.running()
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait(SECONDS) == -signal.SIGKILL
    second.kill()
    assert wait_until(lambda: _gone(second.pid), SECONDS)


def test_a_wait_for_one_that_runs_on_times_out(server: Server) -> None:
    running = Forked(server.socket, server.program("wait", log="long"))
    with pytest.raises(TimeoutError):
        running.wait(0.1)
    running.kill()


def test_a_wait_that_timed_out_can_be_repeated(server: Server) -> None:
    running = Forked(server.socket, server.program("wait", log="again"))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            running.wait(0.05)
    running.terminate()
    assert running.wait(SECONDS) == running.poll() == -signal.SIGTERM


def test_output_can_be_read_instead_of_logged(server: Server) -> None:
    piped = Piped(server.socket, server.program("told", log="unused"))
    with piped.stdout:
        assert piped.stdout.read() == f"__main__ ['told'] given {server.folder} False\n"
    assert piped.wait(SECONDS) == 0
    assert not (server.folder / "unused").exists()


def test_a_program_dies_with_its_owner_s_connection(server: Server) -> None:
    body = f"""
import json, signal, socket
connection = socket.socket(socket.AF_UNIX)
connection.connect({str(server.socket)!r})
connection.sendall({_encode(server.program("wait", log="owned"))!r})
print(json.loads(connection.makefile().readline())["pid"], flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert not _gone(pid)
        owner.kill()
    assert wait_until(lambda: _gone(pid), SECONDS)


def test_owners_that_go_before_they_are_answered_leave_the_server_alive(server: Server) -> None:
    marks = []
    for number in range(20):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server.socket))
            if number % 2:
                connection.sendall(_encode(server.program("wait", log="hasty")))
        marks.append(number)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.socket))
        connection.sendall(b'{"half of a req')
    assert server.run("0", log="after")[0] == 0
    assert server.process.poll() is None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    assert wait_until(lambda: children.read_text().split() == [], SECONDS), "none of them is left"


def test_fifty_programs_run_at_once(server: Server) -> None:
    programs = [Forked(server.socket, server.program("wait", log=f"many-{n}")) for n in range(50)]
    logs = [server.folder / f"many-{n}" for n in range(50)]
    assert wait_until(lambda: all(log.exists() and log.read_text() == "waiting\n" for log in logs), SECONDS)
    assert len({program.pid for program in programs}) == 50
    assert all(program.running() for program in programs)
    for program in programs:
        program.kill()
    assert wait_until(lambda: all(_gone(program.pid) for program in programs), SECONDS)


def test_all_programs_die_with_the_server() -> None:
    with tempfile.TemporaryDirectory(prefix="zygote-") as folder:
        server = Server(Path(folder))
        program = Forked(server.socket, server.program("wait"))
        log = server.folder / "log"
        assert wait_until(lambda: log.exists() and log.read_text() == "waiting\n", SECONDS)
        server.process.kill()
        server.process.wait()
        assert wait_until(lambda: _gone(program.pid) or not program.running(), SECONDS)
        assert not program.running()
        program.kill()
