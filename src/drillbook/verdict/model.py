"""What a drill proved: an outcome with its reasons, each citing the events that show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """pass < unknown < fail: the worse dominates. What could not be checked is unknown, never passed."""

    PASS = "pass"
    UNKNOWN = "unknown"
    FAIL = "fail"

    @classmethod
    def worst(cls, outcomes: Iterable[Outcome]) -> Outcome:
        """Give the dominating outcome; unknown if there are none, for nothing was checked."""
        order = [cls.PASS, cls.UNKNOWN, cls.FAIL]
        return max(outcomes, key=order.index, default=cls.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: one sentence, and the sequence numbers of the events that show it."""

    outcome: Outcome
    text: str
    events: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Measures:
    """What the clock saw, in seconds after the fault was injected; None where it did not happen.

    `allowed` is the time granted to people for the manual steps and decisions made before recovery.
    """

    detect: float | None = None
    act: float | None = None
    recover: float | None = None
    allowed: float = 0.0
    target: float | None = None

    @property
    def total(self) -> float | None:
        """Measured recovery plus the time allowed to people: what is judged against the target."""
        return None if self.recover is None else self.recover + self.allowed

    @property
    def margin(self) -> float | None:
        """Seconds left of the target; negative when missed."""
        return None if self.total is None or self.target is None else self.target - self.total


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one drill."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    measures: Measures = Measures()
