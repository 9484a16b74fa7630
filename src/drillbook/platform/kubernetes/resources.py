"""Which resources this cluster has, and the discovery documents that say so (unaggregated, which every kubectl accepts)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
VERSION = "v1.32.4"
METRICS = "metrics.k8s.io/v1beta1"
GROUPS = ("apps/v1", METRICS)


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object: its group and version, names, verbs, and subresources."""

    plural: str
    group_version: str
    kind: str
    short: str
    verbs: tuple[str, ...] = ("get", "list", "watch")
    subresources: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """Give the API group; the core group has none."""
        return self.group_version.rpartition("/")[0]


RESOURCES = {
    resource.plural: resource
    for resource in (
        Resource(
            "deployments", "apps/v1", "Deployment", "deploy", ("get", "list", "watch", "patch", "update"), ("scale",)
        ),
        Resource("replicasets", "apps/v1", "ReplicaSet", "rs"),
        Resource("pods", "v1", "Pod", "po", ("get", "list", "watch", "delete"), ("log",)),
        Resource("events", "v1", "Event", "ev"),
    )
}


def version() -> Json:
    """Give /version; a dispatching kubectl picks its sibling by the minor number."""
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    known = {"major": major, "minor": minor, "gitVersion": VERSION, "gitTreeState": "clean", "platform": "linux/amd64"}
    return {**known, "gitCommit": "", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": ""}


def core_versions() -> Json:
    """Give /api."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list() -> Json:
    """Give /apis."""
    groups = []
    for group_version in GROUPS:
        name, number = group_version.split("/")
        one = {"groupVersion": group_version, "version": number}
        groups.append({"name": name, "versions": [one], "preferredVersion": one})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def resource_list(group_version: str) -> Json:
    """Give /api/v1 or /apis/<group>/<version>."""
    if group_version == METRICS:
        found = [_entry("pods", "PodMetrics", ("get", "list"))]
    else:
        found = [entry for r in RESOURCES.values() if r.group_version == group_version for entry in _entries(r)]
    if group_version == "v1":
        found.append({**_entry("namespaces", "Namespace", ("get", "list")), "namespaced": False, "shortNames": ["ns"]})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": found}


def _entries(resource: Resource) -> list[Json]:
    main = _entry(resource.plural, resource.kind, resource.verbs)
    categories = [] if resource.plural == "events" else ["all"]
    entries = [{**main, "shortNames": [resource.short], "categories": categories}]
    if "scale" in resource.subresources:
        scale = _entry(f"{resource.plural}/scale", "Scale", ("get", "patch", "update"))
        entries.append({**scale, "group": "autoscaling", "version": "v1"})
    if "log" in resource.subresources:
        entries.append(_entry(f"{resource.plural}/log", resource.kind, ("get",)))
    return entries


def _entry(name: str, kind: str, verbs: tuple[str, ...]) -> Json:
    singular = "" if "/" in name else kind.lower()
    return {"name": name, "singularName": singular, "namespaced": True, "kind": kind, "verbs": list(verbs)}
