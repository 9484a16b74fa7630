"""What a journal says of each drill, and the exit code that it earns."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.journal import Observed, RunFinished, read
from drillbook.reports.account import accounts, code_of, exit_code
from drillbook.verdict.model import Outcome, Reason
from tests.journals import run, three_drills


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["pass", "pass"], 0),
        (["pass", "fail"], 1),
        (["unknown", "fail"], 1),
        (["pass", "unknown"], 3),
        ([], 3),
    ],
)
def test_the_worst_verdict_decides_and_no_drill_is_no_success(outcomes: list[str], code: int) -> None:
    assert code_of(Outcome(outcome) for outcome in outcomes) == code


def _passing(folder: Path, end: RunFinished | None) -> int:
    with run(folder, end=end) as made:
        made.begin("one")
        made.end(Outcome.PASS)
    return exit_code(read(folder))


def test_a_run_of_which_all_passed_exits_0(tmp_path: Path) -> None:
    assert _passing(tmp_path, RunFinished(0)) == 0


def test_ctrl_c_is_130_whatever_passed(tmp_path: Path) -> None:
    assert _passing(tmp_path, RunFinished(130, interrupted=True)) == 130


def test_a_killed_run_is_never_0_though_all_its_drills_passed(tmp_path: Path) -> None:
    assert _passing(tmp_path, None) == 3


def test_a_report_is_never_better_than_its_run(tmp_path: Path) -> None:
    assert _passing(tmp_path, RunFinished(2)) == 2


def test_a_cut_last_line_counts_as_killed(tmp_path: Path) -> None:
    assert _passing(tmp_path, RunFinished(0)) == 0
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"seq":99,"ti')
    assert exit_code(read(tmp_path)) == 3


def test_an_interrupted_drill_is_unknown_and_cites_what_was_in_force(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        made.begin("cut short")
        made.look(ok=True, probe="frontend")
        bad = made.look(ok=False, error="status 503")
    account = accounts(read(tmp_path))[0]
    assert (account.word, account.outcome) == ("interrupted", Outcome.UNKNOWN)
    cited = account.cited(account.reasons[0].events)
    assert bad in [record.seq for record in cited]
    assert "frontend" not in [r.event.probe for r in cited if isinstance(r.event, Observed)]


def test_reasons_come_worst_first(tmp_path: Path) -> None:
    with run(tmp_path, end=RunFinished(1)) as made:
        made.begin("one")
        made.end(Outcome.FAIL, Reason(Outcome.PASS, "c"), Reason(Outcome.UNKNOWN, "b"), Reason(Outcome.FAIL, "a"))
    assert [reason.text for reason in accounts(read(tmp_path))[0].reasons] == ["a", "b", "c"]


def test_events_are_cited_from_the_drill_itself_only(tmp_path: Path) -> None:
    three_drills(tmp_path)
    first, second, _ = accounts(read(tmp_path))
    of_first = first.timeline[0].seq
    assert first.cited([of_first]) == (first.timeline[0],)
    assert second.cited([of_first]) == ()
