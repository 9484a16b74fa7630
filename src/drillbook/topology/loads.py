"""Loads: what is asked of the system by how many, for how long, and the bounds within which it must answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from drillbook.topology.values import Duration, Filled, Identifier, Maybe, Model, Module, Rate, expected

_SHARE = r"^[0-9]+(\.[0-9]+)?%$"


def _share(value: object) -> object:
    if isinstance(value, str) and value.endswith("%"):
        try:
            return float(value[:-1]) / 100
        except ValueError:
            pass
    raise expected("a share such as 1% or 0.5%")


def _at_most_one(value: float) -> float:
    if not 0 <= value <= 1:
        raise expected("a share from 0% to 100%")
    return value


Share = Annotated[
    float,
    BeforeValidator(_share),
    AfterValidator(_at_most_one),
    WithJsonSchema({"type": "string", "pattern": _SHARE}),
]


class Thresholds(Model):
    """The bounds of one load; a request that failed counts as slower than any that was answered."""

    p50: Maybe[Duration] = Field(default=None, description="The longest time within which half of the requests end.")
    p75: Maybe[Duration] = Field(default=None, description="The longest time within which three of four requests end.")
    p90: Maybe[Duration] = Field(default=None, description="The longest time within which 90 % of the requests end.")
    p95: Maybe[Duration] = Field(default=None, description="The longest time within which 95 % of the requests end.")
    p99: Maybe[Duration] = Field(default=None, description="The longest time within which 99 % of the requests end.")
    errors: Maybe[Share] = Field(default=None, description="The largest share of requests that may fail, such as 1%.")
    rate: Maybe[Rate] = Field(default=None, description="The fewest requests that must succeed, such as 20/s.")

    @model_validator(mode="after")
    def _something(self) -> Thresholds:
        if not self.declared:
            raise expected("one of p50, p75, p90, p95, p99, errors and rate at least: nothing is promised here")
        return self

    @property
    def declared(self) -> Mapping[str, float]:
        """The bounds by name: seconds for percentiles, a share for errors, requests a second for the rate."""
        names = ("p50", "p75", "p90", "p95", "p99", "errors", "rate")
        given = {name: getattr(self, name) for name in names}
        return {name: float(value) for name, value in given.items() if value is not None}


class Load(Model):
    """One load. With `rate` customers arrive whatever the system does (open model); `users` wait for it (closed)."""

    locustfile: Module = Field(
        description="The Python module with one Locust user class, looked for beside this file, then beside environments/."
    )
    host: Filled = Field(description="Where the requests go: https://api.example.com, one of the names above.")
    rate: Maybe[Rate] = Field(
        default=None, description="Open model: so many new customers arrive, each with one task on its own connection."
    )
    users: Maybe[int] = Field(
        default=None, ge=1, le=10_000, description="Closed model: so many users, each with one request after another."
    )
    think: Duration = Field(default=0.0, description="Closed model: a user's pause between two tasks; default none.")
    mix: Mapping[Identifier, int] = Field(
        min_length=1, description="The tasks of the user class by name, and how often each is chosen."
    )
    shape: Literal["constant", "step", "spike"] = Field(
        default="constant",
        description="constant; step: up in equal `steps`; spike: `peak` times as much in the middle third.",
    )
    steps: int = Field(default=3, ge=2, le=50, description="Shape step: how many steps lead up to the whole.")
    peak: float = Field(default=3.0, gt=1, le=100, description="Shape spike: how many times as much the peak is.")
    duration: Duration = Field(description="How long the load lasts, warm-up included, such as 3s.")
    warm_up: Duration = Field(default=0.0, description="The beginning that is not counted, such as 500ms.")
    timeout: Duration = Field(default=5.0, description="After this time a request has failed; default 5s.")
    thresholds: Thresholds = Field(description="The bounds within which the system must answer.")

    @model_validator(mode="after")
    def _agrees(self) -> Load:
        if (self.rate is None) == (self.users is None):
            raise expected("exactly one of rate (open model) and users (closed model)")
        if self.rate is not None and self.think:
            raise expected("think only with users: customers of the open model do one thing and go")
        if self.duration <= self.warm_up:
            raise expected("a duration longer than warm_up: else nothing is counted")
        if not any(self.mix.values()) or min(self.mix.values()) < 0:
            raise expected("a mix of whole numbers from 0, one of them above 0")
        return self

    @property
    def model(self) -> str:
        """`open` or `closed`."""
        return "open" if self.rate is not None else "closed"

    @property
    def level(self) -> float:
        """The arrivals a second of the open model, the users of the closed one."""
        return float(self.rate if self.rate is not None else self.users or 0)
