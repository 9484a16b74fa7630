"""What an environment file says of its runbook must be true: a renamed section must not silently lose its aim."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from drillbook.errors import UsageError
from drillbook.runbook import Runbook, find_section
from drillbook.shims.grammar import canonical
from drillbook.topology.bindings import command_words, match, pattern_words
from drillbook.topology.model import Topology
from drillbook.topology.problem import Problem

_CONTROL = re.compile(r"[;|&()<>\n]+")
_UNKNOWN = "\0"
_EXPANDED = re.compile(r"[$`<*?\[]")


def check_runbook(topology: Topology, runbook: Runbook) -> Iterator[Problem]:
    """Give every objective, allowed time, binding, rule and declared gap that fits nothing in the runbook."""
    yield from _objectives(topology, runbook)
    yield from _allowed(topology, runbook)
    yield from _bindings(topology, runbook)
    yield from _rules(topology, runbook)
    yield from _unrehearsed(topology, runbook)


def _objectives(topology: Topology, runbook: Runbook) -> Iterator[Problem]:
    for words, objective in topology.objectives.items():
        try:
            section = find_section(runbook, words)
        except UsageError as error:
            yield Problem(("objectives", words), f"{error.message} in {runbook.file.name}", error.mend, key=True)
            continue
        if objective.rto == "runbook" and not section.targets:
            message = f"section {section.title!r} (line {section.line} of {runbook.file.name}) names no target time"
            yield Problem(("objectives", words, "rto"), message, "write a time here, such as 15m, or a target there")


def _allowed(topology: Topology, runbook: Runbook) -> Iterator[Problem]:
    steps = [step for section in runbook.sections for step in section.steps]
    for index, allowed in enumerate(topology.people.allowed):
        if not any(allowed.matches(step) for step in steps):
            message = f"no step of {runbook.file.name} is meant by this"
            yield Problem(("people", "allowed", index), message, "use words of a step's title, in a row")


def _bindings(topology: Topology, runbook: Runbook) -> Iterator[Problem]:
    programs = {pattern_words(binding.command)[0] for binding in topology.bindings}
    # Splitting is slow in Python: only what names a program that is bound is worth it.
    texts = [command.text for command in runbook.commands if any(program in command.text for program in programs)]
    lines = [words for text in texts for words in _simple_commands(text)]
    for index, binding in enumerate(topology.bindings):
        if not any(_could_match(binding.command, words) for words in lines):
            message = f"no command of {runbook.file.name} can match `{binding.command}`"
            yield Problem(("bindings", index, "command"), message, "correct the pattern, or take the binding out")


def _rules(topology: Topology, runbook: Runbook) -> Iterator[Problem]:
    lines = [command_words(command.text) for command in runbook.commands]
    for index, rule in enumerate(topology.commands.rules):
        if not any(match(rule.command, words) for words in lines):
            message = f"no command of {runbook.file.name} is meant by `{rule.command}`"
            yield Problem(("commands", "rules", index, "command"), message, "correct the pattern, or take the rule out")


def _unrehearsed(topology: Topology, runbook: Runbook) -> Iterator[Problem]:
    steps = [step for section in runbook.sections for step in section.steps]
    for index, gap in enumerate(topology.unrehearsed):
        if not any(gap.means_step(step) for step in steps) and not any(
            gap.means_command(c.text) for c in runbook.commands
        ):
            message = f"nothing of {runbook.file.name} is meant by this"
            yield Problem(("unrehearsed", index), message, "name a command, or words of a step without commands")


def _could_match(pattern: str, words: list[str | None]) -> bool:
    """Tell whether a pattern fits anywhere in a command, for `sudo`, `time` or `VAR=x` may stand before its program."""
    tails = [words[start:] for start, word in enumerate(words) if word is not None]
    reduced = shlex.join(canonical(pattern_words(pattern), "/"))
    return any(match(pattern, tail) or match(reduced, _canonical(tail)) for tail in tails)


def _canonical(words: list[str | None]) -> list[str | None]:
    """Spell a command as the shims do before they look for its binding."""
    spelled = canonical([_UNKNOWN if word is None else word for word in words], "/")
    return [None if _UNKNOWN in word else word for word in spelled]


def _simple_commands(text: str) -> Iterator[list[str | None]]:
    """Cut a logical command where the shell begins another, also within `"$(…)"`; what a shell would expand becomes None."""
    words: list[str | None] = []
    for token in _tokens(text):
        if _CONTROL.fullmatch(token):
            yield words
            words = []
        else:
            words.append(_word(token))
            inner = token.partition("$(")[2] or token.partition("`")[2]
            if inner:
                yield from _simple_commands(inner)
    yield words


def _tokens(text: str) -> list[str]:
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=";|&()<>\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    try:
        return list(lexer)
    except ValueError:
        return text.split()


def _word(token: str) -> str | None:
    return None if _EXPANDED.search(token) else token
