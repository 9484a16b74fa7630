"""What a rule is: a function over a document, with the words that explain it and the examples that test it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drillbook.check.finding import Severity

if TYPE_CHECKING:
    from drillbook.check.document import Document


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters [start, end) of a document's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """Text that takes a span's place; an empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule finds at a span. `fix` only where the mend cannot be wrong; see `Finding` for the words."""

    span: Span
    message: str
    mend: str
    fix: tuple[Replacement, ...] = ()
    severity: Severity | None = None
    """Another severity than the rule's, where the place makes it worse or milder."""


@dataclass(frozen=True, slots=True)
class Example:
    """Markdown that tests a rule and stands on its page; `files` exist in the repository it is checked against.

    What a finding must mark stands between ⟦ and ⟧, which are taken out before it is checked or shown.
    """

    text: str
    files: tuple[str, ...] | None = None


Check = Callable[["Document"], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `code` is its group's letters and a number; `name` is short, lower case, hyphenated.

    `summary` is one line; `explanation` says what happens to the operator and how that is known; `silent` says when the
    rule keeps quiet although its words are there. Text is Markdown.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    explanation: str
    silent: str
    check: Check
    bad: tuple[str | Example, ...]
    good: tuple[str | Example, ...]
    url: str = ""
    """Where the fact is documented, if somewhere is."""
    examples: tuple[tuple[Example, ...], tuple[Example, ...]] = field(init=False)
    """`bad` and `good`, each as Examples."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "examples", (_examples(self.bad), _examples(self.good)))


def _examples(given: tuple[str | Example, ...]) -> tuple[Example, ...]:
    return tuple(Example(one) if isinstance(one, str) else one for one in given)
