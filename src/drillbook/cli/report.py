"""`drillbook report`: a run's reports again, from its journal alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillbook.errors import UsageError

if TYPE_CHECKING:
    from drillbook.journal.read import JournalFile

GAPS = 3
"""The exit code where something was not rehearsed and nobody says why: unknown, as everything that was not checked."""


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "junit", "json", "markdown"]),
    default="terminal",
    show_default=True,
)
@click.option(
    "--coverage", "covered", is_flag=True, help="What of the runbook was rehearsed, by what, and what was not."
)
@click.option(
    "--into",
    "files",
    metavar="FILE",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Put the tables of --coverage between a file's markers, <!-- coverage: sections --> (or scenarios).",
)
def command(folder: Path, form: str, covered: bool, files: tuple[Path, ...]) -> int:
    """Print a run again, without running anything.

    DIR is a folder below runs/. A run that was killed is read as interrupted, and what its evidence still tells is shown.
    The exit code is the run's; with --coverage it is 3 where the run passed, but something of the runbook was not rehearsed and
    environment.yaml does not say why (unrehearsed).

    \b
    Examples:
      drillbook report runs/20260131T120000Z-42
      drillbook report runs/20260131T120000Z-42 --format junit > junit.xml
      drillbook report runs/20260131T120000Z-42 --coverage
      drillbook report runs/20260131T120000Z-42 --coverage --into README.md
    """
    from rich.console import Console

    from drillbook.journal.read import read
    from drillbook.reports import exit_code, junit, render, summary

    _check(form, covered=covered, into=bool(files))
    journal = read(folder)
    if covered:
        gaps = tell_coverage(journal, form, files)
        return exit_code(journal) or gaps
    match form:
        case "terminal":
            render(journal, Console())
        case "junit":
            click.echo(junit(journal), nl=False)
        case "json":
            click.echo(json.dumps(summary(journal), indent=2, ensure_ascii=False))
    return exit_code(journal)


def _check(form: str, *, covered: bool, into: bool) -> None:
    if covered and form == "junit":
        raise UsageError("coverage has no form junit", mend="terminal, json or markdown")
    if not covered and (form == "markdown" or into):
        raise UsageError("only coverage is told as Markdown", mend="add --coverage")


def tell_coverage(journal: JournalFile, form: str = "terminal", files: tuple[Path, ...] = ()) -> int:
    """Print what a run rehearsed, or put it into files; give 3 where a gap has no reason, else 0."""
    from drillbook.reports.coverage import coverage
    from drillbook.reports.coverage_text import as_json, as_markdown, as_text, write_into

    found = coverage(journal)
    for file in files:
        write_into(file, found)
    if form == "json":
        click.echo(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    elif not files:
        click.echo(as_markdown(found) if form == "markdown" else as_text(found), nl=False)
    return 0 if found.complete else GAPS
