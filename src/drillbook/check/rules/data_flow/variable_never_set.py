"""DF113: a variable that nothing sets and no sentence speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Block, Document, Found, Rule, Severity, Use

_KNOWN = re.compile(
    r"[\d@*#?$!_-]|PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|TMPDIR|TERM|LANG|LC_\w+|EDITOR|VISUAL|PAGER|DISPLAY|HOSTNAME|HOSTTYPE"
    r"|OSTYPE|MACHTYPE|UID|EUID|GROUPS|PPID|RANDOM|SRANDOM|SECONDS|EPOCH\w+|LINENO|IFS|PS\d|REPLY|OPT\w+|BASH\w*|FUNCNAME"
    r"|PIPESTATUS|COLUMNS|LINES|SUDO_\w+|SSH_\w+|XDG_\w+|PG[A-Z]+|AWS_\w+|KUBECONFIG|DOCKER_\w+|GITHUB_\w+|CI(?:_\w+)?|GOPATH"
    r"|GOROOT|JAVA_HOME|status|VIRTUAL_ENV|NODE_ENV|MAIL|DATABASE_URL|REDIS_URL|PORT|DIRSTACK|SHLVL|[a-z]"
)
_UNSEEN = re.compile(
    r"(?m)(?:^|[;&|(]\s*|\bthen\s+)(?:source|\.|eval)\s|\b(?:read|mapfile|readarray|getopts|printf -v)\b"
)

_NAME = re.compile(r"(?P<value>\$(?:\{[!#]?)?)?(?<!\w)(?P<name>[A-Za-z_]\w*)")
"""A word that may be a variable's name; `value` is what stands before it where its value is taken."""


def _check(document: Document) -> Iterator[Found]:
    blocks = [block for block in document.blocks if block.shell == "bash" and block.language]
    uses = [use for block in blocks for use in _uses(block)]
    spoken = {match["name"] for match in _NAME.finditer(document.text) if not match["value"]} if uses else set()
    uses = [use for use in uses if use.name not in spoken]
    if not uses or any(_UNSEEN.search(block.text) for block in blocks):
        return
    told: set[str] = set()
    for use in uses:
        if use.name in told:
            continue
        told.add(use.name)
        yield Found(
            use.span,
            f"{use.name} is set nowhere in this runbook, and no sentence says what it holds: it expands to nothing",
            f"{use.name}=… in a step above, or ${{{use.name}:?what it is}}, so that the command stops without it",
        )


def _uses(block: Block) -> Iterator[Use]:
    """Give the uses that count: those in text that another shell is given to run are that shell's."""
    uses = [use for use in block.script.uses if not use.guarded and not _KNOWN.fullmatch(use.name)]
    nested = [command.span for command in block.script.commands if command.outer is not None] if uses else []
    for use in uses:
        if not any(span.start <= use.span.start < span.end for span in nested):
            yield use


RULE = Rule(
    code="DF113",
    name="variable-never-set",
    severity=Severity.WARNING,
    summary="A variable is used that no step sets and no sentence mentions.",
    explanation=(
        "The shell puts nothing in its place and goes on: `-n $NAMESPACE` takes the next word for the namespace, "
        "`rm -rf $DIR/*` the root of the disk. Its author had it in a profile that the operator does not have."
    ),
    silent=(
        "Its name stands anywhere else in the runbook, be it an assignment, a sentence or a table; `${NAME:-…}` or `${NAME:?…}` "
        "says what to do without it; shells, CI or well-known tools set it (`HOME`, `PGHOST`, `AWS_PROFILE`); its name is one "
        "small letter; it stands in text that `ssh` or `bash -c` is given, or in a fence without a language; the runbook has "
        "`source`, `eval`, `read` or the like."
    ),
    check=_check,
    bad=(
        '# Restart\n\n```bash\nkubectl --context prod -n "⟦$SHOP_NAMESPACE⟧" rollout restart deployment/shop\n```\n',
        '# Restart\n\n```bash\nssh "⟦${SHOP_HOST}⟧" sudo systemctl restart shop\n```\n',
    ),
    good=(
        '# Restart\n\n```bash\nSHOP_NAMESPACE=shop\nkubectl --context prod -n "$SHOP_NAMESPACE" rollout restart deployment/shop\n'
        "```\n",
        '# Restart\n\n`SHOP_HOST` is the name in the alert.\n\n```bash\nssh "$SHOP_HOST" uptime\n```\n',
        '# Restart\n\n```bash\nssh "${SHOP_HOST:?the name in the alert}" uptime\n```\n',
        "# Restart\n\n```bash\nssh db.example 'sudo rm -f \"$SHOP_CACHE_FILE\"'\n```\n",
    ),
    url="https://www.gnu.org/software/bash/manual/html_node/Shell-Parameter-Expansion.html",
)
