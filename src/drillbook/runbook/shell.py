"""Where one shell command ends and the next begins, by grammar: a loop or a here-document handed to bash line by line
would do something else than the runbook says. Text is never rebuilt, only cut, so that it stands verbatim in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


@dataclass(frozen=True, slots=True)
class Fragment:
    """A logical command, or a comment that stands alone, at `row` (from 0) of the text it was cut from.

    `note` is the comment at the end of a command's line. A comment's `text` and a note come without the `#`.
    """

    text: str
    row: int
    note: str = ""
    comment: bool = False


@dataclass(slots=True)
class _Extent:
    """Rows that belong together, with the byte in the last row at which a trailing comment begins."""

    first: int
    last: int
    note_column: int | None = None
    comment: bool = False


# `<pod-name>` is a hole for a person to fill; bash takes it for two redirections, the second on to the next line.
_PLACEHOLDER = re.compile(r"(?<![<>&\d])<([A-Za-z][\w.-]*)>(?=[\s\"']|$)", re.MULTILINE)
# What bytes.strip takes off, and no more: other control characters are words to bash.
_BLANK = " \t\n\r\f\v"
# Narrowing an error down parses once or twice for each row; a longer text stays one command.
_NARROWED = 200
_CLOSERS = frozenset({b"}", b"done", b"fi", b"esac", b"then", b"do", b"else", b"elif"})
_HEREDOC = re.compile(r"(?<!<)<<-?\s*(['\"]?)([A-Za-z_]\w*)\1")


def split(text: str) -> tuple[Fragment, ...]:
    """Cut a bash text into its logical commands and its comments, in order."""
    return _cut(text.split("\n"), 0)


def is_complete(text: str) -> bool:
    """Tell whether bash would run this text rather than ask for more of it (its `> ` prompt)."""
    return not text.endswith("\\") and not _tree(text).has_error


def _cut(lines: list[str], offset: int) -> tuple[Fragment, ...]:
    text = "\n".join(lines)
    root = _tree(text)
    if not root.has_error:
        return tuple(_fragment(lines, extent, offset) for extent in _extents(root.children, text))
    first, last = _erroneous(lines) if len(lines) <= _NARROWED else (0, len(lines))
    if first == 0 and last == len(lines):
        return _whole(lines, offset)
    return (
        *_cut(lines[:first], offset),
        *_whole(lines[first:last], offset + first),
        *_cut(lines[last:], offset + last),
    )


def _tree(text: str) -> Node:
    masked = _PLACEHOLDER.sub(lambda match: f"_{match[1]}_", text)
    return _parser().parse(masked.encode("utf-8", "surrogatepass")).root_node


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def _extents(nodes: Iterable[Node], text: str) -> list[_Extent]:
    """Join the grammar's nodes that share a row: `a; b &` on one line is one command."""
    source = text.encode("utf-8", "surrogatepass")
    extents: list[_Extent] = []
    for node in nodes:
        content = source[node.start_byte : node.end_byte].rstrip()
        first = node.start_point[0]
        last = first + content.count(b"\n")
        is_comment = node.type == "comment"
        current = extents[-1] if extents else None
        if current is not None and not current.comment and first <= current.last:
            if is_comment:
                current.note_column = node.start_point[1]
            else:
                current.last, current.note_column = max(last, current.last), None
        elif content:
            extents.append(_Extent(first, last, comment=is_comment))
    return extents


def _fragment(lines: list[str], extent: _Extent, offset: int) -> Fragment:
    rows = list(lines[extent.first : extent.last + 1])
    if extent.comment:
        return Fragment(_uncommented(rows[0]), offset + extent.first, comment=True)
    note = ""
    if extent.note_column is not None:
        ending = rows[-1].encode("utf-8", "surrogatepass")
        note = _uncommented(ending[extent.note_column :].decode("utf-8", "surrogatepass"))
        rows[-1] = ending[: extent.note_column].decode("utf-8", "surrogatepass")
    return Fragment("\n".join(rows).strip(_BLANK), offset + extent.first, note)


def _uncommented(line: str) -> str:
    return line.strip().lstrip("#").strip()


def _whole(lines: list[str], offset: int) -> tuple[Fragment, ...]:
    """Give rows that the grammar refuses as one command, so that bash itself says what is wrong with them."""
    rows = [row for row, line in enumerate(lines) if line.strip()]
    if not rows:
        return ()
    text = "\n".join(lines[rows[0] : rows[-1] + 1]).strip(_BLANK)
    return (Fragment(text, offset + rows[0]),)


def _erroneous(lines: list[str]) -> tuple[int, int]:
    """Narrow an error down to rows [first, last): the longest good beginning and rest stay out of it."""
    count = len(lines)
    first = next((row for row in range(count - 1, 0, -1) if _is_good(lines[:row])), 0)
    floor = max(first + 1, _end_of_heredocs(lines, first))
    last = next((row for row in range(floor, count) if _is_good(lines[row:])), count)
    return first, last


def _is_good(lines: list[str]) -> bool:
    """Tell whether rows parse by themselves; the grammar lets a `}` or a `done` of another row pass for a command."""
    root = _tree("\n".join(lines))
    return not root.has_error and not any(
        node.type == "command" and (node.text or b"").split(maxsplit=1)[0] in _CLOSERS for node in root.children
    )


def _end_of_heredocs(lines: list[str], row: int) -> int:
    """Give the row after the bodies of the here-documents that open in `row`: they are data, not commands."""
    after = row + 1
    for match in _HEREDOC.finditer(lines[row]):
        after = next((end + 1 for end in range(after, len(lines)) if lines[end].strip() == match[2]), after)
    return after
