"""pydantic's findings in this project's words: what was expected, in the language of the file, never of Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from drillbook.topology.document import Data, Step, mapping_at
from drillbook.topology.problem import Problem, nearest

Schema = Mapping[str, Any]

_WANTED = {
    "string_type": "text",
    "path_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping, `name: value`",
    "mapping_type": "a mapping, `name: value`",
    "model_type": "a mapping, `name: value`",
    "model_attributes_type": "a mapping, `name: value`",
    "tuple_type": "a list",
    "list_type": "a list",
    "too_short": "at least {min_length} of them",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "literal_error": "{expected}",
    "expected": "{words}",
}


def explain(findings: Iterable[ErrorDetails], data: Data, schema: Schema) -> list[Problem]:
    """Make problems of pydantic's findings about `data`; `schema` is the JSON Schema of the model that found them."""
    return [_explain(finding, data, schema) for finding in findings]


def _explain(finding: ErrorDetails, data: Data, schema: Schema) -> Problem:
    path, is_key = _path(finding["loc"], data)
    kind = finding["type"]
    if kind == "extra_forbidden":
        known = _properties(schema, path[:-1], data)
        return Problem(path, "unknown key", nearest(str(path[-1]), known, "keys known here"), key=True)
    if kind == "missing":
        hint = _hint(schema, path, data)
        return Problem(path[:-1], f"the key `{path[-1]}` is missing", f"add it: {hint}" if hint else None, key=True)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _kind(finding, path, data)
    return Problem(path, _expected(finding, path), _hint(schema, path, data), key=is_key)


def _kind(finding: ErrorDetails, path: tuple[Step, ...], data: Data) -> Problem:
    kinds = [
        word.strip(" '") for word in str(finding.get("ctx", {}).get("expected_tags", "")).split(",") if word.strip(" '")
    ]
    given = mapping_at(data, path).get("kind")
    if finding["type"] == "union_tag_invalid":
        return Problem((*path, "kind"), f"no kind `{given}`", nearest(str(given), kinds, "expected one of these"))
    return Problem(path, "the key `kind` is missing", "add it: postgres, chain, process, platform or app", key=True)


def _expected(finding: ErrorDetails, path: tuple[Step, ...]) -> str:
    wanted = _WANTED.get(finding["type"])
    if wanted is None:
        said = finding["msg"].replace("Input should be ", "")
        return f"expected {said}"
    return f"expected {wanted.format(**finding.get('ctx', {}))}{_found(finding['input'], path)}"


def _found(value: object, path: tuple[Step, ...]) -> str:
    """Show a value as the file has it; one that may be a secret is never shown."""
    if path[:1] == ("secrets",) or "password" in path:
        return ""
    if value is None:
        return ", found nothing"
    if isinstance(value, bool):
        return f", found {str(value).lower()}"
    if isinstance(value, str):
        return f", found the text {value[:60]!r}"
    if isinstance(value, int | float):
        return f", found the number {value}"
    return ", found a list" if isinstance(value, list) else ", found a mapping"


def _path(loc: tuple[Step, ...], data: Data) -> tuple[tuple[Step, ...], bool]:
    """Take out of pydantic's location what is not in the file: a union's tag, and its mark for a key."""
    path: list[Step] = []
    is_key = loc[-1:] == ("[key]",)
    tagged = False
    for step in loc[:-1] if is_key else loc:
        here = mapping_at(data, path)
        if not tagged and len(path) == 2 and path[0] == "services" and here.get("kind") == step:
            tagged = True
        else:
            path.append(step)
    return tuple(path), is_key


def _hint(schema: Schema, path: tuple[Step, ...], data: Data) -> str | None:
    """Give what the schema says of the key at a path."""
    name = path[-1] if path else None
    described = _properties(schema, path[:-1], data).get(str(name), {}).get("description")
    return str(described) if described else None


def _properties(schema: Schema, path: tuple[Step, ...], data: Data) -> Schema:
    """Give the schema's properties of the mapping at a path, empty where any name may stand."""
    here = schema
    for depth, step in enumerate(path):
        here = _descend(_chosen(schema, here, mapping_at(data, path[:depth])), step)
    found = _chosen(schema, here, mapping_at(data, path)).get("properties", {})
    return found if isinstance(found, Mapping) else {}


def _descend(here: Schema, step: Step) -> Schema:
    if isinstance(step, int):
        return dict(here.get("items", {}))
    patterned = next(iter(here.get("patternProperties", {}).values()), None)
    given = here.get("properties", {}).get(step) or patterned or here.get("additionalProperties") or {}
    return given if isinstance(given, Mapping) else {}


def _chosen(schema: Schema, here: Schema, data: Mapping[str, Data]) -> Schema:
    """Follow a reference, and a union of kinds to the one that the data names."""
    if "discriminator" in here:
        target = here["discriminator"]["mapping"].get(data.get("kind"))
        here = {"$ref": target} if target else {}
    reference = here.get("$ref")
    return dict(schema["$defs"][str(reference).rpartition("/")[2]]) if reference else here
