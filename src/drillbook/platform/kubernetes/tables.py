"""What `kubectl get` prints: the server makes the table, kubectl only lays it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from drillbook.clock import SYSTEM_CLOCK

Json = dict[str, Any]
Cells = list[str | int]
WIDE = ("Containers", "Images", "Selector", "IP", "Node")


def table(resource: str, items: Sequence[Json], version: int) -> Json:
    """Give a meta.k8s.io/v1 Table of objects."""
    columns, row = TABLES[resource]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": str(version)},
        "columnDefinitions": [_column(name) for name in columns],
        "rows": [{"cells": row(item), "object": _partial(item)} for item in items],
    }


def _column(name: str) -> Json:
    kind = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": kind, "description": "", "priority": int(name in WIDE)}


def _partial(item: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def _deployment(item: Json) -> Cells:
    status, spec = item["status"], item["spec"]
    containers = spec["template"]["spec"]["containers"]
    return [
        item["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec['replicas']}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(item),
        ",".join(container["name"] for container in containers),
        ",".join(container["image"] for container in containers),
        ",".join(f"{key}={value}" for key, value in spec["selector"]["matchLabels"].items()),
    ]


def _replica_set(item: Json) -> Cells:
    status = item["status"]
    return [item["metadata"]["name"], item["spec"]["replicas"], status["replicas"], status["readyReplicas"], _age(item)]


def _pod(item: Json) -> Cells:
    containers = item["status"].get("containerStatuses", [])
    ready = sum(container["ready"] for container in containers)
    place = [item["status"].get("podIP", "<none>"), item["spec"].get("nodeName", "<none>")]
    return [
        item["metadata"]["name"],
        f"{ready}/{len(item['spec']['containers'])}",
        pod_status(item),
        0,
        _age(item),
        *place,
    ]


def pod_status(item: Json) -> str:
    """Give the word in the STATUS column."""
    if "deletionTimestamp" in item["metadata"]:
        return "Terminating"
    containers = item["status"].get("containerStatuses", [])
    state = containers[0]["state"] if containers else {}
    reason = (state.get("waiting") or state.get("terminated") or {}).get("reason")
    return str(reason or item["status"]["phase"])


def _event(item: Json) -> Cells:
    about = item["involvedObject"]
    return [_age(item), item["type"], item["reason"], f"{about['kind'].lower()}/{about['name']}", item["message"]]


TABLES: dict[str, tuple[tuple[str, ...], Callable[[Json], Cells]]] = {
    "deployments": (
        ("Name", "Ready", "Up-to-date", "Available", "Age", "Containers", "Images", "Selector"),
        _deployment,
    ),
    "replicasets": (("Name", "Desired", "Current", "Ready", "Age"), _replica_set),
    "pods": (("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node"), _pod),
    "events": (("Last Seen", "Type", "Reason", "Object", "Message"), _event),
}


def _age(item: Json) -> str:
    created = datetime.strptime(item["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    seconds = max(0, int((SYSTEM_CLOCK.wall() - created).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    return f"{minutes}m" if hours < 3 else f"{hours}h"
