"""A load's shape as plain numbers: how much in each stage, decided before Locust starts. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.topology.loads import Load


@dataclass(frozen=True, slots=True)
class Stage:
    """`level` (arrivals a second, or users) for `seconds`."""

    seconds: float
    level: float


def stages(load: Load) -> tuple[Stage, ...]:
    """Give the stages of a load. The warm-up has the first stage's level, and counts into its time."""
    match load.shape:
        case "step":
            each = load.duration / load.steps
            return tuple(Stage(each, _whole(load, load.level * n / load.steps)) for n in range(1, load.steps + 1))
        case "spike":
            third = load.duration / 3
            return (
                Stage(third, load.level),
                Stage(third, _whole(load, load.level * load.peak)),
                Stage(third, load.level),
            )
        case _:
            return (Stage(load.duration, load.level),)


def _whole(load: Load, level: float) -> float:
    """Users are whole people, one at least; rates need not be."""
    return level if load.model == "open" else float(max(1, round(level)))


def arrivals(plan: Sequence[Stage], share: int = 1) -> Iterator[float]:
    """Give the moments, in seconds from the start, at which customers of the open model arrive, evenly in each stage.

    `share`: of so many generators this is one, and gets as great a part.
    """
    begins = 0.0
    for stage in plan:
        gap = share / stage.level
        count = math.ceil(stage.seconds / gap - 1e-9)  # what binary fractions add is no customer
        yield from (begins + number * gap for number in range(count))
        begins += stage.seconds
