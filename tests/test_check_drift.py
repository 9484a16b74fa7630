"""A runbook beside its drills: what no scenario follows, what is gone, what changed or grew old since a drill passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from drillbook.check.drift import Drills, Passed, read_features, read_runs
from drillbook.journal.events import (
    DrillFinished,
    DrillStarted,
    RunbookCommand,
    RunbookRead,
    RunbookSection,
    RunbookStep,
    RunStarted,
    StepEnded,
)
from drillbook.journal.write import Journal
from drillbook.runbook import Runbook, parse_text
from drillbook.verdict.model import Outcome
from tests.command_line import drillbook

TEXT = """# Shop

## Restart

1. Look

   ```bash
   date
   ```

2. Restart it

   ```bash
   systemctl restart shop
   ```

## Restore

```bash
pg_restore -d shop shop.dump
```

## Contacts

- Ada
"""
FEATURE = """Feature: Restart
  Scenario: It restarts
    When the responder follows "{}"
  Scenario: Again
    When the responder takes the steps "Look" of "Restart"
"""
NOW = datetime(2026, 6, 30, tzinfo=UTC)
COMMANDS = ("date", "systemctl restart shop")


@pytest.fixture
def runbook() -> Runbook:
    return parse_text(TEXT, Path("runbook.md"))


def told(runbook: Runbook, drills: Drills) -> list[tuple[str, int]]:
    return [(finding.code, finding.line) for finding in drills.findings([runbook])]


def features(tmp_path: Path, section: str) -> Path:
    file = tmp_path / "restart.feature"
    file.write_text(FEATURE.format(section))
    return file


def write_run(folder: Path, outcome: Outcome, omitted: tuple[str, ...]) -> None:
    """Write the journal of a run in which one scenario followed "Restart"."""
    folder.mkdir(parents=True)
    journal = Journal(folder / "journal.jsonl")
    commands = tuple(RunbookCommand(text, line) for line, text in enumerate(COMMANDS, 8))
    section = RunbookSection("Shop / Restart", 3, (), (RunbookStep("Look", "command", 5, commands),))
    journal.write(RunStarted("0.1.0", 1, "embedded", "shop", "runbook.md", (), omitted))
    journal.write(RunbookRead("runbook.md", (section,)))
    journal.drill = "It restarts"
    journal.write(DrillStarted("It restarts", "restart.feature", 2))
    journal.write(StepEnded("Shop / Restart", "Look", "command", 5, "done", 0.0, 1.0, 0.0))
    journal.write(DrillFinished(outcome))
    journal.close()


def test_sections_that_no_scenario_follows_are_told(tmp_path: Path, runbook: Runbook) -> None:
    drills = Drills(read_features([features(tmp_path, "Restart")]))
    assert told(runbook, drills) == [("CO101", 17)]
    assert drills.share([runbook]) == (2, 3)


def test_steps_that_no_scenario_takes_are_told(tmp_path: Path, runbook: Runbook) -> None:
    file = features(tmp_path, "Restart")
    file.write_text(file.read_text().replace('the responder follows "Restart"', "nothing"))
    assert told(runbook, Drills(read_features([file]))) == [("CO102", 11), ("CO101", 17)]


def test_a_section_that_was_renamed_is_told_with_the_nearest_name(tmp_path: Path, runbook: Runbook) -> None:
    (gone, *_) = Drills(read_features([features(tmp_path, "Restarts")])).findings([runbook])
    assert (gone.code, gone.file.name, gone.line, gone.column) == ("CO103", "restart.feature", 3, 33)
    assert gone.mend.startswith("did you mean 'Restart'")


def test_a_step_that_is_gone_is_told_with_those_that_are_there(tmp_path: Path, runbook: Runbook) -> None:
    file = features(tmp_path, "Restart")
    file.write_text(file.read_text().replace('"Look"', '"Peek"'))
    (gone, *_) = Drills(read_features([file])).findings([runbook])
    assert (gone.code, gone.line) == ("CO103", 5)
    assert "'Look'; 'Restart it'" in gone.mend


@pytest.mark.parametrize(
    ("commands", "days", "code"),
    [
        (COMMANDS, 1, None),
        (COMMANDS, 31, "CO106"),
        (("date", "systemctl restart all"), 1, "CO105"),
        (None, 0, "CO104"),
    ],
)
def test_a_section_grows_stale(
    tmp_path: Path, runbook: Runbook, commands: tuple[str, ...] | None, days: int, code: str | None
) -> None:
    passed = {"runbook.md": {"Shop / Restart": Passed(NOW - timedelta(days=days), commands)}} if commands else {}
    drills = Drills(read_features([features(tmp_path, "Restart")]), passed, 30, NOW)
    assert [found for found in told(runbook, drills) if found[1] == 3] == ([(code, 3)] if code else [])
    assert drills.share([runbook]) == ((0, 3) if code else (2, 3))


def test_prose_may_change_without_a_drill(tmp_path: Path) -> None:
    passed = {"runbook.md": {"Shop / Restart": Passed(NOW, COMMANDS)}}
    drills = Drills(read_features([features(tmp_path, "Restart")]), passed, 30, NOW)
    changed = parse_text(TEXT.replace("1. Look", "1. Look about, gently"), Path("runbook.md"))
    assert ("CO105", 3) not in told(changed, drills)


@pytest.mark.parametrize(
    ("outcome", "omitted", "counts"),
    [
        (Outcome.PASS, (), True),
        (Outcome.FAIL, (), False),
        (Outcome.UNKNOWN, (), False),
        (Outcome.PASS, ("Look",), False),
    ],
)
def test_only_a_pass_with_all_its_steps_counts(
    tmp_path: Path, outcome: Outcome, omitted: tuple[str, ...], counts: bool
) -> None:
    write_run(tmp_path / "20260630T000000Z-1", outcome, omitted)
    passed = read_runs(tmp_path).get("runbook.md", {})
    assert {path: one.commands for path, one in passed.items()} == ({"Shop / Restart": COMMANDS} if counts else {})


def test_the_command_line_tells_all_and_writes_a_badge(tmp_path: Path) -> None:
    (tmp_path / "runbook.md").write_text(TEXT)
    features(tmp_path, "Restarts")
    write_run(tmp_path / "runs/20260630T000000Z-1", Outcome.PASS, ())
    arguments = ("--features", ".", "--runs", "runs", "--select", "CO", "--badge", "badge.svg")
    done = drillbook("check", "runbook.md", *arguments, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "runbook.md:17:1: warning CO101" in done.stdout
    assert "restart.feature:3:33: error CO103 no section 'Restarts'" in done.stdout
    assert ET.parse(tmp_path / "badge.svg").getroot().get("aria-label") == "runbook rehearsed: 33 %"


def test_an_ignore_counts_only_where_drills_are_at_hand(tmp_path: Path) -> None:
    ignore = "<!-- drillbook: ignore CO101 the vendor rehearses it -->\n## Restore"
    (tmp_path / "runbook.md").write_text(TEXT.replace("## Restore", ignore))
    features(tmp_path, "Restart")
    for arguments in ([], ["--features", "."]):
        done = drillbook("check", "runbook.md", "--select", "CO,IG", *arguments, cwd=tmp_path)
        assert done.stdout == "no findings in 1 file\n"


def test_runs_and_badge_ask_for_features(tmp_path: Path) -> None:
    (tmp_path / "runbook.md").write_text(TEXT)
    done = drillbook("check", "runbook.md", "--runs", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "name the features, too" in done.stderr
    features(tmp_path, "Restart")
    empty = drillbook("check", "runbook.md", "--features", ".", "--runs", ".", cwd=tmp_path)
    assert empty.returncode == 2
    assert "there are no runs in this folder" in empty.stderr
