"""A runbook, read: Markdown in, frozen `Runbook` out, so that every other room deals in steps and never in Markdown."""

from drillbook.runbook.find import find_section
from drillbook.runbook.model import Command, Runbook, Section, Step, StepKind, TargetTime
from drillbook.runbook.parse import parse, parse_text

__all__ = [
    "Command",
    "Runbook",
    "Section",
    "Step",
    "StepKind",
    "TargetTime",
    "find_section",
    "parse",
    "parse_text",
]
