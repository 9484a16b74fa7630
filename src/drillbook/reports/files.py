"""The machine-readable reports beside the journal: written whole or not at all, so that no reader meets half a file."""

from __future__ import annotations

import json
from pathlib import Path

from drillbook.journal.read import JournalFile, read
from drillbook.reports.junit import junit
from drillbook.reports.summary import summary

SUMMARY = "summary.json"
JUNIT = "junit.xml"


def write_all(run_dir: Path) -> JournalFile:
    """Read a run's journal and write summary.json and junit.xml beside it; UsageError where there is no journal."""
    journal = read(run_dir)
    _write(run_dir / SUMMARY, json.dumps(summary(journal), indent=2, ensure_ascii=False) + "\n")
    _write(run_dir / JUNIT, junit(journal))
    return journal


def _write(file: Path, text: str) -> None:
    unfinished = file.with_name(f".{file.name}.part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)
