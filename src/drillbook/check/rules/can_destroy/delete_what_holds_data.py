"""CD114: a deletion that takes stored data with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Kind, Rule, Severity, SimpleCommand, Span

_HOLDS = {
    "namespace": "everything in the namespace, its volumes too",
    "pvc": "the volume and what is on it, where its class says Delete",
    "pv": "the volume and what is on it, where its policy says Delete",
    "crd": "every object of that kind in the cluster",
}
_NAMES = {
    "namespaces": "namespace",
    "ns": "namespace",
    "persistentvolumeclaim": "pvc",
    "persistentvolumeclaims": "pvc",
    "persistentvolume": "pv",
    "persistentvolumes": "pv",
    "customresourcedefinition": "crd",
    "customresourcedefinitions": "crd",
    "crds": "crd",
}
_SAVED = re.compile(
    r"back(?:ed)?[ -]?up|snapshot|\bdump|\brestor|archive|replica\b|export|velero|reclaim", re.IGNORECASE
)
_KUBECTL = frozenset({"--namespace", "--context", "--kubeconfig", "--cluster", "--user"})
_AWAY = (Kind.DEVELOPMENT, Kind.STAGING)


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("kubectl", "oc", "docker", "docker-compose", "podman", "terraform", "tofu"):
        found = _deletes(command)
        if found is None or _SAVED.search(document.text, 0, command.span.start):
            continue
        if document.kinds_at(command.line).intersection(_AWAY):
            continue
        span, lost = found
        yield Found(
            span,
            f"this deletes {lost}: no step above makes a backup, and none says that there is one",
            "make a backup or a snapshot and look at it first",
        )


def _deletes(command: SimpleCommand) -> tuple[Span, str] | None:
    """Give the words that delete and what is lost, None where nothing stored is."""
    if command.name in ("kubectl", "oc"):
        return _of_kubectl(command)
    operands = command.operands(frozenset({"--file", "--project-name", "--context", "--profile"}))
    words = [word.text for word in operands]
    if command.name in ("terraform", "tofu"):
        sure = next((word for word in command.arguments if word.text in ("-auto-approve", "--auto-approve")), None)
        return (sure.span, "all that Terraform made") if words[:1] == ["destroy"] and sure else None
    if command.name == "docker-compose" or words[:1] == ["compose"]:
        volumes = next((word for word in command.arguments if word.text in ("-v", "--volumes")), None)
        return (volumes.span, "the services' named volumes") if "down" in words and volumes else None
    if words[:1] == ["volume"] and words[1:2] and words[1] in ("rm", "remove", "prune"):
        return operands[1].span, "volumes and what is on them"
    volumes = command.find("--volumes")
    return (
        (volumes.span, "volumes that no container uses just now")
        if words[:2] == ["system", "prune"] and volumes
        else None
    )


def _of_kubectl(command: SimpleCommand) -> tuple[Span, str] | None:
    operands = command.operands(_KUBECTL)
    if len(operands) < 2 or operands[0].value != "delete" or command.has("--dry-run"):
        return None
    for kind in operands[1].text.split("/")[0].split(","):
        lost = _HOLDS.get(_NAMES.get(kind.lower(), kind.lower()))
        if lost:
            return operands[1].span, lost
    return None


RULE = Rule(
    code="CD114",
    name="delete-what-holds-data",
    severity=Severity.WARNING,
    summary="A namespace, a volume or a whole environment is deleted, and nothing above speaks of a backup.",
    explanation=(
        "A pod comes back by itself; the volume below it does not. `kubectl delete pvc`, `docker compose down -v` and their "
        "like look as harmless as a restart and are typed in the same hurry."
    ),
    silent=(
        "A backup, snapshot, dump, archive, export, replica or reclaim policy is spoken of anywhere above; the section is about "
        "development, tests or staging; it is a dry run; what is deleted is made anew by itself (pods, jobs, deployments)."
    ),
    check=_check,
    bad=(
        "# Stuck volume\n\n```bash\nkubectl --context prod -n shop delete ⟦pvc⟧ data-db-0\n```\n",
        "# Start afresh\n\n```bash\ndocker compose down ⟦-v⟧\n```\n",
    ),
    good=(
        "# Stuck pod\n\n```bash\nkubectl --context prod -n shop delete pod shop-1\n```\n",
        "# Stuck volume\n\nThe snapshot of last night is looked at first.\n\n```bash\n"
        "kubectl --context prod -n shop delete pvc data-db-0\n```\n",
        "# Start afresh\n\n```bash\ndocker compose down\n```\n",
    ),
    url="https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming",
)
