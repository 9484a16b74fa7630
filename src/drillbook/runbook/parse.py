"""Markdown in, `Runbook` out: the one module that knows what a Markdown token is.

CommonMark and tables by markdown-it-py, whose map gives each block its lines. A list item or a paragraph that asks a
person to act is a manual step; the same words right above a fence are the title of the fence's commands instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from drillbook.errors import Location, UsageError
from drillbook.runbook import fence as fences
from drillbook.runbook.model import Runbook, Section, Step, TargetTime
from drillbook.runbook.targets import find_targets
from drillbook.runbook.wording import first_sentence, is_order, kind_of, step_title

_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\n(?:[ \t]*(?:#.*|[\w.-]+:.*|- .*)?\n|[ \t]+\S.*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|\Z)"
)


@dataclass(frozen=True, slots=True)
class _Lead:
    """A paragraph that may yet turn out to be the title of the fence below it."""

    text: str
    line: int
    level: int
    in_item: bool
    is_link: bool


@dataclass(slots=True)
class _Draft:
    """A section while it is read."""

    title: str
    path: str
    anchor: str
    level: int
    line: int
    targets: list[TargetTime] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def finished(self) -> Section:
        return Section(
            self.title, self.path, self.anchor, self.level, self.line, tuple(self.targets), tuple(self.steps)
        )


@dataclass(slots=True)
class _Names:
    """Names that were given, with the number that the next one of each is tried with."""

    suffix: str
    first: int
    taken: dict[str, int] = field(default_factory=dict)

    def unique(self, name: str) -> str:
        candidate = name
        number = self.taken.get(name, self.first)
        while candidate in self.taken:
            candidate = name + self.suffix.format(number)
            number += 1
        self.taken[name] = number
        self.taken.setdefault(candidate, self.first)
        return candidate


@dataclass(slots=True)
class _Reader:
    """Walks the tokens once, building sections; what is open is the lead and the list items around the place."""

    sections: list[_Draft]
    trail: list[_Draft] = field(default_factory=list)
    paths: _Names = field(default_factory=lambda: _Names(" ({})", 2))
    anchors: _Names = field(default_factory=lambda: _Names("-{}", 1))
    lead: _Lead | None = None
    item_leads: list[_Lead | None] = field(default_factory=list)
    fences: int = 0

    def read(self, tokens: Sequence[Token]) -> None:
        for index, token in enumerate(tokens):
            match token.type:
                case "heading_open":
                    self._flush()
                    self._heading(tokens[index + 1], int(token.tag[1]), token)
                case "inline" if tokens[index - 1].type == "paragraph_open":
                    self._flush()
                    self._paragraph(token, level=tokens[index - 1].level)
                case "tr_open":
                    self._row(tokens, index)
                case "fence" | "code_block":
                    self._code(token)
                case "list_item_open":
                    self._flush()
                    self.item_leads.append(None)
                case "list_item_close":
                    self._flush()
                    self.item_leads.pop()
                case "bullet_list_open" | "ordered_list_open":
                    self._open_list()
                case "html_block" if token.content.lstrip().startswith("<!--"):
                    pass  # a comment says nothing to whoever follows the runbook
                case "hr" | "html_block" | "blockquote_open" | "blockquote_close":
                    self._flush()
        self._flush()

    def _heading(self, inline: Token, level: int, token: Token) -> None:
        title = " ".join(_plain(inline).split())
        line = _line(token)
        self.trail = [section for section in self.trail if section.level < level]
        parent = f"{self.trail[-1].path} / " if self.trail else ""
        path, anchor = self.paths.unique(parent + title), self.anchors.unique(_slug(title))
        section = _Draft(title, path, anchor, level, line, list(find_targets(inline.content, line)))
        self.sections.append(section)
        self.trail.append(section)

    def _paragraph(self, inline: Token, level: int) -> None:
        self._add_targets(inline.content, _line(inline))
        in_item = bool(self.item_leads)
        lead = _Lead(_plain(inline), _line(inline), level, in_item, _is_link(inline))
        self.lead = lead
        if in_item and self.item_leads[-1] is None:
            self.item_leads[-1] = lead

    def _row(self, tokens: Sequence[Token], start: int) -> None:
        self._flush()
        rest = (tokens[index] for index in range(start, len(tokens)))
        row = list(takewhile(lambda token: token.type != "tr_close", rest))
        cells = ": ".join(token.content for token in row if token.type == "inline")
        self._add_targets(cells, _line(row[0]))

    def _code(self, token: Token) -> None:
        fenced = token.type == "fence"
        self.fences += fenced
        block = fences.Fence(token.info if fenced else "", token.content, _line(token) + fenced)
        lead = self.lead if self.lead and self.lead.level == token.level else None
        title = lead or (self.item_leads[-1] if self.item_leads else None)
        words = step_title(first_sentence(title.text)) if title and title.text.strip() else self.sections[-1].title
        found = fences.steps(block, words, title.line if title else None)
        if any(step.commands for step in found):
            self._consume(lead, title)
        else:
            self._flush()
        self._add(*found)

    def _consume(self, *leads: _Lead | None) -> None:
        """Drop leads that became titles; one that already stands as a manual step above its fence is taken back."""
        self.lead = None
        for lead in leads:
            if lead is None:
                continue
            steps = self.sections[-1].steps
            first = len(steps)
            while first and steps[first - 1].line >= lead.line:
                first -= 1
            steps[first:] = [step for step in steps[first:] if step.commands or step.line != lead.line]

    def _open_list(self) -> None:
        """A paragraph with a colon above a list introduces it; the items are the steps."""
        if self.lead and self.lead.text.rstrip().endswith(":"):
            self.lead = None
        self._flush()

    def _flush(self) -> None:
        """Turn the waiting paragraph into a manual step or a decision, if it asks for anything."""
        lead, self.lead = self.lead, None
        if lead is None or lead.is_link:
            return
        title = step_title(first_sentence(lead.text))
        if is_order(title):
            self._add(Step(title, kind_of(title, has_commands=False), lead.line))

    def _add(self, *steps: Step) -> None:
        self.sections[-1].steps.extend(steps)

    def _add_targets(self, markdown: str, line: int) -> None:
        self.sections[-1].targets.extend(find_targets(markdown, line))


def parse(path: Path) -> Runbook:
    """Read a runbook from a Markdown file.

    Raises UsageError when there is no such file or when it is not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        message = f"the runbook is not UTF-8: byte 0x{error.object[error.start]:02x}"
        raise UsageError(
            message, at=Location(path, line), mend=f"save it as UTF-8, e.g. iconv -t utf-8 {path}"
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        message = f"cannot read the runbook: {reason}"
        raise UsageError(message, at=Location(path), mend="name a Markdown file that exists") from error
    return parse_text(text, path)


def parse_text(text: str, file: Path) -> Runbook:
    """Read a runbook from Markdown text; `file` is what errors and reports call it."""
    return runbook_of(read_tokens(text), file)


def read_tokens(text: str) -> list[Token]:
    """Give the Markdown tokens of a runbook's text; their lines are the file's."""
    return _markdown().parse(_normalised(text))


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def runbook_of(tokens: Sequence[Token], file: Path) -> Runbook:
    """Make the runbook of tokens that `read_tokens` gave."""
    reader = _Reader([_Draft(file.stem, file.stem, "", 0, 1)])
    reader.paths.unique(file.stem)
    reader.read(tokens)
    preamble, *sections = (draft.finished() for draft in reader.sections)
    if preamble.steps or preamble.targets:
        sections.insert(0, preamble)
    titles = [draft.title for draft in reader.sections[1:] if draft.level == 1] or [
        draft.title for draft in reader.sections[1:]
    ]
    return Runbook(file, titles[0] if titles else file.stem, tuple(sections), reader.fences)


def _normalised(text: str) -> str:
    """End lines as Markdown does, and blank the front matter of a site generator without moving a line."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return _FRONT_MATTER.sub(lambda match: "\n" * match[0].count("\n"), text, count=1)


def _line(token: Token) -> int:
    """Give the line of a block, from 1; markdown-it counts from 0 and maps every block that is asked here."""
    return token.map[0] + 1 if token.map else 1


def _plain(inline: Token) -> str:
    """Give inline text as a reader sees it: no emphasis, link texts, code without its ticks."""
    parts: list[str] = []
    for child in inline.children or ():
        if child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type in ("text", "code_inline", "image", "text_special"):
            parts.append(child.content)
    return "".join(parts)


def _is_link(inline: Token) -> bool:
    """Tell an entry of a table of contents: one link to a heading and nothing else."""
    children = [child for child in inline.children or () if child.type != "text" or child.content.strip()]
    if len(children) < 2 or children[0].type != "link_open" or children[-1].type != "link_close":
        return False
    return str(children[0].attrGet("href") or "").startswith("#")


def _slug(title: str) -> str:
    """Give the anchor that GitHub gives a heading: lower case, punctuation out, a hyphen for each space."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
