"""Every command of the suite's runbook is followed by a scenario, and the tables in the documents have a row for each."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from drillbook.cli.entry import main
from drillbook.drill.read import runbook_read
from drillbook.errors import UsageErrors
from drillbook.gherkin.plan import planned
from drillbook.reports.coverage import Coverage, cover
from drillbook.reports.coverage_text import MARKED, title
from drillbook.runbook import parse
from drillbook.topology.load import load

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / "environments" / "meta_aggregator"
FEATURES = ROOT / "features"
TABLES = (ROOT / "README.md", ENVIRONMENT / "README.md")


def of_suite(runbook: Path) -> Coverage:
    """Lay the suite's features over a runbook."""
    book = parse(runbook)
    return cover(runbook_read(book, load(ENVIRONMENT / "environment.yaml")), planned(book, [FEATURES]))


@cache
def suite() -> Coverage:
    return of_suite(ENVIRONMENT / "runbook.md")


def unexplained(found: Coverage) -> list[str]:
    return [f"{gap.line}: {gap.text}" for gap in found.gaps if not gap.reason]


def test_every_command_of_the_runbook_is_followed_by_a_scenario_or_says_why_not() -> None:
    assert unexplained(suite()) == []


def test_a_reason_is_given_only_for_what_is_not_rehearsed() -> None:
    assert [piece.text for _, piece in suite().pieces if piece.reason and piece.rehearsals] == []


def test_a_section_that_the_runbook_gains_is_noticed(tmp_path: Path) -> None:
    longer = tmp_path / "runbook.md"
    text = (ENVIRONMENT / "runbook.md").read_text()
    added = "\n### Yearly Maintenance\n\n```bash\nnode scripts/yearly.js\n```\n"
    longer.write_text(text.replace("\n---\n", added + "\n---\n"))
    assert len(unexplained(of_suite(longer))) == len(unexplained(suite())) + 1


def test_a_command_that_a_partly_followed_section_gains_is_noticed(tmp_path: Path) -> None:
    longer = tmp_path / "runbook.md"
    text = (ENVIRONMENT / "runbook.md").read_text()
    with_a_step = text.replace(
        "# Capacity planning review\n", "# Archive the logs\nnode scripts/archive.js\n\n# Capacity planning review\n"
    )
    longer.write_text(with_a_step)
    planned_for = {one.scenario for section in of_suite(longer).sections for one in section.rehearsals}
    added = next(piece for _, piece in of_suite(longer).pieces if piece.text == "node scripts/archive.js")
    # Only the scenarios that follow the whole section come by it; those that take single steps do not.
    assert {one.scenario for one in added.rehearsals} == {"A full backup comes back identical in an empty environment"}
    assert len(planned_for) > 1


def test_a_gap_that_means_nothing_is_refused(tmp_path: Path) -> None:
    content = (ENVIRONMENT / "environment.yaml").read_text()
    folder = tmp_path / "environments" / "meta_aggregator"
    folder.mkdir(parents=True)
    for entry in ENVIRONMENT.iterdir():
        if entry.name != "environment.yaml":
            (folder / entry.name).symlink_to(entry)
    (tmp_path / "load").symlink_to(ROOT / "load")
    file = folder / "environment.yaml"
    file.write_text(content + "\nunrehearsed:\n  - {command: node scripts/none.js, reason: it is not there}\n")
    with pytest.raises(UsageErrors) as raised:
        load(file)
    assert "nothing of runbook.md is meant by this" in str(raised.value.errors[0])


@pytest.mark.parametrize("file", TABLES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_tables_have_a_row_for_every_section_and_scenario(file: Path) -> None:
    """The figures in them may be older; `drillbook report DIR --coverage --into FILE` writes them anew."""
    tables = {match["what"]: match.group() for match in MARKED.finditer(file.read_text())}
    assert tables
    if not any("|" in table for table in tables.values()):
        pytest.skip("no run has been written into it yet")
    for what, table in tables.items():
        rows = {
            tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            for line in table.splitlines()
            if line.startswith("|")
        }
        for section in suite().sections:
            assert title(section) in {row[0] for row in rows}
            names = {row[1] for row in rows if row[0] == title(section)}
            if what == "scenarios":
                assert {one.scenario for one in section.rehearsals} <= {re.sub(r" \[.*\]$", "", name) for name in names}


def test_the_outline_tells_what_the_features_promise(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["outline", str(ENVIRONMENT / "runbook.md"), "--features", str(FEATURES)])
    told = capsys.readouterr().out
    assert code == (0 if suite().complete else 3)
    assert (
        "node scripts/fullSystemBackup.js\n        by A full backup comes back identical in an empty environment: planned"
        in told
    )
    assert main(["outline", str(ENVIRONMENT / "runbook.md"), "--features", str(FEATURES / "recovery")]) == 3
    assert "NO REASON GIVEN" in capsys.readouterr().out
