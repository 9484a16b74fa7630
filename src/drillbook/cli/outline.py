"""`drillbook outline`: what will be run of a runbook, and against which target times, before anything is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drillbook.runbook import Runbook


@click.command("outline")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--features",
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="Show which scenarios follow each step, by what these features say; nothing is run.",
)
@click.option(
    "--environment",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where gaps are declared; default: beside FILE.",
)
def command(file: Path, form: str, features: tuple[Path, ...], environment: Path | None) -> int:
    """Show what Drillbook reads in a runbook.

    Sections, target times in seconds, steps (command, manual or decision) and each command with its line. With --features
    the exit code is 3 where no scenario follows a command or a manual step, and environment.yaml does not say why.

    \b
    Examples:
      drillbook outline environments/shop/runbook.md
      drillbook outline runbook.md --format json
      drillbook outline environments/shop/runbook.md --features features
    """
    from drillbook.runbook import parse
    from drillbook.runbook.outline import as_json, as_text

    runbook = parse(file)
    if features:
        return _tell_plan(runbook, features, environment or file.parent / "environment.yaml", form)
    if form == "json":
        click.echo(json.dumps(as_json(runbook), indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(runbook), nl=False)
    return 0


def _tell_plan(runbook: Runbook, features: tuple[Path, ...], environment: Path, form: str) -> int:
    """Print what the features promise to rehearse; give 3 where there is a gap without a reason, else 0."""
    from drillbook.cli.report import GAPS
    from drillbook.drill.read import runbook_read
    from drillbook.gherkin.plan import planned
    from drillbook.reports.coverage import cover
    from drillbook.reports.coverage_text import as_json, as_text
    from drillbook.topology.load import load

    found = cover(runbook_read(runbook, load(environment)), planned(runbook, features))
    click.echo(
        json.dumps(as_json(found), indent=2, ensure_ascii=False) if form == "json" else as_text(found),
        nl=form == "json",
    )
    return 0 if found.complete else GAPS
