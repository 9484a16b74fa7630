"""Find the command, run it, turn what it raises into one clear message and an exit code.

The commands' modules are imported when they are called, so that `drillbook --help` need not wait for a database driver.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version

import click

from drillbook.errors import DrillbookError, UsageError, UsageErrors

CTRL_C = 130
BROKEN_PIPE = 141
"""What a shell gives for programs that SIGINT and SIGPIPE ended."""

_COLOUR = False if os.environ.get("NO_COLOR") else None
"""None lets click decide: colours on a terminal only."""

COMMANDS = {
    "run": "Run drills: break the sandbox, follow the runbook, prove the recovery time.",
    "report": "Print a run again, without running anything.",
    "check": "Check runbooks without running them.",
    "rule": "Explain a rule of `drillbook check`.",
    "lsp": "Serve the Language Server Protocol on standard input and output.",
    "outline": "Show what Drillbook reads in a runbook.",
    "steps": "List every phrase that features can use.",
    "up": "Start the environment and keep it until Ctrl-C.",
    "load": "Run a declared load test, and say whether its thresholds are kept.",
    "shell": "Open a shell, or run a command, inside a sandbox.",
    "doctor": "Say what this machine can do, and how to mend what it cannot.",
    "toxiproxy": "Start Drillbook's own Toxiproxy server alone.",
}
"""Each command's first line of help; `drillbook.cli.<name>` holds it as `command`."""


class _Commands(click.Group):
    """Imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"drillbook.cli.{cmd_name}").command
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            mend = f"did you mean `{near[0]}`?" if near else "`drillbook --help` lists the commands"
            raise click.UsageError(f"there is no command {name!r}; {mend}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"drillbook {version('drillbook')}")
        ctx.exit()


@click.command(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "color": _COLOUR}
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def _drillbook() -> None:
    """Rehearse an operations runbook: break a real sandbox, let the runbook's own commands recover it, prove the time.

    \b
    Examples:
      drillbook doctor                       can this machine run drills?
      drillbook run                          every drill below features/
      drillbook run -k "rolled back" -n 2    some of them, two at a time
      drillbook report runs/20260131T120000Z-42
      drillbook shell -c "psql -l"             a command, inside a sandbox

    \b
    Exit codes: 0 every drill passed, 1 one failed, 2 usage or configuration,
    3 none failed but one is unknown, 130 Ctrl-C.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's) and give its exit code; errors are printed to stderr."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has read enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = _drillbook.main(arguments, prog_name="drillbook", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as asked:
        asked.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return CTRL_C
    except (click.ClickException, DrillbookError, ModuleNotFoundError) as error:
        return _fail(error)
    return code if isinstance(code, int) else 0


def _fail(error: click.ClickException | DrillbookError | ModuleNotFoundError) -> int:
    """Print what is wrong and what mends it; give the exit code."""
    match error:
        case click.ClickException():
            context = error.ctx if isinstance(error, click.UsageError) else None
            _say(error.format_message() + (f"\n  mend: see `{context.command_path} --help`" if context else ""))
        case UsageErrors():
            for each in error.errors:
                _say(str(each))
        case DrillbookError():
            _say(str(error))
        case ModuleNotFoundError():
            if error.name is None or error.name.partition(".")[0] == "drillbook":
                raise error
            _say(f"the Python package {error.name} is missing\n  mend: pip install 'drillbook[sandbox,ethereum]'")
    return 1 if isinstance(error, DrillbookError) and not isinstance(error, UsageError) else 2


def _say(message: str) -> None:
    click.echo(click.style("error: ", fg="red", bold=True) + message, err=True, color=_COLOUR)
