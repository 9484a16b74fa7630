"""A fence's bash as rules want it: simple commands as words with their places, pipelines, loops, assignments, comments.

The text is parsed once per fence by tree-sitter-bash, and walked once. Nothing is run or expanded: a word whose value
depends on the shell has the value None.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from drillbook.check.rule import Span
from drillbook.runbook import shell as splitting

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree


class Role(StrEnum):
    """What surrounds a command, from the outside in."""

    CONDITION = "condition of an if"
    BRANCH = "branch of an if or a case"
    LOOP_CONDITION = "condition of a while or until"
    LOOP_BODY = "body of a loop"
    SUBSTITUTION = "substitution"
    SUBSHELL = "subshell or group"
    FUNCTION = "function"
    BEFORE_AND = "left of &&"
    AFTER_AND = "right of &&"
    BEFORE_OR = "left of ||"
    AFTER_OR = "right of ||"
    NEGATED = "after !"
    BACKGROUND = "in the background"
    NESTED = "text that another command is given to run"


class Word:
    """One word: `text` as written, `value` as the program gets it, None where the shell decides that; `span` its place.

    Value and span are worked out when they are asked for: most words of a runbook never are.
    """

    __slots__ = ("_node", "_source", "_span", "_value", "text")

    def __init__(self, text: str, node: Node, source: Source) -> None:
        self.text = text
        self._node = node
        self._source = source
        self._span: Span | None = None
        self._value: str | _Unasked | None = _UNASKED

    def __repr__(self) -> str:
        return f"Word({self.text!r})"

    @property
    def span(self) -> Span:
        """Where it stands in the document."""
        if self._span is None:
            self._span = self._source.span(self._node)
        return self._span

    @property
    def value(self) -> str | None:
        """What the program gets, None where an expansion decides it."""
        if isinstance(self._value, _Unasked):
            self._value = _value(self._node, self.text)
        return self._value


class _Unasked:
    """Stands for a value that nobody has asked for."""


_UNASKED = _Unasked()


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection: `operator` such as `>`, `2>`, `<<<`, `<<`; `target` is None for a here-document."""

    operator: str
    target: Word | None
    span: Span


@dataclass(frozen=True, slots=True)
class Assignment:
    """`NAME=value`, whether on its own, exported, before a command or by a `for`; `value` None where there is none."""

    name: str
    value: Word | None
    span: Span


@dataclass(frozen=True, slots=True)
class Use:
    """A variable that is read; `guarded` where `${NAME:-…}`, `${NAME:?…}` or the like says what to do without it."""

    name: str
    span: Span
    guarded: bool


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment without its `#`; `trailing` if code stands before it on the line."""

    text: str
    span: Span
    trailing: bool


@dataclass(slots=True)
class Pipeline:
    """Commands joined by `|`; a command on its own is a pipeline of one."""

    commands: list[SimpleCommand] = field(default_factory=list)
    span: Span = field(default_factory=lambda: Span(0, 0))


@dataclass(slots=True, eq=False)
class SimpleCommand:
    """One simple command.

    `name` is the program that really runs, without its folder, behind `wrappers` such as sudo or timeout ("" if only the
    shell knows); `words` begin at that program, `all_words` at the first wrapper. `environment` are the assignments
    before it.
    """

    name: str
    words: tuple[Word, ...]
    all_words: tuple[Word, ...]
    wrappers: tuple[str, ...]
    environment: tuple[Assignment, ...]
    redirects: tuple[Redirect, ...]
    span: Span
    line: int
    roles: tuple[Role, ...]
    pipeline: Pipeline
    language: str
    outer: SimpleCommand | None = None

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words after the program's name."""
        return self.words[1:]

    @property
    def text(self) -> str:
        """The command's words in one line, as written."""
        return " ".join(word.text for word in self.all_words)

    @property
    def is_last_in_pipeline(self) -> bool:
        """Tell whether the pipeline's exit code is this command's."""
        return self.pipeline.commands[-1] is self

    def has(self, *options: str) -> bool:
        """Tell whether any of `options` ("-f", "--fail") is given; short ones are found in clusters (-fsS) too."""
        return self.find(*options) is not None

    def find(self, *options: str) -> Word | None:
        """Give the first word that gives one of `options`, also as `--name=value`, or None."""
        return next((word for name, word, _ in self.options() if name in options), None)

    def value_of(self, *options: str) -> Word | None:
        """Give the word that holds an option's value: the next one, or the word itself for `--name=value`, `-m10`."""
        return next((value for name, _, value in self.options() if name in options), None)

    def setting(self, *options: str) -> str | None:
        """Give the text of an option's value as written, from `-m10`, `-m 10`, `--max-time 10` and `--max-time=10`."""
        for name, word, value in self.options():
            if name in options and value is not None:
                if value is not word:
                    return value.text
                if name.startswith("--"):
                    return word.text.partition("=")[2]
                return word.text[word.text.index(name[1]) + 1 :]
        return None

    def options(self) -> Iterator[tuple[str, Word, Word | None]]:
        """Give each option as (name, its word, the word that may hold its value), clusters taken apart."""
        valued = _VALUED.get(self.name, "")
        words = self.arguments
        for index, word in enumerate(words):
            text = word.text
            if text == "--":
                return
            if text.startswith("--") and len(text) > 2:
                name, equals, _ = text.partition("=")
                yield name, word, word if equals else _after(words, index)
            elif len(text) > 1 and text[0] == "-" and not text[1].isdigit():
                yield from _cluster(words, index, valued)

    def operands(self, valued: frozenset[str] = frozenset()) -> tuple[Word, ...]:
        """Give the arguments that are no options; `valued` names the long options whose value is the next word."""
        short = _VALUED.get(self.name, "")
        found: list[Word] = []
        skip = False
        only = False
        for word in self.arguments:
            if skip:
                skip = False
            elif only or not word.text.startswith("-") or word.text == "-":
                found.append(word)
            elif word.text == "--":
                only = True
            elif word.text in valued:
                skip = True
            elif not word.text.startswith("--"):
                letter = next((at for at, char in enumerate(word.text) if at and char in short), None)
                skip = letter is not None and letter == len(word.text) - 1
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop: `keyword` while, until or for; `head` spans keyword and condition; `condition` is its text."""

    keyword: str
    condition: str
    head: Span
    span: Span
    body: str


@dataclass(slots=True)
class Script:
    """What is in one fence, in order. `broken` are the spans that the grammar refuses."""

    commands: list[SimpleCommand] = field(default_factory=list)
    pipelines: list[Pipeline] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    broken: list[Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of code and the offset in the document at which each begins; `line` is the first row's, from 1."""

    rows: Sequence[str]
    starts: Sequence[int]
    line: int
    language: str

    def offset(self, row: int, column: int) -> int:
        """Give the offset in the document of a row and a column in bytes."""
        text = self.rows[row]
        if not text.isascii():
            column = len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))
        return self.starts[row] + column

    def span(self, node: Node) -> Span:
        """Give a node's span."""
        return Span(self.offset(*node.start_point), self.offset(*node.end_point))


# Short options whose value is the rest of the word or the next one, of the tools that rules take apart.
_VALUED = {
    "curl": "AbcCdDeEFhHKmoPQrtTuUwxXyYz",
    "wget": "oOaeitTwQPUDR",
    "ssh": "bcDEeFIiJLlmOopQRSWw",
    "psql": "cdfFhLopPRTUv",
    "pg_dump": "dEeFfhjNnpSTtUZ",
    "pg_restore": "dfFhIjLnNpPStTU",
    "kubectl": "nlfocs",
    "git": "Cc",
    "docker": "HlcevpwuhmnftF",
    "ab": "ncteslbBpuTvhxXyzCHAPgm",
    "helm": "nf",
    "tail": "nc",
    "head": "nc",
    "ping": "cwWisItpQSm",
    "watch": "n",
    "timeout": "ks",
    "systemctl": "tpHMnos",
    "journalctl": "nuptSUobDM",
    "sleep": "",
    "tar": "fC",
}
_WRAPPERS = {
    "sudo": ("ugpCDhrTtU", 0),
    "doas": ("uC", 0),
    "time": ("fo", 0),
    "timeout": ("ks", 1),
    "gtimeout": ("ks", 1),
    "nohup": ("", 0),
    "nice": ("n", 0),
    "ionice": ("cnp", 0),
    "env": ("uCS", 0),
    "command": ("", 0),
    "exec": ("a", 0),
    "stdbuf": ("ioe", 0),
    "setsid": ("", 0),
    "chronic": ("", 0),
    "caffeinate": ("tw", 0),
}
"""What runs another command: its short options with a value, and how many words of its own come before that command."""
_RUNS_TEXT = frozenset({"bash", "sh", "zsh", "dash", "ksh", "eval", "watch", "su", "ssh"})
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DEEPEST = 150
_GUARDS = frozenset({":-", "-", ":?", "?", ":+", "+", ":=", "="})
_STATIC_STRING = frozenset({"string_content", '"'})
_POWERSHELL = re.compile(
    r"[{}`]|\$\(|^\s*[$@#]|^\s*\[|\b[A-Z][a-z]+-[A-Z]\w+|^\s*(?:if|else|try|catch|foreach|while|do|param)\b"
)


def read(source: Source) -> Script:
    """Read a fence of bash; of PowerShell, the rows that are plain calls of programs."""
    script = Script()
    if source.language in ("powershell", "pwsh", "ps1", "ps", "posh"):
        for row, text in enumerate(source.rows):
            call = text.partition(" | ")[0] if _POWERSHELL.search(text.partition(" | ")[2]) else text
            if text.strip() and not _POWERSHELL.search(call):
                piece = Source([call], [source.starts[row]], source.line + row, source.language)
                _Walker(piece, script).read(_parse(piece.rows).root_node)
        return script
    _read_bash(source, script, (), None)
    return script


def _read_bash(source: Source, script: Script, roles: tuple[Role, ...], outer: SimpleCommand | None) -> None:
    root = _parse(source.rows).root_node
    if not root.has_error:
        _Walker(source, script, roles, outer).read(root)
        return
    for part in splitting.split("\n".join(source.rows)):
        if part.comment:
            span = Span(source.starts[part.row], source.starts[part.row] + len(source.rows[part.row]))
            script.comments.append(Comment(part.text, span, trailing=False))
            continue
        count = part.text.count("\n") + 1
        rows = source.rows[part.row : part.row + count]
        piece = Source(rows, source.starts[part.row : part.row + count], source.line + part.row, source.language)
        tree = _parse(rows).root_node
        if tree.has_error:
            indent = len(rows[0]) - len(rows[0].lstrip())
            script.broken.append(Span(piece.starts[0] + indent, piece.starts[-1] + len(rows[-1].rstrip())))
        _Walker(piece, script, roles, outer).read(tree)


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


_PLACEHOLDER = re.compile(r"(?<![<>&\d])<([A-Za-z][\w. /|-]*)>(?=[\s\"'/:.,;)]|$)", re.MULTILINE)


def masked(text: str) -> str:
    """Give a text whose placeholders (`<pod-name>`) are words for bash; places stay."""
    return _PLACEHOLDER.sub(lambda match: "_" + re.sub(r"[^\w.-]", "_", match[1]) + "_", text)


def _parse(rows: Sequence[str]) -> Tree:
    return _parser().parse(masked("\n".join(rows)).encode("utf-8", "surrogatepass"))


@dataclass(slots=True)
class _Walker:
    """Walks one tree; what is found goes to `script`."""

    source: Source
    script: Script
    roles: tuple[Role, ...] = ()
    outer: SimpleCommand | None = None

    def read(self, root: Node) -> None:
        self._all(root, self.roles, 0)

    def _all(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        """Visit the children as statements of a sequence: one that `&` follows runs in the background."""
        children = node.children
        for index, child in enumerate(children):
            behind = children[index + 1].type if index + 1 < len(children) else ""
            self._visit(child, (*roles, Role.BACKGROUND) if behind == "&" else roles, depth + 1)

    def _visit(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        if depth > _DEEPEST:
            return
        kind = node.type
        if kind in _SURROUNDS:
            self._all(node, (*roles, _SURROUNDS[kind]), depth)
        elif kind in _VISITS:
            _VISITS[kind](self, node, roles, depth)
        elif node.child_count:
            self._all(node, roles, depth)

    def _alone(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        if node.type == "command":
            self._command(node, roles, depth, [], None)
        else:
            self._redirected(node, roles, depth, None)

    def _leaf(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        """Note what a node says itself, then look for substitutions in it."""
        match node.type:
            case "variable_assignment":
                self.script.assignments.append(self._assignment(node))
            case "comment":
                self._comment(node)
            case _:
                self._use(node)
        self._inside(node, roles, depth)

    def _function(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        name = node.child_by_field_name("name")
        if name is not None:
            self.script.functions.append(_text(name))
        self._all(node, (*roles, Role.FUNCTION), depth)

    def _inside(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        for child in node.children:
            if child.child_count:
                self._visit(child, roles, depth + 1)

    def _list(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        children = node.children
        operator = next((child.type for child in children if child.type in ("&&", "||")), "")
        before, after = (Role.BEFORE_AND, Role.AFTER_AND) if operator == "&&" else (Role.BEFORE_OR, Role.AFTER_OR)
        seen = False
        for child in children:
            if child.type == operator:
                seen = True
            else:
                self._visit(child, (*roles, after if seen else before), depth + 1)

    def _if(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        role = Role.CONDITION
        for child in node.children:
            if child.type == "then":
                role = Role.BRANCH
            elif child.type in ("elif_clause", "else_clause"):
                self._visit(child, roles, depth + 1)
            else:
                self._visit(child, (*roles, role), depth + 1)

    def _loop(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        head_end = node.end_byte
        first = node.children[0]
        for child in node.children:
            if child.type in ("do_group", "compound_statement"):
                head_end = child.start_byte
                self._all(child, (*roles, Role.LOOP_BODY), depth + 1)
                body = child
                break
            if child.type == "variable_name":
                self.script.assignments.append(Assignment(_text(child), None, self.source.span(child)))
            else:
                self._visit(child, (*roles, Role.LOOP_CONDITION), depth + 1)
        else:
            return
        whole = node.text or b""
        head = whole[: head_end - node.start_byte].decode("utf-8", "replace").rstrip("; \t\n")
        span = self.source.span(node)
        keyword = first.type
        condition = head[len(keyword) :].strip()
        text = (body.text or b"").decode("utf-8", "replace")
        self.script.loops.append(Loop(keyword, condition, Span(span.start, span.start + len(head)), span, text))

    def _pipeline(self, node: Node, roles: tuple[Role, ...], depth: int) -> None:
        pipeline = Pipeline(span=self.source.span(node))
        for child in node.children:
            if child.type == "command":
                self._command(child, roles, depth, [], pipeline)
            elif child.type == "redirected_statement":
                self._redirected(child, roles, depth, pipeline)
            elif child.child_count:
                self._visit(child, roles, depth + 1)
        if pipeline.commands:
            self.script.pipelines.append(pipeline)

    def _redirected(self, node: Node, roles: tuple[Role, ...], depth: int, pipeline: Pipeline | None) -> None:
        body = node.child_by_field_name("body")
        redirects = [child for child in node.children if child.type.endswith("_redirect")]
        if body is not None and body.type == "command":
            self._command(body, roles, depth, redirects, pipeline)
        else:
            if body is not None:
                self._visit(body, roles, depth + 1)
                if body.type in ("pipeline", "list", "negated_command") and self.script.pipelines:
                    last = self.script.pipelines[-1].commands[-1]
                    last.redirects = (*last.redirects, *map(self._redirect, redirects))
            for redirect in redirects:
                self._inside(redirect, roles, depth + 1)

    def _command(
        self, node: Node, roles: tuple[Role, ...], depth: int, behind: list[Node], pipeline: Pipeline | None
    ) -> None:
        words: list[Word] = []
        environment: list[Assignment] = []
        redirects: list[Redirect] = []
        inner: list[Node] = []
        for child in node.children:
            kind = child.type
            if kind == "variable_assignment":
                environment.append(self._assignment(child))
                inner.append(child)
            elif kind.endswith("_redirect"):
                redirects.append(self._redirect(child))
                inner.append(child)
            elif kind == "comment":
                self._comment(child)
            else:
                shown = child.children[0] if kind == "command_name" and child.child_count else child
                words.append(self._word(shown))
                if shown.child_count or shown.type == "simple_expansion":
                    inner.append(shown)
        for child in behind:
            redirects.append(self._redirect(child))
            inner.append(child)
        span = self.source.span(node)
        if behind:
            span = Span(span.start, max(span.end, redirects[-1].span.end if redirects[-1].target else span.end))
        alone = pipeline is None
        pipeline = pipeline or Pipeline(span=span)
        wrappers, own = _unwrap(words)
        command = SimpleCommand(
            _program(own), tuple(own), tuple(words), wrappers, tuple(environment), tuple(redirects), span,
            self.source.line + node.start_point[0], roles, pipeline, self.source.language, self.outer,
        )  # fmt: skip
        pipeline.commands.append(command)
        self.script.commands.append(command)
        for child in inner:
            self._visit(child, roles, depth + 1)
        if alone:
            self.script.pipelines.append(pipeline)
        if command.name in _RUNS_TEXT:
            self._nested(command)

    def _nested(self, command: SimpleCommand) -> None:
        """Read the text that a shell, `watch` or `ssh` is given to run, if it stands there as it is."""
        word = _given_text(command)
        if word is None or word.value is None or len(self.roles) > 8:
            return
        quoted = word.text[:1] in ("'", '"') and word.text[1:-1] == word.value
        if not quoted or word.text[:1] != word.text[-1:]:
            return
        start = word.span.start + 1
        row = bisect_right(self.source.starts, start) - 1
        lines = word.value.split("\n")
        starts = [start, *(self.source.starts[row + more] for more in range(1, len(lines)))]
        piece = Source(lines, starts, self.source.line + row, self.source.language)
        root = _parse(lines).root_node
        if not root.has_error:
            _Walker(piece, self.script, (*command.roles, Role.NESTED), command).read(root)

    def _word(self, node: Node) -> Word:
        return Word(self._written(node), node, self.source)

    def _written(self, node: Node) -> str:
        """Give a node's text as the document has it, placeholders included."""
        (first, begin), (last, end) = node.start_point, node.end_point
        if first != last:
            return _text(node)
        row = self.source.rows[first]
        if row.isascii():
            return row[begin:end]
        return row.encode("utf-8", "surrogatepass")[begin:end].decode("utf-8", "replace")

    def _assignment(self, node: Node) -> Assignment:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        return Assignment(
            _text(name) if name is not None else "",
            self._word(value) if value is not None else None,
            self.source.span(node),
        )

    def _redirect(self, node: Node) -> Redirect:
        target = node.child_by_field_name("destination")
        if target is None and node.type == "herestring_redirect" and node.children:
            target = node.children[-1]
        text = _text(node)
        operator = re.match(r"\d*(?:&?>>?[|&]?|<<<|<<-?|<[>&]?)", text)
        return Redirect(
            operator[0] if operator else text,
            self._word(target) if target is not None else None,
            self.source.span(node),
        )

    def _use(self, node: Node) -> None:
        names = [child for child in node.children if child.type == "variable_name"]
        if names:
            guarded = any(child.type in _GUARDS for child in node.children)
            span = self.source.span(node)
            written = _text(node)  # the grammar counts blanks before `${` in a string to it
            span = Span(span.start + len(written) - len(written.lstrip()), span.end)
            self.script.uses.append(Use(_text(names[0]), span, guarded))

    def _comment(self, node: Node) -> None:
        row, column = node.start_point
        trailing = bool(self.source.rows[row].encode("utf-8", "surrogatepass")[:column].strip())
        self.script.comments.append(Comment(self._written(node).lstrip("#").strip(), self.source.span(node), trailing))


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


_SURROUNDS = {
    "negated_command": Role.NEGATED,
    "else_clause": Role.BRANCH,
    "case_item": Role.BRANCH,
    "subshell": Role.SUBSHELL,
    "compound_statement": Role.SUBSHELL,
    "command_substitution": Role.SUBSTITUTION,
    "process_substitution": Role.SUBSTITUTION,
}
_VISITS = {
    "command": _Walker._alone,
    "redirected_statement": _Walker._alone,
    "pipeline": _Walker._pipeline,
    "list": _Walker._list,
    "if_statement": _Walker._if,
    "elif_clause": _Walker._if,
    "while_statement": _Walker._loop,
    "for_statement": _Walker._loop,
    "c_style_for_statement": _Walker._loop,
    "function_definition": _Walker._function,
    "variable_assignment": _Walker._leaf,
    "simple_expansion": _Walker._leaf,
    "expansion": _Walker._leaf,
    "comment": _Walker._leaf,
}


def _value(node: Node, text: str) -> str | None:
    """Give what the program gets for a word, None if an expansion decides it."""
    kind = node.type
    if kind == "raw_string":
        return text[1:-1]
    if kind == "string":
        static = all(child.type in _STATIC_STRING for child in node.children)
        return re.sub(r'\\([$`"\\\n])', r"\1", text[1:-1]) if static else None
    if kind == "concatenation":
        parts = [_value(child, _text(child)) for child in node.children]
        return None if None in parts else "".join(part for part in parts if part is not None)
    if node.child_count or kind in ("simple_expansion", "ansi_c_string"):
        return None
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _unwrap(words: list[Word]) -> tuple[tuple[str, ...], list[Word]]:
    """Take wrappers such as `sudo -u postgres` and `timeout 10` off; give their names and the words that are left."""
    wrappers: list[str] = []
    while len(words) > 1 and (name := _program(words)) in _WRAPPERS:
        valued, own = _WRAPPERS[name]
        at = 1
        while at < len(words) and (words[at].text.startswith("-") or (name == "env" and "=" in words[at].text)):
            text = words[at].text
            at += 2 if len(text) == 2 and text[0] == "-" and text[1] in valued else 1
            if text == "--":
                break
        at += own
        if at >= len(words):
            break
        wrappers.append(name)
        words = words[at:]
    return tuple(wrappers), words


def _program(words: Sequence[Word]) -> str:
    return (words[0].value or "").rsplit("/", 1)[-1] if words else ""


def _given_text(command: SimpleCommand) -> Word | None:
    if command.name in ("bash", "sh", "zsh", "dash", "ksh", "su"):
        after = [at for at, word in enumerate(command.words) if re.fullmatch(r"-[a-z]*c", word.text)]
        return _after(command.words, after[0]) if after else None
    return command.words[-1] if len(command.words) > 1 else None


def _after(words: Sequence[Word], index: int) -> Word | None:
    return words[index + 1] if index + 1 < len(words) else None


def _cluster(words: Sequence[Word], index: int, valued: str) -> Iterator[tuple[str, Word, Word | None]]:
    """Take a word such as `-fsSm10` apart, up to a letter that takes the rest as its value."""
    word = words[index]
    letters = word.text[1:]
    if len(letters) > 1 and not valued:
        yield word.text, word, _after(words, index)  # `-name` of a tool with long options of one hyphen
    for at, letter in enumerate(letters):
        last = at == len(letters) - 1
        if letter in valued:
            yield f"-{letter}", word, _after(words, index) if last else word
            return
        yield f"-{letter}", word, _after(words, index) if last else None
