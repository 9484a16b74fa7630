"""Make the probes that the environment file declares, against one running environment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from drillbook.backends.base import Address, Environment, Message
from drillbook.probes.base import Probe
from drillbook.probes.contract import ContractProbe
from drillbook.probes.http import HttpProbe
from drillbook.probes.inbox import InboxProbe
from drillbook.probes.sql import SqlProbe
from drillbook.probes.tcp import TcpProbe
from drillbook.topology.probe_specs import ContractSpec, HttpSpec, InboxSpec, Spec, SqlSpec, TcpSpec


def make_probes(environment: Environment, names: Iterable[str]) -> list[Probe]:
    """Give the probes of these names, in their order."""
    return [_make(environment, name, environment.topology.probes[name].spec) for name in names]


def _make(environment: Environment, name: str, spec: Spec) -> Probe:
    match spec:
        case HttpSpec():
            return HttpProbe(
                name, spec.url, spec.timeout, spec.status, spec.body, spec.contains or "", spec.follow_redirects
            )
        case TcpSpec():
            return TcpProbe(name, Address(spec.host, spec.port), spec.timeout)
        case SqlSpec():
            return SqlProbe(name, environment.database_url(spec.service), spec.query, spec.expect, spec.timeout)
        case ContractSpec():
            url, address = environment.chain_url(spec.service), environment.contract(spec.contract)
            return ContractProbe(name, url, address, spec.call, spec.expect, tuple(spec.arguments), spec.timeout)
        case InboxSpec():
            return _inbox(environment, name, spec)


def _inbox(environment: Environment, name: str, spec: InboxSpec) -> InboxProbe:
    async def fetch() -> list[Message]:
        return await asyncio.to_thread(environment.inbox, spec.channel)

    return InboxProbe(name, fetch, spec.at_least, spec.contains or "", spec.recipient or "", spec.timeout)
