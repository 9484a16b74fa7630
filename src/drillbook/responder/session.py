"""One bash in which a whole runbook runs, so that `cd`, variables, functions and `$?` carry over as they do for a
person.

After each command the shell writes its state down. When a command ends the shell (`exit`, `set -e`, `exec`, a
deadline), a new one is started from that state: directory, variables, functions and `shopt` options, but not `set`
options, for `set -e` would end it again; `$!` and the job table are lost too. The result's note says so. How the
shell is spoken with is `shell.py`'s.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from drillbook.clock import SYSTEM_CLOCK, Clock
from drillbook.errors import EnvironmentFailed, Unbound, UsageError
from drillbook.responder.capture import Capture, Drain
from drillbook.responder.processes import MARK, Kin
from drillbook.responder.report import CommandResult
from drillbook.responder.shell import Shell
from drillbook.shims.ledger import UNBOUND_FILE, take_unbound

DEADLINE = 60.0
"""Seconds that a command may take unless told otherwise."""
TIMED_OUT_STATUS = 124
"""What `$?` is after a command that its deadline ended: the code of timeout(1)."""
BASH_LANGUAGES = frozenset({"", "bash", "sh", "shell", "console"})
POWERSHELL_LANGUAGES = frozenset({"powershell", "pwsh", "ps1"})
_SYNTAX = re.compile(r"^bash: (?:eval: )?line \d+: (syntax error.*|unexpected EOF.*)", re.MULTILINE)


def interpret(language: str, text: str, search_path: str) -> str:
    """Give what bash must be told to run a command of this language; raise Unbound if nothing here can."""
    if language in BASH_LANGUAGES:
        return text
    if language not in POWERSHELL_LANGUAGES:
        raise Unbound(
            f"nothing here runs {language!r} commands", mend="write them for bash, or bind a command to do it"
        )
    if shutil.which("pwsh", path=search_path) is None:
        raise Unbound(f"{language!r} needs pwsh, which is not on PATH", mend="install PowerShell, or write it for bash")
    return f"pwsh -NoLogo -NoProfile -NonInteractive -Command {shlex.quote(text)}"


class ShellSession:
    """A persistent bash in `workspace` with exactly `variables`, started at the first command.

    Use it as a context manager: leaving it ends every process that its commands started. Safe to use from several
    threads, one command at a time.
    """

    def __init__(self, variables: Mapping[str, str], workspace: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.search_path = variables.get("PATH", os.defpath)
        bash = shutil.which("bash", path=self.search_path)
        if bash is None:
            raise UsageError("a runbook needs bash, which is not on PATH", mend="install bash")
        self._bash = bash
        self._workspace = workspace
        self._clock = clock
        self._lock = threading.Lock()
        self._private = Path(tempfile.mkdtemp(prefix="drillbook-shell-"))
        self._ledger = self._private / "unbound"
        mark = uuid.uuid4().hex
        self._variables = {**variables, MARK: mark, UNBOUND_FILE: str(self._ledger)}
        self._kin = Kin(mark, clock)
        self._drain = Drain()
        self._count = 0
        self._status = 0
        self._kept: Path | None = None
        self._shell: Shell | None = None

    def __enter__(self) -> Self:
        self._drain.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.close()
        finally:
            self._drain.__exit__(*exception)
            shutil.rmtree(self._private, ignore_errors=True)

    def still_running(self) -> tuple[str, ...]:
        """Give the commands that were started here and have not ended, such as `npm run dev &`, oldest first."""
        return self._kin.commands(spare=[self._shell.pid] if self._shell else [])

    def close(self) -> None:
        """End the shell and everything that its commands started; raise EnvironmentFailed if something lives on."""
        if self._shell is not None:
            self._shell.kill()
            self._shell = None
        if left := self._kin.end():
            raise EnvironmentFailed(f"processes of the runbook outlived SIGKILL: {sorted(one.pid for one in left)}")

    def run(self, text: str, deadline: float = DEADLINE, *, language: str = "bash") -> CommandResult:
        """Run one logical command; `deadline` is in seconds. Raise Unbound for a language that nothing here runs."""
        script = interpret(language, text, self.search_path)
        with self._lock:
            if fault := _unspeakable(script):
                now = self._clock.now()
                return CommandResult(text, 2, "", f"drillbook: {fault}\n", now, now, note=f"syntax error: {fault}")
            return self._run(text, script, deadline)

    def _run(self, text: str, script: str, deadline: float) -> CommandResult:
        shell, note = self._ready()
        earlier = self._kin.living()
        out, err = self._capture("out"), self._capture("err")
        started = self._clock.now()
        answered = False
        try:
            answered = shell.ask(self._count, script, self._status, out=out.path, err=err.path, deadline=deadline)
        finally:
            timed_out = not answered and not shell.ended()
            if timed_out:
                # The shell goes first, or it would go on to the command's next part once the hanging one is gone.
                shell.kill()
                self._kin.end(spare=earlier)
            out.seal()
            err.seal()
        finished = self._clock.now()
        code = None if timed_out else shell.status() if answered else shell.exit_code()
        self._status = TIMED_OUT_STATUS if code is None else code
        notes = [note, _syntax_error(code, err.text()), self._after(shell, answered, deadline, code)]
        said = "; ".join(filter(None, notes))
        unbound = take_unbound(self._ledger)
        return CommandResult(text, code, out.text(), err.text(), started, finished, timed_out, said, unbound)

    def _capture(self, name: str) -> Capture:
        self._count += 1
        return self._drain.add(Capture(self._private / f"{self._count}.{name}"))

    def _ready(self) -> tuple[Shell, str]:
        """Give a living shell, and a note if it is not the one of the last command."""
        if self._shell is None:
            return self._start(), ""
        if self._shell.ended():
            return self._revive("the shell had ended after the last command")
        return self._shell, ""

    def _after(self, shell: Shell, answered: bool, deadline: float, code: int | None) -> str:
        """Keep the shell's state; where it has ended, start the next one now, and say so."""
        if code is not None and shell.take_state(self._private / "kept"):
            self._kept = self._private / "kept"
        if answered:
            return ""
        if code is None:
            return self._revive(f"killed at its deadline of {deadline:g} s")[1]
        return self._revive(f"the command ended the shell with {code}")[1]

    def _revive(self, why: str) -> tuple[Shell, str]:
        shell = self._start()
        what = "the same variables" if self._kept else "the variables of the start"
        return shell, f"{why}; a new shell goes on in {shell.directory()} with {what}"

    def _start(self) -> Shell:
        """Start a shell from the kept state; from none if that state makes a shell end or hang."""
        if self._shell is not None:
            self._shell.kill()
        for state in dict.fromkeys((self._kept, None)):
            try:
                shell = Shell(self._bash, self._variables, self._workspace, ledger=self._ledger, clock=self._clock)
            except OSError as error:
                raise EnvironmentFailed(f"bash does not start in {self._workspace}: {error}") from error
            self._shell, self._kept = shell, state
            self._kin.lead(shell.pid)
            if shell.restore(state):
                return shell
            shell.kill()
        raise EnvironmentFailed(f"bash starts in {self._workspace} but does not answer")


def _unspeakable(script: str) -> str:
    """Say why a text cannot be given to any shell; "" if it can."""
    if "\0" in script:
        return "a command cannot hold a NUL byte"
    try:
        script.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        return f"a command cannot hold {script[error.start : error.end]!r}"
    return ""


def _syntax_error(code: int | None, stderr: str) -> str:
    found = _SYNTAX.search(stderr) if code == 2 else None
    return found[1] if found else ""
