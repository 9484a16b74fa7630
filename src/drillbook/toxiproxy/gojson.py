"""JSON as Go's encoding/json reads and writes it: keys in any case, strict types, and the same words for each error.

Clients of Toxiproxy show these words to people, and some match on them.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from drillbook.errors import DrillbookError

INT64 = range(-(2**63), 2**63)
FLOAT32_MAX = 3.4028235677973366e38
"""From here on a number rounds to a float32's infinity."""


class BodyError(DrillbookError):
    """Report a request's body that Go would not decode, in Go's words."""


class Number(str):
    """A number as it was written: Go's errors quote it, and its type decides what may be written how."""

    __slots__ = ()


class Object(list[tuple[str, Any]]):
    """An object's members in order, repeated keys included."""


class Struct(NamedTuple):
    """What a body is decoded into: Go's name of the type, and for each key its Go type or a Struct."""

    name: str
    """As in an error about the whole value: `toxiproxy.Proxy`."""
    field_owner: str
    """As in an error about a field: `Proxy`."""
    fields: Mapping[str, str | Struct]
    path: str = ""
    embedded: str = ""
    """The embedded struct that strings belong to, which the path of a field then names."""


def decode(body: bytes) -> Any:
    """Read the first JSON value of a body; what follows it is ignored, as Go's Decoder does. Raises BodyError."""
    text = body.decode("utf-8", errors="replace").lstrip(" \t\r\n")
    if not text:
        raise BodyError("EOF")
    try:
        return _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise BodyError(_syntax_error(text, error)) from None
    except RecursionError:
        raise BodyError("exceeded max depth") from None


def items(value: Any, of: Struct) -> list[Any]:
    """Check that a value is a list; null is an empty one. Raises BodyError."""
    if value is not None and (not isinstance(value, list) or isinstance(value, Object)):
        raise BodyError(f"json: cannot unmarshal {_kind(value)} into Go value of type []{of.name}")
    return value or []


def read(value: Any, into: Struct) -> dict[str, Any]:
    """Check an object against a struct; give the fields that were set, by the struct's own keys. Raises BodyError."""
    found: dict[str, Any] = {}
    if value is None:
        return found
    if not isinstance(value, Object):
        raise BodyError(f"json: cannot unmarshal {_kind(value)} into Go value of type {into.name}")
    for key, member in value:
        name = key if key in into.fields else key.casefold()
        if name in into.fields and member is not None:
            found[name] = _read_field(member, name, into)
    return found


def _read_field(value: Any, name: str, owner: Struct) -> Any:
    wanted = owner.fields[name]
    embedded = f"{owner.embedded}." if owner.embedded and wanted == "string" else ""
    place = f"{owner.field_owner}.{owner.path}{embedded}{name}"
    if isinstance(wanted, Struct):
        if not isinstance(value, Object):
            raise BodyError(f"json: cannot unmarshal {_kind(value)} into Go struct field {place} of type {wanted.name}")
        return read(value, wanted._replace(path=f"{owner.path}{name}."))
    converted = _convert(value, wanted)
    if converted is None:
        shown = f"number {value}" if isinstance(value, Number) and wanted not in ("string", "bool") else _kind(value)
        raise BodyError(f"json: cannot unmarshal {shown} into Go struct field {place} of type {wanted}")
    return converted


def _convert(value: Any, wanted: str) -> Any:
    """Give a value in a Go type, None where it doesn't fit."""
    match wanted:
        case "string":
            return str(value) if isinstance(value, str) and not isinstance(value, Number) else None
        case "bool":
            return value if isinstance(value, bool) else None
        case "float32":
            return float32(float(value)) if isinstance(value, Number) and abs(float(value)) < FLOAT32_MAX else None
    whole = isinstance(value, Number) and re.fullmatch(r"-?\d{1,20}", value)
    return int(value) if whole and int(value) in INT64 else None


def _kind(value: Any) -> str:
    for kind, word in ((bool, "bool"), (Number, "number"), (str, "string"), (Object, "object")):
        if isinstance(value, kind):
            return word
    return "array"


def float32(value: float) -> float:
    """Round to the nearest float32."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def encode(value: Any) -> str:
    """Write a value as Go's Marshal does: no spaces, no ASCII escapes but those that keep HTML safe."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def shortest(value: float) -> Any:
    """Give the number that JSON shows for a float32: the shortest decimal that reads back as the same float32."""
    short = next(short for digits in range(1, 18) if float32(short := float(f"{value:.{digits}g}")) == value)
    return int(short) if short == int(short) and abs(short) < 1e21 else short


def _no_constant(name: str) -> Any:
    """Refuse NaN and the infinities, which Python's parser takes for numbers."""
    if name.startswith("-"):
        raise BodyError(f"invalid character '{name[1]}' in numeric literal")
    raise BodyError(f"invalid character '{name[0]}' looking for beginning of value")


_DECODER = json.JSONDecoder(
    object_pairs_hook=Object, parse_int=Number, parse_float=Number, parse_constant=_no_constant, strict=True
)

_WHERE = {
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting value": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
    "Invalid \\uXXXX escape": "in \\u hexadecimal character escape",
}


def _syntax_error(text: str, error: json.JSONDecodeError) -> str:
    """Say in Go's words what Python's parser found."""
    if error.msg == "Unterminated string starting at":
        return "unexpected EOF"
    at = error.pos
    # Python points at the comma or the backslash, Go at what follows it.
    if error.msg.startswith(("Illegal trailing comma", "Invalid \\")):
        at += 1
        while error.msg.startswith("Illegal") and text[at : at + 1].isspace():
            at += 1
    if error.msg == "Expecting value":
        return _bad_value(text, at)
    where = _WHERE.get(error.msg)
    if where is None:
        where = "after array element" if _inside_array(text, at) else "after object key:value pair"
    return _invalid(text, at, where)


def _bad_value(text: str, at: int) -> str:
    """Tell a mistyped literal or number from something that is no value at all."""
    for literal in ("true", "false", "null"):
        if text[at : at + 1] == literal[0]:
            wrong = next(i for i in range(len(literal)) if text[at + i : at + i + 1] != literal[i])
            return _invalid(text, at + wrong, f"in literal {literal} (expecting {_quoted(literal[wrong])})")
    if text[at : at + 1] == "-":
        return _invalid(text, at + 1, "in numeric literal")
    return _invalid(text, at, "looking for beginning of value")


def _invalid(text: str, at: int, where: str) -> str:
    return f"invalid character {_quoted(text[at])} {where}" if at < len(text) else "unexpected EOF"


def _quoted(character: str) -> str:
    """Quote a character as Go does."""
    named = {"'": r"\'", '"': '"', "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
    return f"'{named.get(character, character)}'"


def _inside_array(text: str, at: int) -> bool:
    """Whether the innermost bracket open at `at` is an array's; strings before it are whole."""
    opened = []
    for character in re.sub(r'"(?:[^"\\]|\\.)*"', lambda found: " " * len(found[0]), text[:at], flags=re.DOTALL):
        if character in "[{":
            opened.append(character)
        elif character in "]}":
            opened.pop()
    return opened[-1:] == ["["]
