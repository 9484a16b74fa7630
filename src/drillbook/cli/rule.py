"""`drillbook rule`: what a rule of `drillbook check` finds, why it matters and when it keeps silent."""

from __future__ import annotations

import re
from pathlib import Path

import click


@click.command("rule")
@click.argument("code", required=False)
@click.option("--all", "every", is_flag=True, help="The table of all rules.")
@click.option(
    "--write", type=click.Path(path_type=Path, file_okay=False), help="Write every rule's page into a folder."
)
@click.pass_context
def command(ctx: click.Context, code: str | None, every: bool, write: Path | None) -> None:
    """Explain a rule of `drillbook check`.

    CODE is a rule's code or name. Its page is made of the rule itself, and its examples are what tests it.

    \b
    Examples:
      drillbook rule NE101
      drillbook rule --all
      drillbook rule --all --write docs/rules
    """
    from drillbook.check.pages import index, page
    from drillbook.check.pages import write as write_pages
    from drillbook.check.registry import find_rule

    if code and every:
        raise click.UsageError("give a code or --all", ctx)
    if write:
        click.echo(f"wrote {write_pages(write)} rules to {write}")
    elif every:
        click.echo(index(), nl=False)
    elif code and re.fullmatch(r"SC\d{4}", code.upper()):
        click.echo(f"{code.upper()} is ShellCheck's: https://www.shellcheck.net/wiki/{code.upper()}")
    elif code:
        click.echo(page(find_rule(code)), nl=False)
    else:
        raise click.UsageError("give a code or --all", ctx)
