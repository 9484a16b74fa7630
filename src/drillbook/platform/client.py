"""The platform's admin API as a typed client: what faults and the harness call."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from drillbook.errors import EnvironmentFailed

TIMEOUT = 30.0
"""Seconds: a rollout waits for its processes to come up."""


@dataclass(frozen=True, slots=True)
class Release:
    """A numbered release; `defect` is answers-500, hangs or exits for a bad one; `created` is RFC 3339.

    `settings` are variables that it has otherwise than the releases before it; `artifact` is the SHA-256 of the archive
    that it was unpacked from, "" for a copy of the app's source.
    """

    number: int
    created: str
    defect: str | None
    url: str
    id: str
    settings: Mapping[str, str] = field(default_factory=dict)
    artifact: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """A process of an app; `ports` are its own, behind the router.

    `state` is pending (the cluster has no room for it), starting, ready, unready or exited.
    """

    name: str
    release: int
    pid: int | None
    state: str
    ports: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class App:
    """An app: its live and previous release, how many instances it should have, and those it has.

    `rolling` is the release that a rollout is bringing live, None while there is no rollout.
    """

    name: str
    current: int
    previous: int | None
    rolling: int | None
    replicas: int
    deployment: str | None
    project: str | None
    releases: tuple[Release, ...]
    instances: tuple[Instance, ...]


class PlatformClient:
    """Talks to a platform at `url` (https), trusting the CA bundle `ca_file`. Every failure is an EnvironmentFailed."""

    def __init__(self, url: str, ca_file: Path) -> None:
        self._url = url
        self._client = httpx.Client(
            base_url=url, verify=ssl.create_default_context(cafile=ca_file), timeout=TIMEOUT, trust_env=False
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def apps(self) -> list[App]:
        """Give every app."""
        return [_app(item) for item in self._call("GET", "/apps")]

    def app(self, name: str) -> App:
        """Give one app."""
        return _app(self._call("GET", f"/apps/{name}"))

    def release(
        self, app: str, defect: str | None = None, *, gate: bool = False, settings: Mapping[str, str] | None = None
    ) -> int:
        """Make a new release live (with `gate` only if it is healthy), with other settings if need be; give its number."""
        body = {"defect": defect, "gate": gate, "settings": dict(settings or {})}
        return int(self._call("POST", f"/apps/{app}/releases", body)["number"])

    def capacity(self) -> int:
        """Give how many processes of all apps the cluster has room for."""
        return int(self._call("GET", "/capacity")["processes"])

    def set_capacity(self, processes: int) -> None:
        """Give the cluster another room; nobody who runs loses their place."""
        self._call("PUT", "/capacity", {"processes": processes})

    def build(self, app: str, defect: str | None = None) -> int:
        """Make a new release without making it live, and give its number."""
        return int(self._call("POST", f"/apps/{app}/releases", {"defect": defect, "live": False})["number"])

    def rollback(self, app: str, release: int | None = None) -> App:
        """Go back to a release, by default the previous one."""
        return _app(self._call("POST", f"/apps/{app}/rollback", {"release": release}))

    def scale(self, app: str, replicas: int) -> App:
        """Set the number of instances; exited ones are replaced."""
        return _app(self._call("POST", f"/apps/{app}/scale", {"replicas": replicas}))

    def restart(self, app: str) -> App:
        """Replace every instance by a fresh process."""
        return _app(self._call("POST", f"/apps/{app}/restart"))

    def reset(self) -> None:
        """Bring every app back to its state after the start."""
        self._call("POST", "/reset")

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        try:
            response = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise EnvironmentFailed(
                f"the release platform at {self._url} does not answer {method} {path}: {error!r}",
                mend="read the platform's log",
            ) from error
        if response.is_error:
            raise EnvironmentFailed(f"the release platform refused {method} {path}: {_reason(response)}")
        return response.json()


def _reason(response: httpx.Response) -> str:
    try:
        answer = response.json()
    except ValueError:
        return f"{response.status_code} {response.text[:200]}"
    return f"{answer['error']}; {answer['mend']}" if answer.get("mend") else str(answer["error"])


def _app(item: Mapping[str, Any]) -> App:
    return App(
        **{
            **item,
            "releases": tuple(Release(**release) for release in item["releases"]),
            "instances": tuple(Instance(**instance) for instance in item["instances"]),
        }
    )
