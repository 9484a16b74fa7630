"""Label and field selectors of a list or a watch: `app=x,tier!=y,env in (a, b),!old` and `metadata.name=x`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from drillbook.platform.kubernetes.errors import ApiError

Json = dict[str, Any]
Match = Callable[[Json], bool]
_TERM = re.compile(r"\s*(?:(!?)([^\s=!,()]+)\s*(?:(==?|!=)\s*([^\s,()]*)|(in|notin)\s*\(([^)]*)\))?)\s*(?:,|$)")


def matcher(labels: str, fields: str) -> Match:
    """Make a test from a labelSelector and a fieldSelector. Raises ApiError 400 for one that cannot be read."""
    tests = [*map(_label_test, _terms(labels)), *map(_field_test, _terms(fields))]
    return lambda item: all(test(item) for test in tests)


def _terms(text: str) -> list[re.Match[str]]:
    terms, place = [], 0
    while place < len(text):
        term = _TERM.match(text, place)
        if not term:
            raise ApiError(400, "BadRequest", f"unable to parse requirement: {text[place:]}")
        terms.append(term)
        place = term.end()
    return terms


def _label_test(term: re.Match[str]) -> Match:
    absent, key, operator, value, within, values = term.groups()
    allowed = {part.strip() for part in values.split(",")} if within else {value}

    def test(item: Json) -> bool:
        found = item["metadata"].get("labels", {}).get(key)
        if not operator and not within:
            return (found is None) == bool(absent)
        return (found in allowed) != (operator == "!=" or within == "notin")

    return test


def _field_test(term: re.Match[str]) -> Match:
    _, key, operator, value, _, _ = term.groups()

    def test(item: Json) -> bool:
        found: Any = item
        for part in key.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        return bool(found == value) != (operator == "!=")

    return test
