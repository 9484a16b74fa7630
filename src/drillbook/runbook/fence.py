"""The steps inside one code fence: its comments name the steps, its commands fill them.

What a comment line on its own means, decided here:
- `# Step 2: …`, or any words right above commands: the title of the commands down to the next comment.
- An order to speak to people (`# Call …`, `# Send … message …`): a manual step of its own.
- The first line of a block that only introduces such orders: no step; the orders are.
- An order with no command below it (`# Update status page` at the end of a fence): a manual step.
- A command switched off (`# npx hardhat run …`): neither a command nor a step; nobody asked for it to be run. The
  title above it stays, so that the act is still seen, as a decision or a manual step without commands.
- Further words in a block: a description, dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from drillbook.runbook import powershell, shell, transcript
from drillbook.runbook.model import Command, Step, StepKind
from drillbook.runbook.shell import Fragment
from drillbook.runbook.wording import (
    has_step_number,
    is_commented_out,
    is_decision,
    is_message,
    is_order,
    kind_of,
    step_title,
)

_BASH = frozenset({"bash", "sh", "shell", "zsh", "ksh", "dash"})
CONSOLES = frozenset({"console", "terminal", "shell-session", "shellsession", "sh-session", "bash-session", "session"})
_POWERSHELL = frozenset({"powershell", "pwsh", "ps1", "ps", "posh"})
_DATA = re.compile(r"<[?!a-zA-Z]|[\[{]\s*(?:$|[\"{\[\d])|[+|│┌├└]|-{2,}|={2,}|HTTP/\d")


@dataclass(frozen=True, slots=True)
class Fence:
    """A code block as Markdown gives it: its info string, its text, and the line (from 1) of the text's first row."""

    info: str
    text: str
    line: int

    @property
    def language(self) -> str:
        """The first word of the info string, lower case: `bash` of `Bash title=x` and of `{.bash}`."""
        match = re.match(r"\{?\s*\.?([\w+#-]+)", self.info.strip())
        return match[1].lower() if match else ""


@dataclass(slots=True)
class _Draft:
    """A step while its fence is read."""

    title: str
    line: int
    numbered: bool = False
    has_orders: bool = False
    commands: list[Command] = field(default_factory=list)


def steps(fence: Fence, lead: str, lead_line: int | None) -> tuple[Step, ...]:
    """Give a fence's steps; `lead` is the title of commands that no comment names, at `lead_line` if it stands near.

    When the lead is a decision ("If the API is down:"), all the fence's commands are that one decision's.
    """
    fragments = list(_read(fence))
    commands = [_command(fence, part, language) for part, language in fragments if not part.comment]
    if commands and is_decision(step_title(lead)):
        line = lead_line or commands[0].line
        return (Step(step_title(lead), StepKind.DECISION, line, tuple(commands)),)
    return tuple(_grouped(fence, fragments, lead, lead_line))


def _read(fence: Fence) -> Iterator[tuple[Fragment, str]]:
    """Give the fragments of a fence with the language of each; none for a fence that holds data."""
    language = fence.language
    if language in _POWERSHELL:
        if transcript.is_transcript(fence.text):
            yield from ((part, language) for part, _ in transcript.read(fence.text))
        else:
            yield from ((part, language) for part in powershell.split(fence.text))
    elif language in CONSOLES or (language in {"", *_BASH} and transcript.is_transcript(fence.text)):
        for part, is_powershell in transcript.read(fence.text, root=language in CONSOLES):
            yield part, "powershell" if is_powershell else language
    elif language in _BASH or (not language and not _is_data(fence.text)):
        yield from ((part, language) for part in shell.split(fence.text))


def shell_of(info: str, text: str) -> str:
    """Give whose language a block's commands are in: `bash`, `powershell`, or "" for a block that holds none."""
    language = Fence(info, text, 1).language
    if language in _POWERSHELL:
        return "powershell"
    if language in CONSOLES or language in _BASH:
        return "bash"
    return "" if language or not text.strip() or (_is_data(text) and not transcript.is_transcript(text)) else "bash"


def _is_data(text: str) -> bool:
    """Tell whether an unlabelled block shows data (JSON, a table, markup) rather than commands."""
    stripped = text.strip()
    if _DATA.match(stripped.split("\n", 1)[0]):
        return True
    try:
        json.loads(stripped)
    except (ValueError, RecursionError):
        return False
    return True


def _command(fence: Fence, part: Fragment, language: str) -> Command:
    return Command(part.text, fence.line + part.row, language, part.note)


def _grouped(
    fence: Fence, fragments: Sequence[tuple[Fragment, str]], lead: str, lead_line: int | None
) -> Iterator[Step]:
    draft: _Draft | None = None
    for block in _blocks(fragments):
        if not block[0][0].comment:
            part, language = block[0]
            command = _command(fence, part, language)
            draft = draft or _Draft(lead, lead_line or command.line)
            draft.commands.append(command)
            continue
        yield from _finished(draft)
        draft, orders = _opened([part for part, _ in block], fence, has_commands=_is_followed(block, fragments))
        yield from orders
    yield from _finished(draft)


def _blocks(fragments: Iterable[tuple[Fragment, str]]) -> Iterator[list[tuple[Fragment, str]]]:
    """Join comments on adjacent rows into one block; each command is a block of its own."""
    block: list[tuple[Fragment, str]] = []
    for item in fragments:
        part = item[0]
        if block and not (part.comment and part.row == block[-1][0].row + 1):
            yield block
            block = []
        if part.comment:
            block.append(item)
        else:
            yield [item]
    if block:
        yield block


def _is_followed(block: Sequence[tuple[Fragment, str]], fragments: Sequence[tuple[Fragment, str]]) -> bool:
    after = fragments.index(block[-1]) + 1
    return after < len(fragments) and not fragments[after][0].comment


def _opened(block: Sequence[Fragment], fence: Fence, *, has_commands: bool) -> tuple[_Draft | None, list[Step]]:
    """Give the step that a block of comments names, if it names one, and the manual steps that it asks for."""
    draft: _Draft | None = None
    orders: list[Step] = []
    for part in block:
        line = fence.line + part.row
        numbered = has_step_number(part.text)
        if not part.text or is_commented_out(part.text):
            continue
        if not numbered and is_message(part.text, addressed=has_commands and draft is None):
            orders.append(Step(step_title(part.text), StepKind.MANUAL, line))
        elif draft is None or (numbered and not draft.numbered):
            draft = _Draft(step_title(part.text), line, numbered)
    if draft:
        draft.has_orders = bool(orders)
    return draft, orders


def _finished(draft: _Draft | None) -> Iterator[Step]:
    """Give a step whose last line was read. A title over nothing is a step only if it asks for something itself."""
    if draft is None:
        return
    commands = tuple(draft.commands)
    if commands or (not draft.has_orders and (draft.numbered or is_order(draft.title))):
        yield Step(draft.title, kind_of(draft.title, has_commands=bool(commands)), draft.line, commands)
