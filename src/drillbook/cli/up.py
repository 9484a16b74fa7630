"""`drillbook up`: the environment, healthy and unharmed, for as long as somebody wants to look around in it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillbook.cli.places import cache_folder, environment_file, run_folder
from drillbook.errors import Location, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from drillbook.topology.model import Topology


@click.command("up")
@click.option(
    "--environment",
    "given",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Default: environments/*/environment.yaml.",
)
@click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path), help="Folder of the logs; default: runs/<UTC time>-up."
)
def command(given: Path | None, output: Path | None) -> int:
    """Start the environment and keep it until Ctrl-C.

    Prints its names, ports and services. `drillbook shell` in another terminal then works inside it.

    \b
    Examples:
      drillbook up
      drillbook up --environment environments/shop/environment.yaml
    """
    from drillbook.cli import running
    from drillbook.cli.environment import enter_sandbox, started
    from drillbook.topology.load import load

    file = environment_file(given, Path.cwd())
    topology, cache = load(file), cache_folder()
    folder = (output or run_folder("up")).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make it: {error.strerror}", at=Location(folder), mend="choose --output") from error
    (folder / running.READY).unlink(missing_ok=True)  # of one that was killed
    records: list[Path] = []
    try:
        code = enter_sandbox(
            topology, cache, folder, on_ready=lambda init: records.append(running.record(cache, init, file, folder))
        )
    finally:
        for record in records:  # only the launcher has any
            record.unlink(missing_ok=True)
    if code is not None:
        return code
    with started(topology, folder, cache), contextlib.suppress(KeyboardInterrupt):
        _print(topology, folder)
        with _mark(folder / running.READY):
            threading.Event().wait()
    return 0


@contextlib.contextmanager
def _mark(file: Path) -> Iterator[None]:
    file.touch()
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _print(topology: Topology, folder: Path) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console()
    console.print(_names(topology))
    console.print()
    console.print(_services(topology))
    console.print()
    for line in _useful(topology):
        console.print(Text(f"  {line}"), soft_wrap=True)
    console.print(Text(f"\nLogs: {folder / 'logs'}. Ctrl-C ends it and leaves nothing else."), soft_wrap=True)


def _names(topology: Topology) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("Name", "Port", "Answered by"):
        table.add_column(heading)
    for name, ports in topology.names.items():
        for port, target in ports.items():
            table.add_row(name, str(port), str(target.service))
    return table


def _services(topology: Topology) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("Service", "Kind", "Ports"):
        table.add_column(heading)
    for name, service in topology.services.items():
        ports = ", ".join(f"{key} {number}" for key, number in service.ports.items())
        table.add_row(name, service.kind, ports)
    return table


def _useful(topology: Topology) -> Iterator[str]:
    yield "drillbook shell                       a shell inside"
    for name, ports in topology.names.items():
        if 443 in ports:
            yield f"drillbook shell -c 'curl -fsS https://{name}/'"
            break
    if any(service.kind == "postgres" for service in topology.services.values()):
        yield "drillbook shell -c 'psql -l'"
