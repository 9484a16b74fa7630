"""summary.json and the files of a run: stable, complete, and made again from the journal alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.journal import RunFinished, read
from drillbook.reports.files import write_all
from drillbook.reports.summary import summary
from drillbook.verdict.model import Outcome
from tests.journals import run, three_drills


def test_the_run_and_every_drill_are_told(tmp_path: Path) -> None:
    three_drills(tmp_path)
    told = summary(read(tmp_path))
    assert told["run"] is not None
    assert (told["run"]["seed"], told["run"]["backend"]) == (42, "embedded")
    assert [drill["outcome"] for drill in told["drills"]] == ["pass", "fail", "unknown"]
    assert told["counts"] == {"pass": 1, "fail": 1, "unknown": 1, "interrupted": 0}
    assert (told["exit_code"], told["interrupted"]) == (1, False)


def test_a_drill_has_its_measures_reasons_faults_and_figures(tmp_path: Path) -> None:
    three_drills(tmp_path)
    first, second, _ = summary(read(tmp_path))["drills"]
    assert first["measures"] == {
        "detect": 0.31,
        "act": 2.1,
        "recover": 14.2,
        "allowed": 150.0,
        "target": 300.0,
        "total": 164.2,
        "margin": 135.8,
    }
    assert first["rpo"] == {"declared": 60.0, "orders": 3, "seconds": 12.5}
    assert first["tags"] == ["@smoke"]
    assert first["traffic"] == {"acknowledged": 1, "refused": 0, "failed": 0}
    assert first["invariants"] == [{"name": "no acknowledged order is lost", "outcome": "pass", "detail": ""}]
    assert second["reasons"][0]["text"] == "recovered 181.5 s too late"
    assert len(second["reasons"][0]["events"]) == 2
    assert second["faults"] == [
        {"fault": "link-down", "target": "api-database", "parameters": {"stream": "both"}, "omitted": False}
    ]


def test_an_interrupted_drill_is_called_so(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        made.begin("cut short")
    told = summary(read(tmp_path))
    assert told["drills"][0]["outcome"] == "interrupted"
    assert told["drills"][0]["measures"]["recover"] is None
    assert (told["exit_code"], told["interrupted"]) == (3, True)


def test_a_journal_cut_in_its_first_line_is_still_reported(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"seq":1,"time"')
    told = summary(read(tmp_path))
    assert (told["run"], told["drills"], told["exit_code"], told["interrupted"]) == (None, [], 3, True)


def test_the_keys_and_their_order_are_those_of_every_run(tmp_path: Path) -> None:
    def keys(folder: Path, outcome: Outcome) -> list[str]:
        folder.mkdir()
        with run(folder, end=RunFinished(0)) as made:
            made.begin("one")
            made.end(outcome)
        told = summary(read(folder))
        return [*told, *told["drills"][0]]

    assert keys(tmp_path / "a", Outcome.PASS) == keys(tmp_path / "b", Outcome.FAIL)


def test_the_files_are_written_again_the_same_without_running_anything(tmp_path: Path) -> None:
    three_drills(tmp_path)
    journal = write_all(tmp_path)
    first = {name: (tmp_path / name).read_bytes() for name in ("summary.json", "junit.xml")}
    assert json.loads(first["summary.json"]) == summary(journal)
    write_all(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in first} == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["journal.jsonl", "junit.xml", "summary.json"]


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read a journal"):
        write_all(tmp_path)
