"""Does a JSON answer hold what was expected of it? More keys than expected are fine: a health report may grow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

MISSING = object()


def mismatch(expected: object, actual: object, path: str = "") -> str:
    """Give "" if `actual` holds `expected`, else what differs and at which dotted path.

    A mapping matches an object that has at least its keys, each matching in turn; a key may be a dotted path
    (`dependencies.database`, `items.0.id`). A list matches element by element; true is not 1.
    """
    if isinstance(expected, Mapping):
        found = (_member(key, value, actual, path) for key, value in expected.items())
        return next((problem for problem in found if problem), "")
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        found = (mismatch(want, got, _join(path, str(index))) for index, (want, got) in pairs)
        return next((problem for problem in found if problem), "")
    same = type(expected) is type(actual) or (not isinstance(expected, bool) and not isinstance(actual, bool))
    if same and expected == actual:
        return ""
    return f"JSON {path or 'body'} is {_show(actual)}, expected {_show(expected)}"


def _member(key: str, expected: object, actual: object, path: str) -> str:
    where = _join(path, key)
    value = _resolve(actual, key)
    return f"JSON body lacks {where}" if value is MISSING else mismatch(expected, value, where)


def _resolve(value: object, key: str) -> object:
    if isinstance(value, Mapping) and key in value:
        return value[key]
    for part in key.split("."):
        value = _step(value, part)
    return value


def _step(value: object, part: str) -> object:
    if isinstance(value, Mapping):
        return value.get(part, MISSING)
    if isinstance(value, Sequence) and not isinstance(value, str) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return MISSING


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _show(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:79] + "…"
