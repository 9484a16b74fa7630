"""The rules' pages are those that the rules make, and the suite's own runbook keeps them."""

from __future__ import annotations

from pathlib import Path

from drillbook.check.pages import write
from tests.command_line import REPOSITORY, drillbook

PAGES = REPOSITORY / "docs/rules"


def test_the_pages_of_the_rules_are_up_to_date(tmp_path: Path) -> None:
    write(tmp_path)
    assert {file.name: file.read_text() for file in PAGES.glob("*.md")} == {
        file.name: file.read_text() for file in tmp_path.glob("*.md")
    }, "drillbook rule --all --write docs/rules"


def test_the_suites_own_runbook_has_no_findings() -> None:
    done = drillbook("check", "environments/meta_aggregator/runbook.md", "--strict")
    assert (done.returncode, done.stdout) == (0, "no findings in 1 file\n")
