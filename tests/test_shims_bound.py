"""The shims, run as the programs they stand for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from drillbook.clock import wait_until
from drillbook.errors import UsageError
from drillbook.shims.bound import Binding, Table, look_up
from drillbook.shims.grammar import canonical
from drillbook.shims.install import BindingSpec, install
from drillbook.shims.ledger import UNBOUND_FILE, take_unbound

SYSTEM = "/usr/local/bin:/usr/bin:/bin"
PROCEDURE = """import json, os, signal, sys
import steps_beside
if sys.argv[1:] == ["wait"]:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    print(os.getpid(), flush=True)
    signal.pause()
print(json.dumps({"args": sys.argv[1:], "cwd": os.getcwd(), "passed": os.environ.get("PASSED"), "in": sys.stdin.read()}))
sys.exit(int(os.environ.get("CODE", "0")))
"""


@dataclass
class Shims:
    """Installed shims and a directory to run them in."""

    folder: Path
    directory: Path
    ledger: Path

    def run(
        self, *argv: str, variables: Mapping[str, str] | None = None, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}:{SYSTEM}", UNBOUND_FILE: str(self.ledger), **(variables or {})}
        return subprocess.run(
            ["/usr/bin/env", *argv],
            cwd=self.directory,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )


@pytest.fixture(scope="module")
def fork_server() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zygote-") as folder:
        socket = Path(folder) / "zygote.sock"
        server = subprocess.Popen([sys.executable, "-m", "drillbook.backends.embedded.zygote", str(socket)])
        assert wait_until(socket.exists, 30)
        yield socket
        server.kill()
        server.wait()


@pytest.fixture(params=["fresh", "forked"])
def shims(tmp_path: Path, fork_server: Path, request: pytest.FixtureRequest) -> Shims:
    patterns = ["node scripts/recordIncident.js **", "npx hardhat run scripts/pause.js --network *"]
    return made(tmp_path, patterns, fork_server=fork_server if request.param == "forked" else None)


def made(
    tmp_path: Path,
    patterns: Sequence[str],
    *,
    passthrough: Sequence[str] = (),
    search_path: str = SYSTEM,
    fork_server: Path | None = None,
) -> Shims:
    content, beside, work = tmp_path / "environ ment", tmp_path / "top", tmp_path / "work"
    for folder in (content / "ops", beside, work):
        folder.mkdir(parents=True, exist_ok=True)
    (content / "ops" / "record.py").write_text(PROCEDURE)
    (beside / "steps_beside.py").write_text("")
    folder = tmp_path / "shims' own"
    bindings = [BindingSpec(pattern, "ops.record") for pattern in patterns]
    paths = [content, beside]
    python = Path(sys.executable)
    install(folder, bindings, python, search_path, module_path=paths, passthrough=passthrough, fork_server=fork_server)
    return Shims(folder, work, tmp_path / "unbound")


def test_a_bound_command_runs_its_module_with_the_remaining_words(shims: Shims) -> None:
    done = shims.run(
        "node", "./scripts/recordIncident.js", "a b", "--x", "", variables={"PASSED": "on", "CODE": "5"}, text="fed"
    )
    told = json.loads(done.stdout)
    assert told == {"args": ["a b", "--x", ""], "cwd": str(shims.directory), "passed": "on", "in": "fed"}
    assert done.returncode == 5
    assert not shims.ledger.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 9), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_signal_reaches_the_module_and_it_ends_with_its_command(
    shims: Shims, number: signal.Signals, code: int
) -> None:
    variables = {"PATH": f"{shims.folder}:{SYSTEM}"}
    command = ["/usr/bin/env", "node", "scripts/recordIncident.js", "wait"]
    with subprocess.Popen(command, cwd=shims.directory, env=variables, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        running.send_signal(number)
        assert running.wait(20) == code
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists(), 20)


def test_a_fork_server_that_is_gone_is_done_without(tmp_path: Path) -> None:
    shims = made(tmp_path, ["node scripts/recordIncident.js **"], fork_server=tmp_path / "gone")
    assert json.loads(shims.run("node", "scripts/recordIncident.js", "x").stdout)["args"] == ["x"]


def test_options_of_the_pattern_reach_the_module(shims: Shims) -> None:
    done = shims.run("npx", "--no-install", "hardhat", "run", "./scripts/pause.js", "--network", "mainnet")
    assert json.loads(done.stdout)["args"] == ["--network", "mainnet"]


def test_a_binding_for_where_the_program_is_absent_leaves_the_way_to_a_real_one(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    specs = [BindingSpec("npm audit **", "ops.record", where_absent=True)]
    install(tmp_path / "shims", specs, Path(sys.executable), str(programs), module_path=[tmp_path])
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "record.py").write_text("print('the procedure')")
    npm = Shims(tmp_path / "shims", tmp_path, tmp_path / "unbound")

    assert npm.run("npm", "audit").stdout == "the procedure\n"
    (programs / "npm").write_text('#!/bin/sh\necho the real one: "$@"\n')
    (programs / "npm").chmod(0o755)
    assert npm.run("npm", "audit", "--json").stdout == "the real one: audit --json\n"
    assert npm.run("npm", "install").returncode == 127  # nothing is bound to it, and it may not run for real


def test_a_file_in_the_working_directory_does_not_come_first(shims: Shims) -> None:
    (shims.directory / "json.py").write_text("raise SystemExit('taken in')")
    assert shims.run("node", "scripts/recordIncident.js").returncode == 0


def test_nothing_bound_is_told_and_noted(shims: Shims) -> None:
    done = shims.run("node", "scripts/recordIncidents.js", "it's")
    assert done.returncode == 127
    assert "drillbook: unbound: no binding for" in done.stderr
    assert "(nearest: node scripts/recordIncident.js **)" in done.stderr
    (line,) = shims.ledger.read_text().splitlines()
    assert set(json.loads(line)) == {"command", "time"}
    assert take_unbound(shims.ledger) == ("node scripts/recordIncidents.js 'it'\"'\"'s'",)
    assert take_unbound(shims.ledger) == ()


def test_a_removed_working_directory_is_no_crash(shims: Shims) -> None:
    done = shims.run("sh", "-c", "mkdir gone; cd gone; rmdir ../gone; node scripts/none.js")
    assert done.returncode == 127
    assert "unbound" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["node", "npx", "npm", "vercel"])
def test_dangerous_programs_never_run_for_real(shims: Shims, program: str) -> None:
    done = shims.run(program, "anything")
    assert done.returncode == 127
    assert "unbound" in done.stderr


def test_a_version_says_that_it_is_the_shims(shims: Shims) -> None:
    done = shims.run("node", "--version")
    assert (done.returncode, "drillbook-shim" in done.stdout) == (0, True)
    assert shims.run("node", "-v", "x.js").returncode == 127


def test_a_program_passed_through_runs_for_real_unless_bound(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    for name in ("node", "kubectl"):
        (real / name).write_text(f'#!/bin/sh\necho real {name} "$@"\n')
        (real / name).chmod(0o755)
    search_path = f"{tmp_path / chr(39)}:{real}:{SYSTEM}"
    shims = made(tmp_path, ["node scripts/a.js"], passthrough=["node"], search_path=search_path)
    assert shims.run("node", "-v").stdout == "real node -v\n"
    assert json.loads(shims.run("node", "scripts/a.js").stdout)["args"] == []
    assert not (shims.folder / "kubectl").exists(), "a real kubectl needs no shim"


def test_kubectl_is_shimmed_where_there_is_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    names = install(tmp_path / "s", [BindingSpec("psql-9 **", "ops.x")], Path(sys.executable), str(empty))
    assert names == ("kubectl", "node", "npm", "npx", "psql-9", "vercel")


@pytest.mark.parametrize("pattern", ["", "* x", "'open", "./script.sh"])
def test_a_pattern_that_no_shim_can_stand_for_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="binding"):
        install(tmp_path, [BindingSpec(pattern, "ops.x")], Path(sys.executable), SYSTEM)


@pytest.mark.parametrize(
    ("typed", "reduced"),
    [
        ("node ./scripts/x.js a -b", "node scripts/x.js a -b"),
        ("node scripts/../scripts/x.js", "node scripts/x.js"),
        ("node scripts/x", "node scripts/x.js"),
        ("node /srv/scripts/x.js", "node scripts/x.js"),
        ("node /elsewhere/x.js", "node /elsewhere/x.js"),
        ("node --trace-warnings -r dotenv/config --max-old-space-size=99 x.js -r y", "node x.js -r y"),
        ("node --env-file .env -- x.js", "node x.js"),
        ("node -e 'x.js'", "node -e x.js"),
        ("node --check x.js", "node --check x.js"),
        ("node --eval=1 x.js", "node --eval=1 x.js"),
        ("node", "node"),
        (
            "npx --yes hardhat@2.22 run ./scripts/x.js --network mainnet",
            "npx hardhat run scripts/x.js --network mainnet",
        ),
        ("npx --no-install -p hardhat hardhat test", "npx hardhat test"),
        ("npx @scope/tool@1.2 ./a", "npx @scope/tool a"),
        ("npx -c 'hardhat test'", "npx -c 'hardhat test'"),
        ("npm --silent run-script deploy -- --x", "npm run deploy --x"),
        ("npm run -s deploy", "npm run deploy"),
        ("npm run test", "npm test"),
        ("npm t", "npm test"),
        ("npm --prefix web audit --audit-level high", "npm audit --audit-level high"),
        ("npm -v", "npm -v"),
        ("vercel --prod rollback", "vercel --prod rollback"),
    ],
)
def test_one_spelling_for_each_command(typed: str, reduced: str) -> None:
    import shlex

    assert canonical(shlex.split(typed), "/srv") == tuple(shlex.split(reduced))


@pytest.mark.parametrize(
    ("pattern", "typed", "arguments"),
    [
        ("node ./scripts/x.js **", ["node", "scripts/x.js", "a"], ("a",)),
        ("npm run test", ["npm", "t"], ()),
        ("npx --no-install hardhat **", ["npx", "hardhat", "test"], ("test",)),
        ("node -e **", ["node", "-e", "1"], ("-e", "1")),
        ("vercel **", ["vercel", "--prod", "rollback"], ("--prod", "rollback")),
        ("npm run *", ["npm", "run", "deploy:x"], ("deploy:x",)),
        ("node scripts/x.js", ["node", "scripts/x.js", "extra"], None),
    ],
)
def test_a_pattern_fits_however_either_is_spelled(
    pattern: str, typed: Sequence[str], arguments: tuple[str, ...] | None
) -> None:
    table = Table((Binding(pattern, "ops.x"),), "python", (), "", ())
    found = look_up(table, typed, "/srv")
    assert found == (None if arguments is None else (table.bindings[0], arguments))


def test_the_first_binding_that_matches_counts() -> None:
    one, two = Binding("npm run deploy", "ops.one"), Binding("npm **", "ops.two", where_absent=True)
    table = Table((one, two), "python", (), "", ())
    assert look_up(table, ["npm", "run", "deploy"], "/") == (one, ())
    assert look_up(table, ["npm", "run", "other"], "/") == (two, ("run", "other"))
    assert Table.load(table.dump()) == table


def test_a_shim_adds_little_time(shims: Shims) -> None:
    """60 ms is the aim on a quiet machine; the best of ten, with room for a busy one."""
    spent = []
    for _ in range(10):
        before = time.perf_counter()
        assert shims.run("node", "--version").returncode == 0
        spent.append(time.perf_counter() - before)
    assert min(spent) < 0.12, f"{min(spent) * 1000:.0f} ms"
    assert os.access(shims.folder / "node", os.X_OK)
