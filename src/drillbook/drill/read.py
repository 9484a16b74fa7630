"""The runbook as a journal keeps it: what there is to rehearse, and for what is not rehearsed the declared reason."""

from __future__ import annotations

from drillbook.journal.events import RunbookCommand, RunbookRead, RunbookSection, RunbookStep
from drillbook.runbook.model import Command, Runbook, Section, Step
from drillbook.topology.model import Topology


def runbook_read(runbook: Runbook, topology: Topology) -> RunbookRead:
    """Give the event; sections without steps are left out, for there is nothing to do in them."""
    return RunbookRead(
        runbook.file.name, tuple(_section(section, topology) for section in runbook.sections if section.steps)
    )


def _section(section: Section, topology: Topology) -> RunbookSection:
    targets = tuple(target.seconds for target in section.targets)
    return RunbookSection(section.path, section.line, targets, tuple(_step(step, topology) for step in section.steps))


def _step(step: Step, topology: Topology) -> RunbookStep:
    reason = next((gap.reason for gap in topology.unrehearsed if gap.means_step(step)), "")
    commands = tuple(_command(command, topology) for command in step.commands)
    return RunbookStep(step.title, step.kind.value, step.line, commands, reason)


def _command(command: Command, topology: Topology) -> RunbookCommand:
    reason = next((gap.reason for gap in topology.unrehearsed if gap.means_command(command.text)), "")
    return RunbookCommand(command.text, command.line, reason)
