"""What Drillbook read in a runbook, shown, so that an author sees which lines will be run and against which targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from drillbook.runbook.model import Command, Runbook, Section, Step, TargetTime


class CommandJson(TypedDict):
    """A command in the outline's JSON."""

    text: str
    language: str
    line: int


class StepJson(TypedDict):
    """A step in the outline's JSON; `kind` is command, manual or decision."""

    title: str
    kind: str
    line: int
    commands: list[CommandJson]


class TargetJson(TypedDict):
    """A target time in the outline's JSON."""

    seconds: float
    text: str
    line: int


class SectionJson(TypedDict):
    """A section in the outline's JSON."""

    title: str
    path: str
    line: int
    targets: list[TargetJson]
    steps: list[StepJson]


class OutlineJson(TypedDict):
    """The outline's JSON, as `drillbook outline --format json` prints it."""

    sections: list[SectionJson]


def as_json(runbook: Runbook) -> OutlineJson:
    """Give a runbook as plain lists and mappings, ready for `json.dumps`."""
    return {"sections": [_section(section) for section in runbook.sections]}


def as_text(runbook: Runbook) -> str:
    """Give a runbook as text for a person: sections by level, targets in seconds, steps with kind and commands."""
    return (
        "\n".join([f"{runbook.file}: {runbook.title}", *(line for s in runbook.sections for line in _lines(s))]) + "\n"
    )


def _section(section: Section) -> SectionJson:
    return {
        "title": section.title,
        "path": section.path,
        "line": section.line,
        "targets": [{"seconds": _number(t), "text": t.text, "line": t.line} for t in section.targets],
        "steps": [_step(step) for step in section.steps],
    }


def _step(step: Step) -> StepJson:
    commands: list[CommandJson] = [{"text": c.text, "language": c.language, "line": c.line} for c in step.commands]
    return {"title": step.title, "kind": step.kind.value, "line": step.line, "commands": commands}


def _number(target: TargetTime) -> float:
    """Give whole seconds as an integer: 300, not 300.0."""
    return int(target.seconds) if target.seconds == int(target.seconds) else target.seconds


def _lines(section: Section) -> Iterator[str]:
    indent = "  " * max(section.level - 1, 0)
    yield ""
    yield f"{indent}{section.title}  (line {section.line})"
    for target in section.targets:
        yield f"{indent}  target {_number(target)} s: {target.text!r}  (line {target.line})"
    for step in section.steps:
        yield f"{indent}  [{step.kind.value}] {step.title}  (line {step.line})"
        for command in step.commands:
            yield from _command_lines(command, indent + "    ")


def _command_lines(command: Command, indent: str) -> Iterator[str]:
    first, *rest = command.text.split("\n")
    note = f"  # {command.note}" if command.note else ""
    yield f"{indent}{command.line:>4} {command.language or 'unlabelled'}: {first}{note}"
    yield from (f"{indent}       {line}" for line in rest)
