"""Loads as they are planned, summed up, judged and compared: pure, with figures that can be checked by hand."""

from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.errors import UsageError
from drillbook.load.compare import Baseline, bootstrap_ratio, compare, mann_whitney, read_baseline, write_baseline
from drillbook.load.plan import Stage, arrivals, stages
from drillbook.load.samples import Sample, figures, needed, percentile, read_samples, told, write_samples
from drillbook.load.thresholds import Kept, judge
from drillbook.topology.loads import Load

FIRM = {"locustfile": "x", "host": "https://a", "mix": {"page": 1}, "duration": "3s", "thresholds": {"p95": "100ms"}}


def load_of(**given: Any) -> Load:
    return Load.model_validate_json(json.dumps(FIRM | given))


def sample(seconds: float, error: str = "", started: float = 0.0) -> Sample:
    return Sample(started, seconds, "page", 0 if error else 200, error)


@pytest.mark.parametrize(
    ("given", "planned"),
    [
        ({"rate": "20/s"}, [(3.0, 20.0)]),
        ({"rate": "30/s", "shape": "step", "steps": 3}, [(1.0, 10.0), (1.0, 20.0), (1.0, 30.0)]),
        ({"users": 2, "shape": "spike", "peak": 4}, [(1.0, 2.0), (1.0, 8.0), (1.0, 2.0)]),
        ({"users": 1, "shape": "step", "steps": 3}, [(1.0, 1.0), (1.0, 1.0), (1.0, 1.0)]),
    ],
)
def test_a_shape_becomes_stages(given: dict[str, Any], planned: list[tuple[float, float]]) -> None:
    assert [(stage.seconds, stage.level) for stage in stages(load_of(**given))] == planned


def test_customers_arrive_evenly_at_each_stages_rate() -> None:
    moments = list(arrivals([Stage(1.0, 10.0), Stage(1.0, 20.0)]))
    assert len([m for m in moments if m < 1.0]) == 10
    assert len([m for m in moments if m >= 1.0]) == 20
    assert all(later > sooner for sooner, later in itertools.pairwise(moments))


def test_generators_share_the_arrivals() -> None:
    assert len(list(arrivals([Stage(2.0, 50.0)], share=2))) == 50


def test_a_percentile_is_the_nearest_rank_of_the_whole_sample() -> None:
    values = [n / 100 for n in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile(values, 0.99)) == (0.5, 0.95, 0.99)
    assert percentile([7.0], 0.95) == 7.0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.floats(0.01, 1))
def test_at_least_that_share_is_within_a_percentile(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) / len(values) >= share - 1e-9


def test_a_fast_error_page_is_slower_than_any_answer() -> None:
    found = figures([sample(0.1)] * 94 + [sample(0.001, "HTTP 500")] * 6, 10.0)
    assert (found.percentile("p50"), found.percentile("p95")) == (0.1, None)
    assert (found.failed, found.rate, found.error_share) == (6, 9.4, 0.06)
    assert "p95 failed" in told(found)
    assert "HTTP 500" in told(found)


def test_thresholds_are_kept_broken_or_not_known() -> None:
    found = figures([sample(0.05)] * 40 + [sample(0.4)] * 2, 2.0)
    judged = {bound.name: bound.kept for bound in judge(found, {"p50": 0.1, "p95": 0.1, "p99": 1.0, "rate": 30})}
    assert judged == {"p50": Kept.KEPT, "p95": Kept.KEPT, "p99": Kept.UNKNOWN, "rate": Kept.BROKEN}
    assert judge(found, {"p99": 0.1})[0].kept is Kept.BROKEN  # that it is too slow, few requests show as well
    assert judge(figures([], 1.0), {"errors": 0.01})[0].kept is Kept.UNKNOWN
    assert (needed("p50"), needed("p95"), needed("p99")) == (2, 20, 100)


def test_samples_come_back_and_half_a_line_does_not(tmp_path: Path) -> None:
    file = tmp_path / "samples.csv"
    kept = [sample(0.25, started=1.5), Sample(2.0, 0.5, "place", 503, 'HTTP 503, "later"')]
    write_samples(file, kept)
    file.write_text(file.read_text() + "3.0,0.1,pa")
    assert read_samples([file]) == kept


def test_mann_whitney_agrees_with_a_worked_example() -> None:
    # All of `now` above all of `before`: U = 25 of 25; z = (25 - 12.5 - 0.5) / sqrt(25 * 11 / 12) = 2.507
    assert mann_whitney([6, 7, 8, 9, 10], [1, 2, 3, 4, 5]) == pytest.approx(0.00609, abs=1e-4)
    assert mann_whitney([1.0] * 30, [1.0] * 30) == 1.0
    assert mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) > 0.99


def requests(seed: int, median: float, count: int = 150) -> list[float]:
    chance = random.Random(seed)
    return [chance.lognormvariate(0, 0.5) * median for _ in range(count)]


def test_noise_is_no_regression_and_a_regression_is_one() -> None:
    before = requests(0, 0.010)
    assert [seed for seed in range(1, 41) if compare(requests(seed, 0.010), before).slower] == []
    assert all(compare(requests(seed, 0.020), before).slower for seed in range(1, 11))


def test_a_sure_but_small_difference_is_tolerated() -> None:
    found = compare(requests(1, 0.0112, 5000), requests(2, 0.010, 5000))
    assert found.p < 0.01
    assert not found.slower
    assert "no slower than noise explains" in str(found)


def test_the_interval_holds_the_ratio_and_is_the_same_each_time() -> None:
    now, before = requests(3, 0.03), requests(4, 0.01)
    low, high = bootstrap_ratio(now, before, 7)
    assert low < 3 < high
    assert (low, high) == bootstrap_ratio(now, before, 7)


def test_requests_that_fail_are_slower_than_any() -> None:
    before = requests(1, 0.01, 40)
    assert compare([math.inf] * 30 + requests(2, 0.01, 10), before).slower
    assert not compare([math.inf, *requests(3, 0.01, 39)], before).slower
    with pytest.raises(UsageError, match="a tenth of the baseline's"):
        compare(before, [math.inf] * 10 + before)


def test_too_few_requests_are_not_compared() -> None:
    with pytest.raises(UsageError, match="20 of each"):
        compare([0.1] * 19, [0.1] * 100)


def test_a_baseline_comes_back_for_its_own_load_only(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    write_baseline(file, Baseline("browse", (0.1, 0.2)))
    assert read_baseline(file, "browse").seconds == (0.1, 0.2)
    with pytest.raises(UsageError, match="of the load 'browse', not of 'buy'"):
        read_baseline(file, "buy")
    for text, said in (("{", "no baseline"), ('{"format": 9, "load": "browse", "seconds": []}', "newer")):
        file.write_text(text)
        with pytest.raises(UsageError, match=said):
            read_baseline(file, "browse")
