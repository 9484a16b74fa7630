"""`kubectl` for machines without the real one: the commands of a rollback and a scaling, over the same API.

Texts and exit codes are the real one's. Anything beyond it (apply, create, exec, …) is refused, never pretended.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from drillbook.clock import SYSTEM_CLOCK, rfc3339
from drillbook.shims.https import JsonServer

Json = dict[str, Any]
VALUES = {
    "--namespace": "-n",
    "--output": "-o",
    "--selector": "-l",
    "--context": "",
    "--kubeconfig": "",
    "--replicas": "",
    "--current-replicas": "",
    "--timeout": "",
    "--to-revision": "",
    "--request-timeout": "",
    "--token": "",
}
FLAGS = {"--all-namespaces": "-A", "--no-headers": "", "--watch": "-w", "--client": ""}
KINDS = {
    **dict.fromkeys(("deployment", "deployments", "deploy", "deployment.apps", "deployments.apps"), "deployments"),
    **dict.fromkeys(("replicaset", "replicasets", "rs", "replicaset.apps", "replicasets.apps"), "replicasets"),
    **dict.fromkeys(("pod", "pods", "po"), "pods"),
    **dict.fromkeys(("event", "events", "ev"), "events"),
}
PREFIX = {"deployments": "deployment.apps", "replicasets": "replicaset.apps", "pods": "pod", "events": "event"}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
REVISION = "deployment.kubernetes.io/revision"
CLIENT_VERSION = "Client Version: v1.32.4-drillbook"
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class Failed(Exception):
    """End with status 1 and this message."""


@dataclass(slots=True)
class Line:
    """A parsed command line."""

    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)


def main(arguments: list[str]) -> int:
    """Perform one command line; give the exit status."""
    try:
        if arguments and not arguments[0].startswith("-") and not any(c.split()[0] == arguments[0] for c in COMMANDS):
            raise Failed(f'error: unknown command "{arguments[0]}" for "kubectl" in this sandbox')
        line = parse(arguments)
        verbs = line.words[:2] if line.words[:1] == ["rollout"] else line.words[:1]
        action = COMMANDS.get(" ".join(verbs))
        if action is None:
            raise Failed(f'error: unknown command "{" ".join(verbs)}" for "kubectl" in this sandbox')
        line.words = line.words[len(verbs) :]
        if action is version and "--client" in line.options:
            print(CLIENT_VERSION)
            return 0
        action(Cluster.of(line), line)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def parse(arguments: list[str]) -> Line:
    """Tell words from flags; raise Failed for an unknown one."""
    line, rest = Line(), list(arguments)
    shorts = {short: name for name, short in {**VALUES, **FLAGS}.items() if short}
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            line.words.append(word)
            continue
        name, given, value = word.partition("=")
        if not name.startswith("--") and len(name) > 2:  # -nproduction
            name, given, value = name[:2], "=", name[2:] + given + value
        name = shorts.get(name, name)
        if name in VALUES and not given:
            if not rest:
                raise Failed(f"error: flag needs an argument: {word}")
            value = rest.pop(0)
        elif name not in VALUES and name not in FLAGS:
            raise Failed(f"error: unknown flag: {name}")
        line.options[name] = value
    return line


class Cluster:
    """The API server of a context."""

    def __init__(self, server: JsonServer, namespace: str) -> None:
        self._server = server
        self.namespace = namespace

    @classmethod
    def of(cls, line: Line) -> Cluster:
        """Read the kubeconfig."""
        default = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        file = Path(line.options.get("--kubeconfig") or default)
        config = yaml.safe_load(file.read_text()) if file.exists() else {}
        wanted = line.options.get("--context") or config.get("current-context", "")
        context = _named(config, "context", wanted)
        if context is None and line.options.get("--context"):
            raise Failed(f"Error in configuration: context was not found for specified context: {wanted}")
        if context is None:
            raise Failed(
                "The connection to the server localhost:8080 was refused - did you specify the right host or port?"
            )
        cluster = _named(config, "cluster", context["cluster"]) or {}
        user = _named(config, "user", context["user"]) or {}
        token = line.options.get("--token") or user.get("token")
        server = JsonServer(cluster["server"], ca_file=cluster.get("certificate-authority"), token=token)
        return cls(server, line.options.get("--namespace") or context.get("namespace", "default"))

    def path(self, kind: str, name: str = "", *, everywhere: bool = False) -> str:
        """Give the path of a resource or an object."""
        base = "/apis/apps/v1" if kind in ("deployments", "replicasets") else "/api/v1"
        inside = "" if everywhere else f"/namespaces/{quote(self.namespace)}"
        return f"{base}{inside}/{kind}" + (f"/{quote(name)}" if name else "")

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Json:
        """Call the API; raise Failed with the words of kubectl for the server's refusal."""
        try:
            answer = self._server.call(method, path, body, **headers)
        except ConnectionRefusedError:
            place = self._server.address.netloc
            raise Failed(
                f"The connection to the server {place} was refused - did you specify the right host or port?"
            ) from None
        except OSError as error:
            raise Failed(f"Unable to connect to the server: {error}") from error
        if answer.status == 401:
            raise Failed("error: You must be logged in to the server (Unauthorized)")
        if not answer.ok:
            raise Failed(f"Error from server ({answer.body['reason']}): {answer.body['message']}")
        return dict(answer.body)


def get(cluster: Cluster, line: Line) -> None:
    """Print objects: a table, names, or JSON."""
    if not line.words:
        raise Failed("error: Required resource not specified.")
    kind, names = _target(line)
    output = line.options.get("--output", "")
    if output not in ("", "wide", "name", "json"):
        raise Failed(f'error: unable to match a printer suitable for the output format "{output}" in this sandbox')
    query = f"?labelSelector={quote(line.options['--selector'])}" if "--selector" in line.options else ""
    everywhere = "--all-namespaces" in line.options
    paths = [cluster.path(kind, name) for name in names] or [cluster.path(kind, everywhere=everywhere) + query]
    accept = TABLE if output in ("", "wide") else "application/json"
    found = [cluster.call("GET", path, Accept=accept) for path in paths]
    if output == "json":
        print(
            json.dumps(found[0] if len(found) == 1 else {"apiVersion": "v1", "kind": "List", "items": found}, indent=4)
        )
    elif output == "name":
        for item in [one for answer in found for one in answer.get("items", [answer])]:
            print(f"{PREFIX[kind]}/{item['metadata']['name']}")
    else:
        _print_table(found, wide=output == "wide", header="--no-headers" not in line.options, cluster=cluster)


def scale(cluster: Cluster, line: Line) -> None:
    """Set a deployment's number of replicas."""
    if not re.fullmatch(r"\d+", line.options.get("--replicas", "")):
        raise Failed("error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    wanted = int(line.options["--replicas"])
    kind, names = _target(line)
    for name in names:
        _scale_one(cluster, line, cluster.path(kind, name), wanted)
        print(f"deployment.apps/{name} scaled")


def _scale_one(cluster: Cluster, line: Line, path: str, wanted: int) -> None:
    try:
        present = cluster.call("GET", path)["spec"]["replicas"]
    except Failed as failure:
        missing = re.fullmatch(r"Error from server \(NotFound\): (.*)", str(failure))
        raise Failed(f"error: no objects passed to scale {missing[1]}") if missing else failure from None
    expected = line.options.get("--current-replicas")
    if expected not in (None, "-1", str(present)):
        raise Failed(f"error: Expected replicas to be {expected}, was {present}")
    patch = {"spec": {"replicas": wanted}}
    cluster.call("PATCH", f"{path}/scale", patch, Content_Type="application/merge-patch+json")
    if _seconds(line.options.get("--timeout", "0")):
        _wait(line, lambda: cluster.call("GET", f"{path}/scale")["status"]["replicas"] == wanted)


def rollout_status(cluster: Cluster, line: Line) -> None:
    """Follow a rollout to its end."""
    kind, names = _target(line)
    said = ""

    def finished() -> bool:
        nonlocal said
        text, done = _progress(cluster.call("GET", cluster.path(kind, names[0])))
        if text != said or done:
            print(text, flush=True)
        said = text
        return done or line.options.get("--watch") == "false"

    _wait(line, finished)


def rollout_history(cluster: Cluster, line: Line) -> None:
    """List a deployment's revisions."""
    kind, names = _target(line)
    cluster.call("GET", cluster.path(kind, names[0]))
    print(f"deployment.apps/{names[0]} \nREVISION  CHANGE-CAUSE")
    for revision, replica_set in sorted(_revisions(cluster, names[0]).items()):
        cause = replica_set["metadata"]["annotations"].get("kubernetes.io/change-cause", "<none>")
        print(f"{revision:<10}{cause}")
    print()


def rollout_undo(cluster: Cluster, line: Line) -> None:
    """Go back to a revision, by default the one before the present."""
    kind, names = _target(line)
    deployment = cluster.call("GET", cluster.path(kind, names[0]))
    revisions = _revisions(cluster, names[0])
    present = int(deployment["metadata"]["annotations"][REVISION])
    wanted = int(line.options.get("--to-revision", "0")) or max((r for r in revisions if r != present), default=0)
    if not wanted:
        raise Failed(f'error: no rollout history found for deployment "{names[0]}"')
    if wanted not in revisions:
        raise Failed(f"error: unable to find specified revision {wanted} in history")
    if wanted == present:
        print(f"deployment.apps/{names[0]} skipped rollback (current template already matches revision {wanted})")
        return
    template = revisions[wanted]["spec"]["template"]
    template["metadata"]["labels"].pop("pod-template-hash", None)
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    cluster.call("PATCH", cluster.path(kind, names[0]), patch, Content_Type="application/json-patch+json")
    print(f"deployment.apps/{names[0]} rolled back")


def rollout_restart(cluster: Cluster, line: Line) -> None:
    """Replace every pod of a deployment."""
    kind, names = _target(line)
    stamp = {"kubectl.kubernetes.io/restartedAt": rfc3339(SYSTEM_CLOCK.wall())}
    patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    path = cluster.path(kind, names[0])
    cluster.call("PATCH", path, patch, Content_Type="application/strategic-merge-patch+json")
    print(f"deployment.apps/{names[0]} restarted")


def describe(cluster: Cluster, line: Line) -> None:
    """Print what matters of a deployment or a pod, and its events."""
    kind, names = _target(line)
    for name in names or [item["metadata"]["name"] for item in cluster.call("GET", cluster.path(kind))["items"]]:
        item = cluster.call("GET", cluster.path(kind, name))
        status = item["status"]
        print(f"Name:         {name}\nNamespace:    {cluster.namespace}")
        if kind == "deployments":
            counts = [f"{item['spec']['replicas']} desired"]
            counts += [f"{status.get(key + 'Replicas', 0)} {key}" for key in ("updated", "available", "unavailable")]
            image = item["spec"]["template"]["spec"]["containers"][0]["image"]
            print(f"Replicas:     {' | '.join(counts)}\nImage:        {image}")
        else:
            print(f"Status:       {status.get('phase', '')}")
        events = cluster.call("GET", cluster.path("events") + f"?fieldSelector=involvedObject.name={quote(name)}")[
            "items"
        ]
        print("Events:" + ("" if events else "       <none>"))
        for event in events:
            print(f"  {event['type']}  {event['reason']}  {event['message']}")


def version(cluster: Cluster, _line: Line) -> None:
    """Print the versions."""
    print(f"{CLIENT_VERSION}\nServer Version: {cluster.call('GET', '/version')['gitVersion']}")


COMMANDS: dict[str, Callable[[Cluster, Line], None]] = {
    "get": get,
    "scale": scale,
    "describe": describe,
    "version": version,
    "rollout status": rollout_status,
    "rollout history": rollout_history,
    "rollout undo": rollout_undo,
    "rollout restart": rollout_restart,
}


def _progress(deployment: Json) -> tuple[str, bool]:
    """Say how far a rollout is, in the words of kubectl's deployment status viewer."""
    name, spec, status = deployment["metadata"]["name"], deployment["spec"], deployment["status"]
    wanted, total = spec["replicas"], status.get("replicas", 0)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return "Waiting for deployment spec update to be observed...", False
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...", False
    if total > updated:
        return f"{waiting}{total - updated} old replicas are pending termination...", False
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...", False
    return f'deployment "{name}" successfully rolled out', True


def _revisions(cluster: Cluster, deployment: str) -> dict[int, Json]:
    items = cluster.call("GET", cluster.path("replicasets"))["items"]
    owned = [item for item in items if item["metadata"]["ownerReferences"][0]["name"] == deployment]
    return {int(item["metadata"]["annotations"][REVISION]): item for item in owned}


def _target(line: Line) -> tuple[str, list[str]]:
    """Read `deployment NAME…` or `deployment/NAME…`."""
    if not line.words:
        raise Failed("error: resource(s) were provided, but no name was specified")
    word, *names = line.words
    if "/" in word:
        pairs = [one.split("/", 1) for one in line.words]
        word, names = pairs[0][0], [pair[-1] for pair in pairs]
    if word not in KINDS:
        raise Failed(f'error: the server doesn\'t have a resource type "{word}"')
    return KINDS[word], names


def _wait(line: Line, condition: Callable[[], bool]) -> None:
    limit = _seconds(line.options.get("--timeout", "0s"))
    deadline = SYSTEM_CLOCK.now() + limit
    while not condition():
        if limit and SYSTEM_CLOCK.now() >= deadline:
            raise Failed("error: timed out waiting for the condition")
        SYSTEM_CLOCK.sleep(0.1)


def _seconds(text: str) -> float:
    """Read a duration of Go: `90s`, `1m30s`, `500ms`, or 0."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if text != "0" and "".join(number + unit for number, unit in parts) != text:
        raise Failed(f'error: invalid argument "{text}" for "--timeout" flag: time: invalid duration "{text}"')
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def _print_table(tables: list[Json], *, wide: bool, header: bool, cluster: Cluster) -> None:
    columns = [i for i, column in enumerate(tables[0]["columnDefinitions"]) if wide or not column["priority"]]
    rows = [[str(row["cells"][i]) for i in columns] for table in tables for row in table["rows"]]
    if not rows:
        print(f"No resources found in {cluster.namespace} namespace.", file=sys.stderr)
        return
    titles = [tables[0]["columnDefinitions"][i]["name"].upper() for i in columns]
    shown = [titles, *rows] if header else rows
    widths = [max(len(row[i]) for row in shown) + 3 for i in range(len(columns) - 1)] + [0]
    for row in shown:
        print("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def _named(config: Json, kind: str, name: str) -> Json | None:
    return next((item[kind] for item in config.get(f"{kind}s") or [] if item["name"] == name), None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
