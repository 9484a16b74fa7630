"""A person on call does not pick up, or only when it is too late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import UsageError
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven
from drillbook.pager import Pager

PEOPLE = "acknowledges_after"


@dataclass(frozen=True, slots=True)
class ContactAway:
    """Have `contact` acknowledge a call only after so many seconds of their time, or never (None)."""

    kind: ClassVar[str] = "contact-away"
    contact: str
    acknowledges_after: float | None = None

    @property
    def target(self) -> str:
        """The contact."""
        return self.contact

    def inject(self, environment: Environment) -> ActiveFault:
        """Tell the pager, and see that it knows. UsageError for a contact that is not declared."""
        people = environment.topology.people.contacts
        if self.contact not in people:
            raise UsageError(f"there is no contact {self.contact!r}", mend=f"one of: {', '.join(people)}")
        phone = people[self.contact].phone
        before = _delay(environment, phone)
        _delay(environment, phone, self.acknowledges_after)
        back = _Away(environment, phone, before)
        return proven(back, lambda: _delay(environment, phone) == self.acknowledges_after, "the pager does not know")


@dataclass(frozen=True, slots=True)
class _Away:
    environment: Environment
    phone: str
    before: float | None

    def heal(self) -> None:
        """Have them pick up as before."""
        _delay(self.environment, self.phone, self.before)


def _delay(environment: Environment, phone: str, *changed: float | None) -> Any:
    """Give how long a person takes to acknowledge, after changing it if asked to."""
    with Pager.of(environment) as pager:
        if changed:
            pager.behave(**{PEOPLE: {**pager.behaviour()[PEOPLE], phone: changed[0]}})
        return pager.behaviour()[PEOPLE][phone]
