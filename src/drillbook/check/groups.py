"""The groups of rules: their letters, folders and titles, in the order in which they are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Rules with the same letters; `folder` below `rules/` holds them, empty for what the core itself finds."""

    letters: str
    folder: str
    title: str
    summary: str


GROUPS = (
    Group("NE", "never_ends", "Never ends", "A command that does not return keeps the operator from the next one."),
    Group("CL", "can_lie", "Can lie", "A check that says good while the system is down, or bad while it is up."),
    Group("CD", "can_destroy", "Can destroy", "A command that takes data or service away with no way back."),
    Group(
        "DF", "data_flow", "Data flow", "A file or a value that is used, but that no step makes or shows how to get."
    ),
    Group("WT", "wrong_target", "Wrong target", "A command that acts on whatever the operator's shell points at."),
    Group("GR", "grammar", "Grammar of known tools", "A subcommand or option that the tool does not have."),
    Group("SH", "shell", "Shell", "Text in a fence that the shell does not take as it is meant."),
    Group("PE", "people", "People", "A call, an approval or a decision that nobody can carry out as written."),
    Group("TI", "time", "Time", "Target times that the steps cannot keep, or that nothing measures."),
    Group("DE", "dead", "Dead", "Addresses, files and commands that are gone."),
    Group("IG", "", "Ignores", "Comments that switch a rule off wrongly."),
    Group("CO", "", "Coverage and drift", "Parts of a runbook that no drill rehearses, or none since they changed."),
    Group("SC", "", "ShellCheck", "What ShellCheck finds in the fences, under its own codes."),
)
