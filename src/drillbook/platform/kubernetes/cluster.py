"""The cluster: keeps the store true to the apps, and turns what is written to a Deployment into deeds of its app."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from drillbook.platform.app import App, Template
from drillbook.platform.config import MOST_REPLICAS
from drillbook.platform.instance import Instance
from drillbook.platform.kubernetes.errors import conflict, invalid, not_found
from drillbook.platform.kubernetes.objects import (
    CHANGE_CAUSE,
    REVISION,
    Own,
    deployment_key,
    event,
    pod_key,
    project,
    selector,
    template_json,
)
from drillbook.platform.kubernetes.store import Key, Store

Json = dict[str, Any]
NAMESPACES = ("default", "kube-system")


class Cluster:
    """The objects of some apps."""

    def __init__(self, apps: Sequence[App]) -> None:
        self.store = Store()
        self._apps = {deployment_key(app): app for app in apps}
        self._own = {app: Own() for app in apps}
        self._shown: dict[App, set[Key]] = {app: set() for app in apps}
        self._due: set[App] = set()
        for app in apps:
            app.subscribe(lambda app=app: self._sync_soon(app))
            self._sync_soon(app)

    def reset(self) -> None:
        """Forget pauses, annotations, labels and causes; versions and history go on."""
        for app in self._own:
            self._own[app] = Own()
            self._sync_soon(app)

    @property
    def namespaces(self) -> list[str]:
        """Give the namespaces by name."""
        return sorted({*NAMESPACES, *(key.namespace for key in self._apps)})

    def deployment(self, namespace: str, name: str) -> Json:
        """Give a Deployment; raise ApiError 404."""
        key = Key("deployments", namespace, name)
        if app := self._apps.get(key):
            self._sync(app)
        return self.store.get(key)

    def instance(self, pod: Key) -> tuple[App, Instance]:
        """Give the instance behind a pod; raise ApiError 404."""
        for app in self._apps.values():
            fleets = [fleet for fleet in (app.live, app.rolling) if fleet]
            pairs = [(instance, fleet.template) for fleet in fleets for instance in fleet.instances]
            for instance, template in [*pairs, *app.retiring.items()]:
                if pod_key(app, template, instance) == pod:
                    return app, instance
        raise not_found("pods", "", pod.name)

    def delete_pod(self, pod: Key, *, dry_run: bool) -> Json:
        """Retire a pod's instance; its ReplicaSet starts another. Gives the pod as it was."""
        found = self.store.get(pod)
        app, instance = self.instance(pod)
        if not dry_run:
            app.replace(instance)
            self._sync(app)
        return found

    def write(self, old: Json, new: Json, *, dry_run: bool = False) -> Json:
        """Have the app become what a new version of its Deployment says. Raises ApiError 409 or 422."""
        name, namespace = old["metadata"]["name"], old["metadata"]["namespace"]
        if new["metadata"].get("resourceVersion") not in (None, "", old["metadata"]["resourceVersion"]):
            raise conflict(name)
        app = self._apps[Key("deployments", namespace, name)]
        template = self._template(app, old, new)
        replicas = _replicas(name, new["spec"].get("replicas", 1))
        if dry_run:
            return new
        own = self._own[app]
        annotations = new["metadata"].get("annotations") or {}
        own.annotations = {k: v for k, v in annotations.items() if k != REVISION}
        own.labels = new["metadata"].get("labels") or {}
        own.paused = bool(new["spec"].get("paused"))
        if CHANGE_CAUSE in own.annotations:
            own.causes[template] = own.annotations[CHANGE_CAUSE]
        own.waiting = template if own.paused and template != app.desired else None
        if replicas != app.replicas:
            app.scale(replicas)
        if not own.paused and template != app.desired:
            app.adopt(template)
        self._sync(app)
        return self.store.get(deployment_key(app))

    def _template(self, app: App, old: Json, new: Json) -> Template:
        """Read a template; refuse what this cluster could only pretend to do."""
        name = old["metadata"]["name"]
        pod = new["spec"].get("template") or {}
        containers = (pod.get("spec") or {}).get("containers") or []
        if not containers or not containers[0].get("image"):
            raise invalid(name, "spec.template.spec.containers[0].image: Required value")
        annotations = (pod.get("metadata") or {}).get("annotations") or {}
        template = Template(containers[0]["image"], tuple(sorted(annotations.items())))
        if (pod.get("metadata") or {}).get("labels") != selector(app):
            raise invalid(
                name, "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
            )
        rest = ("selector", "strategy", "revisionHistoryLimit", "progressDeadlineSeconds", "minReadySeconds")
        same = all(_prune(old["spec"].get(key)) == _prune(new["spec"].get(key)) for key in rest)
        if not same or _prune(pod) != _prune(template_json(app, template)):
            raise invalid(
                name,
                "spec: Forbidden: this cluster runs numbered releases: only replicas, paused, the template's image and "
                "the template's annotations can change",
            )
        return template

    def _sync_soon(self, app: App) -> None:
        if app not in self._due:
            self._due.add(app)
            asyncio.get_running_loop().call_soon(self._sync, app)

    def _sync(self, app: App) -> None:
        """Store what the app looks like now; note what is worth an event."""
        self._due.discard(app)
        own = self._own[app]
        own.causes = {
            template: cause for template, cause in own.causes.items() if template in app.revisions or own.waiting
        }
        old = self.store.find(deployment_key(app))
        generation = old["metadata"]["generation"] if old else 1
        objects = project(app, own, generation)
        if old and objects[deployment_key(app)]["spec"] != old["spec"]:
            objects = project(app, own, generation + 1)
        for key, found in objects.items():
            self._note(app, key, self.store.find(key), found)
            self.store.put(key, found)
        for key in self._shown[app] - objects.keys():
            self.store.delete(key)
        self._shown[app] = set(objects)

    def _note(self, app: App, key: Key, old: Json | None, new: Json) -> None:
        if key.resource == "replicasets":
            before, after = old["spec"]["replicas"] if old else 0, new["spec"]["replicas"]
            if before != after:
                way = "up" if after > before else "down"
                message = f"Scaled {way} replica set {key.name} from {before} to {after}"
                self._event(deployment_key(app), "Deployment", "ScalingReplicaSet", message)
        elif key.resource == "pods" and old is None and _unschedulable(new):
            message = new["status"]["conditions"][0]["message"]
            self._event(key, "Pod", "FailedScheduling", message, type_="Warning")
        elif key.resource == "pods" and old and "deletionTimestamp" not in new["metadata"]:
            self._note_pod(key, old, new)

    def _note_pod(self, key: Key, old: Json, new: Json) -> None:
        if old["status"]["phase"] != "Failed" and new["status"]["phase"] == "Failed":
            code = new["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
            self._event(key, "Pod", "Failed", f"Error: container exited with code {code}", type_="Warning")
        elif _ready(old) and not _ready(new):
            self._event(key, "Pod", "Unhealthy", "Readiness probe failed three times in a row", type_="Warning")

    def _event(self, about: Key, kind: str, reason: str, message: str, *, type_: str = "Normal") -> None:
        found = event(about, kind, reason, message, type_=type_)
        key = Key("events", about.namespace, f"{about.name}.{self.store.version:x}")
        found["metadata"]["name"] = key.name
        self.store.put(key, found)


def _ready(pod: Json) -> bool:
    return any(container["ready"] for container in pod["status"].get("containerStatuses", []))


def _unschedulable(pod: Json) -> bool:
    return bool(pod["status"]["conditions"][0].get("reason") == "Unschedulable")


def _replicas(name: str, value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise invalid(name, f"spec.replicas: Invalid value: {value}: must be greater than or equal to 0")
    if value > MOST_REPLICAS:
        raise invalid(name, f"spec.replicas: Invalid value: {value}: this cluster has room for {MOST_REPLICAS}")
    return value


def _prune(value: Any) -> Any:
    """Drop what kubectl's typed round trip adds (creationTimestamp: null, resources: {}): it means nothing."""
    if isinstance(value, dict):
        pruned = {key: _prune(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in (None, {}, [], "")}
    return [_prune(item) for item in value] if isinstance(value, list) else value
