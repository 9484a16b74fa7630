"""The mends that cannot be wrong, made in the files themselves, or shown as a diff."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from drillbook.check.edits import edited
from drillbook.check.finding import Finding


def fixed_texts(findings: Iterable[Finding]) -> dict[Path, tuple[str, str]]:
    """Give (before, after) of each file that the findings' fixes change. Ends of lines are kept."""
    changed: dict[Path, tuple[str, str]] = {}
    fixable = [finding for finding in findings if finding.fix]
    for file, found in groupby(fixable, key=lambda finding: finding.file):
        before = file.read_bytes().decode("utf-8")
        mark = "\ufeff" if before.startswith("\ufeff") else ""
        after = mark + edited(before.removeprefix("\ufeff"), (finding.fix for finding in found))
        if after != before:
            changed[file] = (before, after)
    return changed


def write(file: Path, text: str) -> None:
    """Replace a file's text in one step, so that an interrupted check leaves the old one or the new one."""
    target = file.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".drillbook-")
    try:
        with os.fdopen(handle, "wb") as new:
            new.write(text.encode("utf-8"))
        os.chmod(name, target.stat().st_mode & 0o7777)  # noqa: PTH101
        os.replace(name, target)  # noqa: PTH105
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def diff(file: Path, before: str, after: str) -> str:
    """Give a unified diff that `patch -p0` and `git apply -p0` take."""
    rows = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), file.as_posix(), file.as_posix()
    )
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)
