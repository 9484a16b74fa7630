"""The workload of a drill, as a real process: what it says is on the timeline, and one that breaks off is told as such."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from drillbook.drill.traffic import Traffic
from drillbook.errors import EnvironmentFailed
from drillbook.journal import Journal, RequestEnded, TrafficEnded
from drillbook.topology.model import Workload
from drillbook.verdict.timeline import each
from tests.parts_environment import PartsEnvironment

FOLDER = Path(__file__).parent / "fixtures/workloads"


class Started:
    """A process as `RunningModule` shows it."""

    def __init__(self, argv: list[str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            argv, cwd=FOLDER, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        self.stdout = self._process.stdout
        self.poll, self.terminate = self._process.poll, self._process.terminate

    def wait(self) -> None:
        """Wait for its end."""
        self._process.wait(10)

    def kill(self) -> None:
        """End it and bury it."""
        self._process.kill()
        self._process.wait()


class WorkloadEnvironment(PartsEnvironment):
    """Starts modules from this folder, as a backend does from an environment's."""

    def start_module(self, module: str, arguments: Sequence[str] = ()) -> Started:
        self.started = [*arguments]
        self.process = Started([sys.executable, "-m", module, *arguments])
        return self.process


class Place:
    """A journal within a drill, and the environment of its traffic."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal.jsonl")
        self.journal.begin("a drill")
        self.environment = WorkloadEnvironment()

    def traffic(self, behaviour: str) -> Traffic:
        """Start traffic that behaves so."""
        workload = Workload.model_validate_json(
            f'{{"python": "small_workload", "rate": "5/s", "arguments": ["{behaviour}"]}}'
        )
        return Traffic(self.environment, workload, self.journal, seed=42)

    def told(self) -> list[TrafficEnded]:
        """Give what was written of the traffic's end."""
        return [event for _, event in each(self.journal.timeline(), TrafficEnded)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.environment.process.kill()
    made.journal.close()


def test_every_outcome_is_on_the_timeline(place: Place) -> None:
    traffic = place.traffic("well")
    traffic.wait_for_first()
    traffic.stop()
    requests = [event for _, event in each(place.journal.timeline(), RequestEnded)]
    assert [(r.outcome, r.key, r.status, r.error) for r in requests] == [
        ("failed", "k0", 0, "ConnectError"),
        ("acknowledged", "k1", 201, ""),
        ("acknowledged", "k2", 200, ""),
    ]
    assert all(request.finished - request.sent == pytest.approx(0.1) for request in requests)
    assert place.told() == [TrafficEnded(3, 2)]
    assert place.environment.started == ["well", "--rate", "5", "--seed", "42"]


def test_traffic_that_breaks_off_is_an_error(place: Place) -> None:
    """It had something acknowledged first: that is not held against it."""
    traffic = place.traffic("breaks")
    traffic.wait_for_first()
    place.environment.process.wait()
    traffic.stop()
    (told,) = place.told()
    assert "Traceback: it broke" in told.error


def test_traffic_that_does_not_stop_is_ended_and_told(place: Place) -> None:
    traffic = place.traffic("deaf")
    traffic.wait_for_first()
    traffic.stop()
    (told,) = place.told()
    assert told.error
    assert place.environment.process.poll() is not None


def test_traffic_that_ends_at_once_is_no_start(place: Place) -> None:
    traffic = place.traffic("dies")
    with pytest.raises(EnvironmentFailed, match="ended before anything was acknowledged: no API to be found"):
        traffic.wait_for_first()


def test_traffic_without_an_acknowledgement_is_no_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drillbook.drill.traffic._FIRST_SECONDS", 0.5)
    traffic = place.traffic("silent")
    with pytest.raises(EnvironmentFailed, match=r"nothing acknowledged within 0\.5 s"):
        traffic.wait_for_first()
    traffic.stop()
