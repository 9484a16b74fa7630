"""The small values of the environment file: durations, rates, names, ports, each refused in plain words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, core_schema

from drillbook.topology.bindings import pattern_words

T = TypeVar("T")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = r"[0-9]+(?:\.[0-9]+)?\s*(?:ms|s|min|m|h|d)"
_DURATION = rf"^{_PART}(?:\s*{_PART})*$"
_RATE = r"^[0-9]+(?:\.[0-9]+)?/(?:s|min|h)$"
_DURATION_SCHEMA = {"anyOf": [{"type": "string", "pattern": _DURATION}, {"type": "number", "minimum": 0}]}


class Model(BaseModel):
    """What every part of the file has in common: frozen, unknown keys refused, no value bent into another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def expected(words: str) -> PydanticCustomError:
    """Make the error for a value that is not what the file wants; `words` say what is."""
    return PydanticCustomError("expected", "expected {words}", {"words": words})


def seconds(value: object) -> float:
    """Read `5s`, `2 min`, `1h30m`, `250ms` or a number of seconds; ValueError for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    if isinstance(value, str) and re.search(_DURATION, value):
        parts = re.findall(r"([0-9.]+)\s*([a-z]+)", value)
        total = sum(float(number) * _UNITS[unit] for number, unit in parts)
        if total < math.inf:
            return total
    raise ValueError("a duration such as 250ms, 5s, 2 min or 1h30m, or a number of seconds")


def per_second(value: object) -> float:
    """Read `5/s`, `30/min` or `100/h` as events a second; ValueError for anything else."""
    if isinstance(value, str) and re.search(_RATE, value):
        number, unit = value.split("/")
        rate = float(number) / _UNITS[unit]
        if 0 < rate < math.inf:
            return rate
    raise ValueError("a rate above nothing, such as 5/s or 30/min")


def _checked(read: Callable[[object], T]) -> Callable[[object], T]:
    def check(value: object) -> T:
        try:
            return read(value)
        except ValueError as error:
            raise expected(str(error)) from error

    return check


@dataclass(frozen=True, slots=True)
class _Like:
    """Text of one form: the pattern for machines and editors, the words for people."""

    pattern: str
    words: str

    def check(self, value: str) -> str:
        if not re.search(self.pattern, value) or value.endswith("\n"):
            raise expected(self.words)
        return value

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}


def _given(value: T | None) -> T | None:
    if value is None:
        raise expected("a value, but there is nothing after the colon")
    return value


Maybe = Annotated[T | None, AfterValidator(_given)]
"""A key that may be left out, but not left empty."""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a service, by their names: written `orders-api.https`."""

    service: str
    port: str

    def __str__(self) -> str:
        return f"{self.service}.{self.port}"


_SERVICE = r"[a-z][a-z0-9-]*"
_PORT = r"[a-z][a-z0-9_]*"
_SERVICE_PORT = rf"^{_SERVICE}\.{_PORT}$"


def _service_port(value: object) -> ServicePort:
    if not isinstance(value, str) or not re.search(_SERVICE_PORT, value):
        raise ValueError("a service and its port by name, such as orders-api.https")
    return ServicePort(*value.split("."))


def _port_key(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,4}", value) or int(value) > 65535:
        raise ValueError("a port number from 1 to 65535")
    return int(value)


def _port_number(value: int) -> int:
    if not 1 <= value <= 65535:
        raise expected("a port number from 1 to 65535")
    return value


def _beside(value: Path, info: ValidationInfo) -> Path:
    return (info.context / value).resolve() if isinstance(info.context, Path) else value


def _rto(value: object) -> object:
    return value if value == "runbook" else _checked(seconds)(value)


def _or_never(value: object) -> object:
    return None if value == "never" else _checked(seconds)(value)


def _pattern(value: str) -> str:
    try:
        pattern_words(value)
    except ValueError as error:
        raise expected(f"a command pattern: {error}") from error
    return value


FilePath = Annotated[Path, AfterValidator(_beside), WithJsonSchema({"type": "string", "minLength": 1})]
"""A path relative to the environment file; absolute after loading (the validation's context is the file's folder)."""
Duration = Annotated[float, BeforeValidator(_checked(seconds)), WithJsonSchema(_DURATION_SCHEMA)]
Rate = Annotated[float, BeforeValidator(_checked(per_second)), WithJsonSchema({"type": "string", "pattern": _RATE})]
RecoveryTime = Annotated[
    float | Literal["runbook"],
    PlainValidator(_rto),
    WithJsonSchema({"anyOf": [{"const": "runbook"}, *_DURATION_SCHEMA["anyOf"]]}),
]
DurationOrNever = Annotated[
    float | None,
    PlainValidator(_or_never),
    WithJsonSchema({"anyOf": [{"const": "never"}, *_DURATION_SCHEMA["anyOf"]]}),
]
"""None stands for never."""
PortRef = Annotated[
    ServicePort,
    PlainValidator(_checked(_service_port)),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": _SERVICE_PORT}),
]
PortNumber = Annotated[
    int, AfterValidator(_port_number), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535})
]
PortKey = Annotated[
    int, PlainValidator(_checked(_port_key)), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,4}$"})
]
Pattern = Annotated[str, AfterValidator(_pattern), WithJsonSchema({"type": "string", "pattern": r"^[^*\s]"})]

Filled = Annotated[str, _Like(r"\S", "some text")]
Identifier = Annotated[str, _Like(r"^[a-z][a-z0-9_]*$", "a name of small letters, digits and underscores")]
ServiceName = Annotated[str, _Like(rf"^{_SERVICE}$", "a name of small letters, digits and hyphens")]
PortName = Annotated[str, _Like(rf"^{_PORT}$", "a name of small letters, digits and underscores")]
Label = Annotated[str, _Like(r"^[A-Za-z0-9][A-Za-z0-9_-]*$", "a name of letters, digits, hyphens and underscores")]
Variable = Annotated[str, _Like(r"^[A-Za-z_][A-Za-z0-9_]*$", "the name of an environment variable")]
Module = Annotated[
    str, _Like(r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$", "a Python module, such as services.orders_api")
]
Hostname = Annotated[
    str,
    _Like(
        r"^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$",
        "a host name in small letters, such as api.example.com",
    ),
]
Url = Annotated[
    str, _Like(r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?(/\S*)?$", "a URL such as https://api.example.com/health")
]
Endpoint = Annotated[str, _Like(r"^[a-z0-9.-]+:[0-9]{1,5}$", "a name and its port, such as db.example.com:5432")]
Call = Annotated[
    str,
    _Like(
        r"^[A-Za-z_][A-Za-z0-9_]*\([a-z0-9\[\],]*\)\([a-z0-9\[\],]+\)$",
        "a view function and what it gives, such as paused()(bool)",
    ),
]
UrlPath = Annotated[str, _Like(r"^/\S*$", "a path that begins with a slash, such as /health")]
SecretText = Annotated[
    str, _Like(r"^\$\{secrets\.[a-z][a-z0-9_]*\}$", "a reference to a secret, such as ${secrets.database_password}")
]
Image = Annotated[str, _Like(r"^[^\s]+$", "a container image, such as postgres:16")]
