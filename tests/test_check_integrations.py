"""Where people work: the language server spoken to as an editor does, the hook and the action run as their hosts do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_line import PROGRAM, REPOSITORY

BAD = "# 😀\n\n```bash\nwhile true; do date; done\n```\n"
UNUSED = "# A\n\n😀 <!-- drillbook: ignore NE101 it was a loop once -->\n"


class Editor:
    """Speaks LSP to `drillbook lsp` over its standard input and output."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen([*PROGRAM, "lsp"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = 0
        self.uri = (folder / "runbook.md").as_uri()

    def notify(self, method: str, params: object) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: object) -> Any:
        self.number += 1
        self._send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        while (answer := self._read()).get("id") != self.number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def diagnostics(self) -> list[dict[str, Any]]:
        while (told := self._read()).get("method") != "textDocument/publishDiagnostics":
            pass
        assert told["params"]["uri"] == self.uri
        found: list[dict[str, Any]] = told["params"]["diagnostics"]
        return found

    def _send(self, message: object) -> None:
        assert self.process.stdin
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        length = 0
        while (line := self.process.stdout.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        assert length, "the server went away"
        told: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return told


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    editor = Editor(tmp_path)
    assert editor.process.stdin
    assert editor.process.stdout
    with editor.process, editor.process.stdin, editor.process.stdout:
        yield from _session(editor, tmp_path)


def _session(editor: Editor, tmp_path: Path) -> Iterator[Editor]:
    editor.request("initialize", {"processId": os.getpid(), "rootUri": tmp_path.as_uri(), "capabilities": {}})
    editor.notify("initialized", {})
    yield editor
    editor.request("shutdown", None)
    editor.notify("exit", None)
    assert editor.process.wait(10) == 0


def _open(editor: Editor, text: str) -> list[dict[str, Any]]:
    document = {"uri": editor.uri, "languageId": "markdown", "version": 1, "text": text}
    editor.notify("textDocument/didOpen", {"textDocument": document})
    return editor.diagnostics()


def _change(editor: Editor, text: str) -> list[dict[str, Any]]:
    document = {"uri": editor.uri, "version": 2}
    editor.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})
    return editor.diagnostics()


def test_findings_follow_what_is_typed(editor: Editor) -> None:
    (found,) = _open(editor, BAD)
    assert (found["code"], found["source"], found["severity"]) == ("NE101", "drillbook", 1)
    assert found["range"] == {"start": {"line": 3, "character": 0}, "end": {"line": 3, "character": 10}}
    assert _change(editor, BAD.replace("while true; do date; done", "date")) == []
    assert [one["code"] for one in _change(editor, BAD)] == ["NE101"]
    editor.notify("textDocument/didClose", {"textDocument": {"uri": editor.uri}})
    assert editor.diagnostics() == []


def test_a_fix_is_offered_in_the_editors_units(editor: Editor) -> None:
    (found,) = _open(editor, UNUSED)
    assert found["code"] == "IG101"
    assert found["range"]["start"] == {"line": 2, "character": 3}, "an emoji is two UTF-16 units"
    asked = {"textDocument": {"uri": editor.uri}, "range": found["range"], "context": {"diagnostics": []}}
    (action,) = editor.request("textDocument/codeAction", asked)
    (edit,) = action["edit"]["changes"][editor.uri]
    assert edit["newText"] == ""
    assert edit["range"]["start"] == {"line": 2, "character": 3}
    elsewhere = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
    assert editor.request("textDocument/codeAction", asked | {"range": elsewhere}) == []


def test_a_broken_configuration_is_told_and_ends_nothing(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "drillbook.toml").write_text("selekt = []\n")
    (found,) = _open(editor, BAD)
    assert "there is no key 'selekt'" in found["message"]
    (tmp_path / "drillbook.toml").write_text("ignore = ['NE']\n")
    assert _change(editor, BAD) == []


def test_the_hook_names_a_command_that_is_there() -> None:
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"].split() == ["drillbook", "check"]
    assert re.search(hook["files"], "docs/Runbooks/database.md")
    assert not re.search(hook["files"], "README.md")


def test_the_action_checks_as_its_inputs_say(tmp_path: Path) -> None:
    action = yaml.safe_load((REPOSITORY / "action.yml").read_text())
    step = next(step for step in action["runs"]["steps"] if step.get("name") == "Check")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/r.md").write_text(BAD)
    programs = tmp_path / "temp/drillbook/bin"
    programs.mkdir(parents=True)
    (programs / "drillbook").symlink_to(shutil.which("drillbook", path=str(Path(sys.executable).parent)) or "")
    inputs = {name: given["default"] for name, given in action["inputs"].items()} | {
        "paths": "docs",
        "sarif": "out.sarif",
    }
    values = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: inputs[m[1]], text)
        for name, text in step["env"].items()
    }
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env=os.environ | values | {"RUNNER_TEMP": str(tmp_path / "temp")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "::error file=docs/r.md,line=4" in done.stdout
    assert json.loads((tmp_path / "out.sarif").read_text())["version"] == "2.1.0"
