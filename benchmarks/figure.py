"""One measured number, so that every benchmark can be printed and stored in the same way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A value in a unit and, where something else was measured in the same run, its value and the ratio to it.

    `ratio` is value / peer: the median of the rounds' ratios, not the ratio of the medians. Both are None without a peer.
    """

    name: str
    value: float
    unit: str
    peer: float | None = None
    ratio: float | None = None
