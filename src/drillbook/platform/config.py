"""The platform's configuration: one JSON file that the backend writes, parsed to frozen values before anything starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from drillbook.errors import Location, UsageError

MOST_REPLICAS = 50


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A loopback address and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class KubernetesEndpoint:
    """Where the Kubernetes API listens, and the bearer token it asks for (None: any token will do)."""

    host: str
    port: int
    token: str | None = None


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A certificate chain and its key, PEM."""

    cert_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The request that an instance answers with 2xx when it is ready."""

    path: str
    port: str
    scheme: Literal["http", "https"] = "https"


@dataclass(frozen=True, slots=True)
class AppConfig:
    """One app: its package below `source`, its public ports, and what the outside tools call it."""

    name: str
    module: str
    source: Path
    ports: dict[str, Endpoint]
    health: HealthCheck
    log: Path
    replicas: int = 1
    deployment: str | None = None
    namespace: str = "default"
    project: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """All that `python -m drillbook.platform` needs to know."""

    __pydantic_config__: ClassVar[Any] = ConfigDict(extra="forbid")

    releases_dir: Path
    admin: Endpoint
    kubernetes: KubernetesEndpoint
    tls: TlsFiles
    apps: tuple[AppConfig, ...]
    capacity: int = MOST_REPLICAS
    """How many processes of all apps the cluster has room for."""


def load_config(file: Path) -> PlatformConfig:
    """Read a platform configuration (JSON).

    Raises UsageError naming the file and the key when it is unreadable, malformed or contradicts itself.
    """
    try:
        config = TypeAdapter(PlatformConfig).validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read the platform's configuration: {error.strerror}", at=Location(file)) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(f"{key}: {first['msg']}", at=Location(file)) from error
    for problem in _contradictions(config):
        raise UsageError(problem, at=Location(file))
    return config


def _contradictions(config: PlatformConfig) -> list[str]:
    names = [app.name for app in config.apps]
    problems = [f"two apps are called {name}" for name in sorted(set(names)) if names.count(name) > 1]
    for app in config.apps:
        if app.health.port not in app.ports:
            problems.append(
                f"apps.{app.name}.health.port: {app.health.port} is none of its ports ({', '.join(app.ports)})"
            )
        problems += [f"apps.{app.name}.depends_on: no app is called {n}" for n in app.depends_on if n not in names]
    return problems + [f"apps.{name} depends on itself" for name in _circular(config.apps)]


def _circular(apps: tuple[AppConfig, ...]) -> list[str]:
    """Give the apps that cannot start because each waits for another of them."""
    waiting = {app.name: set(app.depends_on) for app in apps}
    while free := [name for name, needs in waiting.items() if not needs]:
        for name in free:
            del waiting[name]
        waiting = {name: needs - set(free) for name, needs in waiting.items()}
    return sorted(waiting)
