"""Every phrase that a feature can use, as `drillbook steps` lists them and as a broken feature's error names the nearest."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from difflib import get_close_matches

from pytest_bdd.steps import StepFunctionContext, step_function_context_registry


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase: `keyword` is given, when, then or step; `text` has its parameters in braces."""

    keyword: str
    text: str
    doc: str
    module: str
    line: int


def phrases() -> list[Phrase]:
    """Give the phrases of every module that has been imported, the engine's own always, sorted by module and line."""
    from drillbook.gherkin import (  # noqa: F401 - importing makes their phrases known
        faults,
        loads,
        outcomes,
        people,
        situation,
    )

    contexts = {
        id(context.step_func) + hash(_text(context)): context for context in step_function_context_registry.values()
    }
    found = (
        _phrase(context) for context in contexts.values() if not context.step_func.__module__.startswith("pytest_bdd")
    )
    return sorted(found, key=lambda phrase: (phrase.module, phrase.line, phrase.text))


def nearest(text: str, keyword: str) -> str:
    """Give the phrase that is most like a text, "" if none is."""
    known = {phrase.text: phrase for phrase in phrases() if phrase.keyword in (keyword, "step")}
    close = get_close_matches(text, known, 1, 0.4)
    return close[0] if close else ""


def _phrase(context: StepFunctionContext) -> Phrase:
    function = inspect.unwrap(context.step_func)
    doc = inspect.cleandoc(function.__doc__ or "")
    return Phrase(context.type or "step", _text(context), doc, function.__module__, function.__code__.co_firstlineno)


def _text(context: StepFunctionContext) -> str:
    return str(getattr(context.parser, "name", context.parser))
