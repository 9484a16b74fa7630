"""The routes of Toxiproxy's HTTP API on our proxies: what each does, and its answers to good and bad requests.

Requests run one at a time under a lock, in the thread that received them: decoding and looking up a name never hold up
the bytes that flow meanwhile. Only the change itself is handed to the loop.
"""

from __future__ import annotations

import posixpath
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import unquote

from drillbook.errors import DrillbookError
from drillbook.toxiproxy import gojson
from drillbook.toxiproxy.addresses import AddressError, listen_candidate, resolve_listen
from drillbook.toxiproxy.gojson import BodyError, Struct
from drillbook.toxiproxy.loop import Loop
from drillbook.toxiproxy.proxy import Proxy
from drillbook.toxiproxy.stage import ActiveToxic
from drillbook.toxiproxy.toxics import TOXICS, Toxic

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
VERSION = '{"version": "git"}\n'
"""What a Toxiproxy that was built from source answers; the behaviour is that of 2.12.0."""

PROXY = Struct(
    "toxiproxy.Proxy", "Proxy", {"name": "string", "listen": "string", "upstream": "string", "enabled": "bool"}
)
POPULATED = Struct(
    r'struct { toxiproxy.Proxy; Enabled *bool "json:\"enabled\"" }',
    "",
    PROXY.fields,
    embedded="Proxy",
)
TOXIC = Struct(
    "toxics.ToxicWrapper",
    "ToxicWrapper",
    {
        "name": "string",
        "type": "string",
        "stream": "string",
        "toxicity": "float32",
        "attributes": Struct("toxics.NoopToxic", "ToxicWrapper", {}),
    },
)


class RefusalError(DrillbookError):
    """Answer a request with an error: the API's own words and an HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def members(self) -> dict[str, Any]:
        """The error as the API writes it."""
        return {"error": self.message, "status": self.status}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, path as sent."""

    method: str
    path: str
    user_agent: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `routed` tells whether a route was found, which alone gets a request id."""

    status: int
    body: str = ""
    content_type: str = ""
    location: str = ""
    routed: bool = True


NOT_FOUND = Reply(404, "404 page not found\n", TEXT, routed=False)
WRONG_METHOD = Reply(405, routed=False)


class Api:
    """Every proxy by name, and what may be asked of them."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._proxies: dict[str, Proxy] = {}
        proxy, toxic = r"/(?P<proxy>[^/]+)", r"/(?P<toxic>[^/]+)"
        self._routes: list[tuple[re.Pattern[str], dict[str, Callable[..., Reply]]]] = [
            (re.compile(path), methods)
            for path, methods in (
                ("/version", {"GET": self._version}),
                ("/reset", {"POST": self._reset}),
                ("/populate", {"POST": self._populate}),
                ("/proxies", {"GET": self._list, "POST": self._create}),
                (f"/proxies{proxy}", _with_patch({"GET": self._show, "POST": self._update, "DELETE": self._delete})),
                (f"/proxies{proxy}/toxics", {"GET": self._list_toxics, "POST": self._create_toxic}),
                (
                    f"/proxies{proxy}/toxics{toxic}",
                    _with_patch({"GET": self._show_toxic, "POST": self._update_toxic, "DELETE": self._delete_toxic}),
                ),
            )
        ]

    def answer(self, request: Request) -> Reply:
        """Perform a request; whatever is wrong with it is told in the reply."""
        path, _, query = request.path.partition("?")
        path = unquote(path, errors="replace")
        if (clean := _clean(path)) != path:
            return Reply(301, location=clean + (f"?{query}" if query else ""), routed=False)
        for pattern, methods in self._routes:
            if found := pattern.fullmatch(path):
                return self._perform(methods.get(request.method), request, found.groupdict())
        return NOT_FOUND

    def populate(self, body: bytes) -> None:
        """Create the proxies of a file's content. Raises BodyError or RefusalError."""
        with self._lock:
            self._populate_into([], body)

    def _perform(self, handler: Callable[..., Reply] | None, request: Request, names: dict[str, str]) -> Reply:
        if handler is None:
            return WRONG_METHOD
        if request.user_agent.startswith("Mozilla/"):
            return Reply(403, "User agent not allowed\n", TEXT)
        with self._lock:
            try:
                return handler(request.body, **names)
            except RefusalError as refused:
                return Reply(refused.status, gojson.encode(refused.members) + "\n", TEXT)
            except BodyError as error:
                return Reply(400, gojson.encode(_bad_body(error).members) + "\n", TEXT)

    # Proxies

    def _version(self, _body: bytes) -> Reply:
        return Reply(200, VERSION, "application/json;charset=utf-8")

    def _list(self, _body: bytes) -> Reply:
        return _json(200, {name: _shown(self._proxies[name]) for name in sorted(self._proxies)})

    def _create(self, body: bytes) -> Reply:
        given = gojson.read(gojson.decode(body), PROXY)
        proxy = self._new_proxy(given)
        if proxy.name in self._proxies:
            raise RefusalError("proxy already exists", 409)
        if given.get("enabled", True):
            self._start(proxy)
        self._proxies[proxy.name] = proxy
        return _json(201, _shown(proxy))

    def _show(self, _body: bytes, proxy: str) -> Reply:
        return _json(200, _shown(self._proxy(proxy)))

    def _update(self, body: bytes, proxy: str) -> Reply:
        changed = self._proxy(proxy)
        given = gojson.read(gojson.decode(body), PROXY)
        enabled = given.get("enabled", changed.enabled)
        if self._differs(changed, given):
            self._loop.call(changed.stop)
            changed.listen = given.get("listen", changed.listen)
            changed.upstream = given.get("upstream", changed.upstream)
        if enabled and not changed.enabled:
            self._start(changed)
        elif changed.enabled and not enabled:
            self._loop.call(changed.stop)
        return _json(200, _shown(changed))

    def _delete(self, _body: bytes, proxy: str) -> Reply:
        self._loop.call(self._proxy(proxy).stop)
        del self._proxies[proxy]
        return Reply(204)

    def _populate(self, body: bytes) -> Reply:
        made: list[Proxy] = []
        error: dict[str, Any] = {}
        status = 201
        try:
            self._populate_into(made, body)
        except (BodyError, RefusalError) as failure:
            refused = _bad_body(failure) if isinstance(failure, BodyError) else failure
            error, status = refused.members, refused.status
        return _json(status, {**error, "proxies": [_shown(proxy) for proxy in made] or None})

    def _populate_into(self, made: list[Proxy], body: bytes) -> None:
        """Create or replace proxies, noting each in `made`, until one fails."""
        wanted = [gojson.read(one, POPULATED) for one in gojson.items(gojson.decode(body), POPULATED)]
        proxies = [self._new_proxy(given, f" at proxy {number}") for number, given in enumerate(wanted, 1)]
        for proxy, given in zip(proxies, wanted, strict=True):
            made.append(self._add_or_replace(proxy, given.get("enabled", True)))

    def _add_or_replace(self, proxy: Proxy, enabled: bool) -> Proxy:
        if existing := self._proxies.get(proxy.name):
            if not self._differs(existing, {"listen": proxy.listen, "upstream": proxy.upstream}):
                return existing
            self._loop.call(existing.stop)
        if enabled:
            self._start(proxy)
        self._proxies[proxy.name] = proxy
        return proxy

    def _reset(self, _body: bytes) -> Reply:
        for proxy in self._proxies.values():
            if not proxy.enabled:
                self._start(proxy)
            for toxic in proxy.toxics:
                self._loop.call(lambda proxy=proxy, toxic=toxic: proxy.remove(toxic))  # type: ignore[misc]
        return Reply(204)

    def _proxy(self, name: str) -> Proxy:
        if name not in self._proxies:
            raise RefusalError("proxy not found", 404)
        return self._proxies[name]

    def _new_proxy(self, given: dict[str, Any], place: str = "") -> Proxy:
        for field in ("name", "upstream"):
            if not given.get(field):
                raise RefusalError(f"missing required field: {field}{place}", 400)
        return Proxy(self._loop, given["name"], given.get("listen", ""), given["upstream"])

    def _start(self, proxy: Proxy) -> None:
        try:
            where = listen_candidate(proxy.listen)
        except AddressError as error:
            raise RefusalError(f"listen tcp: {error.message}", 500) from None
        try:
            self._loop.call(lambda: proxy.start(where))
        except AddressError as error:
            raise RefusalError(error.message, 500) from None

    def _differs(self, proxy: Proxy, given: dict[str, Any]) -> bool:
        try:
            listen = resolve_listen(given.get("listen", proxy.listen))
        except AddressError as error:
            raise RefusalError(error.message, 500) from None
        return proxy.listen != listen or proxy.upstream != given.get("upstream", proxy.upstream)

    # Toxics

    def _list_toxics(self, _body: bytes, proxy: str) -> Reply:
        return _json(200, [_shown_toxic(toxic) for toxic in self._proxy(proxy).toxics])

    def _create_toxic(self, body: bytes, proxy: str) -> Reply:
        owner = self._proxy(proxy)
        value = gojson.decode(body)
        given = gojson.read(value, TOXIC)
        stream, kind = given.get("stream", "downstream"), given.get("type", "")
        if stream.lower() not in ("upstream", "downstream"):
            raise RefusalError("stream was invalid, can be either upstream or downstream", 400)
        if kind not in TOXICS:
            raise RefusalError("invalid toxic type", 400)
        name = given.get("name") or f"{kind}_{stream}"
        if any(toxic.name == name for toxic in owner.toxics):
            raise RefusalError("toxic already exists", 409)
        attributes = _changed(TOXICS[kind](), gojson.read(value, _attributes_of(TOXICS[kind])))
        toxic = ActiveToxic(name, stream, given.get("toxicity", 1.0), attributes)
        self._loop.call(lambda: owner.add(toxic))
        return _json(200, _shown_toxic(toxic))

    def _show_toxic(self, _body: bytes, proxy: str, toxic: str) -> Reply:
        return _json(200, _shown_toxic(_toxic(self._proxy(proxy), toxic)))

    def _update_toxic(self, body: bytes, proxy: str, toxic: str) -> Reply:
        owner = self._proxy(proxy)
        found = _toxic(owner, toxic)
        given = gojson.read(gojson.decode(body), _attributes_of(type(found.attributes)))
        attributes = _changed(found.attributes, given)

        def change() -> None:
            found.attributes = attributes
            found.toxicity = given.get("toxicity", found.toxicity)
            owner.update(found)

        self._loop.call(change)
        return _json(200, _shown_toxic(found))

    def _delete_toxic(self, _body: bytes, proxy: str, toxic: str) -> Reply:
        owner = self._proxy(proxy)
        found = _toxic(owner, toxic)
        self._loop.call(lambda: owner.remove(found))
        return Reply(204)


def _with_patch(methods: dict[str, Callable[..., Reply]]) -> dict[str, Callable[..., Reply]]:
    """Let PATCH do what POST does; the Go program calls POST the older of the two."""
    return {**methods, "PATCH": methods["POST"]}


def _clean(path: str) -> str:
    """Resolve doubled slashes and dots, keep a trailing slash (gorilla/mux redirects to that)."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _bad_body(error: BodyError) -> RefusalError:
    return RefusalError(f"bad request body: {error.message}", 400)


def _json(status: int, value: Any) -> Reply:
    return Reply(status, gojson.encode(value), JSON)


def _toxic(proxy: Proxy, name: str) -> ActiveToxic:
    found = next((toxic for toxic in proxy.toxics if toxic.name == name), None)
    if found is None:
        raise RefusalError("toxic not found", 404)
    return found


def _attributes_of(kind: type[Toxic]) -> Struct:
    """What a toxic's change is decoded into."""
    integer = "int" if kind is TOXICS["slicer"] else "int64"
    attributes = Struct(f"toxics.{kind.go_name}", kind.go_name, {field.name: integer for field in fields(kind)})  # type: ignore[arg-type]
    whole = r'struct { Attributes interface {} "json:\"attributes\""; Toxicity float32 "json:\"toxicity\"" }'
    return Struct(whole, "", {"attributes": attributes, "toxicity": "float32"})


def _changed(toxic: Toxic, given: dict[str, Any]) -> Toxic:
    """Apply given attributes to a toxic, or refuse them before anything has changed."""
    changed: Toxic = replace(toxic, **given.get("attributes", {}))  # type: ignore[type-var]
    if reason := changed.refusal():
        raise BodyError(reason)
    return changed


def _shown(proxy: Proxy) -> dict[str, Any]:
    return {
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream,
        "enabled": proxy.enabled,
        "Logger": {},
        "toxics": [_shown_toxic(toxic) for toxic in proxy.toxics],
    }


def _shown_toxic(toxic: ActiveToxic) -> dict[str, Any]:
    return {
        "attributes": asdict(toxic.attributes),  # type: ignore[call-overload]
        "name": toxic.name,
        "type": toxic.attributes.kind,
        "stream": toxic.stream,
        "toxicity": gojson.shortest(toxic.toxicity),
    }
