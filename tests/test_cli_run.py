"""What `drillbook run` hands to pytest, and what it makes of pytest's answer: its contract with the plugin."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from drillbook.cli.entry import main
from drillbook.journal import Journal, RunbookRead, RunStarted
from drillbook.journal.events import RunbookCommand, RunbookSection, RunbookStep

Recorder = Callable[[int], list[list[str]]]


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A project with one feature and one environment file; pytest, which cannot run in itself, only notes its arguments."""
    (tmp_path / "features").mkdir()
    (tmp_path / "features/a.feature").touch()
    (tmp_path / "environments/shop").mkdir(parents=True)
    (tmp_path / "environments/shop/environment.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRILLBOOK_CACHE", str(tmp_path / "cache"))

    def record(code: int) -> list[list[str]]:
        calls: list[list[str]] = []

        def noted(arguments: list[str]) -> int:
            calls.append(arguments)
            return code

        monkeypatch.setattr(pytest, "main", noted)
        return calls

    return record


def test_it_runs_all_features_of_the_only_environment(recorder: Recorder) -> None:
    calls = recorder(0)
    assert main(["run"]) == 0
    [arguments] = calls
    assert arguments[:2] == ["-p", "no:cacheprovider"]
    assert "--drillbook-run" in arguments
    assert "--environment=environments/shop/environment.yaml" in arguments
    assert "--backend=embedded" in arguments
    assert arguments[-1] == "features"
    assert not [a for a in arguments if a.startswith(("--omit", "--tags", "-k", "-n"))]


def test_everything_that_is_asked_is_passed_on(recorder: Recorder) -> None:
    calls = recorder(1)
    asked = ["run", "features/a.feature", "-k", "rolled and not API", "--tags", "@smoke and not @slow", "-n", "2"]
    asked += ["--seed", "7", "--output", "out", "--omit-step", "roll back", "--omit-step", "x", "--omit-fault"]
    assert main(asked) == 1
    [arguments] = calls
    for expected in ("--seed=7", "--output=out", "--omit-step=roll back", "--omit-step=x", "--omit-fault"):
        assert expected in arguments
    assert "--tags=@smoke and not @slow" in arguments
    assert arguments[arguments.index("-k") + 1] == "rolled and not API"
    assert arguments[arguments.index("-n") + 1] == "2"
    assert arguments[-1] == "features/a.feature"


def test_the_run_s_folder_has_its_time_and_its_seed(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    calls = recorder(0)
    main(["run"])
    main(["run"])
    seeds = []
    for arguments in calls:
        [seed] = [a.removeprefix("--seed=") for a in arguments if a.startswith("--seed=")]
        assert any(re.fullmatch(rf"--output=runs/\d{{8}}T\d{{6}}Z-{seed}", a) for a in arguments)
        seeds.append(seed)
    assert seeds[0] != seeds[1]
    assert f"seed {seeds[1]}, evidence in runs/" in capsys.readouterr().err


@pytest.mark.parametrize(("pytests", "ours"), [(0, 0), (1, 1), (3, 3), (130, 130), (4, 2), (5, 2)])
def test_the_run_s_exit_code_is_given_on_and_pytest_s_own_are_usage(
    recorder: Recorder, pytests: int, ours: int
) -> None:
    recorder(pytests)
    assert main(["run"]) == ours


def test_choosing_nothing_is_an_error_that_says_so(recorder: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    recorder(5)
    assert main(["run", "-k", "nothing of the kind"]) == 2
    assert "no scenario was chosen" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["features/none.feature"], ["--backend", "docker"], ["--environment", "none.yaml"]])
def test_pytest_is_not_started_for_bad_usage(recorder: Recorder, wrong: list[str]) -> None:
    calls = recorder(0)
    assert main(["run", *wrong]) == 2
    assert calls == []


def test_one_scenario_of_a_feature_may_be_named(recorder: Recorder) -> None:
    calls = recorder(0)
    assert main(["run", "features/a.feature::A release is rolled back"]) == 0
    assert calls[0][-1] == "features/a.feature::A release is rolled back"


@pytest.mark.parametrize(("code", "expected"), [(0, 3), (1, 1), (2, 2)])
def test_coverage_is_told_after_the_run_and_a_gap_is_unknown(
    code: int, expected: int, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder(code)

    def leave_a_journal(_: list[str]) -> int:
        Path("out").mkdir()
        journal = Journal(Path("out/journal.jsonl"))
        journal.write(RunStarted("0.1.0", 1, "embedded", "shop", "runbook.md"))
        step = RunbookStep("Look", "command", 3, (RunbookCommand("curl shop", 4),))
        journal.write(RunbookRead("runbook.md", (RunbookSection("Shop", 2, (), (step,)),)))
        journal.close()
        raise SystemExit(code)  # as the launcher of a sandbox ends

    if code != 2:
        monkeypatch.setattr(pytest, "main", leave_a_journal)
    assert main(["run", "--coverage", "--output", "out"]) == expected
    assert ("curl shop: NO REASON GIVEN" in capsys.readouterr().out) is (code != 2)
