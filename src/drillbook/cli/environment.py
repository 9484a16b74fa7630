"""An environment for the commands that only want one running: entered, started, told about on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillbook.backends.base import Part
from drillbook.reports.telling import seconds
from drillbook.sandbox import View, enter

if TYPE_CHECKING:
    from drillbook.backends.embedded.environment import EmbeddedEnvironment
    from drillbook.topology.model import Topology


def enter_sandbox(
    topology: Topology,
    *writable: Path,
    interactive: bool = False,
    on_ready: Callable[[int], None] | None = None,
) -> int | None:
    """Fork into a sandbox that shows the project: None inside, the exit code outside. See `drillbook.sandbox.enter`."""
    view = View.of_this_process(shown=[Path.cwd(), topology.folder], writable=writable)
    return enter(view, interactive=interactive, on_ready=on_ready)


@contextmanager
def started(topology: Topology, folder: Path, cache: Path) -> Iterator[EmbeddedEnvironment]:
    """Start everything, telling of each part on stderr; stop it at the end."""
    from drillbook.backends.embedded.backend import EmbeddedBackend

    with EmbeddedBackend(cache).start(topology, folder, progress=_tell) as environment:
        yield environment


def _tell(part: Part) -> None:
    """One line for each part that is ready or failed; on a terminal the last line names what is being started."""
    terminal = sys.stderr.isatty()
    clear = "\r\x1b[K" if terminal else ""
    match part.state:
        case "ready":
            click.echo(f"{clear}{part.name} ready in {seconds(part.seconds)} s", err=True)
        case "failed":
            click.echo(f"{clear}{part.name} FAILED {part.detail}", err=True)
        case "starting" if terminal:
            click.echo(f"{clear}starting {part.name} …", err=True, nl=False)
