"""Coverage for people (a terminal, Markdown tables) and for machines (JSON)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypedDict

from drillbook.errors import Location, UsageError
from drillbook.reports.coverage import Coverage, Covered, Rehearsal, counts
from drillbook.reports.telling import plain, seconds

SECTIONS, SCENARIOS = "sections", "scenarios"
NO_REASON = "NO REASON GIVEN"
MARKED = re.compile(r"(?P<begin><!-- coverage: (?P<what>\w+) -->\n).*?(?P<end><!-- /coverage -->)", re.DOTALL)
"""Where a file takes a table: `<!-- coverage: sections -->` or `scenarios`, and `<!-- /coverage -->` below it."""


class RehearsalJson(TypedDict):
    """A scenario that rehearsed it."""

    scenario: str
    feature: str
    line: int
    verdict: str


class CoveredJson(TypedDict):
    """A section, a step or a command; `verdict` is the last one, null where nothing rehearsed it."""

    kind: str
    text: str
    line: int
    verdict: str | None
    reason: str
    scenarios: list[RehearsalJson]
    parts: list[CoveredJson]


class GapJson(TypedDict):
    """What was not rehearsed; `reason` is empty where nobody says why."""

    section: str
    text: str
    line: int
    reason: str


class CoverageJson(TypedDict):
    """What `drillbook report DIR --coverage --format json` prints."""

    runbook: str
    complete: bool
    sections: list[CoveredJson]
    unrehearsed: list[GapJson]


def as_json(found: Coverage) -> CoverageJson:
    """Give coverage as plain lists and mappings, ready for `json.dumps`."""
    gaps: list[GapJson] = [
        {"section": gap.section, "text": gap.text, "line": gap.line, "reason": gap.reason} for gap in found.gaps
    ]
    return {
        "runbook": found.file,
        "complete": found.complete,
        "sections": [_json(section) for section in found.sections],
        "unrehearsed": gaps,
    }


def _json(covered: Covered) -> CoveredJson:
    return {
        "kind": covered.kind,
        "text": covered.text,
        "line": covered.line,
        "verdict": covered.last or None,
        "reason": covered.reason,
        "scenarios": [
            {"scenario": one.scenario, "feature": one.feature, "line": one.line, "verdict": one.word}
            for one in covered.rehearsals
        ],
        "parts": [_json(part) for part in covered.parts],
    }


def as_text(found: Coverage) -> str:
    """Give coverage as text: each section, step and command with its last verdict and its scenarios, then the gaps."""
    lines = [f"Coverage of {found.file}: {_counted(found)}"]
    for section in found.sections:
        lines += ["", f"{plain(section.text)}  (line {section.line}, scenarios: {len(section.rehearsals)})"]
        for step in section.parts:
            lines.append(f"  {_mark(step)} [{step.kind}] {plain(step.text)}  (line {step.line})")
            lines += [f"      by {plain(one.scenario)}: {one.word}" for one in step.rehearsals if not step.parts]
            for command in step.parts:
                lines.append(f"    {_mark(command)} {command.line:>4}: {_first_line(command.text)}")
                lines += [f"        by {plain(one.scenario)}: {one.word}" for one in command.rehearsals]
    return "\n".join([*lines, "", *_told_gaps(found)]) + "\n"


def _told_gaps(found: Coverage) -> Iterator[str]:
    yield "Not rehearsed" if found.gaps else "Not rehearsed: nothing"
    for section, gaps in groupby(found.gaps, key=lambda gap: gap.section):
        yield f"  {plain(section)}"
        yield from (f"    {gap.line:>4}: {_first_line(gap.text)}: {plain(gap.reason) or NO_REASON}" for gap in gaps)


def as_markdown(found: Coverage) -> str:
    """Give both tables and the list of what was not rehearsed."""
    return "\n".join([_sections(found), "", _scenarios(found), "", *_gap_list(found)]) + "\n"


def write_into(file: Path, found: Coverage) -> None:
    """Put the tables between a file's markers; UsageError for a file without any, or with a marker of no table."""
    tables = {SECTIONS: _sections(found), SCENARIOS: "\n".join([_scenarios(found), "", *_gap_list(found)])}
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read it: {error.strerror}", at=Location(file)) from error
    wanted = [match["what"] for match in MARKED.finditer(text)]
    if not wanted:
        mend = "add <!-- coverage: sections --> and <!-- /coverage -->, each on a line of its own"
        raise UsageError("there is no marker for a table of coverage", at=Location(file), mend=mend)
    if unknown := [what for what in wanted if what not in tables]:
        raise UsageError(f"there is no table {unknown[0]!r}; there are: {', '.join(tables)}", at=Location(file))
    replaced = MARKED.sub(lambda match: f"{match['begin']}{tables[match['what']]}\n{match['end']}", text)
    file.write_text(replaced, encoding="utf-8")


def _sections(found: Coverage) -> str:
    rows = [("Section", "Scenarios", "Commands", "Target", "Slowest, measured + allowed")]
    for section in found.sections:
        commands = [command for step in section.parts for command in step.parts]
        ran = f"{sum(bool(command.rehearsals) for command in commands)} of {len(commands)}"
        promised = ", ".join(f"{seconds(target)} s" for target in section.targets) or "-"
        timed = [one for one in section.rehearsals if one.measures.total is not None]
        slowest = max(timed, key=lambda one: one.measures.total or 0.0, default=None)
        rows.append(
            (title(section), str(len(section.rehearsals)), ran, promised, _measured(slowest) if slowest else "-")
        )
    return _table(rows)


def _scenarios(found: Coverage) -> str:
    rows = [("Section", "Scenario", "Target", "Measured + allowed", "Verdict")]
    for section in found.sections:
        for one in sorted(section.rehearsals, key=lambda one: (one.feature, one.line)):
            target = one.measures.target
            told = "-" if target is None else f"{seconds(target)} s"
            rows.append((title(section), one.scenario, told, _measured(one), one.word))
        if not section.rehearsals:
            rows.append((title(section), "none", "-", "-", "not rehearsed"))
    return _table(rows)


def _gap_list(found: Coverage) -> Iterator[str]:
    yield f"{_counted(found)}. " + ("Not rehearsed:" if found.gaps else "Everything is rehearsed.")
    if found.gaps:
        yield ""
    for gap in found.gaps:
        yield f"- `{_first_line(gap.text)}` (line {gap.line}): {gap.reason or 'no reason given'}"


def title(section: Covered) -> str:
    """Give a section's own title, without those above it."""
    return section.text.rpartition(" / ")[2]


def _measured(one: Rehearsal) -> str:
    measures = one.measures
    if measures.recover is None:
        return "-" if measures.target is None else "not recovered"
    allowed = f" + {seconds(measures.allowed)}" if measures.allowed else ""
    return f"{seconds(measures.recover)}{allowed} s"


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = [[plain(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _counted(found: Coverage) -> str:
    return ", ".join(f"{ran} of {there} {name}" for name, (ran, there) in counts(found).items()) + " rehearsed"


def _mark(covered: Covered) -> str:
    return f"{covered.last or '-':<7}"


def _first_line(text: str) -> str:
    first, _, rest = plain(text).partition("\n")
    return first + (" …" if rest else "")
