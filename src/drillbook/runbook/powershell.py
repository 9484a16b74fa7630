"""Where one PowerShell command ends: its braces, pipes, back-ticks and here-strings span lines, and no grammar for it
is at hand, so a small scanner counts what is open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from drillbook.runbook.shell import Fragment

_PAIRS = {")": "(", "}": "{", "]": "["}
_GOES_ON = re.compile(r"(\||`|,|=|\+|&&|-(?:and|or|eq|ne|like|match|f))\s*$", re.IGNORECASE)
_CONTINUES = re.compile(r"\s*(\||(?:else|elseif|catch|finally)\b)", re.IGNORECASE)
_CONTINUES_DO = re.compile(r"\s*(?:while|until)\b", re.IGNORECASE)


@dataclass(slots=True)
class _Scanner:
    """What is open at the end of the rows read so far: brackets, a quote, a here-string, a block comment."""

    brackets: list[str] = field(default_factory=list)
    quote: str = ""

    def read(self, line: str) -> int | None:
        """Read one row; give the column of the comment that ends it, if one does."""
        if self.quote in ("'@", '"@'):
            if not line.startswith(self.quote):
                return None
            self.quote, line = "", "  " + line[2:]
        column = 0
        while column < len(line):
            here = line[column]
            two = line[column : column + 2]
            if self.quote == "#>":
                step = self._in_block_comment(two)
            elif self.quote:
                step = self._in_quote(here, two)
            elif here == "#" and (column == 0 or line[column - 1] in " \t;{}()|"):
                return column
            elif two in ("@'", '@"') and not line[column + 2 :].strip():
                self.quote = two[::-1]
                return None
            else:
                step = self._outside(here, two)
            column += step
        return None

    @property
    def is_open(self) -> bool:
        return bool(self.quote or self.brackets)

    def _in_block_comment(self, two: str) -> int:
        if two == "#>":
            self.quote = ""
            return 2
        return 1

    def _in_quote(self, here: str, two: str) -> int:
        if (here == "`" and self.quote == '"') or two == self.quote * 2:
            return 2
        if here == self.quote:
            self.quote = ""
        return 1

    def _outside(self, here: str, two: str) -> int:
        if two == "<#":
            self.quote = "#>"
            return 2
        if here == "`":
            return 2
        if here in "'\"":
            self.quote = here
        elif here in "({[":
            self.brackets.append(here)
        elif here in _PAIRS and self.brackets and self.brackets[-1] == _PAIRS[here]:
            self.brackets.pop()
        return 1


def split(text: str) -> tuple[Fragment, ...]:
    """Cut a PowerShell text into its logical commands and its comments, in order."""
    lines = text.split("\n")
    fragments: list[Fragment] = []
    row = 0
    while row < len(lines):
        stripped = lines[row].strip()
        if not stripped:
            row += 1
        elif stripped.startswith("#"):
            fragments.append(Fragment(stripped.lstrip("#").strip(), row, comment=True))
            row += 1
        else:
            command, row = _command(lines, row)
            fragments.append(command)
    return tuple(fragments)


def _command(lines: list[str], first: int) -> tuple[Fragment, int]:
    """Read one command from row `first`; give it and the row after it."""
    scanner = _Scanner()
    row = first
    while True:
        column = scanner.read(lines[row])
        code = lines[row] if column is None else lines[row][:column]
        following = lines[row + 1] if row + 1 < len(lines) else None
        if following is None or not (scanner.is_open or _goes_on(code, lines[first], following)):
            break
        row += 1
    note = "" if column is None else lines[row][column:].lstrip("#").strip()
    text = "\n".join([*lines[first:row], code]).strip() or "\n".join(lines[first : row + 1]).strip()
    return Fragment(text, first, note), row + 1


def _goes_on(code: str, opening: str, following: str) -> bool:
    if _GOES_ON.search(code) or _CONTINUES.match(following):
        return True
    return bool(re.match(r"\s*do\b", opening, re.IGNORECASE) and _CONTINUES_DO.match(following))
