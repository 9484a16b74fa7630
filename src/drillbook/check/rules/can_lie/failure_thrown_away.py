"""CL113: a failure of which nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from drillbook.check import Document, Found, Rule, Severity, SimpleCommand, Span

_SAVES = frozenset(
    {"pg_dump", "pg_dumpall", "pg_basebackup", "mysqldump", "mariadb-dump", "mongodump", "restic", "borg"}
)
_PROVES = frozenset({"pg_isready", "pg_verifybackup", "pg_restore", "curl", "nc", "wget"})
_NOTHING = frozenset({"true", ":"})


def _check(document: Document) -> Iterator[Found]:
    if "||" not in document.text:
        return
    for block in document.blocks:
        commands = block.script.commands
        for command, following in pairwise(commands):
            if following.name not in _NOTHING or len(following.words) > 1 or not command.is_last_in_pipeline:
                continue
            between = document.text[command.span.end : following.span.start]
            if between.strip() != "||" or command.outer is not following.outer:
                continue
            if command.name in _SAVES or (command.name in _PROVES and _is_mute(command)):
                yield Found(
                    Span(following.span.start - len(between.lstrip()), following.span.end),
                    f"when {command.name} fails, nothing tells: its exit code is thrown away"
                    + ("" if command.name in _SAVES else ", and so is what it says"),
                    '|| { echo "what failed"; exit 1; }',
                )


def _is_mute(command: SimpleCommand) -> bool:
    """Tell whether neither output nor errors are seen."""
    gone = {one.operator for one in command.redirects if one.target is not None and one.target.text == "/dev/null"}
    if gone & {"&>", ">&", "&>>"}:
        return True
    output = bool(gone & {">", "1>"})
    errors = "2>" in gone or (output and any(one.operator == "2>&" for one in command.redirects))
    if command.name == "curl":
        errors = errors or (command.has("-s", "--silent") and not command.has("-S", "--show-error"))
        output = output or command.setting("-o", "--output") == "/dev/null"
        return errors and output and not command.has("-w", "--write-out")
    return (errors and output) or (command.name == "pg_isready" and command.has("-q", "--quiet"))


RULE = Rule(
    code="CL113",
    name="failure-thrown-away",
    severity=Severity.WARNING,
    summary="`|| true` behind a backup or a silent check: nothing is left of its failure.",
    explanation=(
        "`|| true` was written so that a script goes on. Behind a backup it goes on to what the backup was to protect from; "
        "behind a check whose output is thrown away as well, the line does nothing at all, and reads like a check."
    ),
    silent=(
        "The command is no backup and no check that is known; what the check says, or curl's error, is still shown; what stands "
        "behind `||` does something."
    ),
    check=_check,
    bad=(
        "# Back up\n\n```bash\npg_dump -h db.example -Fc -f shop.dump shop ⟦|| true⟧\n```\n",
        "# Check\n\n```bash\npg_isready -h db.example > /dev/null 2>&1 ⟦|| true⟧\n```\n",
    ),
    good=(
        '# Back up\n\n```bash\npg_dump -h db.example -Fc -f shop.dump shop || { echo "no backup: stop here"; exit 1; }\n```\n',
        "# Look\n\n```bash\npg_isready -h db.example || true\n```\n",
        "# Tidy up\n\n```bash\nrm shop.lock 2> /dev/null || true\n```\n",
    ),
)
