"""Programs in real sandboxes, as whoever runs the tests and, where that is root, as an ordinary user too.

The sandbox's room needs nothing but the standard library, so the machine's own interpreter and a copy of that room suffice:
an ordinary user may not be able to read the project.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import drillbook

SECONDS = 60
_ENTER = """
import json, os, signal, socket, subprocess, sys, time
from pathlib import Path
from drillbook.errors import DrillbookError
from drillbook.sandbox import DATA, Layout, View, enter, inside, join, require_inside
def go_in(**options):
    view = View.of_this_process(shown=[FOLDER / "shown"], writable=[FOLDER / "writable"])
    try:
        code = enter(view, **options)
    except DrillbookError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    if code is not None:
        sys.exit(code)
"""


@dataclass(frozen=True)
class Account:
    """Who starts the programs, from a folder of their own: `home`, `shown` and `writable` are in it, as is `here`."""

    folder: Path
    interpreter: Path
    identity: dict[str, Any] = field(default_factory=dict)

    def start(self, body: str, *arguments: str, enter: bool = True, **variables: str) -> subprocess.Popen[str]:
        """Start a program: `body` follows the entering, or, without `enter`, calls `go_in` itself."""
        text = f"from pathlib import Path\nFOLDER = Path({str(self.folder)!r})\n{_ENTER}"
        text += ("go_in()\n" if enter else "") + body
        return self.run_in([str(self.interpreter), "-c", text, *arguments], **variables)

    def run_in(self, argv: Sequence[str], **variables: str) -> subprocess.Popen[str]:
        """Start any program as this account."""
        return subprocess.Popen(
            argv,
            cwd=self.folder / "shown",
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder / "home"),
                "PYTHONPATH": str(self.folder / "shown/src"),
                "PYTHONDONTWRITEBYTECODE": "1",
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **self.identity,
        )

    def run(self, body: str, *arguments: str, enter: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        with self.start(body, *arguments, enter=enter, **variables) as process:
            try:
                said, errors = process.communicate(timeout=SECONDS)
            finally:
                process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, said, errors)


@contextmanager
def account(who: str) -> Iterator[Account]:
    """Make the account `ordinary`, or `own`: whoever runs the tests."""
    # Not under pytest's own folder: that is closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="drillbook-sandbox-"))
    try:
        for name in ("home", "shown", "writable"):
            (folder / name).mkdir()
        package = folder / "shown/src/drillbook"
        package.mkdir(parents=True)
        original = Path(drillbook.__file__).parent
        for name in ("__init__.py", "errors.py"):
            shutil.copy(original / name, package / name)
        shutil.copytree(original / "sandbox", package / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
        identity: dict[str, Any] = {}
        if who == "ordinary":
            nobody = pwd.getpwnam("nobody")
            identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for path in (folder, *folder.rglob("*")):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        yield Account(folder, _interpreter(identity), identity)
    finally:
        shutil.rmtree(folder)


def _interpreter(identity: dict[str, Any]) -> Path:
    """Give a Python without packages that this account can run: an ordinary user may not see that of a root's home."""
    here = Path(sys.executable).resolve()
    for candidate in (here, Path("/usr/local/bin/python3"), Path("/usr/bin/python3")):
        try:
            asked = subprocess.run(
                [candidate, "-c", "import sys, ctypes; sys.exit(sys.version_info < (3, 11))"],
                cwd="/",
                check=False,
                **identity,
            )
        except OSError:
            continue
        if asked.returncode == 0:
            return candidate
    pytest.skip(f"an ordinary user can run no Python 3.11: {here} is closed to them, and there is no other")


ACCOUNTS = ["own", "ordinary"] if os.geteuid() == 0 else ["own"]


def processes_with(marker: str) -> list[int]:
    """Give the pids of living processes that carry a word in their command line or their first environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if marker.encode() in words:
            found.append(int(entry.name))
    return sorted(found)


def child_of(pid: int) -> int | None:
    """Give the pid of a process's first child."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None
