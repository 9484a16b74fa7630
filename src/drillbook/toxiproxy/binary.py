"""Which Toxiproxy to start: the real one where there is one, for it is the reference, else ours."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping

from drillbook.errors import UsageError

PROGRAM = "toxiproxy-server"
CHOICE = "DRILLBOOK_TOXIPROXY"
"""Environment variable: a program's name or path, or `own` for Drillbook's server."""


def server_command(environ: Mapping[str, str]) -> list[str]:
    """Give the command that starts a Toxiproxy; append `--host HOST --port PORT`, which every kind understands.

    Raises UsageError where `DRILLBOOK_TOXIPROXY` names a program that is not there.
    """
    choice = environ.get(CHOICE, "")
    if choice == "own":
        return own_command()
    found = shutil.which(choice or PROGRAM, path=environ.get("PATH"))
    if found:
        return [found]
    if choice:
        raise UsageError(
            f"{CHOICE} names {choice}, which is no program here",
            mend=f"set it to the path of a toxiproxy-server, to `own` for Drillbook's server, or unset {CHOICE}",
        )
    return own_command()


def own_command() -> list[str]:
    """Give the command that starts Drillbook's own server."""
    return [sys.executable, "-m", "drillbook.toxiproxy"]
