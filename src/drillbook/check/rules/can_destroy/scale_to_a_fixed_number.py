"""CD103: a scale-up that may scale down."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("kubectl", "oc"):
        words = [word.text for word in command.operands(frozenset({"--context", "--namespace"}))]
        replicas = command.find("--replicas")
        if words[:1] != ["scale"] or replicas is None or command.has("--current-replicas", "--help"):
            continue
        if command.setting("--replicas") not in (None, "0"):
            yield Found(
                replicas.span,
                "if more replicas run already, this takes some away, under load",
                "ask for the number first, and give it: --current-replicas=N",
            )


RULE = Rule(
    code="CD103",
    name="scale-to-a-fixed-number",
    severity=Severity.WARNING,
    summary="`kubectl scale` sets a fixed number of replicas, whatever runs now.",
    explanation=(
        "The autoscaler or the operator before may have gone beyond the runbook's number. The command that was to"
        " help then stops healthy pods in the middle of a peak."
    ),
    silent=("`--current-replicas` is given, or the number is 0, which means to stop."),
    check=_check,
    bad=(("# Scale\n\n```bash\nkubectl --context prod -n shop scale deployment api ⟦--replicas=5⟧\n```\n"),),
    good=(
        (
            "# Scale\n\n```bash\n"
            "kubectl --context prod -n shop scale deployment api --current-replicas=3 --replicas=5\n```\n"
        ),
    ),
)
