"""What a fault is: plain data that knows how to break one thing, and a handle that puts back exactly that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from drillbook.backends.base import Environment


class ActiveFault(Protocol):
    """A fault that is in force. `heal` undoes exactly what was injected, is called once, and may raise."""

    def heal(self) -> None: ...


@runtime_checkable
class Fault(Protocol):
    """A frozen dataclass: its fields are the fault's parameters, all plain values, so that a journal can hold them.

    `kind` is the field's term in kebab case (`process-killed`, `link-latency`); `target` names the service, link, app
    or table that is broken. `inject` raises UnsupportedFault where the environment lacks what it needs, and
    EnvironmentFailed where the fault demonstrably did not take.
    """

    kind: ClassVar[str]

    @property
    def target(self) -> str: ...

    def inject(self, environment: Environment) -> ActiveFault: ...


@dataclass(frozen=True, slots=True)
class NothingToHeal:
    """The handle of a fault whose undoing is the environment's reset (lost data): healing it does nothing."""

    def heal(self) -> None:
        """Leave things as they are."""
