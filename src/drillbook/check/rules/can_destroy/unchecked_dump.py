"""CD102: a backup that may be an empty file, and a fence that goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Role, Rule, Severity

_DUMPS = ("pg_dump", "pg_dumpall", "mysqldump", "mongodump")
_GUARDED = frozenset({Role.BEFORE_AND, Role.BEFORE_OR, Role.CONDITION, Role.NEGATED})
_STRICT = re.compile(r"(?m)^\s*set -\w*e")


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands(*_DUMPS):
        block = document.block_at(command.line)
        if block is None or _STRICT.search(block.text) or _GUARDED.intersection(command.roles):
            continue
        target = next((one.target for one in command.redirects if one.operator in (">", "1>") and one.target), None)
        if target is None or re.search(r"\b(?:test|\[) +-s\b|\bls -l|\bstat\b|\bwc -c|\bgzip -t", block.text):
            continue
        yield Found(
            target.span,
            f"if {command.name} fails, this is an empty file and the next command runs all the same",
            f"{command.name} … -f FILE || exit 1, then look at its size before anything is overwritten",
        )


RULE = Rule(
    code="CD102",
    name="unchecked-dump",
    severity=Severity.WARNING,
    summary="A dump is redirected to a file, and nothing looks whether it succeeded.",
    explanation=(
        "The shell makes the file before the dump starts. When it fails (no host, wrong password, a lock) a file "
        "of 0 bytes is left and the fence goes on to the restore that the backup was to protect from."
    ),
    silent=(
        "The fence has `set -e`, the dump is before `&&` or `||` or in an `if`, or the file's size is looked at "
        "in the same fence."
    ),
    check=_check,
    bad=(("# Back up\n\n```bash\npg_dump shop > ⟦backup.sql⟧\n```\n"),),
    good=(
        ("# Back up\n\n```bash\npg_dump -Fc -f backup.dump shop || exit 1\n```\n"),
        ("# Back up\n\n```bash\npg_dump shop > backup.sql\ntest -s backup.sql && ls -l backup.sql\n```\n"),
        ("# Back up\n\n```bash\nset -euo pipefail\npg_dump shop > backup.sql\n```\n"),
    ),
)
