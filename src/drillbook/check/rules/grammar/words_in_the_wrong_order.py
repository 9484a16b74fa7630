"""GR111: subcommands that the tool does not have, or in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity, SimpleCommand

_VERBS = frozenset({"start", "stop", "restart", "reload", "status", "enable", "disable", "try-restart", "force-reload"})
_KUBECTL = {
    "restart": "kubectl rollout restart deployment/NAME",
    "rollback": "kubectl rollout undo deployment/NAME",
    "undo": "kubectl rollout undo deployment/NAME",
    "list": "kubectl get …",
    "ls": "kubectl get …",
    "show": "kubectl get … or kubectl describe …",
    "ps": "kubectl get pods",
    "start": "kubectl scale --replicas=N deployment/NAME",
    "stop": "kubectl scale --replicas=0 deployment/NAME",
    "remove": "kubectl delete …",
    "rm": "kubectl delete …",
}
_HELM = {"undo": "helm rollback RELEASE REVISION", "deploy": "helm upgrade --install …", "remove": "helm uninstall …"}
_DOCKER = {"list": "docker ps", "delete": "docker rm …", "status": "docker ps", "log": "docker logs …"}
_WITH_VALUE = frozenset(
    {"--namespace", "--context", "--kubeconfig", "--kube-context", "--cluster", "--user", "--host", "--log-level"}
)


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("systemctl", "service"):
        yield from _of_services(command)
    for command in document.commands("kubectl", "helm", "docker"):
        known = {"kubectl": _KUBECTL, "helm": _HELM, "docker": _DOCKER}[command.name]
        operands = command.operands(_WITH_VALUE)
        mend = known.get(operands[0].value or "") if operands else None
        if mend:
            yield Found(
                operands[0].span,
                f"{command.name} has no subcommand {operands[0].value}: it ends with an error, and nothing was done",
                mend,
                severity=Severity.WARNING,  # a plugin of that name may be installed
            )


def _of_services(command: SimpleCommand) -> Iterator[Found]:
    operands = command.operands()
    if len(operands) != 2 or command.has("--help", "--status-all"):
        return
    first, second = operands[0].value, operands[1].value
    if first is None or second is None:
        return
    swapped = (
        second in _VERBS and first not in _VERBS
        if command.name == "systemctl"
        else first in _VERBS and second not in _VERBS
    )
    if swapped and (command.name == "service" or first.replace("-", "").replace(".", "").replace("@", "").isalnum()):
        if command.name == "systemctl" and first in _OTHER_VERBS:
            return
        yield Found(
            operands[0].span,
            f"{command.name} takes {'the verb first' if command.name == 'systemctl' else 'the service first'}: "
            f"it knows no {'verb' if command.name == 'systemctl' else 'service'} {first}, and nothing was done",
            f"{command.name} {second} {first}",
        )


_OTHER_VERBS = frozenset(
    {
        "is-active",
        "is-enabled",
        "is-failed",
        "show",
        "cat",
        "edit",
        "mask",
        "unmask",
        "help",
        "kill",
        "list-units",
        "isolate",
    }
    | {
        "reset-failed",
        "list-dependencies",
        "list-unit-files",
        "link",
        "revert",
        "preset",
        "reenable",
        "set-property",
        "clean",
    }
    | {"freeze", "thaw", "reload-or-restart", "try-reload-or-restart", "add-wants", "add-requires", "whoami", "bind"}
)


RULE = Rule(
    code="GR111",
    name="words-in-the-wrong-order",
    severity=Severity.ERROR,
    summary="A subcommand that the tool does not have: `kubectl restart`, `systemctl NAME restart`.",
    explanation=(
        "`systemctl` wants the verb first and `service` the name; `kubectl` restarts by `rollout restart` and takes a release "
        "back by `rollout undo`. Written from memory, the line ends with a usage text in the minute in which it counts."
    ),
    silent=(
        "The words are not among those that are known to be wrong; the shell decides one of them. Of `kubectl`, `helm` and "
        "`docker` it only warns, since a plugin may have brought the subcommand."
    ),
    check=_check,
    bad=(
        "# Restart\n\n```bash\nsystemctl ⟦shop⟧ restart\n```\n",
        "# Restart\n\n```bash\nservice ⟦restart⟧ shop\n```\n",
        "# Roll back\n\n```bash\nkubectl --context prod -n shop ⟦rollback⟧ deployment/shop\n```\n",
    ),
    good=(
        "# Restart\n\n```bash\nsystemctl restart shop\nservice shop status\n```\n",
        "# Roll back\n\n```bash\nkubectl --context prod -n shop rollout undo deployment/shop\n```\n",
        "# Ask\n\n```bash\nsystemctl is-active shop\nsystemctl --no-pager status shop\n```\n",
    ),
)
