"""`drillbook report`: a run's reports again, from its journal alone."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["terminal", "junit", "json"]), default="terminal", show_default=True
)
def command(folder: Path, form: str) -> int:
    """Print a run again, without running anything.

    DIR is a folder below runs/. A run that was killed is read as interrupted, and what its evidence still tells is shown.
    The exit code is the run's.

    \b
    Examples:
      drillbook report runs/20260131T120000Z-42
      drillbook report runs/20260131T120000Z-42 --format junit > junit.xml
    """
    from rich.console import Console

    from drillbook.journal.read import read
    from drillbook.reports import exit_code, junit, render, summary

    journal = read(folder)
    match form:
        case "terminal":
            render(journal, Console())
        case "junit":
            click.echo(junit(journal), nl=False)
        case "json":
            click.echo(json.dumps(summary(journal), indent=2, ensure_ascii=False))
    return exit_code(journal)
