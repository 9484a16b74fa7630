"""`drillbook shell`: production's names and commands, where they can do no harm."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillbook.cli.places import cache_folder, environment_file
from drillbook.errors import EnvironmentFailed

if TYPE_CHECKING:
    from drillbook.cli.running import Running
    from drillbook.topology.model import Topology

_COMING_UP_SECONDS = 60.0
_PROMPT = r"(drillbook) \w \$ "


@click.command("shell")
@click.option("-c", "text", metavar="CMD", help="Run this command instead of a shell, and end with its exit code.")
@click.option(
    "--environment",
    "given",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Default: environments/*/environment.yaml.",
)
def command(text: str | None, given: Path | None) -> int:
    """Open a shell, or run a command, inside a sandbox.

    In the one of `drillbook up` if it runs, else in a new one that ends with the shell. Progress goes to stderr; stdout is the
    command's alone. No address outside can be reached, nor what listens on this machine's own loopback.

    \b
    Examples:
      drillbook shell
      drillbook shell -c "psql -l"
      drillbook shell -c "pg_dump shop" > dump.sql
    """
    from drillbook.cli import running

    cache, file = cache_folder(), environment_file(given, Path.cwd())
    argv = ["bash", "-c", text] if text is not None else ["env", f"PS1={_PROMPT}", "bash", "--norc"]
    found = running.find(cache, file)
    if found:
        return _in_running(found, argv)
    from drillbook.topology.load import load

    return _in_new(load(file), cache, argv, interactive=text is None or sys.stdin.isatty())


def _in_running(found: Running, argv: list[str]) -> int:
    """Run a program in the sandbox of `drillbook up`, once its environment has come up."""
    from drillbook.cli.running import born
    from drillbook.clock import wait_until
    from drillbook.sandbox import Layout, join

    wait_until(lambda: found.ready or born(found.init) != found.born, _COMING_UP_SECONDS)
    if not found.ready:
        raise EnvironmentFailed(
            "the environment of `drillbook up` did not come up", mend=f"see its output and {found.folder}/logs"
        )
    return join(found.init, argv, cwd=Layout().workspace)


def _in_new(topology: Topology, cache: Path, argv: list[str], *, interactive: bool) -> int:
    """Run a program in a sandbox of its own."""
    from drillbook.cli.environment import enter_sandbox, started
    from drillbook.sandbox import DATA

    code = enter_sandbox(topology, cache, interactive=interactive)
    if code is not None:
        return code
    with started(topology, DATA / "run", cache) as environment:
        return _call(argv, environment.workspace, dict(environment.variables))


def _call(argv: list[str], workspace: Path, variables: dict[str, str]) -> int:
    """Run a program and give its exit code as a shell does; a Ctrl-C at the terminal is the program's, not ours."""
    process = subprocess.Popen(argv, cwd=workspace, env=variables)
    # Not SIG_IGN, and not before: a program inherits what is ignored.
    signal.signal(signal.SIGINT, lambda number, _frame: None if sys.stdin.isatty() else process.send_signal(number))
    signal.signal(signal.SIGTERM, lambda number, _frame: process.send_signal(number))
    code = process.wait()
    return 128 - code if code < 0 else code
