"""An Environment put together of whatever real parts a test has: processes, links, a database, a platform.

A part that the test did not bring raises UnsupportedFault, as a backend's does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from drillbook.backends.base import Address, Message, RunningModule
from drillbook.errors import UnsupportedFault

if TYPE_CHECKING:
    from drillbook.platform.client import PlatformClient
    from drillbook.topology.model import Topology
    from drillbook.toxiproxy.client import LinkControl

Part = TypeVar("Part")
Start = Callable[[], subprocess.Popen[bytes]]


@dataclass
class PartsEnvironment:
    """Implements `drillbook.backends.base.Environment`; `starts` says how each service's process is started.

    `pids` are services that something else started.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, Start] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    pids: dict[str, Sequence[int]] = field(default_factory=dict)
    addresses: Mapping[tuple[str, str], Address] = field(default_factory=dict)
    link_control: LinkControl | None = None
    platform_client: PlatformClient | None = None
    declared: Topology | None = None
    connect: Callable[[], psycopg.Connection[Any]] | None = None
    workspace: Path = Path()
    logs: Path = Path()
    restarts: int = 0

    backups: Path = Path()
    secrets: Sequence[str] = ()
    hosts: Path = Path("/etc/hosts")

    def database_url(self, service: str | None = None) -> str:
        raise UnsupportedFault(f"no connection string for {service}")

    def contract(self, name: str) -> str:
        raise UnsupportedFault(f"no contract {name}")

    def start_module(self, module: str, arguments: Sequence[str] = ()) -> RunningModule:
        raise UnsupportedFault(f"no module {module} {arguments}")

    @property
    def topology(self) -> Topology:
        return _brought(self.declared, "topology")

    @property
    def links(self) -> LinkControl:
        return _brought(self.link_control, "links")

    @property
    def platform(self) -> PlatformClient:
        return _brought(self.platform_client, "platform")

    def reset(self) -> list[str]:
        return ["made of parts: there is nothing to reset to"]

    def address(self, service: str, port: str) -> Address:
        return self.addresses[service, port]

    def database(self, service: str | None = None) -> AbstractContextManager[psycopg.Connection[Any]]:
        return _brought(self.connect, service or "database")()

    def chain_url(self, service: str | None = None) -> str:
        raise UnsupportedFault(f"no {service or 'chain'} among the parts")

    def processes(self, service: str) -> Sequence[int]:
        process = self.running.get(service)
        ours = [process.pid] if process and process.poll() is None else []
        return self.pids.get(service, ours)

    def restart(self, service: str) -> None:
        self.restarts += 1
        self.running[service] = self.starts[service]()

    def start_on_demand(self, service: str) -> None:
        raise UnsupportedFault(f"no {service} on demand among the parts")

    def present_certificate(self, service: str, *, not_after: datetime | None = None) -> None:
        raise UnsupportedFault(f"no certificate of {service} {not_after} among the parts")

    def inbox(self, channel: str) -> list[Message]:
        raise UnsupportedFault(f"no inbox {channel} among the parts")


def _brought(part: Part | None, name: str) -> Part:
    if part is None:
        raise UnsupportedFault(f"no {name} among the parts")
    return part
