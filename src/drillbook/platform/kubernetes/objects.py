"""An app as Kubernetes objects: a pure projection of what the platform really runs, so that no status can be invented.

A fleet is a ReplicaSet, an instance a Pod, a template a revision. The strategy is told as it is: all new pods first
(maxSurge 100%), the old ones after them (maxUnavailable 0).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drillbook.clock import SYSTEM_CLOCK
from drillbook.platform.app import App, Fleet, Template
from drillbook.platform.instance import NAME_ALPHABET, Instance, State
from drillbook.platform.kubernetes.store import Key, uid

Json = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"
NODE = "node-1"


@dataclass(slots=True)
class Own:
    """What a Deployment has beyond its app: labels, annotations, a pause and what waits for its end."""

    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    causes: dict[Template, str] = field(default_factory=dict)
    paused: bool = False
    waiting: Template | None = None


def time_of(moment: datetime) -> str:
    """Format a moment as Kubernetes does: RFC 3339, whole seconds, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def deployment_key(app: App) -> Key:
    """Give the place of an app's Deployment."""
    return Key("deployments", app.config.namespace, app.config.deployment or app.config.name)


def selector(app: App) -> dict[str, str]:
    """Give the labels that select an app's pods."""
    return {"app": deployment_key(app).name}


def template_json(app: App, template: Template) -> Json:
    """Give a pod template."""
    metadata: Json = {"labels": selector(app)}
    if template.annotations:
        metadata["annotations"] = dict(template.annotations)
    return {"metadata": metadata, "spec": _pod_spec(app, template)}


def _pod_spec(app: App, template: Template) -> Json:
    health = app.config.health
    container = {
        "name": deployment_key(app).name,
        "image": template.image,
        "ports": [
            {"name": name, "containerPort": port.port, "protocol": "TCP"} for name, port in app.config.ports.items()
        ],
        "readinessProbe": {
            "httpGet": {"path": health.path, "port": health.port, "scheme": health.scheme.upper()},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": 3,
            "successThreshold": 1,
        },
        "imagePullPolicy": "IfNotPresent",
    }
    return {"containers": [container], "restartPolicy": "Always", "terminationGracePeriodSeconds": 2}


def replica_set_key(app: App, template: Template) -> Key:
    """Give the place of a template's ReplicaSet: its name ends in the template's hash."""
    digest = hashlib.sha256(repr((template.image, template.annotations)).encode()).digest()
    text = "".join(NAME_ALPHABET[byte % len(NAME_ALPHABET)] for byte in digest[:10])
    return Key("replicasets", app.config.namespace, f"{deployment_key(app).name}-{text}")


def pod_key(app: App, template: Template, instance: Instance) -> Key:
    """Give the place of an instance's Pod."""
    return Key("pods", app.config.namespace, f"{replica_set_key(app, template).name}-{instance.suffix}")


def project(app: App, own: Own, generation: int) -> Mapping[Key, Json]:
    """Give every object that an app is seen as. `generation` is both the spec's and the one acted on."""
    objects = {deployment_key(app): _deployment(app, own, generation)}
    fleets = [fleet for fleet in (app.live, app.rolling) if fleet]
    for template, revision in app.revisions.items():
        own_fleets = [fleet for fleet in fleets if fleet.template == template]
        objects[replica_set_key(app, template)] = _replica_set(app, own, template, revision, own_fleets)
    for fleet in fleets:
        for instance in fleet.instances:
            objects[pod_key(app, fleet.template, instance)] = _pod(app, fleet.template, instance)
        if fleet.release is None:
            objects[_unpullable_key(app, fleet)] = _unpullable(app, fleet)
    for instance, template in app.retiring.items():
        objects[pod_key(app, template, instance)] = _pod(app, template, instance)
    return objects


def _deployment(app: App, own: Own, generation: int) -> Json:
    key = deployment_key(app)
    revision = app.revisions.get(app.desired, 1)
    spec: Json = {
        "replicas": app.replicas,
        "selector": {"matchLabels": selector(app)},
        "template": template_json(app, own.waiting or app.desired),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    return {
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "generation": generation,
            "creationTimestamp": time_of(app.shelf.get(1).created),
            "labels": {**selector(app), **own.labels},
            "annotations": {**own.annotations, REVISION: str(revision)},
        },
        "spec": {**spec, "paused": True} if own.paused else spec,
        "status": _deployment_status(app, own, generation),
    }


def _deployment_status(app: App, own: Own, generation: int) -> Json:
    updated = len(app.rolling.instances if app.rolling else app.live.instances)
    if app.rolling and app.rolling.release is None:
        updated = 1
    total = updated + (len(app.live.instances) if app.rolling else 0)
    ready = sum(instance.state is State.READY for instance in app.instances)
    done = app.rolling is None and ready == app.replicas
    available, since = ready >= app.replicas, time_of(app.live.created)
    progress = "DeploymentPaused" if own.paused else "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
    conditions = (
        (
            "Available",
            str(available),
            f"MinimumReplicas{'Available' if available else 'Unavailable'}",
            "minimum availability",
        ),
        ("Progressing", "Unknown" if own.paused else "True", progress, replica_set_key(app, app.desired).name),
    )
    counts = {
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, total - ready),
    }
    return {
        "observedGeneration": generation,
        **{name: count for name, count in counts.items() if count},  # the API leaves zeros out
        "conditions": [
            {"type": t, "status": s, "reason": r, "message": m, "lastUpdateTime": since, "lastTransitionTime": since}
            for t, s, r, m in conditions
        ],
    }


def _owned(owner: Key, kind: str) -> list[Json]:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner.name, "uid": uid(owner)}
    return [{**reference, "controller": True, "blockOwnerDeletion": True}]


def _replica_set(app: App, own: Own, template: Template, revision: int, fleets: list[Fleet]) -> Json:
    key = replica_set_key(app, template)
    labels = {**selector(app), HASH: key.name.rpartition("-")[2]}
    pods = template_json(app, template)
    pods["metadata"]["labels"] = labels
    instances = [instance for fleet in fleets for instance in fleet.instances]
    count = len(instances) + sum(fleet.release is None for fleet in fleets)
    ready = sum(instance.state is State.READY for instance in instances)
    annotations = {REVISION: str(revision), "deployment.kubernetes.io/desired-replicas": str(app.replicas)}
    if template in own.causes:
        annotations[CHANGE_CAUSE] = own.causes[template]
    release = app.release_of(template)
    return {
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "generation": 1,
            "creationTimestamp": time_of(release.created if release else app.live.created),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": _owned(deployment_key(app), "Deployment"),
        },
        "spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": pods},
        "status": {"replicas": count, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1},
    }


def _pod_metadata(app: App, template: Template, key: Key, created: datetime) -> Json:
    owner = replica_set_key(app, template)
    return {
        "name": key.name,
        "namespace": key.namespace,
        "generateName": owner.name + "-",
        "creationTimestamp": time_of(created),
        "labels": {**selector(app), HASH: owner.name.rpartition("-")[2]},
        "annotations": dict(template.annotations),
        "ownerReferences": _owned(owner, "ReplicaSet"),
    }


def _pod(app: App, template: Template, instance: Instance) -> Json:
    metadata = _pod_metadata(app, template, pod_key(app, template, instance), instance.created)
    if instance.retiring:
        metadata |= {"deletionTimestamp": time_of(instance.created), "deletionGracePeriodSeconds": 2}
    metadata["annotations"] = {**metadata["annotations"], "drillbook/pid": str(instance.pid or "")}
    started = time_of(instance.created)
    if instance.state is State.PENDING:
        return _unscheduled(app, template, metadata)
    if instance.state is State.EXITED:
        end = {"exitCode": _exit_code(instance), "reason": "Error", "startedAt": started, "finishedAt": started}
        return _with_status(app, template, metadata, "Failed", {"terminated": end}, ready=False)
    ready = instance.state is State.READY
    return _with_status(app, template, metadata, "Running", {"running": {"startedAt": started}}, ready=ready)


def _unscheduled(app: App, template: Template, metadata: Json) -> Json:
    """Give the pod of an instance for which the cluster has no room, as the scheduler leaves it."""
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Too many pods.",
        "lastTransitionTime": metadata["creationTimestamp"],
        "lastProbeTime": None,
    }
    status = {"phase": "Pending", "conditions": [condition], "qosClass": "BestEffort"}
    return {"metadata": metadata, "spec": _pod_spec(app, template), "status": status}


def _exit_code(instance: Instance) -> int:
    status = instance.exit_status or 0
    return 128 - status if status < 0 else status


def _with_status(app: App, template: Template, metadata: Json, phase: str, state: Json, *, ready: bool) -> Json:
    host = app.config.ports[app.config.health.port].host
    created = metadata["creationTimestamp"]
    conditions = [
        {"type": name, "status": str(value), "lastTransitionTime": created, "lastProbeTime": None}
        for name, value in (("PodScheduled", True), ("Initialized", True), ("ContainersReady", ready), ("Ready", ready))
    ]
    spec = _pod_spec(app, template)
    container = {
        "name": spec["containers"][0]["name"],
        "image": template.image,
        "imageID": template.image,
        "ready": ready,
        "started": "running" in state,
        "restartCount": 0,
        "state": state,
    }
    status = {
        "phase": phase,
        "podIP": host,
        "podIPs": [{"ip": host}],
        "hostIP": host,
        "startTime": created,
        "conditions": conditions,
        "containerStatuses": [container],
        "qosClass": "BestEffort",
    }
    return {"metadata": metadata, "spec": {**spec, "nodeName": NODE}, "status": status}


def _unpullable_key(app: App, fleet: Fleet) -> Key:
    return Key("pods", app.config.namespace, f"{replica_set_key(app, fleet.template).name}-nopul")


def _unpullable(app: App, fleet: Fleet) -> Json:
    """Give the pod of an image that the shelf does not hold: it waits, and the old pods go on serving."""
    metadata = _pod_metadata(app, fleet.template, _unpullable_key(app, fleet), fleet.created)
    waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{fleet.template.image}"'}
    return _with_status(app, fleet.template, metadata, "Pending", {"waiting": waiting}, ready=False)


def event(about: Key, kind: str, reason: str, message: str, *, type_: str = "Normal") -> Json:
    """Give an Event about an object, that happened now."""
    now = time_of(SYSTEM_CLOCK.wall())
    involved = {"kind": kind, "namespace": about.namespace, "name": about.name, "uid": uid(about)}
    return {
        "metadata": {"namespace": about.namespace, "creationTimestamp": now},
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": type_,
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": "deployment-controller" if kind == "Deployment" else "kubelet"},
    }
