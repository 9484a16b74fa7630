"""Start the declared system as real processes inside the sandbox, everything at once that can be.

Order: links and the fork server; infrastructure and twins side by side; setup; the platform, which starts the apps. The
state that this reaches is the baseline to which `reset` returns.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from drillbook.backends.base import Part, Progress
from drillbook.backends.embedded.environment import EmbeddedEnvironment
from drillbook.backends.embedded.plan import Plan, make_secrets
from drillbook.backends.embedded.postgres import programs
from drillbook.backends.embedded.system import System
from drillbook.sandbox.layout import Layout, require_inside
from drillbook.sandbox.variables import real_programs
from drillbook.shims.install import BindingSpec, install
from drillbook.topology.model import Topology
from drillbook.topology.order import dependencies
from drillbook.topology.services import AppService, PlatformService
from drillbook.toxiproxy.client import LinkControl

VERCEL = BindingSpec("vercel **", "drillbook.shims.vercel")
KUBECTL = BindingSpec("kubectl **", "drillbook.shims.kubectl")
"""Only where there is no real kubectl: a binding would hide it."""


class EmbeddedBackend:
    """Starts environments in the sandbox that this process is in; see `drillbook.backends.base.Backend`."""

    name = "embedded"

    def __init__(self, cache: Path) -> None:
        """Keep the initialised database cluster in `cache`, which may not exist or not be writable."""
        self._cache = cache

    @contextmanager
    def start(self, topology: Topology, run_dir: Path, *, progress: Progress) -> Iterator[EmbeddedEnvironment]:
        """Start every service; raise SandboxRefused outside a sandbox, EnvironmentFailed for one that does not start."""
        require_inside()
        system = System(make_plan(topology, run_dir), self._cache, progress)
        environment = None
        try:
            environment = _start(system)
            yield environment
        finally:
            if environment:
                environment.close()
            system.kill_all()
            progress(Part("environment", "stopped"))


def make_plan(topology: Topology, run_dir: Path) -> Plan:
    """Decide everything, and lay the sandbox's hosts file, certificates and shims."""
    layout, logs = Layout(), run_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    search_path = real_programs(os.environ.get("PATH", ""), layout.shims)
    plan = Plan(topology, layout, logs, make_secrets(topology), programs(), search_path)
    layout.hosts.write_text(plan.addresses.hosts_file())
    bindings = [BindingSpec(one.command, one.python, one.where_absent) for one in topology.bindings]
    tools = [VERCEL] if shutil.which("kubectl", path=search_path) else [VERCEL, KUBECTL]
    install(
        layout.shims,
        [*bindings, *tools],
        Path(sys.executable),
        search_path,
        module_path=plan.module_path,
        fork_server=layout.zygote,
    )
    layout.variables.touch(mode=0o600)
    layout.variables.write_text(json.dumps(plan.operator_variables()))
    return plan


def _start(system: System) -> EmbeddedEnvironment:
    services = system.plan.topology.services
    platforms = [name for name, service in services.items() if isinstance(service, PlatformService)]
    apps = [name for name, app in system.plan.topology.apps.items() if not app.on_demand]
    infrastructure = [
        name
        for name, service in services.items()
        if not service.on_demand and not isinstance(service, PlatformService | AppService)
    ]
    with ThreadPoolExecutor(len(services) + 1, thread_name_prefix="start") as pool:
        links = pool.submit(system.start_links)
        zygote = pool.submit(system.start_zygote)
        _start_all(pool, system, infrastructure, zygote)
        control: LinkControl = links.result()
        system.set_up()
        for name in platforms:
            system.start(name)
        for name in apps:
            system.wait_ready(name)
    return EmbeddedEnvironment(system, control, system.plan.operator_variables())


def _start_all(pool: ThreadPoolExecutor, system: System, names: list[str], zygote: Future[None]) -> None:
    """Start services side by side, each when what it depends on is ready."""
    needs, started = dependencies(system.plan.topology), dict[str, Future[None]]()

    def start(name: str) -> None:
        zygote.result()
        for other in needs[name]:
            started[other].result()
        system.start(name)

    for name in _in_order(names, needs):
        started[name] = pool.submit(start, name)
    for future in started.values():
        future.result()


def _in_order(names: list[str], needs: dict[str, tuple[str, ...]]) -> list[str]:
    """Give the names with each after what it needs, so that its future is there to be waited for."""
    ordered: list[str] = []
    while len(ordered) < len(names):
        ordered += [n for n in names if n not in ordered and set(needs[n]) & set(names) <= set(ordered)]
    return ordered
