"""What `drillbook run` shows instead of pytest's own terminal: progress while it runs, the report at its end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.console import Console

from drillbook.journal import Journal, read
from drillbook.journal.follow import Follower
from drillbook.journal.read import NAME
from drillbook.reports.live import Live
from drillbook.reports.terminal import render


class Display:
    """A pytest plugin. `following`: the drills run in workers, whose records are read from the journal's file."""

    def __init__(self, folder: Path, journal: Journal, *, following: bool) -> None:
        self._folder = folder
        self._console = Console(file=sys.__stdout__)
        self._live = Live(self._console)
        self._live.start()
        self._follower = Follower(journal.file, self._live) if following else None
        if not following:
            journal.listen(self._live)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Show an error of collection, which nothing else would."""
        if report.failed:
            print(f"error: {report.longrepr}", file=sys.__stderr__)

    def pytest_internalerror(self, excrepr: object) -> None:
        """Show a defect of Drillbook or of pytest."""
        print(f"internal error: {excrepr}", file=sys.__stderr__)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Stop the progress, print the report."""
        if self._follower:
            self._follower.stop()
        self._live.stop()
        if (self._folder / NAME).exists():
            render(read(self._folder), self._console)
