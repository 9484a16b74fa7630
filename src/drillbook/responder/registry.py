"""Which Python function performs which of the runbook's manual steps and decisions.

A team writes these functions in `steps/`, marked by `@manual("Call primary on-call")` or `@decision("If the frontend
is down")`. A mark is kept on the function itself, so that nothing is global: two drills with two folders of steps
don't meet.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Self, TypeVar

from drillbook.errors import Location, UsageError
from drillbook.runbook.model import Step, StepKind

F = TypeVar("F", bound=Callable[..., object])
_MARKS = "__drillbook_marks__"


@dataclass(frozen=True, slots=True)
class Performer:
    """A function that performs the steps of one kind whose title contains `text`, case ignored."""

    kind: StepKind
    text: str
    function: Callable[..., object]
    at: Location


def manual(text: str) -> Callable[[F], F]:
    """Mark `function(situation) -> str | None` as performing manual steps whose title contains `text`.

    What it gives is what it did or found. UsageError if it is async or a generator. It raises a DrillbookError,
    AssertionError or OSError where that cannot be done.
    """
    return _marking(StepKind.MANUAL, text)


def decision(text: str) -> Callable[[F], F]:
    """Mark `function(situation) -> bool | tuple[bool, str]` as taking decisions whose title contains `text`.

    True: the step's commands run. The second value says why.
    """
    return _marking(StepKind.DECISION, text)


class Registry:
    """The performers of some modules."""

    def __init__(self, performers: Iterable[Performer] = ()) -> None:
        self.performers = tuple(performers)
        seen: dict[tuple[StepKind, str], Performer] = {}
        for performer in self.performers:
            other = seen.setdefault((performer.kind, _folded(performer.text)), performer)
            if other is not performer:
                raise _equal(performer, other)

    @classmethod
    def collect(cls, modules: Iterable[ModuleType]) -> Self:
        """Find every marked function; UsageError for two of one kind with the same text."""
        functions = (value for module in modules for value in vars(module).values() if hasattr(value, _MARKS))
        # A function imported from one module into another is still one function.
        once = {id(function): function for function in functions}
        return cls(performer for function in once.values() for performer in getattr(function, _MARKS))

    def find(self, step: Step) -> Performer | None:
        """Give the performer of a step: the one with the longest text in its title; UsageError if two are as long."""
        title = _folded(step.title)
        found = [one for one in self.performers if one.kind is step.kind and _folded(one.text) in title]
        found.sort(key=lambda one: len(_folded(one.text)), reverse=True)
        if len(found) > 1 and len(_folded(found[0].text)) == len(_folded(found[1].text)):
            raise _equal(found[0], found[1], f" for the step {step.title!r}")
        return found[0] if found else None


def _marking(kind: StepKind, text: str) -> Callable[[F], F]:
    def mark(function: F) -> F:
        at = _location(function)
        if not text.strip():
            raise UsageError(f"@{kind} needs words of a step's title", at=at)
        if _defers(function):
            mend = "write a plain `def`; it may call asyncio.run"
            raise UsageError(f"@{kind}({text!r}) is on a function that does nothing when called", at=at, mend=mend)
        marks = (*getattr(function, _MARKS, ()), Performer(kind, text, function, at))
        setattr(function, _MARKS, marks)
        return function

    return mark


def _defers(function: Callable[..., object]) -> bool:
    """Tell whether calling gives something to await or to iterate, instead of doing the work."""
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    return any(kind(function) for kind in kinds)


def _location(function: Callable[..., object]) -> Location:
    plain = inspect.unwrap(function)
    if not isinstance(plain, FunctionType):
        raise UsageError(f"only a function can perform a step, not {function!r}")
    return Location(Path(plain.__code__.co_filename), plain.__code__.co_firstlineno)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _equal(one: Performer, other: Performer, where: str = "") -> UsageError:
    places = f"@{one.kind}({one.text!r}) at {one.at} and @{other.kind}({other.text!r}) at {other.at}"
    return UsageError(
        f"two functions match equally well{where}: {places}", mend="give one of them more words of the title"
    )
