"""The language server: an editor's open runbooks through the rules, findings as diagnostics, fixes as code actions.

Only Drillbook's own rules are asked at each key stroke; ShellCheck, a process, when a file is opened or saved.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

from drillbook.check import shellcheck
from drillbook.check.config import find_config
from drillbook.check.document import read_document
from drillbook.check.engine import LARGEST, conclude, run_rules
from drillbook.check.files import SUFFIXES, matches
from drillbook.check.finding import Edit, Finding, Severity
from drillbook.check.options import Options, Repository
from drillbook.check.registry import find_rule, is_selected, selected
from drillbook.errors import UsageError

_SEVERITIES = {
    Severity.ERROR: lsp.DiagnosticSeverity.Error,
    Severity.WARNING: lsp.DiagnosticSeverity.Warning,
    Severity.HINT: lsp.DiagnosticSeverity.Hint,
}


@dataclass(slots=True)
class _Known:
    """What was last found in a document: of ShellCheck the findings of the last save."""

    findings: tuple[Finding, ...] = ()
    from_shellcheck: tuple[Finding, ...] = ()


@dataclass(slots=True)
class _Runbooks:
    """The open runbooks, and the repository's files, listed once."""

    server: LanguageServer
    known: dict[str, _Known] = field(default_factory=dict)
    repositories: dict[Path, Repository] = field(default_factory=dict)

    def look(self, uri: str, *, saved: bool) -> None:
        """Check a document and publish what is found."""
        document = self.server.workspace.get_text_document(uri)
        known = self.known.setdefault(uri, _Known())
        try:
            known.findings = self._found(document, known, saved=saved)
            told = [_diagnostic(self.server, document, finding) for finding in known.findings]
        except UsageError as error:
            known.findings = ()
            told = [lsp.Diagnostic(_nowhere(), str(error), lsp.DiagnosticSeverity.Error, source="drillbook")]
        self._publish(uri, told)

    def forget(self, uri: str) -> None:
        """Take the diagnostics of a closed document away."""
        self.known.pop(uri, None)
        self._publish(uri, [])

    def actions(self, uri: str, wanted: lsp.Range) -> list[lsp.CodeAction]:
        """Give the fixes of findings in a range of lines."""
        document = self.server.workspace.get_text_document(uri)
        return [
            lsp.CodeAction(
                title=f"{finding.code}: {finding.mend}",
                kind=lsp.CodeActionKind.QuickFix,
                diagnostics=[_diagnostic(self.server, document, finding)],
                edit=lsp.WorkspaceEdit({uri: [_edit(self.server, document, edit) for edit in finding.fix]}),
            )
            for finding in (self.known[uri].findings if uri in self.known else ())
            if finding.fix and finding.line - 1 <= wanted.end.line and finding.end.line - 1 >= wanted.start.line
        ]

    def _found(self, document: TextDocument, known: _Known, *, saved: bool) -> tuple[Finding, ...]:
        file = Path(to_fs_path(document.uri) or document.uri)
        config = find_config(file)
        if len(document.source) > LARGEST or (document.language_id or "markdown") != "markdown":
            return ()
        if file.suffix.lower() not in SUFFIXES or matches(file, config.exclude):
            return ()
        rules = selected(config.select, config.ignore)
        options = Options(self._repository(config.repo), config.dead_urls, config.grammars)
        read = read_document(document.source, file, options)
        with_shellcheck = config.shellcheck and shellcheck.program() is not None
        if saved and with_shellcheck:
            found = shellcheck.run(tuple(shellcheck.snippets(read)))
            known.from_shellcheck = tuple(one for one in found if is_selected(one.code, config.select, config.ignore))
        last = len(read.lines)
        more = [one for one in known.from_shellcheck if one.end.line <= last]
        ignored = [code for pattern, codes in config.per_file if matches(file, (pattern,)) for code in codes]
        concluded = conclude(run_rules(read, rules), more, rules, beside=("SC",) if with_shellcheck and saved else ())
        return tuple(one for one in concluded if not any(one.code.startswith(code) for code in ignored))

    def _repository(self, top: Path | None) -> Repository | None:
        if top is None or not top.is_dir():
            return None
        if top not in self.repositories:
            self.repositories[top] = Repository.at(top)
        return self.repositories[top]

    def _publish(self, uri: str, told: Sequence[lsp.Diagnostic]) -> None:
        self.server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, list(told)))


def serve() -> None:
    """Serve on standard input and output until the editor says exit."""
    # Copies, for the server closes what it is given, and the process still has to flush its own.
    make().start_io(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))


def make() -> LanguageServer:
    """Make the server."""
    server = LanguageServer("drillbook", version("drillbook"))
    runbooks = _Runbooks(server)

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        runbooks.look(params.text_document.uri, saved=True)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        runbooks.look(params.text_document.uri, saved=False)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: lsp.DidSaveTextDocumentParams) -> None:
        runbooks.look(params.text_document.uri, saved=True)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        runbooks.forget(params.text_document.uri)

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix])
    )
    def asked_for_fixes(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        return runbooks.actions(params.text_document.uri, params.range)

    return server


def _diagnostic(server: LanguageServer, document: TextDocument, finding: Finding) -> lsp.Diagnostic:
    return lsp.Diagnostic(
        _range(server, document, Edit(finding.start, finding.end, "")),
        f"{finding.message}\n{finding.mend}",
        _SEVERITIES[finding.severity],
        finding.code,
        lsp.CodeDescription(_page(finding.code)) if _page(finding.code) else None,
        "drillbook",
    )


def _page(code: str) -> str:
    if code.startswith("SC"):
        return f"https://www.shellcheck.net/wiki/{code}"
    return find_rule(code).url


def _edit(server: LanguageServer, document: TextDocument, edit: Edit) -> lsp.TextEdit:
    return lsp.TextEdit(_range(server, document, edit), edit.text)


def _range(server: LanguageServer, document: TextDocument, edit: Edit) -> lsp.Range:
    """Give a range in the editor's units; Drillbook counts characters from 1, editors mostly UTF-16 units from 0."""
    found = lsp.Range(
        lsp.Position(edit.start.line - 1, edit.start.column - 1), lsp.Position(edit.end.line - 1, edit.end.column - 1)
    )
    return server.workspace.position_codec.range_to_client_units(document.lines, found)


def _nowhere() -> lsp.Range:
    return lsp.Range(lsp.Position(0, 0), lsp.Position(0, 1))
