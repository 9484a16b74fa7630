"""What the environment file says of a probe, as plain data: the probes themselves are made from it at start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ConfigDict, Field, JsonValue, model_validator

from drillbook.topology.values import (
    Call,
    Duration,
    Endpoint,
    Filled,
    Label,
    Maybe,
    Model,
    ServiceName,
    Url,
    expected,
)


class _Spec(Model):
    timeout: Duration = Field(default=1.0, gt=0, description="How long one look may take; default 1s.")


class HttpSpec(_Spec):
    """Good when the URL answers with the status, and with the text or JSON that is asked for."""

    url: Url = Field(description="The URL to get, at one of the names declared above.")
    status: int = Field(default=200, ge=100, le=599, description="The status that is good; default 200.")
    contains: Maybe[Filled] = Field(default=None, description="Text that the body must contain.")
    body: Maybe[Mapping[str, JsonValue]] = Field(
        default=None, alias="json", description="Keys and values that the JSON body must have; it may have others."
    )
    follow_redirects: bool = Field(
        default=False, description="Whether to go where the answer redirects to; default false."
    )


class TcpSpec(_Spec):
    """Good when the port takes a connection."""

    to: Endpoint = Field(description="The name and port to connect to: db.example.com:5432.")

    @property
    def host(self) -> str:
        """The name to connect to."""
        return self.to.rpartition(":")[0]

    @property
    def port(self) -> int:
        """The port to connect to."""
        return int(self.to.rpartition(":")[2])


class SqlSpec(_Spec):
    """Good when the query's first value is true, or the expected one."""

    service: ServiceName = Field(description="The service of kind postgres that is asked.")
    query: Filled = Field(description="A query whose first value is true when all is well.")
    expect: Maybe[JsonValue] = Field(
        default=None, description="The first value that is good; default: any that is true."
    )


class ContractSpec(_Spec):
    """Good when a contract's view function gives the expected value."""

    service: ServiceName = Field(description="The service of kind chain that is asked.")
    contract: Filled = Field(description="The contract's name.")
    call: Call = Field(description="A view function and what it gives: paused()(bool), balanceOf(address)(uint256).")
    arguments: tuple[JsonValue, ...] = Field(default=(), description="The function's arguments, in order.")
    expect: JsonValue = Field(description="The value that is good.")


class InboxSpec(_Spec):
    """Good when enough messages of this kind have arrived."""

    channel: Label = Field(description="The inbox of one of the services above.")
    contains: Maybe[Filled] = Field(default=None, description="Text that a message must contain.")
    recipient: Maybe[Filled] = Field(default=None, description="Whom a message must have reached.")
    at_least: int = Field(default=1, ge=1, description="How many such messages are good; default 1.")


Spec = HttpSpec | TcpSpec | SqlSpec | ContractSpec | InboxSpec


class ProbeSpec(Model):
    """One look at the system from outside: exactly one of http, tcp, sql, contract and inbox."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    http: Maybe[HttpSpec] = Field(default=None, description="Ask a URL.")
    tcp: Maybe[TcpSpec] = Field(default=None, description="Connect to a port.")
    sql: Maybe[SqlSpec] = Field(default=None, description="Ask a database.")
    contract: Maybe[ContractSpec] = Field(default=None, description="Call a contract.")
    inbox: Maybe[InboxSpec] = Field(default=None, description="Look into an inbox.")

    @model_validator(mode="after")
    def _one(self) -> ProbeSpec:
        if len(list(self._kinds())) != 1:
            raise expected("exactly one of http, tcp, sql, contract and inbox")
        return self

    @property
    def spec(self) -> Spec:
        """The one kind of look that is declared."""
        return next(self._kinds())

    def _kinds(self) -> Iterator[Spec]:
        return (kind for kind in (self.http, self.tcp, self.sql, self.contract, self.inbox) if kind is not None)
