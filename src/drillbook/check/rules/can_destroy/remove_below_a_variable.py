"""CD113: `rm -rf` below a folder whose name may be empty."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_BELOW = re.compile(r"\"?\$(?:\{(?P<braced>\w+)\}|(?P<plain>\w+))\"?/")
_SET_BY_THE_SHELL = frozenset({"HOME", "PWD", "OLDPWD"})


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("rm"):
        if command.outer is not None or command.language != "bash" or not command.has("-r", "-R", "--recursive"):
            continue
        for word in command.operands():
            match = _BELOW.match(word.text)
            name = (match["braced"] or match["plain"]) if match else ""
            if not name or name in _SET_BY_THE_SHELL or _is_set(document, name, word.span.start):
                continue
            yield Found(
                word.span,
                f"where {name} is empty, this begins at / and removes what lies there",
                f'rm -rf -- "${{{name}:?}}/…", which stops without it',
            )


def _is_set(document: Document, name: str, before: int) -> bool:
    """Tell whether a step above sets the variable, or checks that it is set."""
    if any(one.name == name and one.value is not None and one.span.start < before for one in document.assignments()):
        return True
    return re.search(rf"\$\{{{name}:?\?|-[nzd] +\"?\$\{{?{name}\b", document.text[:before]) is not None


RULE = Rule(
    code="CD113",
    name="remove-below-a-variable",
    severity=Severity.WARNING,
    summary="`rm -rf $DIR/…`, and nothing makes sure that the variable is set.",
    explanation=(
        'The shell puts nothing in place of a variable that is not set: `rm -rf "$DATA_DIR"/*` becomes `rm -rf /*`. That is '
        "not the argument `/`, which `rm` refuses, but each folder below it. In a new terminal no variable is set."
    ),
    silent=(
        "A step above sets it, or tests it with `-n`, `-z`, `-d` or `${NAME:?}`; it is `HOME` or `PWD`; nothing follows it, so "
        "that an empty one removes nothing; or it stands in text that `ssh` or `bash -c` is given."
    ),
    check=_check,
    bad=(
        '# Free the disk\n\n`DATA_DIR` is where the service keeps its cache.\n\n```bash\nrm -rf ⟦"$DATA_DIR"/*⟧\n```\n',
        "# Free the disk\n\n`DATA_DIR` is where the service keeps its cache.\n\n```bash\nrm -rf ⟦${DATA_DIR}/cache⟧\n```\n",
    ),
    good=(
        '# Free the disk\n\n```bash\nDATA_DIR=/var/lib/shop\nrm -rf "$DATA_DIR"/cache\n```\n',
        '# Free the disk\n\n```bash\nrm -rf "${DATA_DIR:?where the service keeps its cache}"/cache\n```\n',
        '# Free the disk\n\n`DATA_DIR` is where the service keeps its cache.\n\n```bash\nrm -rf "$DATA_DIR"\n```\n',
    ),
    url="https://www.shellcheck.net/wiki/SC2115",
)
