"""The bounds of a load against its figures. What the sample is too small to show is not held to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from drillbook.load.samples import QUANTILES, Figures, milliseconds, needed


class Kept(StrEnum):
    """How a bound came out."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    """One bound: its name, how it came out, and what was found beside what is allowed."""

    name: str
    kept: Kept
    text: str


def judge(found: Figures, bounds: Mapping[str, float]) -> tuple[Judged, ...]:
    """Judge each bound: percentiles in seconds, `errors` as a share, `rate` in requests a second."""
    return tuple(_judge(found, name, limit) for name, limit in bounds.items())


def _judge(found: Figures, name: str, limit: float) -> Judged:
    if not found.count:
        return Judged(name, Kept.UNKNOWN, f"{name}: there is no sample")
    if name == "errors":
        return _judged(name, found.error_share <= limit, f"errors {found.error_share:.1%}, allowed {limit:.1%}")
    if name == "rate":
        return _judged(name, found.rate >= limit, f"rate {found.rate:.1f}/s, at least {limit:g}/s")
    value, least = found.percentile(name), needed(name)
    text = f"{name} {milliseconds(value)}, at most {milliseconds(limit)}"
    if found.count < least and value is not None and value <= limit:
        return Judged(name, Kept.UNKNOWN, f"{text}, but {name} needs {least} requests, and there are {found.count}")
    return _judged(name, value is not None and value <= limit, text)


def _judged(name: str, kept: bool, text: str) -> Judged:
    return Judged(name, Kept.KEPT if kept else Kept.BROKEN, text)


def known(name: str) -> bool:
    """Say whether there is a bound of that name."""
    return name in QUANTILES or name in ("errors", "rate")
