"""The embedded environment as drills see it: the seam of `backends/base.py` over a running system."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import httpx
import psycopg

from drillbook.backends.base import Address, Message
from drillbook.backends.embedded.programs import Piped
from drillbook.backends.embedded.system import System
from drillbook.chain.client import ChainClient
from drillbook.clock import wait_until
from drillbook.errors import DrillbookError, EnvironmentFailed, UnsupportedFault
from drillbook.platform.client import PlatformClient
from drillbook.platform.launcher import Program
from drillbook.topology.order import dependencies
from drillbook.topology.services import AppService, ChainService, PlatformService, PostgresService
from drillbook.toxiproxy.client import LinkControl

_INBOX_SECONDS = 3.0
_END_SECONDS = 5.0


class EmbeddedEnvironment:
    """See `drillbook.backends.base.Environment`."""

    def __init__(self, system: System, links: LinkControl, variables: Mapping[str, str]) -> None:
        plan = system.plan
        self.topology = plan.topology
        self.links = links
        self.variables = variables
        self.workspace = plan.layout.workspace
        self.backups = plan.layout.backups
        self.hosts = plan.layout.hosts
        self.logs = plan.logs
        self.secrets = (*tuple(plan.secrets.values()), plan.kubernetes_token)
        self._system = system
        self._platform: PlatformClient | None = None
        self._chains: dict[str, tuple[ChainClient, str]] = {}
        self._demanded: list[str] = []
        context = ssl.create_default_context(cafile=str(plan.authority.bundle))
        self._http = httpx.Client(verify=context, timeout=_INBOX_SECONDS, trust_env=False)
        self._take_baseline()

    @property
    def platform(self) -> PlatformClient:
        """The release platform; UnsupportedFault if the topology declares none."""
        if self._platform is None:
            for name, service in self.topology.services.items():
                if isinstance(service, PlatformService):
                    url = f"https://{self.address(name, 'admin')}"
                    self._platform = PlatformClient(url, self._system.plan.authority.bundle)
                    return self._platform
            raise UnsupportedFault("the topology declares no platform, so there is nothing to release or roll back")
        return self._platform

    def reset(self) -> list[str]:
        """Undo what a drill did: links, frozen and dead processes, databases, chains, releases, inboxes, files."""
        problems = self._attempt("links", self.links.reset)
        for pid in self._system.all_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        problems += self._attempt("services on demand", self._stop_on_demand)
        for name in self._system.dead():
            problems += self._attempt(name, partial(self._restart, name))
        tasks: dict[str, Callable[[], object]] = {
            "database": self._reset_databases,
            "chain": self._revert_chains,
            "releases": self._reset_platform,
            "inboxes": self._empty_inboxes,
            "files": self._empty_folders,
        }
        with ThreadPoolExecutor(len(tasks)) as pool:
            outcomes = [pool.submit(self._attempt, name, task) for name, task in tasks.items()]
            return problems + [problem for outcome in outcomes for problem in outcome.result()]

    def address(self, service: str, port: str) -> Address:
        """Where a service itself listens, past every link."""
        return self._system.plan.addresses.port(service, port)

    @contextmanager
    def database(self, service: str | None = None) -> Iterator[psycopg.Connection[Any]]:
        """Connect to Postgres directly as superuser, autocommit."""
        server = self._system.postgres[service or self._only(PostgresService)]
        with server.connect() as connection:
            connection.execute("set lock_timeout = '3s'")  # a drill may hold locks: nobody waits for them for ever
            connection.execute("set statement_timeout = '15s'")
            yield connection

    def chain_url(self, service: str | None = None) -> str:
        """The JSON-RPC URL of a chain service, past every link."""
        return f"http://{self.address(service or self._only(ChainService), 'rpc')}"

    def database_url(self, service: str | None = None) -> str:
        """A libpq connection string for the superuser's Unix socket."""
        return self._system.postgres[service or self._only(PostgresService)].url

    def contract(self, name: str) -> str:
        """The address of a deployed contract, from the contracts.json of the setup."""
        file = self._system.plan.state("setup") / "contracts.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        if name not in known:
            raise EnvironmentFailed(
                f"no setup step deployed a contract {name}", mend=f"deployed: {', '.join(known) or 'none'}"
            )
        return str(known[name]["address"])

    def start_module(self, module: str, arguments: Sequence[str] = ()) -> Piped:
        """Run a Python module of the environment in the operator's variables; its output is piped."""
        plan = self._system.plan
        path = tuple(map(str, plan.module_path))
        variables = {**self.variables, "PYTHONPATH": os.pathsep.join(path)}
        program = Program(module, tuple(arguments), variables, path, self.workspace, plan.log(module))
        return Piped(plan.layout.zygote, program)

    def processes(self, service: str) -> Sequence[int]:
        """The pids of a service's processes."""
        if isinstance(self.topology.services[service], AppService):
            app = self.platform.app(service)
            return [
                i.pid for i in app.instances if i.pid is not None and i.state != "exited" and i.release == app.current
            ]
        return self._system.pids(service)

    def restart(self, service: str) -> None:
        """Start a service that is not running; an app gets fresh processes of its live release."""
        if isinstance(self.topology.services[service], AppService):
            self.platform.restart(service)
        elif not self._system.pids(service):
            self._restart(service)

    def start_on_demand(self, service: str) -> None:
        """Start a service that is declared on demand, and first those that it depends on; one that runs is left alone."""
        for name in dependencies(self.topology)[service]:
            self.start_on_demand(name)
        declared = self.topology.services[service]
        if not declared.on_demand or service in self._demanded:
            return
        self._demanded.append(service)
        if isinstance(declared, AppService):
            self.platform.scale(service, declared.replicas)
            self._system.wait_ready(service)
            return
        self._system.start(service)
        self._system.set_up(service)

    def _stop_on_demand(self) -> None:
        """Stop what scenarios had started, the last first: apps have none of their processes left, others no data either."""
        while self._demanded:
            name = self._demanded.pop()
            if not isinstance(
                self.topology.services[name], AppService
            ):  # the platform's reset stops an app's processes
                self._system.stop(name)

    def present_certificate(self, service: str, *, not_after: datetime | None = None) -> None:
        """Issue a new certificate to a service, valid until `not_after` if that is given, and start it afresh."""
        self._system.plan.issue(service, not_after)
        for pid in () if isinstance(self.topology.services[service], AppService) else self._system.pids(service):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self._system.pids(service), _END_SECONDS)
        self.restart(service)

    def _restart(self, service: str) -> None:
        self._system.restart(service)
        if service in self._chains:  # it was made anew, and knows nothing of the old one's snapshot
            self._take_snapshot(service)

    def inbox(self, channel: str) -> list[Message]:
        """What has arrived on a channel since the last reset, oldest first."""
        answer = self._ask("GET", channel)
        return [
            Message(m["channel"], m["recipient"], m["text"], m["time"], m.get("details", {})) for m in answer.json()
        ]

    def close(self) -> None:
        """Close this side's connections."""
        self._http.close()
        for client, _ in self._chains.values():
            client.close()
        if self._platform:
            self._platform.close()

    def _take_baseline(self) -> None:
        for name, service in self.topology.services.items():
            if isinstance(service, ChainService) and not service.on_demand:
                self._take_snapshot(name)

    def _take_snapshot(self, chain: str) -> None:
        client = self._chains[chain][0] if chain in self._chains else ChainClient(self.chain_url(chain))
        self._chains[chain] = (client, str(client.call("evm_snapshot")))

    def _reset_databases(self) -> None:
        for server in self._system.postgres.values():
            self._hang_up_on(server.address)
            server.reset()

    def _hang_up_on(self, address: Address) -> None:
        """End every connection over a link to a server.

        A client that was slowed down and gave up may keep its half of a login open, and for as long as one session is
        in its login PostgreSQL drops no database: the barrier that this waits for is not answered by it.
        """
        for link in self._system.plan.addresses.proxies():
            if link.upstream == address:
                self.links.disable(link.name)
                self.links.enable(link.name)

    def _revert_chains(self) -> None:
        for name, (client, snapshot) in list(self._chains.items()):
            if client.call("evm_revert", snapshot) is not True:
                raise EnvironmentFailed(f"{name} did not revert to its baseline")
            self._take_snapshot(name)  # a revert uses its snapshot up

    def _reset_platform(self) -> None:
        if any(isinstance(service, PlatformService) for service in self.topology.services.values()):
            self.platform.reset()

    def _empty_inboxes(self) -> None:
        for channel, name in self.topology.inboxes.items():
            if not self.topology.services[name].on_demand:
                self._ask("DELETE", channel)

    def _empty_folders(self) -> None:
        for folder in (self.workspace, self.backups):
            for entry in folder.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def _ask(self, method: str, channel: str) -> httpx.Response:
        name = self.topology.inboxes.get(channel)
        if name is None:
            raise EnvironmentFailed(
                f"no service keeps an inbox for {channel}", mend=f"one of: {', '.join(self.topology.inboxes)}"
            )
        port = getattr(self.topology.services[name], "inbox_port", "https")
        scheme = "http" if port == "http" else "https"
        try:
            answer = self._http.request(method, f"{scheme}://{self.address(name, port)}/inbox")
        except httpx.HTTPError as error:
            raise EnvironmentFailed(f"the inbox of {channel} does not answer: {error}") from error
        if answer.is_error:
            raise EnvironmentFailed(f"the inbox of {channel} answered {answer.status_code}")
        return answer

    def _attempt(self, name: str, task: Callable[[], object]) -> list[str]:
        """Do one part of a reset; give what went wrong, so that the other parts are still done."""
        try:
            task()
        except (DrillbookError, OSError, psycopg.Error) as error:
            return [f"{name}: {error}"]
        return []

    def _only(self, kind: type) -> str:
        services = self.topology.services.items()
        names = [name for name, service in services if isinstance(service, kind) and not service.on_demand]
        if len(names) != 1:
            raise UnsupportedFault(f"the topology declares {len(names)} services of that kind; name the one meant")
        return names[0]
