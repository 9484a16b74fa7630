"""The Kubernetes API over HTTP: discovery, reading, watching, and the few writes that drive an app."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from drillbook.platform.instance import Instance, State
from drillbook.platform.kubernetes import resources
from drillbook.platform.kubernetes.cluster import Cluster
from drillbook.platform.kubernetes.errors import ApiError, no_such_path, not_allowed, not_found
from drillbook.platform.kubernetes.metrics import pod_metrics
from drillbook.platform.kubernetes.patches import apply_patch
from drillbook.platform.kubernetes.resources import RESOURCES, Resource
from drillbook.platform.kubernetes.selectors import matcher
from drillbook.platform.kubernetes.store import Key
from drillbook.platform.kubernetes.tables import table

Json = dict[str, Any]
WATCH_SECONDS = 300.0
CORE, APPS = "/api/v1", "/apis/apps/v1"
WRITES = ["GET", "PUT", "PATCH", "DELETE", "POST"]


def kubernetes_api(cluster: Cluster, token: str | None) -> Starlette:
    """Make the ASGI application; `token` is the bearer token that it asks for."""
    server = _Server(cluster)
    routes = [Route(path, server.discover) for path in ("/version", "/api", CORE, "/apis", "/apis/{group}/{version}")]
    routes += [Route(f"{CORE}/namespaces", server.namespaces), Route(f"{CORE}/namespaces/{{name}}", server.namespaces)]
    metrics = f"/apis/{resources.METRICS}"
    routes += [
        Route(metrics + path, server.top) for path in ("/pods", "/namespaces/{ns}/pods", "/namespaces/{ns}/pods/{name}")
    ]
    routes += [
        Route(APPS + "/namespaces/{ns}/deployments/{name}/scale", server.scale, methods=WRITES),
        Route(CORE + "/namespaces/{ns}/pods/{name}/log", server.log),
    ]
    for base in (CORE, APPS):
        routes += [
            Route(base + "/{resource}", server.collection, methods=WRITES),
            Route(base + "/namespaces/{ns}/{resource}", server.collection, methods=WRITES),
            Route(base + "/namespaces/{ns}/{resource}/{name}", server.item, methods=WRITES),
        ]
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        ApiError: _failure,
        404: _no_path,
        405: _no_verb,
    }
    return Starlette(routes=routes, exception_handlers=handlers, middleware=[Middleware(_Authorized, token=token)])


class _Server:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._store = cluster.store

    async def discover(self, request: Request) -> Response:
        path = request.url.path.rstrip("/")
        fixed = {"/version": resources.version, "/api": resources.core_versions, "/apis": resources.group_list}
        if path in fixed:
            return JSONResponse(fixed[path]())
        group_version = path.removeprefix("/apis/").removeprefix("/api/")
        if group_version not in ("v1", *resources.GROUPS):
            raise no_such_path()
        return JSONResponse(resources.resource_list(group_version))

    async def namespaces(self, request: Request) -> Response:
        items = [
            {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}, "status": {"phase": "Active"}}
            for name in self._cluster.namespaces
        ]
        if name := request.path_params.get("name"):
            if name not in self._cluster.namespaces:
                raise not_found("namespaces", "", name)
            return JSONResponse(items[self._cluster.namespaces.index(name)])
        return JSONResponse({"kind": "NamespaceList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def collection(self, request: Request) -> Response:
        resource, namespace = _resource(request), request.path_params.get("ns")
        if request.method != "GET":
            raise not_allowed()
        query = request.query_params
        match = matcher(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        if query.get("watch") in ("true", "1"):
            return self._watch(request, resource, lambda key, item: namespace in (None, key.namespace) and match(item))
        items = [item for item in self._store.list(resource.plural, namespace) if match(item)]
        if _wants_table(request):
            return JSONResponse(table(resource.plural, items, self._store.version))
        metadata = {"resourceVersion": str(self._store.version)}
        kind = {"kind": f"{resource.kind}List", "apiVersion": resource.group_version}
        return JSONResponse({**kind, "metadata": metadata, "items": items})

    def _watch(self, request: Request, resource: Resource, accept: Callable[[Key, Json], bool]) -> Response:
        query = request.query_params
        if query.get("sendInitialEvents") == "true":
            raise ApiError(
                422, "Invalid", "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            )
        since = int(query.get("resourceVersion") or 0)
        self._store.check_since(since)
        seconds, as_table = float(query.get("timeoutSeconds") or WATCH_SECONDS), _wants_table(request)

        async def lines() -> AsyncIterator[str]:
            async for change in self._store.watch(resource.plural, since, seconds, accept):
                item = table(resource.plural, [change.object], change.version) if as_table else change.object
                yield json.dumps({"type": change.type, "object": item}) + "\n"

        return StreamingResponse(lines(), media_type="application/json")

    async def item(self, request: Request) -> Response:
        resource = _resource(request)
        key = Key(resource.plural, request.path_params["ns"], request.path_params["name"])
        if request.method == "GET":
            found = self._deployment(request) if resource.plural == "deployments" else self._store.get(key)
            return JSONResponse(
                table(resource.plural, [found], self._store.version) if _wants_table(request) else found
            )
        if request.method == "DELETE" and resource.plural == "pods":
            await request.body()
            return JSONResponse(self._cluster.delete_pod(key, dry_run=_dry_run(request)))
        if request.method not in ("PUT", "PATCH") or resource.plural != "deployments":
            raise not_allowed()
        new = await _written(request, lambda: self._deployment(request))
        return JSONResponse(self._cluster.write(self._deployment(request), new, dry_run=_dry_run(request)))

    async def scale(self, request: Request) -> Response:
        if request.method not in ("GET", "PUT", "PATCH"):
            raise not_allowed()
        if request.method == "GET":
            return JSONResponse(_scale_of(self._deployment(request)))
        wanted = await _written(request, lambda: _scale_of(self._deployment(request)))
        old = self._deployment(request)
        version = (wanted.get("metadata") or {}).get("resourceVersion")
        spec = {**old["spec"], "replicas": (wanted.get("spec") or {}).get("replicas", 0)}
        new = {**old, "metadata": {**old["metadata"], "resourceVersion": version}, "spec": spec}
        return JSONResponse(_scale_of(self._cluster.write(old, new, dry_run=_dry_run(request))))

    async def log(self, request: Request) -> Response:
        key = Key("pods", request.path_params["ns"], request.path_params["name"])
        _, instance = self._cluster.instance(key)
        query = request.query_params
        if query.get("previous") == "true":
            message = f'previous terminated container in pod "{key.name}" not found'
            raise ApiError(400, "BadRequest", message)
        text = instance.log.read_text(errors="replace") if instance.log.exists() else ""
        lines = text.splitlines(keepends=True)
        if tail := query.get("tailLines"):
            lines = lines[max(0, len(lines) - int(tail)) :]
        if query.get("follow") == "true":
            return StreamingResponse(_follow(instance, "".join(lines), len(text.encode())), media_type="text/plain")
        return PlainTextResponse("".join(lines))

    async def top(self, request: Request) -> Response:
        query, name = request.query_params, request.path_params.get("name")
        match = matcher(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        items = []
        for pod in self._store.list("pods", request.path_params.get("ns")):
            running = pod["status"]["phase"] == "Running" and name in (None, pod["metadata"]["name"])
            if running and match(pod) and (item := self._metrics(pod)):
                items.append(item)
        api = {"apiVersion": resources.METRICS}
        if name:
            if not items:
                raise not_found("podmetrics", "metrics.k8s.io", name)
            return JSONResponse({"kind": "PodMetrics", **api, **items[0]})
        return JSONResponse({"kind": "PodMetricsList", **api, "metadata": {}, "items": items})

    def _metrics(self, pod: Json) -> Json | None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        _, instance = self._cluster.instance(Key("pods", namespace, name))
        return pod_metrics(name, namespace, pod["spec"]["containers"][0]["name"], instance)

    def _deployment(self, request: Request) -> Json:
        return self._cluster.deployment(request.path_params["ns"], request.path_params["name"])


class _Authorized:
    """Refuse a request without the bearer token."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope.get("headers", ())).get(b"authorization")
        if self._expected is not None and given != self._expected:
            refusal = ApiError(401, "Unauthorized", "Unauthorized").status()
            await JSONResponse(refusal, status_code=401)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _resource(request: Request) -> Resource:
    resource = RESOURCES.get(request.path_params["resource"])
    base = f"/apis/{resource.group_version}/" if resource and resource.group else f"{CORE}/"
    if resource is None or not request.url.path.startswith(base):
        raise no_such_path()
    return resource


async def _written(request: Request, read: Callable[[], Json]) -> Json:
    """Give the object as a PUT or a PATCH would have it; `read` gives the present one. kubectl's PUT names no type."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise ApiError(400, "BadRequest", "the object provided is unrecognized: it is not JSON") from None
    if request.method == "PATCH":
        body = apply_patch(read(), body, request.headers.get("content-type", "").split(";")[0])
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("spec"), dict)
        or not isinstance(body.get("metadata"), dict)
    ):
        raise ApiError(400, "BadRequest", "the object provided is unrecognized: it has no metadata or no spec")
    return body


def _scale_of(deployment: Json) -> Json:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = deployment["spec"]["selector"]["matchLabels"]
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: deployment["metadata"][key] for key in kept},
        "spec": {"replicas": deployment["spec"]["replicas"]},
        "status": {
            "replicas": deployment["status"].get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
        },
    }


async def _follow(instance: Instance, text: str, place: int) -> AsyncIterator[str]:
    yield text
    while True:
        ended = instance.state is State.EXITED
        with instance.log.open("rb") as log:
            log.seek(place)
            more = log.read()
        place += len(more)
        if more:
            yield more.decode(errors="replace")
        if ended:
            return
        await asyncio.sleep(0.1)


def _wants_table(request: Request) -> bool:
    return "as=Table" in request.headers.get("accept", "")


def _dry_run(request: Request) -> bool:
    return request.query_params.get("dryRun") == "All"


async def _failure(_: Request, error: ApiError) -> Response:
    return JSONResponse(error.status(), status_code=error.code)


async def _no_path(request: Request, _: Exception) -> Response:
    return await _failure(request, no_such_path())


async def _no_verb(request: Request, _: Exception) -> Response:
    return await _failure(request, not_allowed())
