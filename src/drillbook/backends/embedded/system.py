"""The running services of an embedded environment: how each kind is started, seen to be ready, and started again."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx

from drillbook.backends.base import Address, Part, Progress
from drillbook.backends.embedded.plan import Plan
from drillbook.backends.embedded.postgres import Postgres, last_lines
from drillbook.backends.embedded.programs import Process, Spawned, forked
from drillbook.chain.command import chain_command
from drillbook.clock import SYSTEM_CLOCK, Clock, wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.topology.services import (
    AppService,
    ChainService,
    Health,
    PlatformService,
    PostgresService,
    ProcessService,
)
from drillbook.toxiproxy.binary import server_command
from drillbook.toxiproxy.client import LinkControl

LINK_CONTROL = Address("127.0.0.1", 8474)
_SUPPORT_SECONDS = 10.0
_SETUP_SECONDS = 60.0


class System:
    """Every process of one environment, by service. Starting methods raise EnvironmentFailed with the log's end."""

    def __init__(self, plan: Plan, cache: Path, progress: Progress, clock: Clock = SYSTEM_CLOCK) -> None:
        self.plan = plan
        self.postgres: dict[str, Postgres] = {}
        self._cache = cache
        self._progress = progress
        self._clock = clock
        self._processes: dict[str, Process] = {}
        self._zygote = plan.layout.zygote
        self._authority = plan.authority  # made here, once: the services' threads come for it together
        # One context for every readiness check, for making one costs more than a check. As kubelet's, it verifies nothing:
        # a server with a certificate that nobody accepts has started all the same.
        self._trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._trust.check_hostname, self._trust.verify_mode = False, ssl.CERT_NONE

    def start_links(self) -> LinkControl:
        """Start Toxiproxy and make every link of the topology."""
        begun = self._begin("links")
        argv = [
            *server_command(self.plan.operator_variables()),
            "--host",
            LINK_CONTROL.host,
            "--port",
            str(LINK_CONTROL.port),
        ]
        process = self._processes["links"] = Spawned(argv, self.plan.log("links"))
        self._wait("links", process, lambda: _answers(f"http://{LINK_CONTROL}/version", self._trust), _SUPPORT_SECONDS)
        control = LinkControl(LINK_CONTROL.host, LINK_CONTROL.port)
        for link in self.plan.addresses.proxies():
            control.create(link.name, str(link.listen), str(link.upstream))
        self._ready("links", begun, f"{len(control.names())} links")
        return control

    def start_zygote(self) -> None:
        """Start the fork server; the services' processes come from it."""
        import sys

        argv = [sys.executable, "-m", "drillbook.backends.embedded.zygote", str(self._zygote)]
        process = self._processes["zygote"] = Spawned(argv, self.plan.log("zygote"))
        self._wait("zygote", process, self._zygote.exists, _SUPPORT_SECONDS)

    def start(self, name: str) -> None:
        """Start one service and wait until its health probe holds."""
        begun, service = self._begin(name), self.plan.topology.services[name]
        match service:
            case PostgresService():
                self._start_postgres(name, service)
            case ChainService():
                host, port = self.plan.addresses.service(name), service.ports["rpc"]
                argv = chain_command(host, port, service.chain_id, self.plan.operator_variables())
                self._processes[name] = Spawned(argv, self.plan.log(name))
            case ProcessService():
                ports = {f"PORT_{key.upper()}": str(number) for key, number in service.ports.items()}
                self._fork(name, service.python, self.plan.variables_of(name, service) | ports)
            case PlatformService():
                config = self.plan.state(name) / "platform.json"
                config.touch(mode=0o600)
                config.write_text(self.plan.platform_config(name, service))
                (self.plan.state(name) / "releases").mkdir(exist_ok=True)
                zygote = {"PLATFORM_CONFIG": str(config), "DRILLBOOK_ZYGOTE": str(self._zygote)}
                self._fork(name, "drillbook.platform", zygote)
        self.wait_ready(name)
        self._ready(name, begun)

    def wait_ready(self, name: str) -> None:
        """Wait until a service's health probe holds, or raise with the end of its log."""
        service = self.plan.topology.services[name]
        if not isinstance(service, PostgresService):
            process = None if isinstance(service, AppService) else self._processes[name]
            self._wait(name, process, lambda: self.healthy(name, service.health), service.health.within)

    def healthy(self, name: str, health: Health) -> bool:
        """Ask a service's health probe once, past every link."""
        address = self.plan.addresses.port(name, health.port)
        if health.http is None:
            return _connects(address)
        scheme = "http" if health.port == "http" else "https"
        return _answers(f"{scheme}://{address}{health.http.path}", self._trust)

    def set_up(self, service: str | None = None) -> None:
        """Run the setup steps: those of what starts with the environment, or those that need a service that was started anew."""
        services = self.plan.topology.services
        for step in self.plan.topology.setup:
            if service is None and any(services[name].on_demand for name in step.needs):
                continue
            if service is not None and service not in step.needs:
                continue
            begun, log = self._begin(step.python), self.plan.log(step.python)
            variables = self.plan.operator_variables() | {"STATE_DIR": str(self.plan.state("setup"))}
            process = forked(self._zygote, step.python, log, self.plan.module_path, variables)
            if process.wait(_SETUP_SECONDS) != 0:
                process.kill()
                raise EnvironmentFailed(f"setup {step.python} failed:\n{last_lines(log)}")
            self._ready(step.python, begun)

    def dead(self) -> list[str]:
        """Give the names of the services whose process is gone."""
        dead = [name for name, process in self._processes.items() if not process.running()]
        return dead + [name for name, server in self.postgres.items() if server.pid is None]

    def restart(self, name: str) -> None:
        """Start a service that is not running, on the state that is left of it; a chain's is made anew."""
        if name in self.postgres:
            self.postgres[name].restart()
        elif name == "links":
            raise EnvironmentFailed("Toxiproxy has died: its links cannot be made again while services hold them")
        elif name == "zygote":
            raise EnvironmentFailed("the fork server has died, and every service with it")
        else:
            self.start(name)
            self.set_up(name)

    def stop(self, name: str) -> None:
        """End a service and forget what it kept: its next start is its first."""
        process, server = self._processes.pop(name, None), self.postgres.pop(name, None)
        if process:
            process.kill()
        if server:
            server.kill()
        shutil.rmtree(self.plan.layout.state / name, ignore_errors=True)

    def pids(self, name: str) -> list[int]:
        """The pids of a service that this system started itself."""
        if name in self.postgres:
            return [pid for pid in [self.postgres[name].pid] if pid is not None]
        process = self._processes.get(name)
        return [process.pid] if process and process.running() else []

    def all_pids(self) -> list[int]:
        """The pids of everything that this system started."""
        return [pid for name in [*self._processes, *self.postgres] for pid in self.pids(name)]

    def kill_all(self) -> None:
        """End everything at once: the data lies on a tmpfs that goes with us, so nothing needs an orderly end."""
        for process in reversed(self._processes.values()):
            process.kill()
        for server in self.postgres.values():
            server.kill()

    def _start_postgres(self, name: str, service: PostgresService) -> None:
        address = self.plan.addresses.port(name, "sql")
        password = self.plan.resolved({"password": service.password})["password"]
        server = Postgres(
            self.plan.state(name),
            address,
            service.database,
            service.owner,
            password,
            service.migrations,
            self._cache,
            self.plan.log(name),
        )
        server.start()
        self.postgres[name] = server

    def _fork(self, name: str, module: str, variables: Mapping[str, str]) -> None:
        self._processes[name] = forked(self._zygote, module, self.plan.log(name), self.plan.module_path, variables)

    def _begin(self, name: str) -> float:
        self._progress(Part(name, "starting"))
        return self._clock.now()

    def _ready(self, name: str, begun: float, detail: str = "") -> None:
        self._progress(Part(name, "ready", self._clock.now() - begun, detail))

    def _wait(self, name: str, process: Process | None, ready: object, seconds: float) -> None:
        def look() -> bool:
            if process is not None and not process.running():
                raise EnvironmentFailed(f"{name} ended at its start:\n{last_lines(self.plan.log(name))}")
            return bool(callable(ready) and ready())

        if not wait_until(look, seconds):
            self._progress(Part(name, "failed", seconds))
            raise EnvironmentFailed(
                f"{name} was not ready within {seconds:g} s:\n{last_lines(self.plan.log(name))}",
                mend=f"see its log, {self.plan.log(name)}",
            )


def _answers(url: str, trust: ssl.SSLContext) -> bool:
    try:
        return httpx.get(url, verify=trust, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _connects(address: Address) -> bool:
    import socket

    try:
        socket.create_connection((address.host, address.port), timeout=1.0).close()
    except OSError:
        return False
    return True
