"""A drill's end takes what the responder left in the background, and says what that was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.clock import wait_until
from drillbook.drill import Drill
from drillbook.drill.conductor import Options
from drillbook.gherkin.outcomes import nothing_left
from drillbook.journal import CheckMade, DrillStarted, Journal, Note
from drillbook.responder.registry import Registry
from drillbook.runbook.parse import parse_text
from drillbook.topology.model import Topology
from drillbook.verdict.model import Outcome
from drillbook.verdict.timeline import each
from tests.parts_environment import PartsEnvironment

RUNBOOK = """
# Set-up

```bash
# Start
sleep 63 & server=$!
echo "$server" > pid

# Stop
kill "$server"
wait
```
"""


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    declared = {
        "version": 1,
        "name": "small",
        "runbook": "runbook.md",
        "services": {"chain": {"kind": "chain", "ports": {"rpc": 8545}, "chain_id": 1}},
        "probes": {"chain": {"tcp": {"to": "localhost:8545"}}},
        "steady_state": {"probes": ["chain"]},
    }
    environment = PartsEnvironment(
        declared=Topology.model_validate_json(json.dumps(declared)),
        variables={"PATH": os.environ["PATH"]},
        workspace=tmp_path,
    )
    runbook = parse_text(RUNBOOK, tmp_path / "runbook.md")
    begun = Drill(environment, runbook, Registry(), Journal(tmp_path / "journal.jsonl"), Options())
    begun.begin(DrillStarted("a set-up", "a.feature", 1), fresh=True)
    yield begun
    begun.abandon()


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists() and b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()


def test_what_was_not_stopped_is_ended_and_told(drill: Drill) -> None:
    drill.follow("Set-up", ["Start"])
    pid = int((drill.environment.workspace / "pid").read_text())
    assert runs(pid)
    nothing_left(drill)
    drill.finish()
    assert wait_until(lambda: not runs(pid), 2.0)
    timeline = drill.journal.file.read_text()
    assert "still running at the drill's end, and ended then: sleep 63" in timeline
    (check,) = [event for _, event in each(drill.timeline, CheckMade)]
    assert (check.outcome, check.detail) == (Outcome.FAIL, "still running: sleep 63")


def test_what_was_stopped_is_not_spoken_of(drill: Drill) -> None:
    drill.follow("Set-up")
    nothing_left(drill)
    drill.finish()
    (check,) = [event for _, event in each(drill.timeline, CheckMade)]
    assert check.outcome is Outcome.PASS
    assert list(each(drill.timeline, Note)) == []
