"""WT101: a change to whatever cluster was used last."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Kind, Rule, Severity

_CHANGES = frozenset(
    {
        "scale",
        "delete",
        "apply",
        "patch",
        "replace",
        "drain",
        "cordon",
        "uncordon",
        "rollout",
        "set",
        "edit",
        "annotate",
    }
)
_CHOSEN = re.compile(
    r"use-context|kubectx|KUBECONFIG|set-context|--context\b|get-credentials|update-kubeconfig", re.IGNORECASE
)
_MATTERS = frozenset({Kind.PRODUCTION, Kind.EMERGENCY, Kind.RECOVERY})


def _check(document: Document) -> Iterator[Found]:
    if "kubectl" not in document.text or _CHOSEN.search(document.text):
        return
    for command in document.commands("kubectl"):
        kinds = document.kinds_at(command.line)
        words = [word.text for word in command.operands(frozenset({"--namespace"}))]
        if not words or words[0] not in _CHANGES or Kind.DEVELOPMENT in kinds or not kinds & _MATTERS:
            continue
        if words[:2] in (["rollout", "status"], ["rollout", "history"]):
            continue
        yield Found(
            command.words[0].span,
            f"kubectl {words[0]} acts on whatever cluster this shell used last",
            "kubectl --context production -n NAMESPACE …",
        )


RULE = Rule(
    code="WT101",
    name="kubectl-without-context",
    severity=Severity.WARNING,
    summary="`kubectl` changes something in an emergency without naming the cluster.",
    explanation=(
        "The current context is whatever the operator worked with last: at night often a test cluster, sometimes "
        "another customer's. The command succeeds there, and the outage goes on."
    ),
    silent=(
        "The runbook names a context, a kubeconfig or how to get one anywhere; the section is not about an "
        "emergency, recovery or production; the command only reads."
    ),
    check=_check,
    bad=(("# Outage\n\n```bash\n⟦kubectl⟧ rollout undo deployment/api\n```\n"),),
    good=(
        ("# Outage\n\n```bash\nkubectl --context production -n shop rollout undo deployment/api\n```\n"),
        (
            "# Outage\n\nBegin with `kubectl config use-context production`.\n\n```bash\n"
            "kubectl rollout undo deployment/api\n```\n"
        ),
    ),
)
