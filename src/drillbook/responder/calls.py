"""Calls a person on call and waits for them, on their own clock: they acknowledge in time, or they are passed over.

How long a person may take is declared (`passed_over_after`); how long they do take is the pager's to say, so that a slow
machine makes nobody late. People's time may run faster than the drill's, and each answer says how many times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drillbook.backends.base import Environment
from drillbook.clock import Clock
from drillbook.errors import Unbound, UsageError
from drillbook.pager import Call, Pager
from drillbook.topology.services import Contact

REDIAL = 60.0
"""Seconds of people's time after which a call that nobody took is placed again."""
LOOKS = 0.02
"""Seconds between looks at a call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of calling `contact`, from `at` to `finished` (monotonic seconds of the drill).

    `waited` are seconds of people's time, which runs `factor` times as fast: up to the acknowledgement, else up to the
    moment at which the contact was passed over.
    """

    contact: str
    name: str
    number: str
    message: str
    at: float
    finished: float
    waited: float
    acknowledged: bool
    factor: float

    def __str__(self) -> str:
        how = "acknowledged" if self.acknowledged else "did not acknowledge and was passed over"
        said = f"{self.name} ({self.number}) {how} after {self.waited:.0f} s"
        return said if self.factor == 1 else f"{said} of their time, which runs {self.factor:g} times as fast"


@dataclass(frozen=True, slots=True)
class Approval:
    """What came of asking `contact` for an approval: `answer` is approved, refused or no-answer, at `at` (monotonic)."""

    contact: str
    name: str
    question: str
    answer: str
    at: float

    @property
    def granted(self) -> bool:
        """Whether they approved: silence is no approval."""
        return self.answer == "approved"

    def __str__(self) -> str:
        how = {"approved": "approved it", "refused": "refused it"}.get(self.answer, "did not answer")
        return f"{self.name} {how}: {self.question}"


def ask_person(called: Answer, answers: Mapping[str, bool]) -> Approval:
    """Give what somebody who was called says to the question that the call was about; `answers` are the scenario's.

    Raises Unbound where the scenario does not say what they answer: nothing is ever approved by default.
    """
    if not called.acknowledged:
        said = "no-answer"
    elif called.contact in answers:
        said = "approved" if answers[called.contact] else "refused"
    else:
        mend = f'say it in the scenario: Given "{called.contact}" approves what they are asked (or refuses)'
        raise Unbound(f"nobody says what {called.contact!r} answers to: {called.message}", mend=mend)
    return Approval(called.contact, called.name, called.message, said, called.finished)


def call_person(environment: Environment, contact: str, message: str, clock: Clock) -> Answer:
    """Call a contact of the environment file until they acknowledge or are passed over.

    Raises UsageError for a contact or a pager that is not declared, EnvironmentFailed where the pager does not answer.
    """
    people = environment.topology.people.contacts
    if contact not in people:
        raise UsageError(f"nobody is called {contact!r} under people.contacts", mend=f"one of: {', '.join(people)}")
    with Pager.of(environment) as pager:
        begun = clock.now()
        person, call = people[contact], pager.place(people[contact].phone, message)
        waited, acknowledged = _wait(pager, call, person, message, clock)
    number, factor = person.phone, call.clock_factor
    return Answer(contact, person.name, number, message, begun, clock.now(), waited, acknowledged, factor)


def _wait(pager: Pager, call: Call, person: Contact, message: str, clock: Clock) -> tuple[float, bool]:
    """Give the seconds of their time that a person was waited for, and whether they acknowledged."""
    earlier, limit, factor = 0.0, person.passed_over_after, call.clock_factor
    while True:
        call = pager.look(call)
        waited = earlier + call.waited
        # Who picks up after their time finds that the next one has been called.
        if call.status == "acknowledged" and waited <= limit:
            return waited, True
        if waited >= limit:
            return waited, False
        if call.status == "no-answer" and call.waited >= REDIAL:
            earlier, call = waited, pager.place(person.phone, message)
        clock.sleep(min(LOOKS, (limit - waited) / factor))
