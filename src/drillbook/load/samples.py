"""Every request of a load, as its generator wrote it, and the figures of all of them: no averages of averages.

A percentile is the nearest-rank one over the full sample. A request that failed counts as slower than any that was answered:
a fast error page is not a fast system.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

FIELDS = ("started", "seconds", "task", "status", "error")
QUANTILES = {"p50": 0.50, "p75": 0.75, "p90": 0.90, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: `started` is when it was due (monotonic seconds), `seconds` until its answer was complete."""

    started: float
    seconds: float
    task: str
    status: int
    error: str

    @property
    def effective(self) -> float:
        """Its seconds; endless if it failed."""
        return math.inf if self.error else self.seconds


@dataclass(frozen=True, slots=True)
class Figures:
    """What a sample says; a percentile is None where so many failed that nobody was served in that share."""

    count: int
    failed: int
    seconds: float
    percentiles: tuple[tuple[str, float | None], ...]
    slowest: float
    errors: tuple[tuple[str, int], ...]

    @property
    def rate(self) -> float:
        """Requests a second that succeeded."""
        return (self.count - self.failed) / self.seconds if self.seconds > 0 else 0.0

    @property
    def error_share(self) -> float:
        """The share of requests that failed, 0 to 1."""
        return self.failed / self.count if self.count else 0.0

    def percentile(self, name: str) -> float | None:
        """Give the percentile of that name, None where it is a failed request."""
        return dict(self.percentiles)[name]


def read_samples(files: Iterable[Path]) -> list[Sample]:
    """Read samples, in the order in which they were due; a last line that is cut off is left out."""
    found: list[Sample] = []
    for file in files:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.reader(lines):
                if len(row) == len(FIELDS) and row[0] != FIELDS[0]:
                    found.append(Sample(float(row[0]), float(row[1]), row[2], int(row[3]), row[4]))
    return sorted(found, key=lambda sample: sample.started)


def write_samples(file: Path, samples: Iterable[Sample]) -> None:
    """Write samples as CSV with a head line."""
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(FIELDS)
        writer.writerows((f"{s.started:.6f}", f"{s.seconds:.6f}", s.task, s.status, s.error) for s in samples)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Give the nearest-rank percentile of values in ascending order; ValueError for none."""
    if not ordered:
        raise ValueError("there is no value")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def needed(name: str) -> int:
    """Give how many samples a percentile needs at least to say anything beyond the slowest one: p95 20, p99 100."""
    return math.ceil(round(1 / (1 - QUANTILES[name]), 6))


def figures(samples: Sequence[Sample], seconds: float) -> Figures:
    """Sum up the samples of a stretch of so many seconds."""
    ordered = sorted(sample.effective for sample in samples)
    found = {name: percentile(ordered, share) if ordered else math.inf for name, share in QUANTILES.items()}
    errors = Counter(sample.error for sample in samples if sample.error)
    return Figures(
        len(samples),
        sum(errors.values()),
        seconds,
        tuple((name, None if math.isinf(value) else value) for name, value in found.items()),
        max((sample.seconds for sample in samples), default=0.0),
        tuple(errors.most_common(3)),
    )


def milliseconds(value: float | None) -> str:
    """Write seconds as milliseconds: `41 ms`; a failed request's as `failed`."""
    return "failed" if value is None else f"{value * 1000:.0f} ms"


def told(found: Figures) -> str:
    """Write figures in one line."""
    shown = ", ".join(
        f"{name} {milliseconds(value)}" for name, value in found.percentiles if name in ("p50", "p95", "p99")
    )
    text = f"{found.count} requests, {found.rate:.1f}/s, {shown}, {found.error_share:.1%} failed"
    return text + (f" ({found.errors[0][0]})" if found.errors else "")
