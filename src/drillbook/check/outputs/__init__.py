"""What a check prints: each form is a pure function of the result, found by its name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from drillbook.check.batch import Result


def renderer(form: str) -> Callable[[Result], str]:
    """Give `render` of the module of this name."""
    found: Callable[[Result], str] = import_module(f"drillbook.check.outputs.{form}").render
    return found
