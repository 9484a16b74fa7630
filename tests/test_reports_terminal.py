"""The terminal's report: what a reader finds in it, at every width, with and without colours."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from drillbook.journal import JudgeCrashed, RunFinished, RunStarted, read
from drillbook.reports.terminal import render
from drillbook.verdict.model import Outcome, Reason
from tests.journals import run, three_drills

WIDTHS = [80, 120]


def _render(folder: Path, width: int = 120, *, colour: bool = False) -> str:
    file = io.StringIO()
    environ = {"TERM": "xterm-256color", **({} if colour else {"NO_COLOR": "1"})}
    render(read(folder), Console(file=file, width=width, force_terminal=colour, _environ=environ))
    return file.getvalue()


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_each_scenario_has_its_verdict_and_both_addends_of_its_time(tmp_path: Path, width: int) -> None:
    three_drills(tmp_path)
    text = _render(tmp_path, width)
    assert max(map(len, text.splitlines()[:-1])) <= width
    said = _words(text)
    assert "14.2 + 150 of 300 s" in said
    assert "331.5 + 150 of 300 s" in said
    assert "-181.5 s" in said
    assert "135.8 s" in said
    for name, word in [("A release that answers 500", "PASS"), ("The database link", "FAIL"), ("A dropped", "UNKNOWN")]:
        assert any(word in line and name in line for line in text.splitlines()), word


def test_a_long_scenario_name_is_wrapped_not_cut(tmp_path: Path) -> None:
    name = "When the previous release is broken too the secondary on-call is called " * 3
    with run(tmp_path, end=RunFinished(0)) as made:
        made.begin(name.strip())
        made.end(Outcome.PASS)
    for width in WIDTHS:
        text = _render(tmp_path, width)
        assert text.count("secondary") == 3
        assert max(map(len, text.splitlines()[:-1])) <= width


def test_a_failure_shows_its_reason_and_the_events_that_show_it(tmp_path: Path) -> None:
    three_drills(tmp_path)
    evidence = _render(tmp_path).partition("recovered 181.5 s too late")[2]
    look, command = evidence.splitlines()[1:3]
    assert "+0.25 s" in look
    assert "probe api bad: status 503" in look
    assert "+0.75 s" in command
    assert "exit 22" in command
    assert "line 45" in command
    assert "| curl: (22) error 503" in evidence


def test_a_pass_needs_no_evidence(tmp_path: Path) -> None:
    with run(tmp_path, end=RunFinished(0)) as made:
        made.begin("one")
        made.end(Outcome.PASS, Reason(Outcome.PASS, "recovered in time", (2,)))
    assert "recovered in time" not in _render(tmp_path)


def test_the_last_line_counts_the_verdicts(tmp_path: Path) -> None:
    three_drills(tmp_path)
    end = _render(tmp_path).rstrip().splitlines()[-3:]  # a long path takes lines of its own
    assert any(line.startswith("1 passed, 1 failed, 1 unknown in 3.8 s · ") for line in end)


def test_invariants_and_notes_are_told(tmp_path: Path) -> None:
    three_drills(tmp_path)
    text = _render(tmp_path)
    assert "no acknowledged order is lost: held in 3 of 3" in text
    assert "orders lost beyond the backup: 3 (rpo_orders 3, rpo_seconds 12.5)" in text


@pytest.mark.parametrize(
    ("started", "said"),
    [
        (RunStarted("0.1.0", 1, "embedded", "e", "r", (), ("vercel rollback",)), 'step "vercel rollback"'),
        (RunStarted("0.1.0", 1, "embedded", "e", "r", (), (), omitted_fault=True), "the fault"),
    ],
)
def test_a_self_test_says_so_before_its_table(tmp_path: Path, started: RunStarted, said: str) -> None:
    with run(tmp_path, started, end=RunFinished(0)) as made:
        made.begin("one")
        made.end(Outcome.PASS)
    before = _render(tmp_path).partition("Scenario")[0]
    assert "SELF-TEST" in before
    assert said in before


@pytest.mark.parametrize(("end", "how"), [(None, "killed"), (RunFinished(130, interrupted=True), "Ctrl-C")])
def test_an_interrupted_run_says_so_first_and_keeps_its_evidence(
    tmp_path: Path, end: RunFinished | None, how: str
) -> None:
    with run(tmp_path, end=end) as made:
        made.begin("cut short")
        made.look(ok=False, error="status 503")
    text = _render(tmp_path)
    assert how in text.partition("Scenario")[0]
    assert "INTERRUPTED" in text.partition("Scenario")[0]
    assert "probe api bad: status 503" in text
    assert "1 interrupted" in text


def test_a_run_without_drills_is_no_success(tmp_path: Path) -> None:
    with run(tmp_path, end=RunFinished(3)):
        pass
    assert "no drill ran" in _render(tmp_path)


def test_colours_come_beside_the_words_and_only_where_wanted(tmp_path: Path) -> None:
    three_drills(tmp_path)
    assert "\x1b[1;32mPASS" in _render(tmp_path, colour=True)
    assert "\x1b" not in _render(tmp_path)


def test_output_of_commands_neither_styles_nor_moves_the_terminal(tmp_path: Path) -> None:
    with run(tmp_path, end=RunFinished(1)) as made:
        made.begin("one [bold]not markup[/bold]")
        seq = made.command("ls [/tmp]", 1, "\x1b[31mred\x1b[0m [/nothing]\x07\x1b]0;title\x07")
        made.end(Outcome.FAIL, Reason(Outcome.FAIL, "odd", (seq,)))
    text = _render(tmp_path)
    assert any(line.endswith("| red [/nothing]") for line in map(str.rstrip, text.splitlines()))
    assert "one [bold]not markup[/bold]" in text
    assert "\x1b" not in text


def test_a_crashed_judge_shows_its_traceback(tmp_path: Path) -> None:
    with run(tmp_path, end=RunFinished(3)) as made:
        made.begin("one")
        seq = made.journal.write(JudgeCrashed('Traceback\n  File "judge.py", line 3\nValueError: no')).seq
        made.end(Outcome.UNKNOWN, Reason(Outcome.UNKNOWN, "the judge crashed", (seq,)))
    assert '|   File "judge.py", line 3' in _render(tmp_path)
