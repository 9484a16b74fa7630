"""Target times, and the times that only look like them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.runbook import parse_text
from drillbook.runbook.targets import find_targets, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**IMMEDIATE ACTIONS (< 5 minutes)**", 300),
        ("Done within 2 min.", 120),
        ("RTO: 1h", 3600),
        ("**RTO**: 1h", 3600),
        ("RTO (recovery): 45 minutes", 2700),
        ("Answer in ≤ 90 s", 90),
        ("&lt; 5 minutes", 300),
        ("under 30 seconds", 30),
        ("in less than 1 hour", 3600),
        ("no more than 10 minutes", 600),
        ("must not exceed 15 minutes", 900),
        ("within 1 h 30 min", 5400),
        ("within 1h30m", 5400),
        ("within 1 hour and 30 minutes", 5400),
        ("<5m", 300),
        ("< **5** minutes", 300),
        ("within 1.5 hours", 5400),
        ("within an hour", 3600),
        ("within the first fifteen minutes", 900),
        ("within 5-10 minutes", 600),
        ("within two minutes of the alert", 120),
        ("a 15-minute RTO", 900),
        ("Target: 4 hours", 14400),
        ("Recovery time objective is 20 min", 1200),
        ("Each alert must be acknowledged within 5 minutes", 300),
        ("Keep customers informed (< 30 minutes)", 1800),
        ("Logs older than 24 hours are deleted, so act within 10 minutes", 600),
        ("within 1 day", 86400),
    ],
)
def test_a_promise_is_a_target(text: str, expected: float) -> None:
    assert [target.seconds for target in find_targets(text, 1)] == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "older than 24 hours",
        "backups less than 24 hours old",
        "a deployment under 2 hours ago",
        "keep for 30 days",
        "keep logs for no more than 30 days",
        "retention 7 days",
        "Retention: < 7 days",
        "every 30 seconds",
        "run every < 30 s",
        "last 24h",
        "within the last 24 hours",
        "timeout < 30 s",
        "a connect timeout of at most 10 seconds",
        "RPO: 5 min",
        "RPO < 5 minutes",
        "p95 latency < 2 seconds",
        "replication lag under 10 seconds",
        "Wait no more than 2 minutes",
        "`curl --max-time 5` within `< 5 minutes`",
        "less than 5 MB",
        "within 200 ms",
        "[docs](http://x/within/5%20minutes)",
        "takes 5 minutes",
        "5 minutes",
    ],
)
def test_ages_retentions_and_intervals_are_none(text: str) -> None:
    assert find_targets(text, 1) == ()


def test_each_target_has_its_own_line_and_words() -> None:
    text = "First `a\nb` alert\nwithin 2 min, then\nrestore in\nunder   1 hour."
    assert [(t.seconds, t.text, t.line) for t in find_targets(text, 10)] == [
        (120, "within 2 min", 12),
        (3600, "in under 1 hour", 13),
    ]


def test_code_holds_none() -> None:
    text = "# T\n\n```sh\n# Step 1: within 5 minutes\nsleep 1\n```\n\n    RTO: 1h\n"
    assert parse_text(text, Path("r.md")).sections[0].targets == ()


@pytest.mark.parametrize(
    ("text", "expected"), [("1 h 30 min", 5400), ("90 s", 90), ("1h30m15s", 5415), ("an hour", 3600)]
)
def test_seconds(text: str, expected: float) -> None:
    assert seconds(text) == expected
