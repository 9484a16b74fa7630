"""What the features say they will follow of the runbook, read without running anything.

Only the generic phrases are known here; a suite's own phrase that follows a section shows in a run's coverage alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_bdd import parsers

from drillbook.drill.words import quoted
from drillbook.gherkin.feature import filled, read_feature
from drillbook.gherkin.situation import FOLLOWS, TAKES
from drillbook.reports.coverage import PLANNED, Rehearsal
from drillbook.responder.follow import matching_steps
from drillbook.runbook import Runbook, find_section
from drillbook.runbook.model import Section, Step


def planned(runbook: Runbook, features: Iterable[Path]) -> list[Rehearsal]:
    """Give each scenario with the steps that it follows, whatever a decision will be; an outline's examples one by one.

    Raises UsageError for a wrong feature.
    """
    files = (file for path in features for file in (sorted(path.rglob("*.feature")) if path.is_dir() else [path]))
    return [rehearsal for file in files for rehearsal in _of_feature(runbook, file)]


def _of_feature(runbook: Runbook, file: Path) -> Iterator[Rehearsal]:
    for template in read_feature(file).scenarios.values():
        examples = [context for table in template.examples for context in table.as_contexts()] or [{}]
        for example in examples:
            rendered = template.render(example)
            followed = [pair for step in rendered.steps for pair in _followed(runbook, step.name)]
            yield Rehearsal(
                filled(template.name, example),
                str(file),
                template.line_number,
                PLANNED,
                tuple(dict.fromkeys(section.path for section, _ in followed)),
                frozenset((step.line, step.title) for _, step in followed),
                frozenset((command.line, command.text) for _, step in followed for command in step.commands),
            )


def _followed(runbook: Runbook, text: str) -> Iterator[tuple[Section, Step]]:
    whole = parsers.parse(FOLLOWS)
    some = parsers.re(TAKES)
    if whole.is_matching(text):
        section = find_section(runbook, (whole.parse_arguments(text) or {})["section"])
        yield from ((section, step) for step in section.steps)
    elif some.is_matching(text):
        arguments = some.parse_arguments(text) or {}
        section = find_section(runbook, arguments["section"])
        chosen = [step for words in quoted(arguments["steps"]) for step in matching_steps([section], words)]
        yield from ((section, step) for step in section.steps if step in chosen)
