"""`drillbook lsp`: a language server, so that findings stand in an editor while a runbook is being written."""

from __future__ import annotations

import click


@click.command("lsp")
def command() -> None:
    """Serve the Language Server Protocol on standard input and output.

    An editor starts this itself. Needs the extra [lsp]. Findings come with every change, ShellCheck's when a file is opened
    or saved; fixes are offered as quick fixes.

    \b
    Examples:
      drillbook lsp                          as an editor's configuration says it
      pip install 'drillbook[lsp]'           what it needs
    """
    from drillbook.check.language_server import serve

    serve()
