"""The one seam between a drill and what it drills: an Environment that a Backend has started.

Faults, probes, the responder and the drill's conductor know only this. What a backend cannot do raises
`UnsupportedFault`, which makes a drill unknown, never green.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import psycopg

    from drillbook.platform.client import PlatformClient
    from drillbook.topology.model import Topology
    from drillbook.toxiproxy.client import LinkControl


@dataclass(frozen=True, slots=True)
class Address:
    """Where a port is reached from inside the sandbox."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that reached a person's inbox: channel (slack, smtp, phone, status), recipient, text, RFC 3339 time."""

    channel: str
    recipient: str
    text: str
    time: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Progress of one part of the environment: `state` is starting, ready, failed or stopped; `seconds` since its start."""

    name: str
    state: str
    seconds: float = 0.0
    detail: str = ""


Progress = Callable[[Part], None]


class RunningModule(Protocol):
    """A Python module that was started; `stdout` has both its outputs, and is for the reader to close."""

    @property
    def stdout(self) -> IO[str]: ...

    def poll(self) -> int | None:
        """Give its exit code, None while it runs."""
        ...

    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Environment(Protocol):
    """A running system, its links and its people. Made by a Backend; lives until `stop`."""

    @property
    def topology(self) -> Topology: ...

    @property
    def links(self) -> LinkControl:
        """Every link by name, through Toxiproxy's own API."""
        ...

    @property
    def platform(self) -> PlatformClient:
        """The release platform; raises UnsupportedFault if the topology declares none."""
        ...

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment variables in which the runbook's commands run (PATH with shims first, PGHOST, ...)."""
        ...

    @property
    def workspace(self) -> Path:
        """The directory in which the runbook's commands start; emptied at every reset."""
        ...

    @property
    def backups(self) -> Path:
        """The directory in which backups are kept; emptied at every reset."""
        ...

    @property
    def hosts(self) -> Path:
        """The file by which every process of the system resolves production's names, in the form of hosts(5)."""
        ...

    @property
    def secrets(self) -> Sequence[str]:
        """The values that no journal may hold."""
        ...

    @property
    def logs(self) -> Path:
        """Where each service's output is kept: `<service>.log`."""
        ...

    def reset(self) -> list[str]:
        """Return the system to its state after start; give what could not be reset, in words (empty: all well)."""
        ...

    def address(self, service: str, port: str) -> Address:
        """Where a service itself listens, past every link."""
        ...

    def database(self, service: str | None = None) -> AbstractContextManager[psycopg.Connection[Any]]:
        """Connect to Postgres directly as superuser, autocommit, past every link."""
        ...

    def chain_url(self, service: str | None = None) -> str:
        """The JSON-RPC URL of a chain service, past every link."""
        ...

    def database_url(self, service: str | None = None) -> str:
        """A libpq connection string for the same connection as `database`, for a probe."""
        ...

    def contract(self, name: str) -> str:
        """The address of a contract that a setup step deployed, by its name in contracts.json."""
        ...

    def start_module(self, module: str, arguments: Sequence[str] = ()) -> RunningModule:
        """Run a Python module of the environment beside the system, in the operator's variables; its output is piped."""
        ...

    def processes(self, service: str) -> Sequence[int]:
        """The pids of a service's processes: for an app, those of the instances now serving."""
        ...

    def restart(self, service: str) -> None:
        """Start a service that is not running; wait until its health probe holds."""
        ...

    def start_on_demand(self, service: str) -> None:
        """Start a service that is declared on demand, with what it depends on; the next reset stops it."""
        ...

    def present_certificate(self, service: str, *, not_after: datetime | None = None) -> None:
        """Issue a new certificate to a service, from the authority that clients trust, and start its processes afresh.

        It is valid until `not_after`, which may be past; without it, as long as at the start.
        """
        ...

    def inbox(self, channel: str) -> list[Message]:
        """What has arrived on a channel (a service with an inbox) since the last reset, oldest first."""
        ...


class Backend(Protocol):
    """Starts environments of one kind: embedded or docker."""

    name: str

    def start(self, topology: Topology, run_dir: Path, *, progress: Progress) -> AbstractContextManager[Environment]:
        """Start every service in dependency order, wait for health, take the baseline that `reset` returns to."""
        ...
