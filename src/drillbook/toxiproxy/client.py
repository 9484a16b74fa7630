"""The one module that wraps toxiproxy-python, so that nothing else meets its traps.

It keeps the server's address on a class, so that a process knows one server only; it waits for ever; it takes a 500 for
a success; it sends loopback requests to whatever proxy HTTP_PROXY names. Here each call sets the address first, under a
lock, and goes over a transport of ours that has a time-out and raises on every answer that is not a success.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import requests
import toxiproxy.api  # type: ignore[import-untyped]
from toxiproxy import Proxy
from toxiproxy import Toxiproxy as Server
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists  # type: ignore[import-untyped]

from drillbook.errors import EnvironmentFailed

_ADDRESS_ON_A_CLASS = threading.Lock()
REFUSALS_OF_THE_LIBRARY = (400, 404, 409)
"""Statuses that toxiproxy-python turns into exceptions itself."""


@dataclass(frozen=True, slots=True)
class Toxic:
    """One toxic of a link; `attributes` are in the units of Toxiproxy's API (milliseconds, KB/s, bytes)."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LinkState:
    """One link as the server has it; `listen` and `upstream` are `host:port`."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...] = ()


class LinkControl:
    """Drives the links of one Toxiproxy server. Every method raises EnvironmentFailed where it does not comply."""

    def __init__(self, host: str, port: int, timeout: float = 2.0) -> None:
        self.host = host
        self.port = port
        self._transport = _Transport(timeout)

    def create(self, name: str, listen: str, upstream: str) -> LinkState:
        """Create a link and let it listen; port 0 is any port, and the answer names it."""
        with self._server(f"create link {name}") as server:
            made = server.create(upstream=upstream, name=name, listen=listen, enabled=True)
            return _state(made)

    def names(self) -> list[str]:
        """Give the names of all links, sorted."""
        with self._server("list the links") as server:
            return sorted(server.proxies())

    def state(self, name: str) -> LinkState:
        """Give a link as it is now."""
        with self._link(name, f"read link {name}") as link:
            return _state(link)

    def disable(self, name: str) -> None:
        """Cut a link: its connections close, new ones are refused."""
        with self._link(name, f"disable link {name}") as link:
            link.disable()

    def enable(self, name: str) -> None:
        """Let a link listen again, on the same port and with the same toxics."""
        with self._link(name, f"enable link {name}") as link:
            link.enable()

    def redirect(self, name: str, upstream: str) -> None:
        """Let a link lead to another `host:port`: what is connected is cut off, new connections go there."""
        # The library has no word for it; the server's own is the same request that enables a link.
        with self._link(name, f"redirect link {name} to {upstream}"):
            toxiproxy.api.APIConsumer.post(f"/proxies/{name}", json={"upstream": upstream})

    def add_toxic(
        self,
        link: str,
        type: str,
        *,
        stream: str = "downstream",
        toxicity: float = 1.0,
        name: str | None = None,
        attributes: Mapping[str, int],
    ) -> str:
        """Add a toxic to a link and give its name. `toxicity` is the share of connections that it strikes, 0 to 1."""
        called = name or f"{type}_{stream}"
        with self._link(link, f"add toxic {called} to link {link}") as found:
            found.add_toxic(type=type, stream=stream, toxicity=toxicity, name=called, attributes=dict(attributes))
        return called

    def remove_toxic(self, link: str, name: str) -> None:
        """Take a toxic off a link; what waited in it flows on at once."""
        with self._link(link, f"remove toxic {name} from link {link}") as found:
            found.destroy_toxic(name)

    def reset(self) -> None:
        """Enable every link and remove every toxic."""
        with self._server("reset the links") as server:
            server.reset()

    @contextmanager
    def _server(self, purpose: str) -> Iterator[Server]:
        """Lend the library's server object, aimed at ours; turn whatever goes wrong into EnvironmentFailed."""
        with _ADDRESS_ON_A_CLASS:
            server = Server()
            server.update_api_consumer(self.host, self.port)
            library, toxiproxy.api.requests = toxiproxy.api.requests, self._transport
            try:
                yield server
            except (requests.RequestException, ProxyExists, NotFound, InvalidToxic) as error:
                where = f"Toxiproxy at {self.host}:{self.port}"
                raise EnvironmentFailed(f"{where} did not {purpose}: {_reason(error)}") from error
            finally:
                toxiproxy.api.requests = library

    @contextmanager
    def _link(self, name: str, purpose: str) -> Iterator[Proxy]:
        with self._server(purpose) as server:
            links = server.proxies()
            if name not in links:
                raise EnvironmentFailed(f"there is no link {name}", mend=_nearest(name, sorted(links)))
            yield links[name]


class _Transport:
    """Stands in for the module `requests` inside the library: time-outs, no detours, no failure taken for success."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._send("GET", url, options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._send("POST", url, options)

    def delete(self, url: str, **options: Any) -> requests.Response:
        return self._send("DELETE", url, options)

    def _send(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        with requests.Session() as session:
            # Neither HTTP_PROXY nor a .netrc may come between a drill and its own loopback server.
            session.trust_env = False
            response = session.request(method, url, timeout=self._timeout, **options)
        if not response.ok and response.status_code not in REFUSALS_OF_THE_LIBRARY:
            raise requests.HTTPError(f"{response.status_code} {response.text.strip()}", response=response)
        return response


def _state(link: Proxy) -> LinkState:
    toxics = tuple(
        Toxic(toxic.name, toxic.type, toxic.stream, toxic.toxicity, toxic.attributes)
        for toxic in link.toxics().values()
    )
    return LinkState(link.name, link.listen, link.upstream, link.enabled, toxics)


def _reason(error: Exception) -> str:
    """Give the server's own words where there are some."""
    said = error.args[0] if error.args else error
    return said.decode(errors="replace").strip() if isinstance(said, bytes) else str(said)


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"the links are: {', '.join(known)}" if known else "no link exists yet; create it first"
