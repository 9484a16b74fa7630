"""CL112: a decision by a filter that always succeeds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Role, Rule, Severity, SimpleCommand

_ALWAYS_WELL = frozenset(
    ["tee", "cat", "head", "tail", "wc", "sort", "uniq", "tr", "cut", "column", "nl", "less", "more"]
)
_SAYS = frozenset({"echo", "printf", "cat", "yes", "true", "date", ""})
_DECIDES = frozenset({Role.CONDITION, Role.LOOP_CONDITION, Role.BEFORE_AND, Role.BEFORE_OR, Role.NEGATED})
_WITHIN = frozenset({Role.BRANCH, Role.LOOP_BODY, Role.SUBSTITUTION, Role.SUBSHELL, Role.FUNCTION, Role.NESTED})
_KEEPS = re.compile(r"pipefail|PIPESTATUS")


def _check(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        for pipeline in block.script.pipelines:
            commands = pipeline.commands
            if len(commands) < 2 or not _always_well(commands) or not _decides(commands[-1]):
                continue
            if _KEEPS.search(document.text, 0, block.span.end):
                continue
            first, last = commands[0], commands[-1]
            yield Found(
                last.words[0].span,
                f"{last.name} decides here, not {first.name}: it succeeds whatever {first.name} did",
                "set -o pipefail before it, or take the answer into a variable and test that",
            )


def _always_well(commands: list[SimpleCommand]) -> bool:
    first, last = commands[0], commands[-1]
    if first.name in _SAYS or any(command.name in ("grep", "egrep", "xargs") for command in commands[:-1]):
        return False
    if last.name == "jq":
        asserts = last.has("-e", "--exit-status") or "error" in last.text or "halt" in last.text
        return first.name == "curl" and first.has("-f", "--fail") and len(commands) == 2 and not asserts
    return last.name in _ALWAYS_WELL and not last.wrappers


def _decides(command: SimpleCommand) -> bool:
    for role in reversed(command.roles):
        if role in _WITHIN:
            return False
        if role in _DECIDES:
            return True
    return False


RULE = Rule(
    code="CL112",
    name="filter-decides",
    severity=Severity.WARNING,
    summary="`tee`, `head`, `jq` or the like decides: it succeeds when the command before it failed.",
    explanation=(
        "`deploy | tee deploy.log && announce` announces a deployment that failed: the exit code before `&&` is that of "
        "`tee`. What stands behind `||` is never run. `jq` without `-e` is content with no input at all, which is what "
        "`curl -f` gives it for a refused connection."
    ),
    silent=(
        "`pipefail` or `PIPESTATUS` stands in the fence or above it; nothing depends on the exit code; what comes first only "
        "prints (`echo`, `cat`); the filter runs under `sudo`; a `grep` stands in the pipeline; `jq` has `-e`."
    ),
    check=_check,
    bad=(
        "# Deploy\n\n```bash\n./deploy.sh 2>&1 | ⟦tee⟧ deploy.log && ./announce.sh\n```\n",
        "# Check\n\n```bash\nif curl -fsS --max-time 5 https://shop.example/health | ⟦jq⟧ .status; then echo up; fi\n```\n",
    ),
    good=(
        "# Deploy\n\n```bash\nset -o pipefail\n./deploy.sh 2>&1 | tee deploy.log && ./announce.sh\n```\n",
        "# Check\n\n```bash\ncurl -fsS --max-time 5 https://shop.example/health | jq -e '.status == \"ok\"' || echo DOWN\n```\n",
        "# Look\n\n```bash\njournalctl -u shop --since -1h | tail -n 50\n```\n",
        "# Set\n\n```bash\necho 1 | tee /proc/sys/vm/overcommit_memory || exit 1\n```\n",
    ),
    url="https://www.gnu.org/software/bash/manual/html_node/Pipelines.html",
)
