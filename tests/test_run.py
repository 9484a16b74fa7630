"""A whole run as users start it: verdict and exit code, Ctrl-C, kill -9, several workers, plain pytest."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drillbook.clock import wait_until
from drillbook.journal import FaultHealed, JournalFile, read
from tests.command_line import PROGRAM, REPOSITORY, drillbook

HEAD = "Feature: f\n  Background:\n    Given the system is in its steady state\n    And traffic is flowing\n"
CUT = '    When the link "api.0x.org:443" is cut\n'
BACK = '    And the link "api.0x.org:443" comes back\n'
FOLLOWED = '    And the responder follows "System Down - Complete Outage"\n'
RESTORED = '    Then service is restored within the target of "System Down - Complete Outage"\n'
HEALS = "  Scenario: it comes back\n" + CUT + BACK + RESTORED
STAYS = "  Scenario: it stays cut\n" + CUT + RESTORED


def feature(folder: Path, *scenarios: str) -> Path:
    """Write a feature of these scenarios."""
    file = folder / "x.feature"
    file.write_text(HEAD + "".join(scenarios))
    return file


def outcomes(run: Path) -> dict[str, str]:
    """Give each drill's outcome from a run's summary."""
    return {drill["name"]: drill["outcome"] for drill in json.loads((run / "summary.json").read_text())["drills"]}


def marked(mark: str) -> list[int]:
    """Give the processes whose command line or environment holds a mark."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                held = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in held:
                found.append(int(folder.name))
    return found


@contextmanager
def running(file: Path, run: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run in the background; it is ended whatever the test does."""
    process = subprocess.Popen(
        [*PROGRAM, "run", str(file), "--output", str(run)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def wait_for(run: Path, words: str) -> None:
    """Wait until a run's journal says something."""
    journal = run / "journal.jsonl"
    assert wait_until(lambda: journal.exists() and words in journal.read_text(), 30), f"no {words} in the journal"


@pytest.mark.parametrize("tool", ["drillbook", "pytest"])
def test_a_run_gives_verdicts_evidence_and_exit_code(tool: str, tmp_path: Path) -> None:
    file, run = feature(tmp_path, HEALS, STAYS), tmp_path / "run"
    if tool == "drillbook":
        done = drillbook("run", file, "--output", run)
    else:
        argv = [sys.executable, "-m", "pytest", "-q", str(file), f"--output={run}", "-p", "no:cacheprovider"]
        done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 1, done.stdout + done.stderr
    assert outcomes(run) == {"it comes back": "pass", "it stays cut": "fail"}
    assert "0x still bad at the end" in done.stdout
    assert (run / "junit.xml").exists()
    assert (run / "logs/orders-api.log").exists()
    again = drillbook("report", run)
    assert again.returncode == 1
    assert "it stays cut" in again.stdout


def test_a_run_without_its_fault_is_unknown(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = drillbook("run", feature(tmp_path, HEALS), "--output", run, "--omit-fault")

    assert done.returncode == 3, done.stdout + done.stderr
    assert outcomes(run) == {"it comes back": "unknown"}
    assert "left out by request" in done.stdout


def test_each_worker_has_a_sandbox_of_its_own(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = drillbook("run", feature(tmp_path, HEALS, STAYS), "--output", run, "-n", "2")

    assert done.returncode == 1, done.stdout + done.stderr
    assert outcomes(run) == {"it comes back": "pass", "it stays cut": "fail"}
    assert {record.worker for record in read(run).records if record.drill} == {"gw0", "gw1"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_heals_and_reports(number: int, code: int, tmp_path: Path) -> None:
    file, run = feature(tmp_path, "  Scenario: s\n" + CUT + FOLLOWED + RESTORED), tmp_path / "run"
    with running(file, run) as process:
        wait_for(run, "fault-injected")
        process.send_signal(number)
        assert process.wait(20) == code

    journal = read(run)
    assert journal.interrupted
    assert [event.event.fault for event in journal.records if isinstance(event.event, FaultHealed)] == ["link-down"]
    assert drillbook("report", run).returncode == 130
    assert wait_until(lambda: not marked(str(run)), 5), "processes outlived the run"


def _launcher(process: subprocess.Popen[bytes]) -> int:
    return process.pid


def _harness(process: subprocess.Popen[bytes]) -> int:
    """Give the harness: the launcher's child's child's child."""
    pid = process.pid
    for _ in range(3):
        pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    return pid


@pytest.mark.parametrize("victim", [_launcher, _harness])
def test_a_killed_run_leaves_its_journal_and_nothing_else(
    victim: Callable[[subprocess.Popen[bytes]], int], tmp_path: Path
) -> None:
    file, run = feature(tmp_path, "  Scenario: s\n" + CUT + FOLLOWED + RESTORED), tmp_path / "run"
    mounts = Path("/proc/self/mounts").read_text()
    with running(file, run) as process:
        wait_for(run, "fault-injected")
        os.kill(victim(process), signal.SIGKILL)
        process.wait(10)
        assert wait_until(lambda: not marked(str(run)), 5), "processes outlived the run"

    assert Path("/proc/self/mounts").read_text() == mounts
    assert not Path("/tmp/drillbook").exists()
    journal: JournalFile = read(run)
    assert journal.finished is None
    told = drillbook("report", run)
    assert told.returncode == 3
    assert re.search("INTERRUPTED", told.stdout)


@pytest.mark.parametrize("word", ["skip", "fail"])
def test_a_step_that_skips_or_fails_by_pytest_is_never_green(word: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        f"import pytest\nfrom pytest_bdd import then\n\n@then('it leaves')\ndef _():\n    pytest.{word}('it left')\n"
    )
    file, run = feature(tmp_path, HEALS + "    And it leaves\n"), tmp_path / "run"
    done = drillbook("run", file, "--output", run)

    assert done.returncode == 3, done.stdout + done.stderr
    assert outcomes(run) == {"it comes back": "unknown"}


def test_a_worker_that_dies_is_never_green(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import os\nfrom pytest_bdd import then\n\n@then('the worker dies')\ndef _():\n    os.kill(os.getpid(), 9)\n"
    )
    file, run = feature(tmp_path, HEALS, STAYS.replace(RESTORED, "    Then the worker dies\n")), tmp_path / "run"
    done = drillbook("run", file, "--output", run, "-n", "1")

    assert done.returncode == 3, done.stdout + done.stderr
    assert outcomes(run)["it comes back"] == "pass"


def test_a_scenario_whose_program_is_not_installed_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    needing = HEALS.replace("  Scenario", "  @needs:no_such_program\n  Scenario", 1)
    done = drillbook("run", str(feature(tmp_path, needing)), "--output", str(tmp_path / "run"))
    assert done.returncode == 2, done.stdout
    assert "left out: it comes back (" in done.stdout
    assert "it needs no such program, which is not installed" in done.stdout
