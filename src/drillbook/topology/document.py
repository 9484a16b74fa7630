"""YAML text -> plain data that still knows where each key and value stands, so that every later error can point there.

PyYAML's own composer recurses without a limit (deep nesting ends the process in C), expands aliases without a limit and
reads YAML 1.1, where `on` is true and `1:30` is 90. So this reads its events and resolves scalars by YAML 1.2's core
schema, which is also what editors use.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from drillbook.errors import Location, UsageError

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 64
_LARGEST = 100_000
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_BASED = re.compile(r"0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TEXT_TAG = "tag:yaml.org,2002:str"

Step = str | int
Data = Any
"""What json.dumps takes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text: line and column from 0, index in characters."""

    line: int
    column: int
    index: int


@dataclass(slots=True)
class Node:
    """A value, where it begins and ends, its `children` by key or index, and where a mapping's `keys` stand."""

    data: Data
    start: Mark
    end: Mark
    children: dict[Step, Node] = field(default_factory=dict)
    keys: dict[str, Mark] = field(default_factory=dict)
    size: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file, read. `defects` are errors that did not keep the rest from being read."""

    file: Path
    source: str
    root: Node
    defects: tuple[UsageError, ...]

    def value(self, path: Sequence[Step]) -> Location:
        """Say where the value at a path begins; for a path that leads nowhere, where its last real part is named."""
        node, found = self._walk(path)
        return self._at(node.start) if found == len(path) else self.key(path[:found])

    def key(self, path: Sequence[Step]) -> Location:
        """Say where the key at the end of a path stands (for an item of a sequence: where the item begins)."""
        parent, found = self._walk(path[:-1])
        if not path or found < len(path) - 1:
            return self._at(parent.start)
        mark = parent.keys.get(str(path[-1]))
        child = parent.children.get(path[-1])
        return self._at(mark or (child or parent).start)

    def inside(self, path: Sequence[Step], raw: str, nth: int = 0) -> Location:
        """Say where the nth occurrence of `raw` stands within the value at a path, else where the value begins."""
        node, _ = self._walk(path)
        index = node.start.index - 1
        for _ in range(nth + 1):
            index = self.source.find(raw, index + 1, node.end.index)
            if index < 0:
                return self._at(node.start)
        before = self.source[node.start.index : index].rpartition("\n")
        column = len(before[2]) + (0 if before[1] else node.start.column)
        return Location(self.file, node.start.line + before[0].count("\n") + bool(before[1]) + 1, column + 1)

    def texts(self) -> Iterator[tuple[tuple[Step, ...], str]]:
        """Give every text of the file that is a value, with its path."""
        return _texts(self.root, ())

    def _walk(self, path: Sequence[Step]) -> tuple[Node, int]:
        node = self.root
        for found, step in enumerate(path):
            if step not in node.children:
                return node, found
            node = node.children[step]
        return node, len(path)

    def _at(self, mark: Mark) -> Location:
        return Location(self.file, mark.line + 1, mark.column + 1)


def read_document(file: Path) -> Document:
    """Read a YAML file; UsageError if it cannot be read, is not UTF-8, or is not YAML."""
    try:
        source = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the file: {error.strerror}", at=Location(file)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError("the file is not UTF-8 text", at=Location(file, line), mend="save it as UTF-8") from error
    return parse_document(source, file)


def parse_document(source: str, file: Path) -> Document:
    """Read YAML text; `file` only names it. UsageError if it is not one YAML document."""
    reading = _Reading(source, file)
    return Document(file, source, reading.root(), tuple(reading.defects))


class _Reading:
    """One pass over PyYAML's events; gathers what is wrong but readable in `defects`."""

    def __init__(self, source: str, file: Path) -> None:
        self.file = file
        self.events = self._events(source)
        self.anchors: dict[str, Node] = {}
        self.defects: list[UsageError] = []

    def root(self) -> Node:
        node: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if node:
                    raise self._error("a second document begins here", event, "keep one document in the file")
                node = self._node(next(self.events), 0)
        if node is None:
            raise UsageError("the file is empty", at=Location(self.file, 1, 1), mend="begin it with `version: 1`")
        return node

    def _events(self, source: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(source, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = Location(self.file, mark.line + 1, mark.column + 1) if mark else Location(self.file)
            said = ", ".join(filter(None, (error.context, error.problem)))
            raise UsageError(f"not YAML: {said}", at=at, mend="look at this line and the one before it") from error
        except yaml.reader.ReaderError as error:
            before = source[: error.position]
            at = Location(self.file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            raise UsageError(f"not YAML: {error.reason}", at=at, mend="take this character out") from error

    def _node(self, event: Any, depth: int) -> Node:
        if depth > _DEEPEST:
            raise self._error(f"nested deeper than {_DEEPEST} levels", event, "flatten it")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if isinstance(event, yaml.ScalarEvent):
            node = Node(self._scalar(event), _mark(event.start_mark), _mark(event.end_mark))
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, depth)
        else:
            node = self._sequence(event, depth)
        if node.size > _LARGEST:
            raise self._error(f"more than {_LARGEST} values", event, "use fewer aliases")
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            raise self._error(f"nothing above is anchored as &{event.anchor}", event, "write the value out")
        return self.anchors[event.anchor]

    def _mapping(self, start: Any, depth: int) -> Node:
        self._refuse_tag(start)
        node = Node({}, _mark(start.start_mark), _mark(start.end_mark))
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                node.end = _mark(event.end_mark)
                break
            key = self._key(event, depth)
            value = self._node(next(self.events), depth + 1)
            node.size += value.size
            if key in node.children:
                first = node.keys[key].line + 1
                mend = f"keep one of the two; the other is in line {first}"
                self.defects.append(self._error(f"key `{key}` stands here a second time", event, mend))
            elif key is not None:
                node.children[key], node.keys[key], node.data[key] = value, _mark(event.start_mark), value.data
        return node

    def _key(self, event: Any, depth: int) -> str | None:
        if isinstance(event, yaml.ScalarEvent) and event.value not in ("", "<<") and not _surrogate(event.value):
            return str(event.value)
        merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<"
        said = "merge keys (`<<`) are not understood here" if merge else "this is no key: a key is a word"
        self.defects.append(self._error(said, event, "write the keys out" if merge else "write `name: value`"))
        self._node(event, depth + 1)
        return None

    def _sequence(self, start: Any, depth: int) -> Node:
        self._refuse_tag(start)
        node = Node([], _mark(start.start_mark), _mark(start.end_mark))
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                node.end = _mark(event.end_mark)
                break
            item = self._node(event, depth + 1)
            node.size += item.size
            node.children[len(node.data)] = item
            node.data.append(item.data)
        return node

    def _scalar(self, event: Any) -> Data:
        text = str(event.value)
        if _surrogate(text):
            self.defects.append(self._error("half of a character pair", event, "write the character itself"))
            return ""
        if event.tag not in (None, "!", _TEXT_TAG):
            self._refuse_tag(event)
        plain = event.implicit[0] and event.tag is None and not event.style
        return _resolve(text) if plain else text

    def _refuse_tag(self, event: Any) -> None:
        if event.tag not in (None, "!"):
            self.defects.append(
                self._error(f"tags such as `{event.tag}` are not understood here", event, "leave it out")
            )

    def _error(self, message: str, event: Any, mend: str) -> UsageError:
        mark = event.start_mark
        return UsageError(message, at=Location(self.file, mark.line + 1, mark.column + 1), mend=mend)


def _mark(mark: Any) -> Mark:
    return Mark(mark.line, mark.column, mark.index)


def _surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _resolve(text: str) -> Data:
    """Read a plain scalar by YAML 1.2's core schema; numbers that no field could want stay text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def _texts(node: Node, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], str]]:
    if isinstance(node.data, str):
        yield path, node.data
    for step, child in node.children.items():
        yield from _texts(child, (*path, step))


def keyed(path: Sequence[Step]) -> str:
    """Write a path as people do: `services.orders-api.ports`, `bindings[2].python`, `names."api.example.com".443`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            quoted = step if re.fullmatch(r"[\w-]+", step) else f'"{step}"'
            written += f".{quoted}" if written else quoted
    return written or "the file"


def mapping_at(data: Data, path: Sequence[Step]) -> Mapping[str, Data]:
    """Give the mapping at a path of plain data, empty if there is none."""
    for step in path:
        inside = step in data if isinstance(data, Mapping) else isinstance(data, list) and step in range(len(data))
        if not inside:
            return {}
        data = data[step]
    return data if isinstance(data, Mapping) else {}
