"""A runbook beside its drills: what no scenario rehearses, which scenario follows a section that is gone, what is stale.

Features are read as text and runs by their journals; nothing is run, and neither pytest nor a sandbox is needed. What a team
says in words of its own (a suite's phrases) is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drillbook.check.core_rules import DRIFT
from drillbook.check.finding import Finding, Place
from drillbook.check.rule import Rule
from drillbook.errors import Location, UsageError
from drillbook.journal.events import RunbookRead, RunbookSection, StepEnded
from drillbook.journal.read import NAME, read
from drillbook.reports.account import accounts
from drillbook.responder.follow import matching_steps
from drillbook.runbook import Runbook, Section, Step, find_section

_FOLLOWS = re.compile(r'^\s*(?:Given|When|Then|And|But|\*)\s+the responder follows "(?P<section>[^"<>]+)"')
_TAKES = re.compile(
    r"^\s*(?:Given|When|Then|And|But|\*)\s+the responder takes the steps? "
    r'(?P<steps>"[^"<>]+"(?:, "[^"<>]+")*) of "(?P<section>[^"<>]+)"'
)
_MOST_RUNS = 500
"""The newest runs that are looked at: older ones say nothing that a newer pass does not."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A line of a feature that follows a section; `steps` are the words of those that it takes, empty for all."""

    file: Path
    line: int
    column: int
    section: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """When a section was last followed by a drill that passed, and its commands as they were then."""

    time: datetime
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drills:
    """What is known of a team's drills; `passed` is None where no runs were named. `days` is how long a pass counts."""

    rehearsed: tuple[Rehearsed, ...]
    passed: Mapping[str, Mapping[str, Passed]] | None = None
    days: float = 30
    now: datetime = datetime.min

    def findings(self, runbooks: Sequence[Runbook]) -> Iterator[Finding]:
        """Give what is wrong between runbooks and drills."""
        for one in self.rehearsed:
            yield from self._gone(one, runbooks)
        for runbook in runbooks:
            followed = self.followed(runbook)
            for section in runbook.sections:
                if any(step.commands for step in section.steps):
                    yield from self._unrehearsed(runbook, section, followed)
                    yield from self._stale(runbook, section, followed)

    def followed(self, runbook: Runbook) -> dict[str, set[Step]]:
        """Give the steps of each section that a scenario follows, by the section's path."""
        found: dict[str, set[Step]] = {}
        for one in self.rehearsed:
            try:
                section = find_section(runbook, one.section)
            except UsageError:
                continue
            chosen = section.steps
            if one.steps:
                chosen = tuple(step for words in one.steps for step in matching_steps([section], words))
            found.setdefault(section.path, set()).update(chosen)
        return found

    def _gone(self, one: Rehearsed, runbooks: Sequence[Runbook]) -> Iterator[Finding]:
        missing: UsageError | None = None
        for runbook in runbooks:
            try:
                section = find_section(runbook, one.section)
            except UsageError as error:
                missing = missing or error
                continue
            for words in one.steps:
                if not matching_steps([section], words):
                    titles = "; ".join(repr(step.title) for step in section.steps) or "none at all"
                    message = f"{section.title!r} has no step {words!r}"
                    yield _at_feature("CO103", one, message, f"its steps are: {titles}")
            return
        if missing is not None:
            yield _at_feature("CO103", one, missing.message, missing.mend or "name a section of the runbook")

    def _unrehearsed(self, runbook: Runbook, section: Section, followed: Mapping[str, set[Step]]) -> Iterator[Finding]:
        if section.path not in followed:
            count = sum(len(step.commands) for step in section.steps)
            message = (
                f"no scenario follows this section: its {count} command{'s are' if count != 1 else ' is'} unproved"
            )
            yield _at("CO101", runbook, section.line, message, f'When the responder follows "{section.title}"')
            return
        for step in section.steps:
            if step.commands and step not in followed[section.path]:
                message = f"no scenario takes the step {step.title!r}"
                mend = f'When the responder takes the step "{step.title}" of "{section.title}"'
                yield _at("CO102", runbook, step.line, message, mend)

    def _stale(self, runbook: Runbook, section: Section, followed: Mapping[str, set[Step]]) -> Iterator[Finding]:
        if self.passed is None or section.path not in followed:
            return
        last = self.passed.get(runbook.file.name, {}).get(section.path)
        if last is None:
            message = "no drill that followed this section has passed"
            yield _at("CO104", runbook, section.line, message, "drillbook run, and mend what does not pass")
        elif last.commands != _commands(section):
            message = f"its commands changed after the last drill that passed, on {last.time:%Y-%m-%d}"
            yield _at("CO105", runbook, section.line, message, "drillbook run: rehearse it as it is now")
        elif self.now - last.time > timedelta(days=self.days):
            message = f"the last drill that passed was {(self.now - last.time).days} days ago, on {last.time:%Y-%m-%d}"
            yield _at("CO106", runbook, section.line, message, f"rehearse it at least every {self.days:g} days")

    def share(self, runbooks: Iterable[Runbook]) -> tuple[int, int]:
        """Give how many commands a scenario follows (with runs: that passed as they are now), and how many there are."""
        good = total = 0
        for runbook in runbooks:
            followed = self.followed(runbook)
            for section in runbook.sections:
                stale = {finding.code for finding in self._stale(runbook, section, followed)}
                for step in section.steps:
                    total += len(step.commands)
                    good += len(step.commands) * (step in followed.get(section.path, ()) and not stale)
        return good, total


def read_features(paths: Iterable[Path]) -> tuple[Rehearsed, ...]:
    """Read which sections the features below some paths follow.

    Raises UsageError where there are none, or one cannot be read.
    """
    found: list[Rehearsed] = []
    for path in paths:
        files = sorted(path.rglob("*.feature")) if path.is_dir() else [path]
        if not files:
            raise UsageError(
                "no features below this folder", at=Location(path), mend="name one that has *.feature files"
            )
        for file in files:
            found.extend(_read_feature(file))
    return tuple(found)


def _read_feature(file: Path) -> Iterator[Rehearsed]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the feature: {error}", at=Location(file), mend="name a feature") from error
    for number, line in enumerate(lines, 1):
        if match := _FOLLOWS.match(line):
            yield Rehearsed(file, number, match.start("section") + 1, match["section"], ())
        elif match := _TAKES.match(line):
            steps = tuple(re.findall(r'"([^"]+)"', match["steps"]))
            yield Rehearsed(file, number, match.start("section") + 1, match["section"], steps)


def read_runs(folder: Path) -> dict[str, dict[str, Passed]]:
    """Read, for each runbook's file name and each section's path, the last drill that passed, from the runs in a folder.

    Runs that left out the fault or a step are self-tests and prove nothing. Raises UsageError for what is no folder of runs.
    """
    journals = sorted((file for file in folder.glob(f"*/{NAME}")), reverse=True)
    if not journals:
        message = "there are no runs in this folder"
        raise UsageError(message, at=Location(folder), mend="name the folder that `drillbook run` writes to: runs/")
    found: dict[str, dict[str, Passed]] = {}
    for file in journals[:_MOST_RUNS]:
        _read_run(file, found)
    return found


def _read_run(file: Path, found: dict[str, dict[str, Passed]]) -> None:
    journal = read(file)
    runbook = next((record.event for record in journal.records if isinstance(record.event, RunbookRead)), None)
    started = journal.started
    if runbook is None or started is None or started.omitted_fault or started.omitted_steps:
        return
    sections = {section.path: section for section in runbook.sections}
    passed = found.setdefault(runbook.file, {})
    for account in accounts(journal):
        if account.word != "pass" or not account.timeline:
            continue
        time = datetime.fromisoformat(account.timeline[-1].time)
        for path in {step.section for step in account.of(StepEnded)}.intersection(sections):
            if path not in passed or passed[path].time < time:
                passed[path] = Passed(time, _texts(sections[path]))


def now() -> datetime:
    """Give the time of day that ages are counted from."""
    return datetime.now(UTC)


def _commands(section: Section) -> tuple[str, ...]:
    return tuple(command.text for step in section.steps for command in step.commands)


def _texts(section: RunbookSection) -> tuple[str, ...]:
    return tuple(command.text for step in section.steps for command in step.commands)


def _at(code: str, runbook: Runbook, line: int, message: str, mend: str) -> Finding:
    rule = _rule(code)
    return Finding(code, rule.severity, runbook.file, Place(line, 1), Place(line, 1), message, mend)


def _at_feature(code: str, one: Rehearsed, message: str, mend: str) -> Finding:
    start = Place(one.line, one.column)
    end = Place(one.line, one.column + len(one.section))
    return Finding(code, _rule(code).severity, one.file, start, end, message, mend)


def _rule(code: str) -> Rule:
    return next(rule for rule in DRIFT if rule.code == code)
