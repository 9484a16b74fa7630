"""The kinds of services an environment is made of, told apart by `kind`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from drillbook.topology.values import (
    Duration,
    DurationOrNever,
    FilePath,
    Filled,
    Identifier,
    Image,
    Label,
    Maybe,
    Model,
    Module,
    PortName,
    PortNumber,
    SecretText,
    ServiceName,
    UrlPath,
    Variable,
    expected,
)


class HttpHealth(Model):
    """A service is ready when this path answers 200."""

    path: UrlPath = Field(description="The path to ask, such as /health.")
    port: PortName = Field(
        description="The name of the port that answers it; TLS is spoken on any port but one named http."
    )


class TcpHealth(Model):
    """A service is ready when this port takes a connection."""

    port: PortName = Field(description="The name of the port to connect to.")


class Health(Model):
    """How Drillbook sees that a service is ready: exactly one of http and tcp."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["http"]}, {"required": ["tcp"]}]})

    http: Maybe[HttpHealth] = Field(default=None, description="Ready when an HTTP path answers 200.")
    tcp: Maybe[TcpHealth] = Field(default=None, description="Ready when a port takes a connection.")
    within: Duration = Field(default=10.0, description="The longest that a start may take, such as 10s.")

    @model_validator(mode="after")
    def _one(self) -> Health:
        if (self.http is None) == (self.tcp is None):
            raise expected("exactly one of http and tcp")
        return self

    @property
    def port(self) -> str:
        """The name of the port that is asked."""
        asked = self.http or self.tcp
        return asked.port if asked else ""


class _Service(Model):
    required_ports: ClassVar[tuple[str, ...]] = ()
    """Ports that the kind can't do without, by name."""

    ports: Mapping[PortName, PortNumber] = Field(
        min_length=1,
        description="The ports it listens on, by name: {https: 443}. Each service has an address of its own.",
    )
    depends_on: tuple[ServiceName, ...] = Field(
        default=(), description="Services that must be ready before this one starts."
    )
    on_demand: bool = Field(
        default=False,
        description="Started only by a scenario that asks for it, with what it depends on, and stopped at the next reset.",
    )


class PostgresService(_Service):
    """A PostgreSQL server with one database, brought up to date by plain SQL migrations."""

    required_ports = ("sql",)

    kind: Literal["postgres"] = Field(description="A PostgreSQL server.")
    database: Identifier = Field(description="The database that is made at start.")
    owner: Identifier = Field(description="The role that owns the database.")
    password: SecretText = Field(description="The owner's password: a reference to a secret, ${secrets.NAME}.")
    migrations: FilePath = Field(
        description="A folder of *.sql files, run in the order of their names; relative to this file."
    )
    image: Maybe[Image] = Field(default=None, description="What the docker backend runs: ${VARIABLE:-postgres:16}.")
    health: Health = Field(
        default=Health(tcp=TcpHealth(port="sql")),
        description="How it shows that it is ready; default: its sql port takes a connection.",
    )


class ChainService(_Service):
    """An Ethereum chain of its own, over JSON-RPC on HTTP."""

    required_ports = ("rpc",)

    kind: Literal["chain"] = Field(description="An Ethereum chain.")
    chain_id: int = Field(ge=1, description="The chain id that it answers to; 1 is mainnet's.")
    image: Maybe[Image] = Field(
        default=None, description="What the docker backend runs: ${VARIABLE:-ghcr.io/foundry-rs/foundry:latest}."
    )
    health: Health = Field(
        default=Health(tcp=TcpHealth(port="rpc")),
        description="How it shows that it is ready; default: its rpc port takes a connection.",
    )


class _Python(_Service):
    python: Module = Field(description="The Python module that is run, looked for beside this file.")
    environment: Mapping[Variable, str] = Field(
        default={},
        description="Its variables. May refer to ${secrets.x}, ${links.x}, ${people.contacts} and ${state}.",
    )
    inbox: Maybe[Label] = Field(
        default=None,
        description="The channel whose messages it keeps: GET /inbox on its port https, or http where it has no https.",
    )
    health: Health = Field(description="How it shows that it is ready.")

    @property
    def inbox_port(self) -> str:
        """The name of the port that answers GET /inbox."""
        return "https" if "https" in self.ports else "http"


class ProcessService(_Python):
    """One process of a Python module: the twin of an outside service, or a part that is never released."""

    kind: Literal["process"] = Field(description="One process that runs a Python module.")


class PlatformService(_Service):
    """The release platform: it starts, releases, scales and rolls back the apps."""

    required_ports = ("admin",)

    kind: Literal["platform"] = Field(description="The release platform that runs the apps.")
    capacity: int = Field(
        default=50,
        ge=1,
        le=50,
        description="How many processes of all apps the cluster has room for; more are Pending. A rollout needs twice an app's.",
    )
    health: Health = Field(
        default=Health(http=HttpHealth(path="/health", port="admin")),
        description="How it shows that it is ready; default: /health on its port admin.",
    )


class AppService(_Python):
    """An app that the platform runs in numbered releases."""

    kind: Literal["app"] = Field(description="An app that is released, scaled and rolled back by a platform.")
    platform: ServiceName = Field(description="The service of kind platform that runs it.")
    deployment: Maybe[Label] = Field(default=None, description="What kubectl calls it.")
    project: Maybe[Label] = Field(default=None, description="What vercel calls it.")
    replicas: int = Field(default=1, ge=1, le=100, description="How many processes serve it at start.")


Service = Annotated[
    PostgresService | ChainService | ProcessService | PlatformService | AppService, Field(discriminator="kind")
]


class SetupStep(Model):
    """Something done once, when the infrastructure is ready and before the first app starts."""

    python: Module = Field(description="The Python module that is run, looked for beside this file.")
    needs: tuple[ServiceName, ...] = Field(
        default=(), description="The services it talks to; none of them may be an app."
    )


class Contact(Model):
    """A person or a team that a runbook calls."""

    name: Filled = Field(description="Who it is.")
    phone: Filled = Field(description="The number that is called.")
    role: Filled = Field(description="What they do.")
    email: Maybe[Filled] = Field(default=None, description="Where mail reaches them.")
    acknowledges_after: DurationOrNever = Field(
        description="How long they take to acknowledge a call, such as 40s, or never."
    )
    passed_over_after: Duration = Field(
        default=300.0, description="How long a call waits for them before the next in the path is called; default 5m."
    )
