"""DE111: subcommands and options that the tools no longer have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from drillbook.check import Document, Found, Rule, Severity


@dataclass(frozen=True, slots=True)
class _Gone:
    """What is gone: the subcommands that begin the operands, an option with them ("" for the subcommand itself)."""

    tool: str
    subcommands: tuple[str, ...]
    option: str
    since: str
    mend: str


_GONE = (
    _Gone("helm", ("delete",), "--purge", "Helm 3", "helm uninstall RELEASE"),
    _Gone("helm", ("del",), "--purge", "Helm 3", "helm uninstall RELEASE"),
    _Gone("helm", ("init",), "", "Helm 3", "nothing: Helm has no server part any more"),
    _Gone("helm", ("serve",), "", "Helm 3", "a chart registry: helm push"),
    _Gone("kubectl", ("rolling-update",), "", "Kubernetes 1.18", "kubectl set image and kubectl rollout status"),
    _Gone("kubectl", ("get",), "--export", "Kubernetes 1.18", "kubectl get … -o yaml, without status and uid"),
    _Gone("kubectl", ("run",), "--generator", "Kubernetes 1.21", "kubectl run (a pod) or kubectl create deployment"),
    _Gone("aws", ("ecr", "get-login"), "", "AWS CLI 2", "aws ecr get-login-password | docker login --password-stdin …"),
)
_TOOLS = tuple(sorted({gone.tool for gone in _GONE}))
_VALUED = frozenset(
    {"--namespace", "--context", "--kubeconfig", "--kube-context", "--region", "--profile", "--project"}
)


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands(*_TOOLS):
        operands = command.operands(_VALUED)
        words = tuple(word.value for word in operands)
        for gone in _GONE:
            if gone.tool != command.name or words[: len(gone.subcommands)] != gone.subcommands:
                continue
            word = command.find(gone.option) if gone.option else operands[len(gone.subcommands) - 1]
            if word is not None:
                yield Found(
                    word.span,
                    f"{gone.tool} {' '.join(gone.subcommands)} {gone.option}".rstrip() + f" is gone since {gone.since}",
                    gone.mend,
                )


RULE = Rule(
    code="DE111",
    name="removed-subcommand",
    severity=Severity.WARNING,
    summary="A subcommand or option that its tool no longer has.",
    explanation=(
        "The runbook is older than the tool on the operator's machine. `helm delete --purge` was the way to remove a release "
        "until Helm 3; today it ends with “unknown flag”, and the release is still there."
    ),
    silent=(
        "It is only deprecated and still works, or not in the short list of what is known to be gone: from Helm 3, kubectl 1.18 "
        "and 1.21, and AWS CLI 2."
    ),
    check=_check,
    bad=(
        "# Remove a release\n\n```bash\nhelm -n shop delete ⟦--purge⟧ shop\n```\n",
        "# Roll out\n\n```bash\nkubectl --context prod -n shop ⟦rolling-update⟧ shop --image=shop:2\n```\n",
        "# Log in\n\n```bash\naws ecr ⟦get-login⟧ --region eu-west-1\n```\n",
    ),
    good=(
        "# Remove a release\n\n```bash\nhelm -n shop uninstall shop\n```\n",
        "# Roll out\n\n```bash\nkubectl --context prod -n shop set image deployment/shop shop=shop:2\n"
        "kubectl --context prod -n shop rollout status deployment/shop --timeout=60s\n```\n",
    ),
    url="https://helm.sh/docs/faq/changes_since_helm2/",
)
