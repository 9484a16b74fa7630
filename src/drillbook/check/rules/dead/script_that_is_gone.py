"""DE103: a script that the repository does not have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from drillbook.check import Document, Example, Found, Rule, Severity

_RUNS = ("node", "python", "python3", "bash", "sh", "ruby", "ts-node")
_SCRIPT = re.compile(r"(?:\./)?[\w./ -]+\.(?:js|mjs|cjs|ts|py|sh|rb)")


def _check(document: Document) -> Iterator[Found]:
    repository = document.options.repository
    if repository is None:
        return
    known = _npm_scripts(repository.text("package.json"))
    for command in document.commands(*_RUNS, "npm", "npx"):
        words = command.operands()
        if command.name == "npm":
            if (
                known is not None
                and len(words) > 1
                and words[0].text in ("run", "run-script")
                and words[1].value not in (*known, None)
            ):
                yield Found(
                    words[1].span,
                    f"package.json has no script {words[1].text!r}",
                    f"it has: {', '.join(sorted(known)) or 'none'}",
                )
            continue
        if command.name == "npx":
            words = words[2:] if [word.text for word in words[:2]] == ["hardhat", "run"] else ()
        if words and words[0].value and _SCRIPT.fullmatch(words[0].value) and not repository.has(words[0].value):
            yield Found(
                words[0].span, f"the repository has no {words[0].value}", "name the script that is there, or write it"
            )


def _npm_scripts(text: str | None) -> frozenset[str] | None:
    """Give the names of package.json's scripts, None where there is no such file."""
    try:
        scripts = json.loads(text or "").get("scripts", {})
    except (ValueError, AttributeError):
        return None
    return frozenset(scripts) if isinstance(scripts, dict) else None


RULE = Rule(
    code="DE103",
    name="script-that-is-gone",
    severity=Severity.ERROR,
    summary="With `--repo`: a script or an npm script that the repository does not have.",
    explanation=(
        'The script was renamed, or was only ever on its author\'s machine. The operator gets "Cannot find module"'
        " at the step that was to recover."
    ),
    silent=("Neither `--repo` nor `repo` names the repository; the path is absolute or has a variable."),
    check=_check,
    bad=(
        Example(
            "# Restore\n\n```bash\nnode ⟦scripts/restoreAll.js⟧\n```\n",
            ("scripts/restore.js",),
        ),
    ),
    good=(
        Example(
            "# Restore\n\n```bash\nnode scripts/restore.js\n```\n",
            ("scripts/restore.js",),
        ),
        ("# Restore\n\n```bash\nnode scripts/restoreAll.js\n```\n"),
    ),
)
