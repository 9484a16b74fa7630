"""`drillbook outline`: what will be run of a runbook, and against which target times, before anything is run."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("outline")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(file: Path, form: str) -> None:
    """Show what Drillbook reads in a runbook.

    Sections, target times in seconds, steps (command, manual or decision) and each command with its line.

    \b
    Examples:
      drillbook outline environments/shop/runbook.md
      drillbook outline runbook.md --format json
    """
    from drillbook.runbook import parse
    from drillbook.runbook.outline import as_json, as_text

    runbook = parse(file)
    if form == "json":
        click.echo(json.dumps(as_json(runbook), indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(runbook), nl=False)
