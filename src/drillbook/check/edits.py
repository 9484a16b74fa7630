"""Fixes applied to a text: only those that do not touch each other, so that each stays what its rule meant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from drillbook.check.finding import Edit, Place


def edited(text: str, fixes: Iterable[tuple[Edit, ...]]) -> str:
    """Give a text with fixes applied, each whole or not at all: one that overlaps an earlier one is left for later."""
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
    taken: list[tuple[int, int, str]] = []
    for fix in fixes:
        spans = [(_offset(starts, edit.start), _offset(starts, edit.end), edit.text) for edit in fix]
        if not any(_touch(one, other) for one in spans for other in taken):
            taken.extend(spans)
    for start, end, new in sorted(taken, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _offset(starts: list[int], place: Place) -> int:
    return starts[place.line - 1] + place.column - 1


def _touch(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    return (one[0] < other[1] and other[0] < one[1]) or one[0] == other[0]
