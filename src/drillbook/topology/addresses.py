"""Where everything listens: a loopback address for each service, each name and each link, the same in every run.

Distinct addresses let every service keep its real port (four services on 443), and let a packet capture or a log line
tell a name from the service behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.backends.base import Address

if TYPE_CHECKING:
    from drillbook.topology.model import Topology
    from drillbook.topology.values import ServicePort

_NAMES, _SERVICES, _LINKS = 1, 2, 3
_HOSTS = 254


@dataclass(frozen=True, slots=True)
class ProxyPlan:
    """One Toxiproxy proxy: what connects to `listen` reaches `upstream`."""

    name: str
    listen: Address
    upstream: Address


class Addresses:
    """The plan for one topology. Every method raises KeyError for a name that the topology does not declare."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._names = _plan(_NAMES, topology.names)
        self._services = _plan(_SERVICES, topology.services)
        self._links = _plan(_LINKS, topology.links)

    def service(self, name: str) -> str:
        """Give the host on which a service itself listens."""
        return self._services[name]

    def port(self, service: str, port: str) -> Address:
        """Give where a service's port, by its name, listens."""
        return Address(self._services[service], self._topology.services[service].ports[port])

    def name(self, hostname: str) -> str:
        """Give the host that one of production's names stands for."""
        return self._names[hostname]

    def link(self, name: str) -> Address:
        """Give where a link's proxy listens: for `links` of the file, and for a name's own link, NAME:PORT."""
        if name in self._links:
            return Address(self._links[name], self._target(self._topology.links[name].to).port)
        hostname, _, port = name.rpartition(":")
        if int(port if port.isdecimal() else 0) not in self._topology.names.get(hostname, {}):
            raise KeyError(name)
        return Address(self._names[hostname], int(port))

    def hosts_file(self) -> str:
        """Give the text of /etc/hosts: localhost, the names, `NAME.service.internal` and `NAME.link.internal`."""
        lines = [("127.0.0.1", "localhost")]
        lines += [(host, name) for name, host in self._names.items()]
        lines += [(host, f"{name}.service.internal") for name, host in self._services.items()]
        lines += [(host, f"{name}.link.internal") for name, host in self._links.items()]
        return "".join(f"{host}\t{name}\n" for host, name in lines)

    def proxies(self) -> list[ProxyPlan]:
        """Give every proxy: each port of each name (called NAME:PORT), then each link."""
        names = (
            (f"{hostname}:{port}", target)
            for hostname, ports in self._topology.names.items()
            for port, target in ports.items()
        )
        links = ((name, link.to) for name, link in self._topology.links.items())
        return [ProxyPlan(name, self.link(name), self._target(target)) for name, target in (*names, *links)]

    def _target(self, target: ServicePort) -> Address:
        return self.port(target.service, target.port)


def addresses(topology: Topology) -> Addresses:
    """Plan the addresses of a topology: names on 127.0.1.N, services on 127.0.2.N, links on 127.0.3.N.

    The 255th of a kind continues on 127.1.x.1, and so on: 65,024 of each kind at most.
    """
    return Addresses(topology)


def _plan(kind: int, names: Iterable[str]) -> dict[str, str]:
    return {name: f"127.{index // _HOSTS}.{kind}.{index % _HOSTS + 1}" for index, name in enumerate(names)}
