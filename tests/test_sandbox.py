"""The kernel sandbox, for real: what is inside, what is not, and that nothing outlives it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drillbook.clock import wait_until
from drillbook.errors import SandboxRefused
from drillbook.sandbox import View, inside, require_inside
from tests.sandboxes import ACCOUNTS, Account, account, child_of, processes_with

SECONDS = 30


@pytest.fixture(scope="module", params=ACCOUNTS)
def who(request: pytest.FixtureRequest) -> Iterator[Account]:
    with account(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def own() -> Iterator[Account]:
    with account("own") as made:
        yield made


_LOOK_AROUND = """
def writes(path):
    try:
        Path(path).write_text("x")
    except OSError as error:
        return error.strerror
    return "written"

def names(path):
    return sorted(entry.name for entry in Path(path).iterdir())

status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\\t" in line)
json.dump({
    "ids": [os.getuid(), os.getgid()],
    "capabilities": [status[name] for name in ("CapInh", "CapPrm", "CapEff")],
    "no new privileges": status["NoNewPrivs"],
    "interfaces": [name for _, name in socket.if_nameindex()],
    "inside": inside(),
    "processes": [int(name) for name in os.listdir("/proc") if name.isdecimal()],
    "pids": [os.getppid(), os.getpid()],
    "variables": dict(os.environ),
    "home": names(os.environ["HOME"]),
    "outer": names(FOLDER),
    "tmp": names("/tmp"),
    "run": names("/run"),
    "read": (FOLDER / "shown/kept").read_text(),
    "writes": {name: writes(path) for name, path in {
        "shown": FOLDER / "shown/kept",
        "new in shown": FOLDER / "shown/new",
        "writable": FOLDER / "writable/new",
        "etc": "/etc/drillbook-test",
        "usr": "/usr/drillbook-test",
        "tmp": "/tmp/new",
        "home": os.environ["HOME"] + "/new",
        "outer home": FOLDER / "home/new",
        "memory": "/dev/shm/new",
        "nothing": "/dev/null",
        "hosts": "/etc/hosts",
    }.items()},
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def seen(who: Account) -> dict[str, Any]:
    """What a program inside sees."""
    (who.folder / "shown/kept").write_text("kept")
    (who.folder / "home/key").write_text("private")
    done = who.run(_LOOK_AROUND, AWS_SECRET_ACCESS_KEY="hidden", DRILLBOOK_X="1", LC_ALL="C.UTF-8")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_inside_is_an_ordinary_user_without_privileges(seen: dict[str, Any]) -> None:
    assert seen["ids"] == [1000, 1000]
    assert [int(mask, 16) for mask in seen["capabilities"]] == [0, 0, 0]
    assert seen["no new privileges"] == "1"


def test_inside_are_only_loopback_and_the_sandbox_s_own_processes(seen: dict[str, Any]) -> None:
    assert seen["interfaces"] == ["lo"]
    assert seen["inside"] is True
    assert sorted(seen["processes"]) == [1, seen["pids"][1]]
    assert seen["pids"][0] == 1


def test_only_what_was_named_can_be_written(seen: dict[str, Any], who: Account) -> None:
    writes = seen["writes"]
    may = {"writable", "tmp", "home", "memory", "nothing"}  # of these only the first is the machine's own file
    assert {name for name, said in writes.items() if said == "written"} == may
    refused = {"Read-only file system", "Permission denied", "No such file or directory"}
    assert {said for name, said in writes.items() if name not in may} <= refused
    assert writes["shown"] == "Read-only file system"
    assert (who.folder / "writable/new").read_text() == "x"
    assert (who.folder / "shown/kept").read_text() == "kept"
    assert not (who.folder / "home/new").exists()
    assert Path("/etc/hosts").read_text() != "x"


def test_home_temporary_and_runtime_files_are_empty(seen: dict[str, Any], who: Account) -> None:
    assert seen["home"] == []
    assert seen["outer"] == ["shown", "writable"]
    assert seen["tmp"] == sorted(["drillbook", who.folder.name])
    assert set(seen["run"]) <= {"systemd", "resolvconf", "NetworkManager"}, (
        "but the folder that resolv.conf points into"
    )
    assert seen["read"] == "kept"


def test_the_files_of_a_home_that_lies_elsewhere_are_hidden_too(own: Account) -> None:
    """Only folders may show there: those of this interpreter, and of programs on PATH."""
    home = Path.home()
    body = "json.dump([e.name for e in Path(sys.argv[1]).glob('*') if not e.is_dir()], sys.stdout)"
    done = own.run(body, str(home), HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_programs_on_the_path_are_there_wherever_they_lie(who: Account) -> None:
    """As npm lays them: node_modules/.bin holds links to what lies beside it. Their neighbours stay hidden."""
    modules = who.folder / "shown/../modules/node_modules"
    (modules / ".bin").mkdir(parents=True)
    (modules / "tool").write_text("#!/bin/sh\necho ran\n")
    (modules / "tool").chmod(0o755)
    (modules / ".bin/tool").symlink_to("../tool")
    (modules.parent / "secret").write_text("hidden")
    path = f"{modules.resolve() / '.bin'}:{os.environ['PATH']}"
    body = "print(subprocess.run(['tool'], capture_output=True, text=True).stdout, Path(sys.argv[1]).exists())"
    done = who.run(body, str(modules.parent.resolve() / "secret"), PATH=path)
    assert done.stdout.split() == ["ran", "False"], done.stderr


def test_variables_enter_by_an_allow_list(seen: dict[str, Any], who: Account) -> None:
    variables = seen["variables"]
    assert "AWS_SECRET_ACCESS_KEY" not in variables
    assert "hidden" not in variables.values()
    assert "PYTHONPATH" not in variables
    assert variables["DRILLBOOK_X"] == "1"
    assert variables["LC_ALL"] == "C.UTF-8"
    assert variables["HOME"] != str(who.folder / "home")


_REACH = """
def tried(kind, address, family=socket.AF_INET):
    with socket.socket(family, kind) as sock:
        sock.settimeout(5)
        try:
            sock.connect(address)
            sock.send(b"x")
        except OSError as error:
            return type(error).__name__, error.errno
    return "reached", 0

unix, port = sys.argv[1:]
answers = {
    "unix": tried(socket.SOCK_STREAM, unix, socket.AF_UNIX),
    "loopback": tried(socket.SOCK_STREAM, ("127.0.0.1", int(port))),
    "tcp": tried(socket.SOCK_STREAM, ("192.0.2.1", 80)),
    "udp": tried(socket.SOCK_DGRAM, ("192.0.2.1", 53)),
    "tcp6": tried(socket.SOCK_STREAM, ("2001:db8::1", 80), socket.AF_INET6),
    "abstract": tried(socket.SOCK_STREAM, "\\0" + unix, socket.AF_UNIX),
    "docker": Path("/var/run/docker.sock").exists(),
}
try:
    answers["name"] = socket.getaddrinfo("drillbook.invalid", 80)
except socket.gaierror as error:
    answers["name"] = "no name"
server = socket.create_server(("127.0.0.1", 443))
answers["own"] = tried(socket.SOCK_STREAM, ("127.0.0.1", 443))
json.dump(answers, sys.stdout)
"""


def test_nothing_outside_can_be_reached(who: Account) -> None:
    """Not the machine's Unix sockets, not its loopback, no address (RFC 5737, 3849), no name; its own port 443 can."""
    with tempfile.TemporaryDirectory() as folder:
        unix = f"{folder}/listening"
        Path(folder).chmod(0o755)
        with (
            socket.socket(socket.AF_UNIX) as file_socket,
            socket.socket(socket.AF_UNIX) as abstract,
            socket.create_server(("127.0.0.1", 0)) as server,
        ):
            file_socket.bind(unix)
            Path(unix).chmod(0o777)
            file_socket.listen()
            abstract.bind("\0" + unix)
            abstract.listen()
            port = str(server.getsockname()[1])
            for listening in (file_socket, abstract, server):  # they do listen
                with socket.socket(listening.family) as caller:
                    caller.connect(listening.getsockname())
            done = who.run(_REACH, unix, port)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["unix"][0] == "FileNotFoundError"
    assert found["loopback"][0] == found["abstract"][0] == "ConnectionRefusedError"
    assert {found[kind][0] for kind in ("tcp", "udp", "tcp6")} == {"OSError"}
    assert found["name"] == "no name"
    assert found["docker"] is False
    assert found["own"] == ["reached", 0]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("sys.exit(0)", 0),
        ("sys.exit(37)", 37),
        ("os.kill(os.getpid(), signal.SIGTERM)", 128 + signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
        ("os.abort()", 128 + signal.SIGABRT),
        ("raise RuntimeError('its own')", 1),
    ],
)
def test_the_exit_code_is_the_harness_s_as_a_shell_says_it(own: Account, body: str, code: int) -> None:
    assert own.run(body).returncode == code


_COUNT_SIGNALS = """
got = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: got.append(number))
print("ready", flush=True)
while True:
    signal.sigtimedwait([], 0.02)
    if got:
        time.sleep(0.3)  # a second delivery would have come by now
        print(len(got), got[0], flush=True)
        sys.exit(5)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_launcher_reaches_the_harness_once(own: Account, number: signal.Signals) -> None:
    with own.start(_COUNT_SIGNALS) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            said, errors = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert said == f"1 {number.value}\n", errors
    assert process.returncode == 5


def test_an_unhandled_signal_ends_it_all_and_is_told(own: Account) -> None:
    with own.start("print('ready', flush=True)\nsignal.pause()") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 128 + signal.SIGTERM


_AT_ONCE = """
if os.fork() == 0:
    for _ in range(int(sys.argv[1])):
        pass
    os.kill(os.getppid(), signal.SIGTERM)
    os._exit(0)
go_in()
signal.pause()
"""


def test_a_signal_while_it_is_entered_is_no_refusal(own: Account) -> None:
    """Whether it ends the launcher before the sandbox is begun, or the harness: the code says the signal."""
    for wait in range(0, 400_000, 20_000):
        done = own.run(_AT_ONCE, str(wait), enter=False)
        assert done.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM), done.stderr


_ORPHANS = """
for _ in range(30):
    subprocess.run(["sh", "-c", "sleep 0.05 & true"], check=True)
deadline, states = time.monotonic() + 20, ["?"]
while states and time.monotonic() < deadline:
    time.sleep(0.02)
    states = [pid for pid in os.listdir("/proc") if pid.isdecimal() and int(pid) not in (1, os.getpid())]
print(len(states))
"""


def test_orphans_are_buried(own: Account) -> None:
    done = own.run(_ORPHANS)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


_BUSY = """
subprocess.Popen(["sleep", "300"], start_new_session=True)
subprocess.run(["sh", "-c", "sleep 300 & true"], check=True)
server = socket.create_server(("127.0.0.1", 8474))
(DATA / "big").write_bytes(b"x" * 1_000_000)
print("ready", flush=True)
signal.pause()
"""
_PLACES = ["launcher", "boundary", "init", "harness"]


@pytest.mark.parametrize("victim", _PLACES)
def test_kill_9_of_any_of_them_leaves_nothing(who: Account, victim: str) -> None:
    marker, mounts = f"marker-{secrets.token_hex(8)}", Path("/proc/self/mounts").read_text()
    with who.start(_BUSY, DRILLBOOK_MARKER=marker) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
            family = [process.pid]
            for _ in _PLACES[1:]:
                child = child_of(family[-1])
                assert child is not None
                family.append(child)
            assert set(family) < set(processes_with(marker))
            os.kill(family[_PLACES.index(victim)], signal.SIGKILL)
            assert process.wait(SECONDS) in (-signal.SIGKILL, 128 + signal.SIGKILL)
            assert wait_until(lambda: not processes_with(marker), SECONDS, interval=0.02), processes_with(marker)
        finally:
            process.kill()
    assert sorted(Path("/proc/self/mounts").read_text().split("\n")) == sorted(mounts.split("\n"))
    assert not Path("/tmp/drillbook/big").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 8474)) != 0 or who.identity, "the port was never this machine's"


def test_a_program_joins_a_running_sandbox(own: Account) -> None:
    """It sees what the sandbox sees, with the variables left for it, has no privileges, and ends with its own code."""
    body = """
if len(sys.argv) > 1:
    sys.exit(join(int(sys.argv[1]), ["sh", "-c", sys.argv[2]], cwd=DATA))
go_in(on_ready=lambda init: print(init, flush=True))
Layout().variables.write_text(json.dumps(dict(os.environ) | {"LEFT": "for those who join"}))
(DATA / "note").write_text("made inside\\n")
print("ready", flush=True)
signal.pause()
"""
    with own.start(body, enter=False) as host:
        try:
            assert host.stdout is not None
            init = {line.strip() for line in (host.stdout.readline(), host.stdout.readline())} - {"ready"}
            command = "cat note; echo $LEFT; id -u; grep CapEff /proc/self/status; ls /sys/class/net; exit 9"
            done = own.run(body, *init, command, enter=False)
            killed = own.run(body, *init, "kill -9 $$", enter=False)
            missing = own.run("sys.exit(join(int(sys.argv[1]), ['no-such-program'], cwd=DATA))", *init, enter=False)
        finally:
            host.terminate()
            host.wait(SECONDS)
    assert done.returncode == 9, done.stderr
    note, left, uid, capabilities, *_ = done.stdout.splitlines()
    assert (note, left, uid) == ("made inside", "for those who join", "1000")
    assert int(capabilities.split()[1], 16) == 0
    assert killed.returncode == 128 + signal.SIGKILL
    assert missing.returncode == 126
    assert "cannot join the sandbox" in missing.stderr
    gone = own.run(body, *init, "true", enter=False)
    assert gone.returncode != 0


def test_several_sandboxes_run_side_by_side_on_the_same_port(own: Account) -> None:
    body = "server = socket.create_server(('127.0.0.1', 443))\nprint('ready', flush=True)\nsignal.pause()"
    hosts = [own.start(body) for _ in range(3)]
    try:
        assert [host.stdout.readline() for host in hosts if host.stdout] == ["ready\n"] * 3
    finally:
        for host in hosts:
            host.terminate()
            host.communicate(timeout=SECONDS)


_SWITCHED_OFF = ["unshare", "--user", "--map-root-user", "sh", "-c"]


def test_where_the_kernel_refuses_the_launcher_says_so_and_runs_nothing(own: Account) -> None:
    if shutil.which("unshare") is None or subprocess.run([*_SWITCHED_OFF, "true"], check=False).returncode != 0:
        pytest.skip("unshare, which makes a machine that refuses, is missing or refused itself")
    program = own.folder / "shown/program.py"
    with own.start("print('ran', Path('/proc/self').resolve())", enter=False) as ready:
        ready.communicate(timeout=SECONDS)
    assert isinstance(ready.args, list)
    program.write_text(ready.args[2].replace("print('ran'", "go_in()\nprint('ran'"))
    command = f'echo 0 > /proc/sys/user/max_user_namespaces && exec "{ready.args[0]}" "{program}"'
    with own.run_in([*_SWITCHED_OFF, command]) as process:
        said, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert said == ""
    assert errors.startswith("SandboxRefused: user namespaces are switched off (unshare")
    assert "mend: sudo sysctl -w user.max_user_namespaces=15000" in errors


def test_out_here_is_not_inside(monkeypatch: pytest.MonkeyPatch, own: Account) -> None:
    """A variable that somebody set proves nothing."""
    assert own.run("print(inside())\nrequire_inside()", enter=False, DRILLBOOK_SANDBOX="1").returncode == 1
    if not inside():
        monkeypatch.setenv("DRILLBOOK_SANDBOX", "1")
        with pytest.raises(SandboxRefused, match="not in a sandbox"):
            require_inside()


def test_no_view_brings_the_machines_own_folder_in_the_place_of_the_sandboxs_data() -> None:
    view = View(shown=(Path("/tmp"), Path("/usr")), writable=(Path("/"), Path("/tmp/drillbook")))

    assert view.kept() == [(Path("/usr"), False)]
