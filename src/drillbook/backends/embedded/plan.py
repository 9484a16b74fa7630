"""Everything that is decided before the first process starts: addresses, secrets, certificates, folders, variables."""

from __future__ import annotations

import json
import os
import secrets as randomness
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from drillbook.errors import UsageError
from drillbook.platform.kubernetes import kubeconfig
from drillbook.sandbox.authority import Authority, Certificate
from drillbook.sandbox.layout import Layout
from drillbook.topology.addresses import Addresses, addresses
from drillbook.topology.model import Secret, Topology
from drillbook.topology.references import reference_values, resolve
from drillbook.topology.services import AppService, PlatformService, ProcessService

_ALPHABET = string.ascii_letters + string.digits
KUBERNETES_TOKEN_CHARACTERS = 32


def make_secrets(topology: Topology) -> dict[str, str]:
    """Make or read the run's secrets, by name; UsageError for a variable of the outer environment that is not set."""
    return {name: _make(name, secret) for name, secret in topology.secrets.items()}


def _make(name: str, secret: Secret) -> str:
    if secret.generate:
        return random_text(secret.generate)
    value = os.environ.pop(secret.env or "", "")  # from here on it is in no process that does not ask for it
    if not value:
        raise UsageError(f"secrets.{name}: the variable {secret.env} is not set", mend=f"export {secret.env}=…")
    return value


def random_text(characters: int) -> str:
    """Give that many random letters and digits: safe in URLs and shells."""
    return "".join(randomness.choice(_ALPHABET) for _ in range(characters))


@dataclass(frozen=True)
class Plan:
    """What each part of one environment will be told."""

    topology: Topology
    layout: Layout
    logs: Path
    secrets: Mapping[str, str] = field(repr=False)
    programs: Path
    """The folder of psql, pg_dump and pg_restore."""
    search_path: str
    """PATH without the shims."""

    @cached_property
    def addresses(self) -> Addresses:
        """Where everything listens."""
        return addresses(self.topology)

    @cached_property
    def authority(self) -> Authority:
        """The run's certificate authority; making it writes the sandbox's CA bundle."""
        return Authority(self.layout.authority)

    @cached_property
    def kubernetes_token(self) -> str:
        """What kubectl shows to the platform."""
        return random_text(KUBERNETES_TOKEN_CHARACTERS)

    @cached_property
    def module_path(self) -> tuple[Path, ...]:
        """Where the environment's Python modules are looked for: beside its file, then beside `environments/`."""
        folder = self.topology.folder
        return (folder, folder.parent.parent) if folder.parent.name == "environments" else (folder,)

    def state(self, service: str) -> Path:
        """The service's private folder, made if need be."""
        folder = self.layout.state / service
        folder.mkdir(exist_ok=True)
        return folder

    def log(self, service: str) -> Path:
        """The file that takes the service's output."""
        return self.logs / f"{service}.log"

    def certificate(self, service: str) -> Certificate:
        """The service's certificate: for every name that it answers to, and its own address."""
        kept = Certificate(self.state(service) / "tls.crt", self.state(service) / "tls.key")
        return kept if kept.key_file.exists() else self.issue(service)

    def issue(self, service: str, not_after: datetime | None = None) -> Certificate:
        """Issue a certificate to a service, in the place of the one that it may have; `not_after` may be past."""
        names = [
            host for host, ports in self.topology.names.items() if any(p.service == service for p in ports.values())
        ]
        here = [f"{service}.service.internal", self.addresses.service(service)]
        return self.authority.issue(self.state(service), [*names, *here], not_after)

    def resolved(self, texts: Mapping[str, str], service: str | None = None) -> dict[str, str]:
        """Put values in the place of references."""
        state = self.state(service) if service else None
        values = reference_values(self.topology, self.addresses, self.secrets, state) | {
            "backups": str(self.layout.backups)
        }
        return {name: resolve(text, values) for name, text in texts.items()}

    def variables_of(self, name: str, service: ProcessService | AppService) -> dict[str, str]:
        """The variables of a service, without the ports: the process contract and what the file declares."""
        issued = self.certificate(name)
        contract = {
            "SERVICE_NAME": name,
            "HOST": self.addresses.service(name),
            "STATE_DIR": str(self.state(name)),
            "TLS_CERT_FILE": str(issued.cert_file),
            "TLS_KEY_FILE": str(issued.key_file),
        }
        return contract | self.resolved(service.environment, name)

    def operator_variables(self) -> dict[str, str]:
        """The variables in which the runbook's commands run."""
        path = ":".join((str(self.layout.shims), str(self.programs), self.search_path))
        own = {"PATH": path, "KUBECONFIG": str(self._kubeconfig()), "BACKUP_DIR": str(self.layout.backups)}
        return dict(os.environ) | own | self.resolved(self.topology.operator.variables)

    def _kubeconfig(self) -> Path:
        """Write the operator's kubeconfig, for the name behind which a platform's Kubernetes API stands."""
        file = self.layout.home / ".kube" / "config"
        file.parent.mkdir(exist_ok=True)
        for host, ports in self.topology.names.items():
            for port, target in ports.items():
                if target.port == "kubernetes":
                    file.write_text(kubeconfig(host, port, self.layout.authority, self.kubernetes_token))
        return file

    def platform_config(self, name: str, service: PlatformService) -> str:
        """The platform's configuration, as JSON: see `drillbook.platform.config`."""
        issued, host = self.certificate(name), self.addresses.service(name)
        kubernetes = {"host": host, "port": service.ports.get("kubernetes", 0), "token": self.kubernetes_token}
        return json.dumps(
            {
                "releases_dir": str(self.state(name) / "releases"),
                "admin": {"host": host, "port": service.ports["admin"]},
                "kubernetes": kubernetes,
                "capacity": service.capacity,
                "tls": {"cert_file": str(issued.cert_file), "key_file": str(issued.key_file)},
                "apps": [self._app(app, spec) for app, spec in self.topology.apps.items() if spec.platform == name],
            }
        )

    def _app(self, name: str, app: AppService) -> dict[str, object]:
        port, path = app.health.port, app.health.http.path if app.health.http else "/"
        return {
            "name": name,
            "module": app.python,
            "source": str(self.topology.folder),
            "ports": {key: {"host": self.addresses.service(name), "port": number} for key, number in app.ports.items()},
            "health": {"path": path, "port": port, "scheme": "http" if port == "http" else "https"},
            "log": str(self.log(name)),
            "replicas": 0 if app.on_demand else app.replicas,
            "deployment": app.deployment,
            "project": app.project,
            "depends_on": [other for other in app.depends_on if other in self.topology.apps],
            "environment": {**os.environ, **self.variables_of(name, app)},
        }
