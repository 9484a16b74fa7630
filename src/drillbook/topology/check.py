"""What must agree between the values of an environment file: every name leads somewhere, nothing is said twice.

Each check yields the problems it finds; none stops the others, so one run shows them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from drillbook.shims.grammar import canonical
from drillbook.topology.bindings import pattern_words
from drillbook.topology.check_loads import check_loads
from drillbook.topology.model import Topology
from drillbook.topology.order import cycle, dependencies
from drillbook.topology.probe_specs import ContractSpec, HttpSpec, InboxSpec, ProbeSpec, SqlSpec, TcpSpec
from drillbook.topology.problem import Problem, nearest
from drillbook.topology.services import (
    AppService,
    ChainService,
    PlatformService,
    PostgresService,
    ProcessService,
    Service,
)
from drillbook.topology.values import ServicePort

OWN_VARIABLES = frozenset(
    {"HOST", "TLS_CERT_FILE", "TLS_KEY_FILE", "STATE_DIR", "SERVICE_NAME", "SSL_CERT_FILE", "RELEASE", "RELEASE_DIR"}
)
_PORTS = {"http": 80, "https": 443}
_RUNNING = ProcessService | AppService
Path_ = tuple[str | int, ...]


def check(topology: Topology) -> Iterator[Problem]:
    """Give everything in a topology that does not agree with itself or with the files beside it."""
    for name, service in topology.services.items():
        yield from _service(topology, name, service)
    yield from _doubles(topology)
    yield from _cycles(topology)
    yield from _arrows(topology)
    yield from _setup(topology)
    for name, probe in topology.probes.items():
        yield from _probe(topology, name, probe)
    yield from _steady_state(topology)
    if topology.workload and topology.workload.stored:
        path = ("workload", "stored", "service")
        yield from _of_kind(topology, path, topology.workload.stored.service, PostgresService, "postgres")
    if topology.people.pager:
        url = topology.people.pager
        yield from _name(topology, ("people", "pager"), urlsplit(url).hostname or "", _url_port(url))
    yield from _bindings(topology)
    yield from check_loads(topology, module_file)
    yield from _modules(topology)


def module_file(topology: Topology, module: str, *, beside_environments: bool = False) -> Path | None:
    """Find a module's file without importing it, beside the environment file and, if asked, beside `environments/`."""
    roots = [topology.folder]
    if beside_environments and topology.folder.parent.name == "environments":
        roots.append(topology.folder.parent.parent)
    path = Path(*module.split("."))
    endings = (path.with_suffix(".py"), path / "__main__.py", path / "__init__.py")
    return next((root / ending for root in roots for ending in endings if (root / ending).is_file()), None)


def _service(topology: Topology, name: str, service: Service) -> Iterator[Problem]:
    path: Path_ = ("services", name)
    for port in service.required_ports:
        if port not in service.ports:
            yield Problem(
                (*path, "ports"), f"a {service.kind} service needs a port named {port}", f"add {port}: NUMBER"
            )
    yield from _port_numbers((*path, "ports"), service)
    if service.health.port not in (*service.ports, *service.required_ports):
        look = "http" if service.health.http else "tcp"
        yield _unknown((*path, "health", look, "port"), "port of this service", service.health.port, service.ports)
    for index, other in enumerate(service.depends_on):
        if other not in topology.services:
            yield _unknown((*path, "depends_on", index), "service", other, topology.services)
        elif other in topology.apps and name not in topology.apps:
            message = f"{other} is an app, and apps start after everything else, so {name} would never start"
            yield Problem((*path, "depends_on", index), message, "take it out")
        elif topology.services[other].on_demand and not service.on_demand:
            message = f"{other} is started on demand, so {name} would wait for it for ever"
            yield Problem(
                (*path, "depends_on", index), message, f"give {name} on_demand: true, or take it from {other}"
            )
    if service.on_demand and isinstance(service, PlatformService):
        yield Problem((*path, "on_demand"), "a platform starts with the environment", "put it at the platform's apps")
    if isinstance(service, PostgresService) and not service.migrations.is_dir():
        message = f"there is no folder {service.migrations}"
        yield Problem((*path, "migrations"), message, "make the folder, or correct its name")
    if isinstance(service, _RUNNING):
        yield from _running(path, service)
    if isinstance(service, AppService):
        yield from _of_kind(topology, (*path, "platform"), service.platform, PlatformService, "platform")


def _port_numbers(path: Path_, service: Service) -> Iterator[Problem]:
    first: dict[int, str] = {}
    for port, number in service.ports.items():
        if first.setdefault(number, port) != port:
            yield Problem(
                (*path, port), f"{number} is already the number of port {first[number]}", "give it another number"
            )


def _running(path: Path_, service: ProcessService | AppService) -> Iterator[Problem]:
    for variable in service.environment:
        if variable in OWN_VARIABLES or variable.startswith("PORT_"):
            message = "Drillbook itself sets this variable for every service"
            yield Problem((*path, "environment", variable), message, "give yours another name", key=True)
    if service.inbox and service.inbox_port not in service.ports:
        yield Problem((*path, "inbox"), "an inbox is read on a port named https or http", "add one under ports")


def _doubles(topology: Topology) -> Iterator[Problem]:
    first: dict[tuple[str, str], str] = {}
    for name, service in topology.services.items():
        for field in ("inbox", "deployment", "project"):
            value = getattr(service, field, None)
            if value and first.setdefault((field, value), name) != name:
                message = f"{first[field, value]} already has the {field} `{value}`"
                yield Problem(("services", name, field), message, "give each its own")


def _cycles(topology: Topology) -> Iterator[Problem]:
    known = topology.services
    graph = {name: [other for other in needs if other in known] for name, needs in dependencies(topology).items()}
    around = cycle(graph)
    if around:
        message = f"these wait for each other, so none could start: {' -> '.join(around)}"
        yield Problem(("services", around[0], "depends_on"), message, "take one arrow out of the circle")


def _arrows(topology: Topology) -> Iterator[Problem]:
    for hostname, ports in topology.names.items():
        for number, target in ports.items():
            yield from _target(topology, ("names", hostname, str(number)), target)
    for name, link in topology.links.items():
        if link.from_ not in topology.services:
            yield _unknown(("links", name, "from"), "service", link.from_, topology.services)
        yield from _target(topology, ("links", name, "to"), link.to)


def _target(topology: Topology, path: Path_, target: ServicePort) -> Iterator[Problem]:
    service = topology.services.get(target.service)
    if service is None:
        yield _unknown(path, "service", target.service, topology.services)
    elif target.port not in service.ports:
        yield _unknown(path, f"port of {target.service}", target.port, service.ports)


def _setup(topology: Topology) -> Iterator[Problem]:
    for index, step in enumerate(topology.setup):
        for place, name in enumerate(step.needs):
            path: Path_ = ("setup", index, "needs", place)
            if name not in topology.services:
                yield _unknown(path, "service", name, topology.services)
            elif name in topology.apps:
                yield Problem(path, f"{name} is an app, and apps start after setup", "name infrastructure only")


def _probe(topology: Topology, name: str, probe: ProbeSpec) -> Iterator[Problem]:
    spec = probe.spec
    path: Path_ = ("probes", name)
    if isinstance(spec, HttpSpec):
        url = urlsplit(spec.url)
        yield from _name(topology, (*path, "http", "url"), url.hostname or "", _url_port(spec.url))
    elif isinstance(spec, TcpSpec):
        yield from _name(topology, (*path, "tcp", "to"), spec.host, spec.port)
    elif isinstance(spec, SqlSpec):
        yield from _of_kind(topology, (*path, "sql", "service"), spec.service, PostgresService, "postgres")
    elif isinstance(spec, ContractSpec):
        yield from _of_kind(topology, (*path, "contract", "service"), spec.service, ChainService, "chain")
    elif isinstance(spec, InboxSpec) and spec.channel not in topology.inboxes:
        yield _unknown((*path, "inbox", "channel"), "inbox", spec.channel, topology.inboxes)


def _url_port(url: str) -> int:
    split = urlsplit(url)
    written = split.netloc.rpartition(":")[2] if ":" in split.netloc else ""
    return int(written) if written else _PORTS[split.scheme]


def _name(topology: Topology, path: Path_, hostname: str, port: int) -> Iterator[Problem]:
    if hostname not in topology.names:
        yield _unknown(path, "name", hostname, topology.names)
    elif port not in topology.names[hostname]:
        answered = ", ".join(map(str, topology.names[hostname]))
        yield Problem(path, f"nothing answers at {hostname}:{port}", f"{hostname} answers at: {answered}")


def _of_kind(topology: Topology, path: Path_, name: str, kind: type[Service], word: str) -> Iterator[Problem]:
    of_kind = [known for known, service in topology.services.items() if isinstance(service, kind)]
    if name not in topology.services:
        yield _unknown(path, "service", name, of_kind)
    elif name not in of_kind:
        message = f"{name} is a service of kind {topology.services[name].kind}; expected one of kind {word}"
        yield Problem(path, message, f"services of that kind: {', '.join(of_kind) or 'none'}")


def _steady_state(topology: Topology) -> Iterator[Problem]:
    for index, name in enumerate(topology.steady_state.probes):
        path: Path_ = ("steady_state", "probes", index)
        if name not in topology.probes:
            yield _unknown(path, "probe", name, topology.probes)
        elif topology.steady_state.probes.index(name) != index:
            yield Problem(path, f"{name} stands here a second time", "take it out")


def _bindings(topology: Topology) -> Iterator[Problem]:
    first: dict[tuple[str, ...], int] = {}
    for index, binding in enumerate(topology.bindings):
        spelled = canonical(pattern_words(binding.command), "/")
        if first.setdefault(spelled, index) != index:
            message = f"bindings[{first[spelled]}] already binds this command, and the first counts"
            yield Problem(("bindings", index, "command"), message, "take one of the two out")


def _modules(topology: Topology) -> Iterator[Problem]:
    for path, module in _named_modules(topology):
        everywhere = path[0] in ("workload", "loads")
        if module_file(topology, module, beside_environments=everywhere) is None:
            where = f"{topology.folder.name}/" + (" or beside environments/" if everywhere else "")
            written = module.replace(".", "/")
            yield Problem(path, f"there is no module {module}", f"expected {written}.py, or the package, in {where}")


def _named_modules(topology: Topology) -> Iterable[tuple[Path_, str]]:
    for name, service in topology.services.items():
        if isinstance(service, _RUNNING):
            yield ("services", name, "python"), service.python
    for index, step in enumerate(topology.setup):
        yield ("setup", index, "python"), step.python
    for index, binding in enumerate(topology.bindings):
        yield ("bindings", index, "python"), binding.python
    if topology.workload:
        yield ("workload", "python"), topology.workload.python
    for name, load in topology.loads.items():
        yield ("loads", name, "locustfile"), load.locustfile
    for name, invariant in topology.invariants.items():
        yield ("invariants", name, "python"), invariant.python


def _unknown(path: Path_, what: str, name: str, known: Iterable[str]) -> Problem:
    return Problem(path, f"no {what} `{name}`", nearest(name, known, "expected one of these"))
