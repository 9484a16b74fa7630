"""One instance of a release: a real process, its ports, its state, and the probe that keeps the state true.

States follow kubelet's: an instance is `starting` until its health request is answered 2xx, then `ready`; three failed
probes in a row, a second apart, make it `unready`; one good probe makes it `ready` again; a process that ended has
`exited`. Nothing replaces an exited instance by itself: Kubernetes evicts the pods of a lost node after 300 s only
(tolerationSeconds), far beyond a drill, so that bringing it back is the responder's work.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import socket
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from drillbook.clock import SYSTEM_CLOCK
from drillbook.platform.config import AppConfig, Endpoint
from drillbook.platform.health import Health, check
from drillbook.platform.launcher import Launcher, Program, Running
from drillbook.platform.releases import Release
from drillbook.platform.router import Relay

PROBE_PERIOD = 1.0
PROBE_TIMEOUT = 1.0
PROBE_FAILURES = 3
STARTING_PERIOD = 0.02
STARTING_TIMEOUT = 0.5
DRAIN_LIMIT = 2.0
STOP_GRACE = 1.0
NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_ports = itertools.count(random.randrange(18000, 26000))


class State(StrEnum):
    """What an instance is doing; pending: the cluster has no room for it yet."""

    PENDING = "pending"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    EXITED = "exited"


class Instance:
    """A process of one release. `changed` is called at every change of state."""

    def __init__(self, app: AppConfig, release: Release, environment: Mapping[str, str]) -> None:
        self.release = release
        self.suffix = "".join(random.choices(NAME_ALPHABET, k=5))
        self.name = f"{app.name}-{release.number}-{self.suffix}"
        self.ports = {name: Endpoint(public.host, _free_port(public.host)) for name, public in app.ports.items()}
        self.created = SYSTEM_CLOCK.wall()
        self.log = app.log.with_name(f"{app.log.stem}-{release.number}-{self.suffix}.log")
        self.state = State.PENDING
        self.health = Health.REFUSED
        self.been_ready = False
        self.retiring = False
        self.exit_status: int | None = None
        self.ready_since = self.created
        self.relays: set[Relay] = set()
        self.evidence = asyncio.Event()
        """Set once the instance has shown what it is: ready, ended, or listening without being healthy."""
        self.exited = asyncio.Event()
        self._app = app
        self._environment = environment
        self._changed: Callable[[], None] = lambda: None
        self._running: Running | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Give the process id, None before the start."""
        return self._running.pid if self._running else None

    def start(self, launcher: Launcher, changed: Callable[[], None]) -> None:
        """Start the process and watch it until it ends."""
        self._changed = changed
        self.state = State.STARTING
        self._task = asyncio.get_running_loop().create_task(self._live(launcher), name=self.name)

    async def stop(self, grace: float = STOP_GRACE) -> None:
        """End the process: SIGTERM (and SIGCONT, in case it is frozen), SIGKILL `grace` seconds later."""
        if self.state is State.PENDING:
            self.exited.set()
            self._become(State.EXITED)
        while self._running is None and not self.exited.is_set():
            await asyncio.sleep(0.005)  # launched a moment ago
        if self._running is None or self.exited.is_set():
            return
        self._running.terminate()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._running.pid, signal.SIGCONT)
        try:
            await asyncio.wait_for(self.exited.wait(), grace)
        except TimeoutError:
            self._running.kill()
            await self.exited.wait()

    async def retire(self) -> None:
        """Let the connections come to an end, at most two seconds, then stop."""
        self.retiring = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DRAIN_LIMIT
        while self.relays and loop.time() < deadline and self.state is not State.EXITED:
            for relay in [relay for relay in self.relays if relay.is_quiet()]:
                relay.close()
            await asyncio.sleep(0.01)
        await self.stop()

    async def probe(self, timeout: float = PROBE_TIMEOUT) -> Health:
        """Ask for the health now, within `timeout` seconds; a good answer makes it ready."""
        self.health = await check(self.ports[self._app.health.port], self._app.health, timeout)
        if self.health is Health.READY:
            self._become(State.READY)
        return self.health

    async def _live(self, launcher: Launcher) -> None:
        try:
            self._running = await launcher.launch(self._program())
        except OSError as error:
            self.log.write_text(f"cannot start: {error}\n")
            self.exit_status = 127
        else:
            prober = asyncio.get_running_loop().create_task(self._watch())
            self.exit_status = await self._running.wait_exit()
            prober.cancel()
        self.exited.set()
        self._become(State.EXITED)

    async def _watch(self) -> None:
        while not self.been_ready:
            health = await self.probe(STARTING_TIMEOUT)
            if health is not Health.REFUSED:
                self.evidence.set()
            await asyncio.sleep(STARTING_PERIOD)
        failures = 0
        while True:
            await asyncio.sleep(PROBE_PERIOD)
            failures = 0 if await self.probe() is Health.READY else failures + 1
            if failures >= PROBE_FAILURES:
                self._become(State.UNREADY)

    def _become(self, state: State) -> None:
        if state is State.READY and self.exited.is_set():
            return
        if state in (State.READY, State.EXITED):
            self.evidence.set()
        if state is State.READY and not self.been_ready:
            self.been_ready = True
            self.ready_since = SYSTEM_CLOCK.wall()
        if state is not self.state:
            self.state = state
            self._changed()

    def _program(self) -> Program:
        directory = self.release.directory
        return Program(
            module=self.release.module,
            argv=self.release.argv,
            environment={
                **self._environment,
                **dict(self.release.settings),
                **{f"PORT_{name.upper()}": str(port.port) for name, port in self.ports.items()},
                "HOST": self.ports[self._app.health.port].host,
                "RELEASE": str(self.release.number),
                "RELEASE_DIR": str(directory),
            },
            path=(str(directory), str(self._app.source)),
            cwd=Path(directory),
            log=self.log,
        )


def _free_port(host: str) -> int:
    """Find a free port below the kernel's ephemeral range, so that no outgoing connection takes it meanwhile."""
    while True:
        port = 18000 + next(_ports) % 14000
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind((host, port))
            return port
