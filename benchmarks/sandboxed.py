"""What is measured inside a sandbox, in a process of its own: `python -m benchmarks.sandboxed BEGAN CACHE FOLDER`.

BEGAN is the CLOCK_MONOTONIC second at which this process was started, so that the interpreter's own start counts as well.
The results go to FOLDER/measured.json; the sandbox leaves nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from drillbook.backends.base import Environment, Part
from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.drill.probes import make_probes
from drillbook.errors import EnvironmentFailed
from drillbook.probes.steady import steady
from drillbook.sandbox import DATA, View, enter
from drillbook.topology.load import load

RESULT = "measured.json"
ENVIRONMENT = Path(__file__).parents[1] / "environments/meta_aggregator/environment.yaml"
RESETS = 7


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds from this process's start to steady state, of a plain Postgres, and of each reset; bytes of all processes."""

    to_steady: float
    plain_postgres: float
    resets: tuple[float, ...]
    pss: int
    processes: int


def main(began: float, cache: Path, folder: Path) -> int:
    """Enter a sandbox and measure in it; give the exit code."""
    from drillbook.backends.embedded.backend import EmbeddedBackend

    topology = load(ENVIRONMENT)
    view = View.of_this_process(shown=[ENVIRONMENT.parents[2]], writable=[cache, folder])
    code = enter(view)
    if code is not None:
        return code
    with EmbeddedBackend(cache).start(topology, DATA / "run", progress=_ignore) as environment:
        _require_steady(environment)
        to_steady = SYSTEM_CLOCK.now() - began
        memory = list(_memory())
        resets = tuple(_reset(environment) for _ in range(RESETS))
    measured = Measured(to_steady, _plain_postgres(DATA / "plain"), resets, sum(memory), len(memory))
    (folder / RESULT).write_text(json.dumps(asdict(measured)))
    return 0


def _ignore(_part: Part) -> None:
    """Be no listener."""


def _require_steady(environment: Environment) -> None:
    declared = environment.topology.steady_state
    problems = steady(make_probes(environment, declared.probes), declared.consecutive, declared.within)
    if problems:
        raise EnvironmentFailed("no steady state: " + "; ".join(problems))


def _reset(environment: Environment) -> float:
    """Do some of what drills do, then give the seconds that a reset takes."""
    with environment.database() as database:
        database.execute("drop table trades cascade")
        rows = database.execute("select count(*) from orders").fetchone()
        database.execute("delete from orders")
    environment.links.disable("api-database")
    (environment.workspace / "left").mkdir()
    began = SYSTEM_CLOCK.now()
    problems = environment.reset()
    seconds = SYSTEM_CLOCK.now() - began
    with environment.database() as database:
        again = database.execute("select count(*) from orders, (select count(*) from trades) t").fetchone()
    if problems or again != rows:
        raise EnvironmentFailed(f"the reset did not restore: {problems or (rows, again)}")
    return seconds


def _memory() -> Iterator[int]:
    """Give the proportional set size in bytes of every process in the sandbox.

    Its init may not be read. It is an idle fork of this process, so this one is counted with all its resident pages, shared
    or not: at most too much.
    """
    own, init = Path("/proc/self").resolve(), Path("/proc/1")
    for folder in Path("/proc").glob("[0-9]*"):
        if folder == init:
            continue
        try:
            text = (folder / "smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        wanted = "Rss:" if folder == own else "Pss:"
        yield sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(wanted))


def _plain_postgres(folder: Path) -> float:
    """Give the seconds that initdb and a start of Postgres take by themselves: a part of any cold start."""
    from drillbook.backends.embedded.postgres import programs

    began = SYSTEM_CLOCK.now()
    initdb: list[str | Path] = ["initdb", "-D", folder, "-U", "postgres", "--auth=trust"]
    serve: list[str | Path] = [
        "postgres",
        "-D",
        folder,
        "-c",
        "listen_addresses=",
        "-c",
        f"unix_socket_directories={folder}",
    ]
    ask: list[str | Path] = ["psql", "-h", folder, "-U", "postgres", "-c", "select 1", "postgres"]
    if _begin(programs(), initdb).wait() != 0:
        raise EnvironmentFailed("initdb failed")
    with _begin(programs(), serve) as server:
        ready = wait_until(lambda: _begin(programs(), ask).wait() == 0, 20)
        seconds = SYSTEM_CLOCK.now() - began
        server.kill()
    if not ready:
        raise EnvironmentFailed("a plain Postgres did not start")
    return seconds


def _begin(programs: Path, argv: Sequence[str | Path]) -> subprocess.Popen[bytes]:
    command = [programs / argv[0], *argv[1:]]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
