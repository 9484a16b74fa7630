"""Every drill bites: without its recovering step it goes red, without its fault it claims nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import REPOSITORY, drillbook

FEATURES = sorted((REPOSITORY / "features").rglob("*.feature"))


def outcomes(run: Path, *arguments: str) -> dict[str, str]:
    """Run every scenario of the suite, two at a time; give each one's outcome."""
    done = drillbook("run", "features", "-n", "2", "--output", run, *arguments, seconds=400)
    assert (run / "summary.json").exists(), done.stdout + done.stderr
    summary = json.loads((run / "summary.json").read_text())
    assert summary["exit_code"] == done.returncode
    return {f"{drill['feature']}: {drill['name']}": drill["outcome"] for drill in summary["drills"]}


@pytest.mark.parametrize(("self_test", "expected"), [("--omit-recovering-step", "fail"), ("--omit-fault", "unknown")])
def test_every_drill_bites(self_test: str, expected: str, tmp_path: Path) -> None:
    found = outcomes(tmp_path / "run", self_test)

    assert {name: outcome for name, outcome in found.items() if outcome != expected} == {}
    assert len(found) >= sum(file.read_text().count("Scenario:") for file in FEATURES) > 0
