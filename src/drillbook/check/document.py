"""A runbook as rules see it: its text and places, sections, prose, links, fences, and each fence's commands, read once."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.check.finding import Place
from drillbook.check.options import Options
from drillbook.check.rule import Span
from drillbook.check.shell import Assignment, Comment, Loop, Pipeline, Script, SimpleCommand, Source, Use, read
from drillbook.runbook import fence, transcript
from drillbook.runbook.model import Runbook, Section, Step
from drillbook.runbook.parse import read_tokens, runbook_of

if TYPE_CHECKING:
    from markdown_it.token import Token


class Kind(StrEnum):
    """What a section is about, told by its own title and those above it; a section may be of several kinds."""

    EMERGENCY = "emergency"
    RECOVERY = "recovery"
    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"
    CONTACTS = "contacts"


_KINDS = {
    Kind.EMERGENCY: r"emergenc|incident|outage|disaster|\bdown\b|critical|on-?call|security response|failover|fail-over|exploit"
    r"|break.?glass|unavailable|unreachable|degraded|unresponsive|not responding",
    Kind.RECOVERY: r"recover|restor|roll-?\s?back|mitigat|repair|failover|fail-over|revert",
    Kind.PRODUCTION: r"\bprod(?:uction)?\b|\blive\b",
    Kind.STAGING: r"\bstag(?:e|ing)\b|pre-?prod|\buat\b|\bqa\b",
    Kind.DEVELOPMENT: r"develop|\bdev\b|\blocal(?:ly|host)?\b|workstation|laptop|sandbox|\btest(?:s|ing)?\b|\bdemo\b|tutorial"
    r"|getting started|quick ?start|playground|minikube|\bkind\b cluster|docker[ -]compose",
    Kind.CONTACTS: r"contact|escalation|on-?call (?:path|rota|list|schedule)|call (?:tree|list)",
}
_KIND_PATTERNS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph, list item's paragraph, heading or table cell; `text` is what a reader sees, in one line.

    `kind` is paragraph, item, heading, or cell; `line` to `end_line` (not included) are its lines, from 1; `level` is
    how deep its block is nested.
    """

    text: str
    markdown: str
    kind: str
    line: int
    end_line: int
    level: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link or an image in the prose: its target as written, the text that is shown, and the target's span."""

    target: str
    text: str
    span: Span
    image: bool = False


@dataclass(eq=False)
class Block:
    """A code block. `line` is that of its first row (from 1); `rows` its text; `starts` each row's offset in the document.

    `language` is the fence's, lower case, "" without one; `script` what was read in it, empty unless it is a shell's;
    `fenced` is False for an indented block; `info` is the fence's whole info string.
    """

    info: str
    language: str
    line: int
    rows: tuple[str, ...]
    starts: tuple[int, ...]
    fenced: bool
    level: int
    shell: str = ""
    """`bash`, `powershell`, or "" for data and other languages."""
    is_transcript: bool = False
    typed: tuple[str, ...] = ()
    script: Script = field(default_factory=Script)

    @cached_property
    def text(self) -> str:
        """The block's text as Markdown gives it."""
        return "\n".join(self.rows)

    @cached_property
    def _begins(self) -> list[int]:
        """The index into `text` at which each row begins."""
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    @property
    def code(self) -> str:
        """What a shell is given of it: the text, with prompts and output blanked where it shows a session."""
        return "\n".join(self.typed or self.rows)

    @property
    def end_line(self) -> int:
        """The line after its last row."""
        return self.line + len(self.rows)

    @property
    def span(self) -> Span:
        """The whole text's span."""
        return Span(self.starts[0], self.starts[-1] + len(self.rows[-1]))

    def span_of(self, match: re.Match[str], group: int | str = 0) -> Span:
        """Give the span in the document of a match in `text`."""
        return Span(self.offset(match.start(group)), self.offset(match.end(group)))

    def offset(self, index: int) -> int:
        """Give the offset in the document of an index into `text`."""
        row = bisect_right(self._begins, index) - 1
        return self.starts[row] + index - self._begins[row]


_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)


class Document:
    """One runbook, read for rules; made by `read_document`."""

    def __init__(self, file: Path, text: str, options: Options) -> None:
        self.file = file
        self.text = text
        self.options = options
        self._tokens = read_tokens(text)
        self.runbook: Runbook = runbook_of(self._tokens, file)
        self._starts = _line_starts(text)
        self.blocks: tuple[Block, ...] = tuple(self._blocks())

    # -- places ------------------------------------------------------------------------------------------------------

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines of the file, without their ends; `lines[0]` is line 1."""
        return tuple(self.text.split("\n"))

    def place(self, offset: int) -> Place:
        """Give line and column of an offset."""
        row = bisect_right(self._starts, offset) - 1
        return Place(row + 1, offset - self._starts[row] + 1)

    def line_of(self, offset: int) -> int:
        """Give the line of an offset, from 1."""
        return bisect_right(self._starts, offset)

    def offset(self, line: int, column: int = 1) -> int:
        """Give the offset of a line and a column, both from 1."""
        return self._starts[min(line, len(self._starts)) - 1] + column - 1

    def line_span(self, line: int) -> Span:
        """Give the span of a line without the blanks around it."""
        text = self.lines[line - 1]
        start = self.offset(line) + len(text) - len(text.lstrip())
        return Span(start, max(start, self.offset(line) + len(text.rstrip())))

    def span(self, match: re.Match[str], group: int | str = 0) -> Span:
        """Give the span of a match in `text`."""
        return Span(match.start(group), match.end(group))

    def between(self, first: Span, last: Span) -> Span:
        """Give the span from one span's start to another's end."""
        return Span(first.start, last.end)

    def trimmed(self, start: int, end: int) -> Span:
        """Give the span from `start` to `end` without the blanks at both ends."""
        text = self.text[start:end]
        return Span(start + len(text) - len(text.lstrip()), start + len(text.rstrip()))

    def find(self, words: str, line: int, end_line: int | None = None) -> Span:
        """Give the span of `words` in lines [line, end_line); that of the first line where they do not stand."""
        end = self.offset(end_line) if end_line and end_line <= len(self._starts) else len(self.text)
        at = self.text.find(words, self.offset(line), end)
        return Span(at, at + len(words)) if at >= 0 else self.line_span(line)

    def shown(self, span: Span) -> str:
        """Give the text of a span."""
        return self.text[span.start : span.end]

    # -- sections ----------------------------------------------------------------------------------------------------

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections, in order."""
        return self.runbook.sections

    @cached_property
    def _section_lines(self) -> list[int]:
        return [section.line for section in self.sections]

    def section_at(self, line: int) -> Section | None:
        """Give the section that a line stands in, None above the first heading."""
        at = bisect_right(self._section_lines, line) - 1
        return self.sections[at] if at >= 0 else None

    def end_of(self, section: Section) -> int:
        """Give the line after a section's last one (its subsections are sections of their own)."""
        at = bisect_right(self._section_lines, section.line)
        return self._section_lines[at] if at < len(self._section_lines) else len(self._starts) + 1

    def kinds(self, section: Section | None) -> frozenset[Kind]:
        """Give the kinds of a section. The nearest title that names production, staging or development decides of these."""
        if section is None:
            return frozenset()
        if section.path not in self._kinds:
            self._kinds[section.path] = _kinds_of(section.path)
        return self._kinds[section.path]

    @cached_property
    def _kinds(self) -> dict[str, frozenset[Kind]]:
        return {}

    def kinds_at(self, line: int) -> frozenset[Kind]:
        """Give the kinds of the section that a line stands in."""
        return self.kinds(self.section_at(line))

    def step_at(self, line: int) -> Step | None:
        """Give the last step that begins at or above a line, in the line's section."""
        section = self.section_at(line)
        steps = [step for step in section.steps if step.line <= line] if section else []
        return max(steps, key=lambda step: step.line) if steps else None

    # -- prose -------------------------------------------------------------------------------------------------------

    @cached_property
    def prose(self) -> tuple[Prose, ...]:
        """Headings, paragraphs, items' paragraphs and table cells, in order."""
        return tuple(_prose(self._tokens))

    def prose_above(self, line: int) -> Prose | None:
        """Give the nearest prose that ends at or above a line."""
        at = bisect_right(self._prose_ends, line) - 1
        return self.prose[at] if at >= 0 else None

    @cached_property
    def _prose_ends(self) -> list[int]:
        return [prose.end_line for prose in self.prose]

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links and images of the prose, in order."""
        return tuple(self._links())

    def _links(self) -> Iterator[Link]:
        for token in self._tokens:
            if token.type != "inline" or not token.children or not token.map:
                continue
            first, last = token.map[0] + 1, token.map[1] + 1
            for index, child in enumerate(token.children):
                if child.type not in ("link_open", "image"):
                    continue
                target = str(child.attrGet("href" if child.type == "link_open" else "src") or "")
                following = token.children[index + 1] if index + 1 < len(token.children) else None
                shown = child.content if child.type == "image" or following is None else following.content
                yield Link(target, shown, self.find(target, first, last), child.type == "image")

    @cached_property
    def html_comments(self) -> tuple[tuple[str, Span], ...]:
        """The text and span of each HTML comment outside of code blocks."""
        found = ((match[1].strip(), Span(*match.span())) for match in _COMMENT.finditer(self.text))
        return tuple(one for one in found if self.block_at(self.line_of(one[1].start)) is None)

    def covered_by(self, comment: Span) -> tuple[int, int]:
        """Give the lines [first, last) that a comment speaks of: its own block's, or those of what stands below it."""
        line, end = self.line_of(comment.start), self.line_of(comment.end)
        if self.lines[line - 1][: comment.start - self._starts[line - 1]].strip(" \t>*+-.0123456789"):
            own = [t for t in self._tokens if t.type == "inline" and t.map and t.map[0] < line <= t.map[1]]
            return (own[-1].map[0] + 1, own[-1].map[1] + 1) if own and own[-1].map else (line, line + 1)
        below = self._next_of_weight[end] + 1
        section = self.section_at(below)
        if section is not None and section.line == below and section.level:
            return below, self._end_with_subsections(section)
        return below, max(self._ends_of_blocks.get(below, 0), below + 1)

    @cached_property
    def _next_of_weight(self) -> list[int]:
        """For each row (from 0), the first at or below it that holds more than blanks and comments."""
        found = [len(self.lines)] * (len(self.lines) + 1)
        for row in range(len(self.lines) - 1, -1, -1):
            found[row] = row if _has_weight(self.lines[row]) else found[row + 1]
        return found

    @cached_property
    def _ends_of_blocks(self) -> dict[int, int]:
        """The line after the largest block, lists apart, that begins in each line."""
        found: dict[int, int] = {}
        for token in self._tokens:
            if token.map and not token.type.endswith("list_open"):
                first, last = token.map[0] + 1, token.map[1] + 1
                found[first] = max(last, found.get(first, 0))
        return found

    def _end_with_subsections(self, section: Section) -> int:
        after = (s.line for s in self.sections if s.line > section.line and s.level <= section.level)
        return next(after, len(self._starts) + 1)

    # -- code --------------------------------------------------------------------------------------------------------

    @cached_property
    def _block_lines(self) -> list[int]:
        return [block.line for block in self.blocks]

    def block_at(self, line: int) -> Block | None:
        """Give the code block that a line stands in."""
        at = bisect_right(self._block_lines, line) - 1
        return self.blocks[at] if at >= 0 and line < self.blocks[at].end_line else None

    def blocks_of(self, section: Section) -> tuple[Block, ...]:
        """Give the code blocks of a section."""
        first = bisect_right(self._block_lines, section.line)
        last = bisect_right(self._block_lines, self.end_of(section) - 1)
        return self.blocks[first:last]

    def commands(self, *names: str) -> Iterator[SimpleCommand]:
        """Give the simple commands of these names, all without names, in order.

        Among them are those in loops, substitutions, wrappers (`sudo`, `timeout 10`) and in text that `bash -c`, `watch`
        or `ssh` is given; of PowerShell those on rows that call a program plainly.
        """
        if not names:
            for block in self.blocks:
                yield from block.script.commands
        elif len(names) == 1:
            yield from self._by_name.get(names[0], ())
        else:
            yield from sorted((c for name in names for c in self._by_name.get(name, ())), key=lambda c: c.span)

    @cached_property
    def _by_name(self) -> dict[str, list[SimpleCommand]]:
        found: dict[str, list[SimpleCommand]] = {}
        for command in self.commands():
            found.setdefault(command.name, []).append(command)
        return found

    def pipelines(self) -> Iterator[Pipeline]:
        """Give the pipelines of all blocks, those of one command too."""
        for block in self.blocks:
            yield from block.script.pipelines

    def loops(self) -> Iterator[Loop]:
        """Give the loops of all bash blocks."""
        for block in self.blocks:
            yield from block.script.loops

    def assignments(self) -> Iterator[Assignment]:
        """Give the assignments on their own lines, exported or by a `for`; those before a command are the command's."""
        for block in self.blocks:
            yield from block.script.assignments

    def uses(self) -> Iterator[Use]:
        """Give the variables that are read."""
        for block in self.blocks:
            yield from block.script.uses

    def comments(self) -> Iterator[Comment]:
        """Give the comments in bash blocks."""
        for block in self.blocks:
            yield from block.script.comments

    def _blocks(self) -> Iterator[Block]:
        for token in self._tokens:
            if token.type not in ("fence", "code_block") or not token.map:
                continue
            fenced = token.type == "fence"
            rows = tuple(token.content.removesuffix("\n").split("\n"))
            first = token.map[0] + 1 + fenced
            starts = tuple(self._row_start(first + row, text) for row, text in enumerate(rows))
            info = token.info if fenced else ""
            language = fence.Fence(info, token.content, first).language
            block = Block(info, language, first, rows, starts, fenced, token.level)
            self._read(block, token.content)
            yield block

    def _row_start(self, line: int, row: str) -> int:
        """Give the offset of a block's row in its line: Markdown has taken indentation and quote marks off its front."""
        if line > len(self._starts):
            return len(self.text)
        start = self._starts[line - 1]
        end = self._starts[line] - 1 if line < len(self._starts) else len(self.text)
        return max(start, end - len(row)) if self.text.endswith(row, start, end) else start

    def _read(self, block: Block, text: str) -> None:
        block.shell = fence.shell_of(block.info, text)
        if not block.shell:
            return
        block.is_transcript = transcript.is_transcript(text) or block.language in fence.CONSOLES
        rows: Sequence[str] = block.rows
        if block.is_transcript:
            text = transcript.masked(text.removesuffix("\n"), root=block.language in fence.CONSOLES)
            rows = block.typed = tuple(text.split("\n"))
        block.script = read(Source(rows, block.starts, block.line, block.shell))


def read_document(text: str, file: Path, options: Options | None = None) -> Document:
    """Read a runbook's text for rules; `file` is what findings call it."""
    normal = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return Document(file, normal, options or Options())


def _has_weight(line: str) -> bool:
    """Tell whether a line holds more than blanks and comments."""
    return bool(_COMMENT.sub("", line).strip())


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _kinds_of(path: str) -> frozenset[Kind]:
    titles = path.split(" / ")
    found = {kind for kind, pattern in _KIND_PATTERNS.items() if pattern.search(path)}
    places = (Kind.PRODUCTION, Kind.STAGING, Kind.DEVELOPMENT)
    for title in reversed(titles):
        named = {kind for kind in places if _KIND_PATTERNS[kind].search(title)}
        if named:
            return frozenset(found.difference(places) | named)
    return frozenset(found)


def _prose(tokens: Sequence[Token]) -> Iterator[Prose]:
    kinds = {"heading_open": "heading", "th_open": "cell", "td_open": "cell"}
    items = 0
    for index, token in enumerate(tokens):
        if token.type == "list_item_open":
            items += 1
        elif token.type == "list_item_close":
            items -= 1
        elif token.type == "inline" and token.map:
            kind = kinds.get(tokens[index - 1].type, "item" if items else "paragraph")
            shown = "".join(
                " " if child.type.endswith("break") else child.content
                for child in token.children or ()
                if child.type in ("text", "code_inline", "softbreak", "hardbreak", "text_special")
            )
            yield Prose(" ".join(shown.split()), token.content, kind, token.map[0] + 1, token.map[1] + 1, token.level)
