"""What runs when the runbook says `node`, `npx`, `npm` or another program that no sandbox can have.

It looks the command line up in the environment's bindings and becomes the procedure bound to it. Where nothing is
bound it becomes the real program if that is allowed, else it fails like a missing program, and loudly: a command that
nothing performs must make its drill unknown. Light, because its start is added to the time of every such command.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from drillbook.shims.grammar import canonical
from drillbook.topology.bindings import match, pattern_words

UNBOUND_EXIT = 127
VERSIONS = {"node": "v22.0.0-drillbook-shim", "npm": "10.0.0-drillbook-shim", "npx": "10.0.0-drillbook-shim"}


class Binding(NamedTuple):
    """A command pattern and the Python module that is run for it: with `where_absent` only where no real program is."""

    command: str
    module: str
    where_absent: bool = False


class Table(NamedTuple):
    """What `install` wrote down: bindings in their order, and how to run them.

    `search_path` is a PATH without the shims' directory; `passthrough` names programs that may run for real;
    `fork_server` is the Unix socket of one that starts Python quickly, "" if there is none.
    """

    bindings: tuple[Binding, ...]
    python: str
    module_path: tuple[str, ...]
    search_path: str
    passthrough: tuple[str, ...]
    fork_server: str = ""

    def dump(self) -> str:
        """Give the table as JSON."""
        return json.dumps({**self._asdict(), "bindings": [binding._asdict() for binding in self.bindings]}, indent=1)

    @classmethod
    def load(cls, text: str) -> Table:
        """Read what `dump` gave."""
        read = json.loads(text)
        bindings = tuple(Binding(**binding) for binding in read["bindings"])
        paths, passthrough = tuple(read["module_path"]), tuple(read["passthrough"])
        return cls(bindings, read["python"], paths, read["search_path"], passthrough, read["fork_server"])


def look_up(table: Table, argv: Sequence[str], directory: str) -> tuple[Binding, tuple[str, ...]] | None:
    """Give the binding of a command line and the arguments for its module; None if nothing is bound.

    The arguments are the words behind the pattern's first ones that are neither options nor wildcards: for `npx
    hardhat run a.js --network *` they begin with `--network`.
    """
    plain = canonical(argv, directory)
    for binding in table.bindings:
        pattern = pattern_words(binding.command)
        reduced = canonical(pattern, directory)
        for words, wanted in ((plain, reduced), (tuple(argv), pattern)):
            if match(shlex.join(wanted), words):
                return binding, words[_fixed(wanted) :]
    return None


def main(table_file: str, argv: Sequence[str]) -> NoReturn:
    """Become what is bound to `argv`; exit 127 if nothing is."""
    with open(table_file, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs each command 4 ms
        table = Table.load(file.read())
    if found := look_up(table, argv, _directory()):
        binding, arguments = found
        there = real_program(argv[0], table.search_path) if binding.where_absent else None
        if there:  # past the shims, for npm itself begins with `#!/usr/bin/env node`
            os.execve(there, list(argv), {**os.environ, "PATH": table.search_path})
        inherited = os.environ.get("PYTHONPATH")
        paths = [*table.module_path, *([inherited] if inherited else [])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        if table.fork_server:
            _fork(table, binding.module, arguments, {**environment})
        # -P: a file `json.py` in the runbook's directory is not meant.
        os.execve(table.python, [table.python, "-P", "-m", binding.module, *arguments], environment)
    real = real_program(argv[0], table.search_path) if argv[0] in table.passthrough else None
    if real:
        os.execv(real, list(argv))
    if list(argv[1:]) in (["-v"], ["--version"]) and argv[0] in VERSIONS:
        print(VERSIONS[argv[0]])
        sys.exit(0)
    _refuse(table, argv)


def _fork(table: Table, module: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
    """Have the fork server run a module on our own streams, and end as it does; return if there is no such server.

    The module lives no longer than this process, whose signals it gets.
    """
    import signal
    import socket

    search = environment["PYTHONPATH"].split(os.pathsep)
    request = {"module": module, "argv": list(arguments), "environment": environment, "path": search}
    request |= {"cwd": _directory(), "log": os.devnull}
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(table.fork_server)
    except OSError:
        return
    socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [0, 1, 2])
    answers = connection.makefile("rb")
    pid = int(json.loads(answers.readline())["pid"])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda sent, _: os.kill(pid, sent))
    ended = answers.readline()
    code = int(json.loads(ended)["exit"]) if ended else -signal.SIGKILL
    sys.exit(code if code >= 0 else 128 - code)


def real_program(name: str, search_path: str) -> str | None:
    """Give the path of a program, None if there is none; relative entries of a PATH are not followed."""
    candidates = (f"{folder}/{name}" for folder in search_path.split(os.pathsep) if folder.startswith("/"))
    return next((one for one in candidates if os.path.isfile(one) and os.access(one, os.X_OK)), None)  # noqa: PTH113


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except FileNotFoundError:  # the runbook removed the directory that it is in
        return "/"


def _fixed(pattern: Sequence[str]) -> int:
    loose = (at for at, word in enumerate(pattern) if at and (word in ("*", "**") or word.startswith("-")))
    return next(loose, len(pattern))


def _refuse(table: Table, argv: Sequence[str]) -> NoReturn:
    from difflib import get_close_matches

    from drillbook.shims.ledger import UNBOUND_FILE, note_unbound

    command = shlex.join(argv)
    same = [binding.command for binding in table.bindings if pattern_words(binding.command)[0] == argv[0]]
    near = get_close_matches(command, same, 1, 0.4)
    hint = f" (nearest: {near[0]})" if near else ""
    print(f"drillbook: unbound: no binding for {command!r}{hint}", file=sys.stderr)
    if file := os.environ.get(UNBOUND_FILE):
        note_unbound(file, command)
    sys.exit(UNBOUND_EXIT)
