"""The Topology: everything that environment.yaml declares, frozen, with the words that editors show for each key.

The models say what one value may be; what must agree between values is `check.py`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from drillbook.topology.bindings import command_words, match
from drillbook.topology.loads import Load
from drillbook.topology.probe_specs import ProbeSpec
from drillbook.topology.services import AppService, Contact, Service, SetupStep
from drillbook.topology.values import (
    Duration,
    FilePath,
    Filled,
    Hostname,
    Identifier,
    Label,
    Maybe,
    Model,
    Module,
    Pattern,
    PortKey,
    PortRef,
    Rate,
    RecoveryTime,
    ServiceName,
    Url,
    Variable,
    expected,
)

if TYPE_CHECKING:
    from drillbook.runbook.model import Step


class Link(Model):
    """An arrow from one service to another; it goes through Toxiproxy, so that it can be cut, slowed and throttled."""

    from_: ServiceName = Field(alias="from", description="The service that connects.")
    to: PortRef = Field(description="The service and port that it connects to: postgres.sql.")


class Operator(Model):
    """What the person who follows the runbook finds in their shell."""

    variables: Mapping[Variable, str] = Field(
        default={},
        description="Variables of the runbook's commands. May refer to ${secrets.x} and ${people.contacts}.",
    )


class Binding(Model):
    """A command that no sandbox can have, bound to a procedure of our own."""

    command: Pattern = Field(description="The command: `*` stands for one word, a final `**` for any rest.")
    python: Module = Field(description="The Python module that is run instead, looked for beside this file.")
    where_absent: bool = Field(
        default=False,
        description="Only where the machine has no such program: else that one runs, in the sandbox. Default false.",
    )


class CommandRule(Model):
    """What is known of some commands of the runbook beforehand."""

    command: Pattern = Field(description="The commands meant: `*` stands for one word, a final `**` for any rest.")
    accept: Maybe[tuple[int, ...]] = Field(
        default=None, min_length=1, description="Exit codes that are no failure, such as [0, 1]."
    )
    deadline: Maybe[Duration] = Field(default=None, description="How long the command may run before it is killed.")

    @model_validator(mode="after")
    def _something(self) -> CommandRule:
        if self.accept is None and self.deadline is None:
            raise expected("accept, deadline or both: this rule says nothing")
        return self


class Commands(Model):
    """How long the runbook's commands may run, and what their exit codes mean."""

    deadline: Duration = Field(
        default=30.0, description="How long any command may run before it is killed; default 30s."
    )
    rules: tuple[CommandRule, ...] = Field(
        default=(), description="Exceptions; the first that matches and says it, counts."
    )

    def deadline_for(self, command: str) -> float:
        """Give the seconds that a command, given as text, may run."""
        rules = (rule.deadline for rule in self._matching(command) if rule.deadline is not None)
        return next(rules, self.deadline)

    def accepted(self, command: str) -> frozenset[int]:
        """Give the exit codes of a command, given as text, that are no failure."""
        rules = (frozenset(rule.accept) for rule in self._matching(command) if rule.accept is not None)
        return next(rules, frozenset({0}))

    def _matching(self, command: str) -> Iterator[CommandRule]:
        words = command_words(command)
        return (rule for rule in self.rules if match(rule.command, words))


class Unrehearsed(Model):
    """Something of the runbook that no drill carries out, and why: without a reason it is a gap."""

    command: Maybe[Pattern] = Field(
        default=None, description="The commands meant: `*` stands for one word, a final `**` for any rest."
    )
    step: Maybe[Filled] = Field(
        default=None, description="The steps without commands meant: words of the title, in a row."
    )
    reason: Filled = Field(description="Why it is not rehearsed.")

    @model_validator(mode="after")
    def _one(self) -> Unrehearsed:
        if (self.command is None) == (self.step is None):
            raise expected("exactly one of command and step")
        return self

    def means_command(self, command: str) -> bool:
        """Tell whether a command, given as text, is meant."""
        return self.command is not None and match(self.command, command_words(command))

    def means_step(self, step: Step) -> bool:
        """Tell whether a step that has no commands is meant."""
        return self.step is not None and not step.commands and _in_a_row(self.step, step.title)


class SteadyState(Model):
    """What a healthy system shows: checked before each fault, and again for recovery."""

    probes: tuple[str, ...] = Field(min_length=1, description="The probes that must all be good, by name.")
    within: Duration = Field(
        default=5.0, description="The longest that a healthy system may take to show it; default 5s."
    )
    consecutive: int = Field(
        default=3, ge=1, le=1000, description="How many good looks in a row each probe needs; default 3."
    )


class Stored(Model):
    """How to see which of the workload's acknowledged requests the system has kept."""

    service: ServiceName = Field(description="The service of kind postgres that keeps them.")
    query: Filled = Field(
        description="A query that gives, for each key that is kept, the key and how often it is there."
    )


class Invariant(Model):
    """Something that must hold after every drill."""

    python: Module = Field(
        description="The Python module that checks it with the operator's variables: exit 0, it holds; 1, it doesn't."
    )


class Workload(Model):
    """The traffic that runs all through a drill. Each line it prints is one request's outcome, as JSON."""

    python: Module = Field(
        description="The Python module that makes it, looked for beside this file, then beside environments/."
    )
    rate: Rate = Field(description="How often it acts, such as 5/s.")
    arguments: tuple[str, ...] = Field(default=(), description="Further arguments of the module.")
    stored: Maybe[Stored] = Field(
        default=None, description="Where what was acknowledged must be found afterwards; without it, loss is unknown."
    )


class Objective(Model):
    """What recovery must achieve for one section of the runbook."""

    rto: RecoveryTime = Field(
        description="The longest that recovery may take, such as 15m; `runbook`: as the section says."
    )
    rpo: Maybe[Duration] = Field(
        default=None, description="How much acknowledged work may be lost, as a time, such as 60s; 0s: none."
    )


class AllowedTime(Model):
    """The time a person is granted for a step; it is added to what was measured."""

    step: Maybe[Filled] = Field(default=None, description="Words of the step's title, in a row; case does not matter.")
    kind: Maybe[Literal["manual", "decision", "command"]] = Field(default=None, description="Only steps of this kind.")
    time: Duration = Field(description="The time granted, such as 60s.")

    @model_validator(mode="after")
    def _something(self) -> AllowedTime:
        if self.step is None and self.kind is None:
            raise expected("step, kind or both: without either nobody knows what is allowed")
        return self

    def matches(self, step: Step) -> bool:
        """Tell whether this is the time allowed for a step."""
        of_kind = self.kind is None or step.kind.value == self.kind
        return of_kind and (self.step is None or _in_a_row(self.step, step.title))


class People(Model):
    """Who is called, and what time their acts take."""

    contacts: Mapping[Label, Contact] = Field(default={}, description="Whom the runbook calls, by a short name.")
    pager: Maybe[Url] = Field(
        default=None,
        description="Where calls to them are placed: POST {to, message}, GET /ID; see drillbook/pager.py.",
    )
    allowed: tuple[AllowedTime, ...] = Field(
        default=(), description="Time granted for steps; the first that matches counts."
    )

    def allowed_for(self, step: Step) -> float:
        """Give the seconds granted to people for a step; 0 where nothing is said."""
        return next((allowed.time for allowed in self.allowed if allowed.matches(step)), 0.0)

    def contacts_json(self) -> str:
        """Give what ${people.contacts} stands for: JSON, `{name: {name, phone, role, email, acknowledges_after, …}}`.

        `acknowledges_after` and `passed_over_after` are in seconds, null for never; `email` is null where there is none.
        """
        return json.dumps({name: contact.model_dump() for name, contact in self.contacts.items()})


class Secret(Model):
    """A value that no file and no journal holds: made anew for each run, or taken from the outer environment."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    generate: Maybe[int] = Field(
        default=None, ge=8, le=1024, description="Make one of so many characters, anew for each run."
    )
    env: Maybe[Variable] = Field(default=None, description="Take it from this variable of the outer environment.")

    @model_validator(mode="before")
    @classmethod
    def _no_plain_value(cls, given: object) -> object:
        if not isinstance(given, dict) or "value" in given:
            raise expected("{generate: 24} or {env: NAME}: a secret's value never stands in a file")
        return given

    @model_validator(mode="after")
    def _one(self) -> Secret:
        if (self.generate is None) == (self.env is None):
            raise expected("exactly one of generate and env")
        return self


class Topology(Model):
    """An environment: the system, its names, its people, its promises. Made by `load`."""

    version: Literal[1] = Field(description="The version of this format: 1.")
    name: Label = Field(description="The environment's name.")
    runbook: FilePath = Field(description="The runbook that is rehearsed here; relative to this file.")
    services: Mapping[ServiceName, Service] = Field(min_length=1, description="The system: each service by its name.")
    setup: tuple[SetupStep, ...] = Field(
        default=(), description="Done once, in this order, when the infrastructure is ready and before the apps start."
    )
    names: Mapping[Hostname, Mapping[PortKey, PortRef]] = Field(
        default={},
        description="Production's names, their ports, and the service port that answers. Each is a link, NAME:PORT.",
    )
    links: Mapping[ServiceName, Link] = Field(
        default={}, description="Arrows between services; each goes through Toxiproxy."
    )
    operator: Operator = Field(
        default=Operator(), description="What the person who follows the runbook finds in their shell."
    )
    bindings: tuple[Binding, ...] = Field(
        default=(), description="Commands that run a procedure of ours; the first that matches counts."
    )
    commands: Commands = Field(
        default=Commands(), description="How long commands may run, and what their exit codes mean."
    )
    probes: Mapping[Label, ProbeSpec] = Field(min_length=1, description="Looks at the system from outside, by name.")
    steady_state: SteadyState = Field(description="What a healthy system shows.")
    workload: Maybe[Workload] = Field(default=None, description="The traffic that runs all through a drill.")
    loads: Mapping[Label, Load] = Field(
        default={}, description="Load tests by name: who asks for what, how often, and the bounds that must be kept."
    )
    invariants: Mapping[Label, Invariant] = Field(default={}, description="What must hold after every drill, by name.")
    objectives: Mapping[str, Objective] = Field(
        default={}, description="What recovery must achieve, by section of the runbook."
    )
    unrehearsed: tuple[Unrehearsed, ...] = Field(
        default=(), description="What of the runbook no drill carries out, and why; see `drillbook run --coverage`."
    )
    people: People = Field(default=People(), description="Who is called, and what time their acts take.")
    secrets: Mapping[Identifier, Secret] = Field(
        default={}, description="Values that no file and no journal holds, by name."
    )

    _file: Path = PrivateAttr(default=Path("environment.yaml"))

    def at(self, file: Path) -> Topology:
        """Give the same topology, knowing the file that it was read from."""
        known = self.model_copy()
        known._file = file
        return known

    @property
    def file(self) -> Path:
        """The environment file, absolute."""
        return self._file

    @property
    def folder(self) -> Path:
        """The folder of the environment file, absolute: where modules and migrations are looked for."""
        return self._file.parent

    @property
    def apps(self) -> Mapping[str, AppService]:
        """The services that a platform runs, by name."""
        return {name: service for name, service in self.services.items() if isinstance(service, AppService)}

    @property
    def inboxes(self) -> Mapping[str, str]:
        """The service that keeps each inbox, by channel."""
        kept = ((getattr(service, "inbox", None), name) for name, service in self.services.items())
        return {channel: name for channel, name in kept if channel}

    def binding(self, argv: list[str]) -> Binding | None:
        """Give the binding of a command line, None if it has none."""
        return next((binding for binding in self.bindings if match(binding.command, argv)), None)


def _in_a_row(words: str, title: str) -> bool:
    spaced = r"\s+".join(map(re.escape, words.split()))
    return re.search(rf"(?<!\w){spaced}(?!\w)", title, re.IGNORECASE) is not None
