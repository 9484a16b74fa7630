"""`drillbook steps`: every phrase that a feature can use, so that an author need not read Python."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillbook.cli.places import ENVIRONMENTS

if TYPE_CHECKING:
    from drillbook.gherkin import Phrase

SUITE = "steps"


@click.command("steps")
@click.argument("words", nargs=-1)
def command(words: tuple[str, ...]) -> None:
    """List every phrase that features can use.

    Those of Drillbook and those of the project's own folder steps/, with what each does and where it stands. WORDS: only
    phrases that contain them all.

    \b
    Examples:
      drillbook steps
      drillbook steps fault link
    """
    from drillbook.gherkin import phrases

    _import_suite(Path.cwd())
    told = [phrase for phrase in phrases() if _has(phrase, words)]
    if not told:
        click.echo("no phrase contains these words", err=True)
    for module, group in groupby(told, key=lambda phrase: phrase.module):
        click.echo(click.style(module, bold=True))
        for phrase in group:
            click.echo(f"  {click.style(phrase.keyword.capitalize(), fg='cyan')} {phrase.text}  (line {phrase.line})")
            for line in phrase.doc.strip().splitlines():
                click.echo(f"      {line.strip()}".rstrip())


def _import_suite(project: Path) -> None:
    """Import the project's own words: importing a module is what makes them known. They may import an environment's."""
    files = sorted((project / SUITE).glob("*.py"))
    environments = [file.parent for file in sorted((project / ENVIRONMENTS).glob("*/environment.yaml"))]
    sys.path[:0] = [str(folder) for folder in (project, *environments) if files and str(folder) not in sys.path]
    for file in files:
        if file.stem != "__init__":
            importlib.import_module(f"{SUITE}.{file.stem}")


def _has(phrase: Phrase, words: Sequence[str]) -> bool:
    text = f"{phrase.keyword} {phrase.text} {phrase.doc}".casefold()
    return all(word.casefold() in text for word in words)
