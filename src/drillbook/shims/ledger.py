"""Remembers which commands nothing performed, past every `|| true`.

A runbook may swallow an exit code; that its command never ran must not be lost with it. The shims and the shell
append to one file, named by an environment variable; the responder takes what stands there after each command. Light:
each shim imports it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from drillbook.clock import SYSTEM_CLOCK, rfc3339

if TYPE_CHECKING:
    from pathlib import Path

UNBOUND_FILE = "DRILLBOOK_UNBOUND"
"""The environment variable that names the file."""


def note_unbound(file: str, command: str) -> None:
    """Append one line, {"command", "time"}; the time is RFC 3339 in UTC."""
    line = json.dumps({"command": command, "time": rfc3339(SYSTEM_CLOCK.wall())}) + "\n"
    # One write to an append-only descriptor, so that commands of one pipeline don't mix their lines.
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def take_unbound(file: Path) -> tuple[str, ...]:
    """Give the commands noted so far, each once, and forget them.

    A line that is not JSON is a command that bash did not find, quoted as bash quotes.
    """
    taken = file.with_suffix(".taken")
    try:
        file.replace(taken)
    except FileNotFoundError:
        return ()
    lines = taken.read_text("utf-8", "replace").splitlines()
    return tuple(dict.fromkeys(str(json.loads(line)["command"]) if line.startswith("{") else line for line in lines))
