"""One bash process and the words spoken with it: the protocol of `session.py`, down to the line.

The shell reads lines from a pipe that only it holds. A runbook's text never becomes such a line by itself: it is one
quoted word given to `eval`, so an open quote or a lone `fi` is that command's syntax error and cannot swallow the
next. Answers come through files and a named pipe of a private directory, never through descriptors that a command
could inherit and keep open.
"""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from drillbook.clock import Clock

START_DEADLINE = 5.0
"""Seconds that a new shell may take to take over a state."""
# Builtins by their full name, so that a runbook's own function `cd` or alias `eval` is not what we call; `>|` as a
# runbook may have said `set -C`.
_STATE = (
    r"\builtin shopt -p >|{0}",
    r"\builtin declare -p >>{0}",
    r"\builtin declare -f >>{0}",
    r"\builtin umask -p >>{0}",
    r"\builtin printf '%s\n' '# complete' >>{0}",
)
_NOT_FOUND = r"""command_not_found_handle() {{
  \builtin local words
  \builtin printf -v words '%q ' "$@"
  \builtin printf '%s\n' "${{words% }}" >>{0}
  \builtin printf 'bash: %s: command not found\n' "$1" >&2
  \builtin return 127
}}"""


class Shell:
    """A running bash. Programs that it does not find are noted in `ledger`, beside which it keeps its answers."""

    def __init__(self, bash: str, variables: Mapping[str, str], cwd: Path, *, ledger: Path, clock: Clock) -> None:
        self._clock = clock
        self._ledger = ledger
        self._private = private = Path(tempfile.mkdtemp(prefix="shell-", dir=ledger.parent))
        report = private / "report"
        os.mkfifo(report, 0o600)
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            executable=bash,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            env=dict(variables),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self.pid = self._process.pid
        self._words = os.dup(self._process.stdin.fileno())
        self._process.stdin.close()
        os.set_blocking(self._words, False)
        # Opened for both, so that there is always a writer and reading never meets an end.
        self._report = os.open(report, os.O_RDWR | os.O_NONBLOCK)
        self._death = os.pidfd_open(self.pid)
        self._open = True

    def restore(self, state: Path | None) -> bool:
        """Bring a new shell into a state; False if it did not come through that."""
        lines = [] if state is None else [rf"\builtin . {_quoted(state)} </dev/null", r'\builtin cd -- "${PWD-}"']
        at_exit = "\n".join(self._write_state("exit"))
        lines += [_NOT_FOUND.format(_quoted(self._ledger)), rf"\builtin trap {shlex.quote(at_exit)} EXIT"]
        return self._converse(lines, "start", START_DEADLINE)

    def ask(self, number: int, script: str, status: int, *, out: Path, err: Path, deadline: float) -> bool:
        """Have a command run with `$?` = `status`; False if the shell ended or `deadline` seconds went by without an
        answer.
        """
        # In an && list a failure ends nothing, whatever `set -e` says.
        lines = [rf"(\builtin exit {status}) && :"] if status else []
        lines.append(rf"\builtin eval -- {shlex.quote(script)} </dev/null >{_quoted(out)} 2>{_quoted(err)}")
        lines.append(rf"""\builtin printf '%d\n' "$?" >|{_quoted(self._private / "status")}""")
        return self._converse([*lines, *self._write_state("state")], str(number), deadline)

    def status(self) -> int:
        """Give the exit code of the last command that was answered."""
        return int((self._private / "status").read_text())

    def take_state(self, destination: Path) -> bool:
        """Move the state written last to `destination`; False if none was, or not to its end."""
        for name in ("exit", "state"):
            written = self._private / name
            if written.exists() and written.read_bytes().rstrip().endswith(b"\n# complete"):
                written.replace(destination)
                return True
        return False

    def ended(self) -> bool:
        """Say whether the process is gone."""
        return self._process.poll() is not None

    def exit_code(self) -> int:
        """Give the code with which the process ended; a signal as 128 + its number, as shells do."""
        code = self._process.wait()
        return 128 - code if code < 0 else code

    def directory(self) -> Path:
        """Give the directory that the shell is in."""
        return Path(f"/proc/{self.pid}/cwd").readlink()

    def kill(self) -> None:
        """Kill this one process and let go of what belongs to it."""
        self._process.kill()
        self._process.wait()
        if self._open:
            self._open = False
            for descriptor in (self._words, self._report, self._death):
                os.close(descriptor)

    def _write_state(self, name: str) -> list[str]:
        # One simple command per line: a runbook's DEBUG trap may print, and must not print into the state.
        file = _quoted(self._private / name)
        return [line.format(file) for line in _STATE]

    def _converse(self, lines: list[str], answer: str, deadline: float) -> bool:
        """Say the lines, then wait for the answer; never longer than `deadline` seconds, even if nobody reads."""
        lines = [*lines, rf"\builtin printf '%s\n' {answer} >{_quoted(self._private / 'report')}", ""]
        data = memoryview("\n".join(lines).encode("utf-8", "surrogateescape"))
        heard = b""
        until = self._clock.now() + deadline
        while (left := until - self._clock.now()) > 0:
            data = self._say(data)
            poll = select.poll()
            poll.register(self._report, select.POLLIN)
            poll.register(self._death, select.POLLIN)
            if data:
                poll.register(self._words, select.POLLOUT)
            ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
            if self._report in ready:
                heard += os.read(self._report, 4096)
                if heard.decode().splitlines()[-1:] == [answer]:
                    return True
            elif self._death in ready:
                return False
        return False

    def _say(self, data: memoryview) -> memoryview:
        try:
            return data[os.write(self._words, data) :] if data else data
        except BlockingIOError:
            return data
        except BrokenPipeError:
            return data[:0]  # it reads no more: what it does instead, its end or the deadline will tell


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
