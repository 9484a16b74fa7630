"""An outside API misbehaves: it answers errors, limits, rubbish, slowly, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed, UnsupportedFault
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven
from drillbook.probes.http import tls_context

HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class ExternalApi:
    """Have the twin `service` behave as `mode`: error (with `status`), rate-limited, garbage, slow (`delay` s) or hang.

    Twins take this by PUT /behaviour on `port`; healing restores the behaviour that was set before.
    """

    kind: ClassVar[str] = "external-api"
    service: str
    mode: str = "error"
    status: int = 503
    delay: float = 2.0
    port: str = "https"

    @property
    def target(self) -> str:
        """The service."""
        return self.service

    def inject(self, environment: Environment) -> ActiveFault:
        """Set the behaviour, and see that the twin reports it."""
        twin = _twin(environment, self.service, self.port)
        before = twin.call("GET")
        twin.call("PUT", {"mode": self.mode, "status": self.status, "delay": self.delay})
        misbehaving = _Misbehaving(twin, before)
        otherwise = f"{self.service} does not report the mode {self.mode}"
        return proven(misbehaving, lambda: twin.call("GET").get("mode") == self.mode, otherwise)


@dataclass(frozen=True, slots=True)
class _Twin:
    """Where a twin takes its behaviour; `name` is the one that its certificate is verified for."""

    service: str
    url: str
    name: str

    def call(self, method: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Call /behaviour; give the JSON object that it answers. Raises EnvironmentFailed."""
        what = f"{method} /behaviour of {self.service} at {self.url}"
        try:
            with httpx.Client(verify=tls_context(), timeout=5.0, trust_env=False) as client:
                answer = client.request(
                    method, self.url, json=body, headers={"Host": self.name}, extensions={"sni_hostname": self.name}
                )
        except httpx.HTTPError as error:
            raise EnvironmentFailed(f"{what} failed: {error!r}") from error
        if answer.status_code in (404, 405):
            raise UnsupportedFault(f"{what}: HTTP {answer.status_code}; only twins take a behaviour")
        if answer.is_error:
            raise EnvironmentFailed(f"{what}: HTTP {answer.status_code} {answer.text[:200]}")
        parsed = answer.json() if answer.content else {}
        return parsed if isinstance(parsed, Mapping) else {}


@dataclass(frozen=True, slots=True)
class _Misbehaving:
    twin: _Twin
    before: Mapping[str, Any]

    def heal(self) -> None:
        """Restore what was set before; a twin that was healthy is told to be so."""
        if self.before.get("mode", HEALTHY) == HEALTHY:
            self.twin.call("DELETE")
        else:
            self.twin.call("PUT", self.before)


def _twin(environment: Environment, service: str, port: str) -> _Twin:
    address = environment.address(service, port)
    names = environment.topology.names.items()
    name = next((n for n, ports in names if f"{service}.{port}" in map(str, ports.values())), address.host)
    scheme = "http" if port == "http" else "https"
    return _Twin(service, f"{scheme}://{address}/behaviour", name)
