"""What of a runbook was rehearsed: from real journals and real features, told the same to people and to machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drillbook.cli.entry import main
from drillbook.errors import UsageError
from drillbook.journal import CommandEnded, RunbookRead, RunFinished, StepEnded, read
from drillbook.journal.events import RunbookCommand, RunbookSection, RunbookStep
from drillbook.reports.coverage import Coverage, coverage
from drillbook.reports.coverage_text import as_json, as_markdown, as_text, write_into
from drillbook.verdict.model import Measures, Outcome
from tests.journals import Run, run

OUTAGE = "Shop / 1. Outage"
NEVER = "Nobody presses the red button in a drill."
BOOK = RunbookRead(
    "runbook.md",
    (
        RunbookSection(
            OUTAGE,
            10,
            (300.0,),
            (
                RunbookStep("Call somebody", "manual", 12),
                RunbookStep("Look", "command", 14, (RunbookCommand("curl a", 15), RunbookCommand("curl b", 16))),
                RunbookStep("If it is down, restart it", "decision", 18, (RunbookCommand("restart", 19),)),
            ),
        ),
        RunbookSection(
            "Shop / Cleaning", 30, (), (RunbookStep("Clean", "command", 31, (RunbookCommand("rm -r |", 32),)),)
        ),
    ),
)


def step(
    made: Run, title: str, line: int, outcome: str = "done", *commands: tuple[str, int], section: str = OUTAGE
) -> None:
    """Let the responder take a step, and run commands in it; a command `!x` is unbound."""
    now = made.clock.now()
    for text, at in commands:
        unbound = (text[1:],) if text.startswith("!") else ()
        made.journal.write(CommandEnded(title, text.lstrip("!"), at, 0, True, now, now, unbound=unbound))
    made.journal.write(StepEnded(section, title, "command", line, outcome, now, now, 0.0))


def rehearsed(folder: Path, book: RunbookRead | None = BOOK) -> Coverage:
    """Write a run of two scenarios, of which the first passed and the last failed, and read its coverage."""
    folder.mkdir(exist_ok=True)
    with run(folder, end=RunFinished(1)) as made:
        if book:
            made.journal.write(book)
        made.begin("a passing one")
        step(made, "Look", 14, "done", ("curl a", 15), ("!curl b", 16))
        step(made, "If it is down, restart it", 18, "skipped")
        made.end(Outcome.PASS, measures=Measures(0.1, 1.0, 2.5, 60.0, 300.0))
        made.begin("a failing one", line=20)
        step(made, "Call somebody", 12, "omitted")
        step(made, "Look", 14, "failed", ("curl a", 15))
        made.end(Outcome.FAIL, measures=Measures(target=300.0))
    return coverage(read(folder))


def test_each_command_has_its_scenarios_and_its_last_verdict(tmp_path: Path) -> None:
    outage = rehearsed(tmp_path).sections[0]
    call, look, restart = outage.parts
    assert [one.scenario for one in look.parts[0].rehearsals] == ["a passing one", "a failing one"]
    assert (look.parts[0].last, look.last, outage.last) == ("fail", "fail", "fail")
    assert (call.last, restart.last) == ("", "")


def test_what_nothing_performed_was_left_out_or_decided_against_is_a_gap(tmp_path: Path) -> None:
    found = rehearsed(tmp_path)
    assert [gap.text for gap in found.gaps] == ["Call somebody", "curl b", "restart", "rm -r |"]
    assert not found.complete


def test_a_command_that_the_runbook_gains_is_a_gap(tmp_path: Path) -> None:
    first, *others = BOOK.sections[0].steps[1].commands
    only = RunbookRead("r", (RunbookSection(OUTAGE, 10, (), (RunbookStep("Look", "command", 14, (first,)),)),))
    assert rehearsed(tmp_path / "before", only).complete
    more = RunbookRead("r", (RunbookSection(OUTAGE, 10, (), (RunbookStep("Look", "command", 14, (first, *others)),)),))
    assert not rehearsed(tmp_path / "after", more).complete


def test_a_gap_with_a_reason_is_none(tmp_path: Path) -> None:
    clean = RunbookStep("Clean", "command", 31, (RunbookCommand("rm -r |", 32, NEVER),))
    look = RunbookStep("Look", "command", 14, (RunbookCommand("curl a", 15),))
    book = RunbookRead("r", (RunbookSection(OUTAGE, 10, (), (look,)), RunbookSection("Cleaning", 30, (), (clean,))))
    found = rehearsed(tmp_path, book)
    assert [gap.reason for gap in found.gaps] == [NEVER]
    assert found.complete
    assert NEVER in as_text(found)


def test_a_journal_without_its_runbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not hold its runbook"):
        rehearsed(tmp_path, None)


def test_text_and_json_tell_the_same(tmp_path: Path) -> None:
    found = rehearsed(tmp_path)
    text, told = as_text(found), as_json(found)
    assert "1 of 2 sections, 1 of 4 steps, 1 of 4 commands rehearsed" in text
    assert "by a passing one: pass" in text
    assert text.count("NO REASON GIVEN") == len(told["unrehearsed"]) == 4
    assert told["complete"] is False
    look = told["sections"][0]["parts"][1]["parts"][0]
    assert (look["text"], look["verdict"]) == ("curl a", "fail")
    assert [one["line"] for one in look["scenarios"]] == [7, 20]
    assert json.loads(json.dumps(told)) == told


def test_the_tables_have_targets_and_measures(tmp_path: Path) -> None:
    text = as_markdown(rehearsed(tmp_path))
    assert "| 1. Outage | 2 | 1 of 3 | 300 s | 2.5 + 60 s |" in text
    assert "| 1. Outage | a passing one | 300 s | 2.5 + 60 s | pass |" in text
    assert "| 1. Outage | a failing one | 300 s | not recovered | fail |" in text
    assert "| Cleaning | none | - | - | not rehearsed |" in text
    assert "- `rm -r |` (line 32): no reason given" in text


def test_a_file_takes_the_tables_between_its_markers(tmp_path: Path) -> None:
    found, file = rehearsed(tmp_path / "run"), tmp_path / "README.md"
    begin, end = "<!-- coverage: {} -->\n", "<!-- /coverage -->\n"
    file.write_text(f"before\n{begin.format('sections')}old\n{end}between\n{begin.format('scenarios')}{end}after\n")
    write_into(file, found)
    once = file.read_text()
    write_into(file, found)
    assert file.read_text() == once
    assert "old" not in once
    assert [line for line in once.splitlines() if line in ("before", "between", "after")] == [
        "before",
        "between",
        "after",
    ]
    assert once.count("| 1. Outage |") == 3
    for text, problem in (("nothing", "no marker"), (begin.format("steps") + end, "no table 'steps'")):
        file.write_text(text)
        with pytest.raises(UsageError, match=problem):
            write_into(file, found)


def test_the_command_gives_3_for_a_gap_of_a_run_that_passed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "green").mkdir()
    with run(tmp_path / "green", end=RunFinished(0)) as made:
        made.journal.write(BOOK)
        made.begin("a passing one")
        step(made, "Look", 14, "done", ("curl a", 15))
        made.end(Outcome.PASS)
    assert main(["report", str(tmp_path / "green")]) == 0
    assert main(["report", str(tmp_path / "green"), "--coverage"]) == 3
    assert "curl b: NO REASON GIVEN" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "green"), "--coverage", "--format", "json"]) == 3
    assert json.loads(capsys.readouterr().out)["complete"] is False
    rehearsed(tmp_path / "red")
    assert main(["report", str(tmp_path / "red"), "--coverage", "--format", "markdown"]) == 1
    assert main(["report", str(tmp_path / "green"), "--format", "markdown"]) == 2
    assert main(["report", str(tmp_path / "green"), "--coverage", "--format", "junit"]) == 2
