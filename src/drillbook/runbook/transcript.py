"""A pasted terminal session read as commands: prompts and output are what a terminal wrote, not what a person types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drillbook.runbook import powershell, shell
from drillbook.runbook.shell import Fragment

_USER = r"(?:\([\w.-]+\)\s?)?(?:\[[\w.-]+@[\w.-]+[^\]\n]*\]|[\w.-]+@[\w.-]+(?::[^\s$#]*)?)"
_PROMPT = re.compile(rf"^(?P<indent>\s*)(?:{_USER}\s?[$#%]|[$%])(?:[ \t]+|$)(?P<command>.*)$")
_ROOT = re.compile(r"^(?P<indent>\s*)#[ \t]+(?P<command>.*)$")
_POWERSHELL = re.compile(r"^(?P<indent>\s*)PS(?: [^>\n]*)?>[ \t]*(?P<command>.*)$")
_COMMENT = re.compile(r"^\s*#+\s*(.*)$")
_MORE = re.compile(r"^\s*>{1,2}(?:[ \t]|$)(.*)$")
_STEP = re.compile(r"^\s*#+\s*step\s+\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """What a prompt was given in one row, and whether PowerShell asked for it."""

    command: str
    powershell: bool = False


def is_transcript(text: str) -> bool:
    """Tell whether a text shows a terminal session: its first row of weight begins with a prompt."""
    rows = (row for row in text.split("\n") if row.strip() and not _COMMENT.match(row))
    first = next(rows, "")
    return bool(_PROMPT.match(first) or _POWERSHELL.match(first))


def read(text: str, *, root: bool = False) -> tuple[tuple[Fragment, bool], ...]:
    """Give what was typed at the prompts, each fragment with whether it is PowerShell; output is dropped.

    With `root`, `# ` is root's prompt in a text that has no other one; a comment otherwise.
    """
    rows = text.split("\n")
    root = root and not is_transcript(text)
    found: list[tuple[Fragment, bool]] = []
    row = 0
    while row < len(rows):
        line = _typed(rows[row], root=root)
        if line is None:
            comment = _COMMENT.match(rows[row])
            if comment and comment[1]:
                found.append((Fragment(comment[1].strip(), row, comment=True), False))
            row += 1
            continue
        typed = _entry(rows, row, line, root=root)
        cut = powershell.split if line.powershell else shell.split
        found.extend((_moved(part, row), line.powershell) for part in cut("\n".join(typed)))
        row += len(typed)
    return tuple(found)


def masked(text: str, *, root: bool = False) -> str:
    """Give a session's text with blanks for the prompts, and for the rows that the terminal wrote; places stay.

    Rows that were typed into PowerShell are blank too. `root` as for `read`.
    """
    rows = text.split("\n")
    root = root and not is_transcript(text)
    kept = ["" if not _COMMENT.match(row) else row for row in rows]
    row = 0
    while row < len(rows):
        line = _typed(rows[row], root=root)
        if line is None:
            row += 1
            continue
        typed = _entry(rows, row, line, root=root)
        for more, command in enumerate(typed):
            whole = rows[row + more]
            kept[row + more] = "" if line.powershell else command.rjust(len(whole)) if whole.endswith(command) else ""
        row += len(typed)
    return "\n".join(kept)


def _typed(row: str, *, root: bool) -> Line | None:
    for pattern in (_POWERSHELL, _PROMPT):
        if match := pattern.match(row):
            return Line(match["command"], powershell=pattern is _POWERSHELL)
    if root and not _STEP.match(row) and (match := _ROOT.match(row)):
        return Line(match["command"])
    return None


def _entry(rows: Sequence[str], start: int, line: Line, *, root: bool) -> list[str]:
    """Give all rows of one entry: while the shell would ask for more, the rows below belong to it."""
    typed = [line.command]
    if not line.command.strip():
        return typed
    for row in rows[start + 1 :]:
        if _is_whole(typed, is_powershell=line.powershell):
            return typed
        if _typed(row, root=root) is not None:
            break
        more = _MORE.match(row)
        typed.append(more[1] if more else row)
    return typed if _is_whole(typed, is_powershell=line.powershell) else _asked_for(rows, start, line)


def _asked_for(rows: Sequence[str], start: int, line: Line) -> list[str]:
    """Give an entry that never becomes whole as far as its own `> ` prompts or backslashes say; the rest is output."""
    typed = [line.command]
    for row in rows[start + 1 :]:
        more = _MORE.match(row)
        if not more and not typed[-1].endswith(("\\", "`")):
            break
        typed.append(more[1] if more else row)
    return typed


def _is_whole(typed: Iterable[str], *, is_powershell: bool) -> bool:
    text = "\n".join(typed)
    if not is_powershell:
        return shell.is_complete(text)
    # A command that still waits would swallow one more row.
    return len(powershell.split(text + "\n;")) > 1


def _moved(part: Fragment, rows: int) -> Fragment:
    return Fragment(part.text, part.row + rows, part.note, part.comment)
