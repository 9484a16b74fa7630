"""Is a run slower than its baseline by more than noise?

Two questions, and both must say yes. Mann-Whitney's U test, one-sided, asks whether requests of this run tend to take longer than
those of the baseline (normal approximation with correction for ties: Mann and Whitney 1947; exact enough from some twenty
requests on). A bootstrap interval for the ratio of the medians asks by how much: its lower end must be above what is
tolerated, for with thousands of requests any difference is significant.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import NormalDist, median

from drillbook.errors import Location, UsageError

ALPHA = 0.01
TOLERATED = 1.25
"""How many times as long as the baseline's the median may be: less is the machine's mood."""
RESAMPLES = 400
FEWEST = 20
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an earlier run measured: the load's name, and the seconds of every request that succeeded."""

    load: str
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`p` of the test; `ratio` of the medians with its 99 % interval; whether the run is slower by more than noise."""

    p: float
    ratio: float
    low: float
    high: float
    slower: bool

    def __str__(self) -> str:
        how = "slower by more than noise" if self.slower else "no slower than noise explains"
        return (
            f"{how}: median {self.ratio:.2f} times the baseline's (99 % interval {self.low:.2f} to {self.high:.2f},"
            f" tolerated {TOLERATED:g}), Mann-Whitney p = {self.p:.2g}"
        )


def compare(now: Sequence[float], before: Sequence[float], seed: int = 0) -> Comparison:
    """Compare the seconds of two runs, endless for a request that failed.

    UsageError where one has too few requests to say anything, or where a tenth of the baseline's failed.
    """
    if sum(map(math.isinf, before)) * 10 > len(before):
        raise UsageError(
            "a tenth of the baseline's requests failed: nothing can be compared with it", mend="record anew"
        )
    if min(len(now), len(before)) < FEWEST:
        raise UsageError(f"{len(now)} requests beside a baseline of {len(before)}: {FEWEST} of each are needed")
    p, ratio = mann_whitney(now, before), median(now) / median(before)
    low, high = bootstrap_ratio(now, before, seed)
    return Comparison(p, ratio, low, high, p < ALPHA and low > TOLERATED)


def mann_whitney(now: Sequence[float], before: Sequence[float]) -> float:
    """Give the one-sided p of the hypothesis that `now` tends to be no greater than `before`."""
    count, other = len(now), len(before)
    whole = count + other
    ranked = sorted([(value, 0) for value in now] + [(value, 1) for value in before])
    rank, ranks, ties = 1, 0.0, 0.0
    for _, group in groupby(ranked, key=lambda pair: pair[0]):
        same = list(group)
        ranks += sum(1 for _, which in same if which == 0) * (rank + (len(same) - 1) / 2)
        ties += len(same) ** 3 - len(same)
        rank += len(same)
    u = ranks - count * (count + 1) / 2
    variance = count * other / 12 * (whole + 1 - ties / (whole * (whole - 1)))
    if variance == 0:
        return 1.0  # all are the same
    return 1 - NormalDist().cdf((u - count * other / 2 - 0.5) / math.sqrt(variance))


def bootstrap_ratio(now: Sequence[float], before: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Give the 99 % percentile interval of the ratio of the medians (Efron 1979), the same for the same seed."""
    chance = random.Random(seed)
    now, before = _thinned(now), _thinned(before)
    ratios = sorted(
        median(chance.choices(now, k=len(now))) / median(chance.choices(before, k=len(before)))
        for _ in range(RESAMPLES)
    )
    return ratios[int(RESAMPLES * 0.005)], ratios[math.ceil(RESAMPLES * 0.995) - 1]


def _thinned(values: Sequence[float], most: int = 1000) -> Sequence[float]:
    """Give at most so many quantiles of the values: the median's spread is known well enough from a thousand."""
    ordered = sorted(values)
    if len(ordered) <= most:
        return ordered
    return [ordered[int((n + 0.5) * len(ordered) / most)] for n in range(most)]


def write_baseline(file: Path, baseline: Baseline) -> None:
    """Record a run; UsageError if the file cannot be written."""
    body = {"format": FORMAT, "load": baseline.load, "seconds": [round(value, 6) for value in baseline.seconds]}
    try:
        file.write_text(json.dumps(body) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the baseline: {error.strerror}", at=Location(file)) from error


def read_baseline(file: Path, load: str) -> Baseline:
    """Read a recorded run of this load; UsageError for anything else."""
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        found = Baseline(str(given["load"]), tuple(float(value) for value in given["seconds"]))
        newer = int(given["format"]) > FORMAT
    except OSError as error:
        raise UsageError(f"cannot read the baseline: {error.strerror}", at=Location(file), mend="record one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError("this is no baseline of Drillbook's", at=Location(file), mend="record it anew") from error
    if newer:
        raise UsageError("this baseline was written by a newer Drillbook", at=Location(file), mend="upgrade Drillbook")
    if found.load != load:
        raise UsageError(f"this is a baseline of the load {found.load!r}, not of {load!r}", at=Location(file))
    return found
