"""CD111: a push that throws others' commits away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity, Word

_LEASE = ("--force-with-lease", "--force-if-includes", "-n", "--dry-run")
_FORBIDS = re.compile(r"\b(?:never|not|avoid|forbidden|instead of|don['’]t)\b", re.IGNORECASE)
_PLUS = re.compile(r"\+[\w./$@{}\"-]")


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("git"):
        operands = command.operands()
        if not operands or operands[0].value != "push" or command.has(*_LEASE):
            continue
        word = command.find("-f", "--force") or _plus(operands)
        above = document.prose_above(command.line)
        if word is not None and not (above and _FORBIDS.search(above.text)):
            yield Found(
                word.span,
                "what others have pushed since the last fetch is thrown away without a word",
                "git push --force-with-lease, or git revert and a plain push",
            )


def _plus(operands: tuple[Word, ...]) -> Word | None:
    return next((word for word in operands[2:] if _PLUS.match(word.text)), None)


RULE = Rule(
    code="CD111",
    name="force-push",
    severity=Severity.WARNING,
    summary="`git push --force` throws away what others have pushed meanwhile.",
    explanation=(
        "In an incident several people push. A forced push sets the branch to what is on this machine, whatever was there; "
        "`--force-with-lease` refuses when somebody was faster, and a revert needs no force at all."
    ),
    silent="`--force-with-lease` or `--force-if-includes` is given, it is a dry run, or the sentence above says not to.",
    check=_check,
    bad=(
        "# Roll back\n\n```bash\ngit push ⟦--force⟧ origin main\n```\n",
        "# Roll back\n\n```bash\ngit push origin ⟦+main⟧\n```\n",
    ),
    good=(
        "# Roll back\n\n```bash\ngit revert --no-edit HEAD\ngit push origin main\n```\n",
        "# Roll back\n\n```bash\ngit push --force-with-lease origin main\n```\n",
        "# Roll back\n\nNever do this:\n\n```bash\ngit push --force origin main\n```\n",
    ),
    url="https://git-scm.com/docs/git-push#Documentation/git-push.txt---force-with-lease",
)
