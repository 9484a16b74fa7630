"""WT102: production and staging deployed by one paste."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_DEPLOYS = re.compile(r"\bdeploy|\brelease\b|\brollout\b|\bhelm upgrade|\bapply\b")
_PRODUCTION = re.compile(r"\bprod(?:uction)?\b")
_STAGING = re.compile(r"\bstaging\b|\bstage\b|\bpreprod\b|\buat\b")


def _check(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        deploys = [c for c in block.script.commands if c.outer is None and _DEPLOYS.search(c.text)]
        staging = [c for c in deploys if _STAGING.search(c.text)]
        for command in deploys if staging else ():
            if _PRODUCTION.search(command.text) and not _STAGING.search(command.text):
                yield Found(
                    command.span,
                    f"pasted with the lines around it, this deploys to production and staging (line {staging[0].line}) at once",
                    "one fence per target, with the check between them that decides whether to go on",
                )


RULE = Rule(
    code="WT102",
    name="several-stages-in-one-fence",
    severity=Severity.ERROR,
    summary="One fence deploys to staging and to production.",
    explanation=(
        "A fence is pasted as a whole. What was meant as a list of possible commands then releases to every "
        "target, with no look at staging in between."
    ),
    silent=("The commands stand in fences of their own."),
    check=_check,
    bad=(("# Deploy\n\n```bash\nnpm run deploy:staging\n⟦npm run deploy:production⟧\n```\n"),),
    good=(
        (
            "# Deploy\n\n```bash\nnpm run deploy:staging\n```\n\nIf staging is healthy:\n\n```bash\n"
            "npm run deploy:production\n```\n"
        ),
    ),
)
