"""Puts the shims into a directory that comes first on the runbook's PATH: one small program per name, and the table
they read.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import drillbook
from drillbook.errors import UsageError
from drillbook.shims.bound import Binding, Table, real_program
from drillbook.topology.bindings import pattern_words

ALWAYS = ("node", "npx", "npm", "vercel")
"""Programs that act on production or fetch from it: never the real one unless passed through."""
WHERE_ABSENT = ("kubectl",)
"""Programs that a sandbox can have: shimmed where there is no real one, so that it is told as unbound."""
TABLE = ".bindings.json"
# A shell starts in a millisecond and, other than `#!`, has no limit on the length of its words. -I -S: no site-packages, no
# variable and no file of the runbook's directory changes what the shim itself imports.
_SHIM = """#!/bin/sh
exec {python} -I -S -c 'import sys
sys.path.insert(0, sys.argv[1])
from drillbook.shims.bound import main
main(sys.argv[2], sys.argv[3:])' {source} {table} {name} "$@"
"""


@dataclass(frozen=True, slots=True)
class BindingSpec:
    """A command pattern (see `drillbook.topology.bindings`) and the Python module that is run for it.

    `where_absent`: the machine's own program runs instead, if it has one.
    """

    command: str
    module: str
    where_absent: bool = False


def install(
    directory: Path,
    bindings: Sequence[BindingSpec],
    python: Path,
    search_path: str,
    *,
    module_path: Sequence[Path] = (),
    passthrough: Collection[str] = (),
    fork_server: Path | None = None,
) -> tuple[str, ...]:
    """Write the shims into `directory` (made if need be) and give their names.

    The first binding that matches counts. `python` runs the bound modules, with `module_path` importable;
    `search_path` is the PATH without `directory`, where programs named in `passthrough` are looked for if nothing is
    bound. `fork_server` is the socket of one that starts the modules quickly (see `backends.embedded.zygote`). Raises
    UsageError for a pattern that is none.
    """
    names = _names(bindings, search_path, passthrough)
    directory.mkdir(parents=True, exist_ok=True)
    folders = [folder for folder in search_path.split(":") if folder and Path(folder) != directory.absolute()]
    plain = tuple(Binding(one.command, one.module, one.where_absent) for one in bindings)
    modules = tuple(str(path.absolute()) for path in module_path)
    table = Table(plain, str(python), modules, ":".join(folders), tuple(sorted(passthrough)), str(fork_server or ""))
    file = directory.absolute() / TABLE
    file.write_text(table.dump(), encoding="utf-8")
    source = Path(drillbook.__file__).parent.parent
    for name in names:
        words = {"python": python, "source": source, "table": file, "name": name}
        shim = directory / name
        shim.write_text(_SHIM.format(**{key: shlex.quote(str(word)) for key, word in words.items()}), encoding="utf-8")
        shim.chmod(0o755)
    return names


def command_behind(argv: Sequence[str]) -> tuple[str, ...]:
    """Give the command that a process stands for: what the runbook wrote, if the process is one of our shims."""
    places = [place for place, word in enumerate(argv) if Path(word).name == TABLE]
    return tuple(argv[places[0] + 1 :] if places else argv)


def _names(bindings: Sequence[BindingSpec], search_path: str, passthrough: Collection[str]) -> tuple[str, ...]:
    bound = {_program(binding.command) for binding in bindings}
    absent = {name for name in WHERE_ABSENT if real_program(name, search_path) is None}
    # A program that nothing is bound to and that may run for real needs no shim in front of it.
    real = {name for name in passthrough if name not in bound and real_program(name, search_path)}
    return tuple(sorted((bound | absent | set(ALWAYS)) - real))


def _program(pattern: str) -> str:
    try:
        name = pattern_words(pattern)[0]
    except ValueError as error:
        raise UsageError(f"the binding {pattern!r} is no command: {error}") from error
    if "/" in name:
        raise UsageError(f"the binding {pattern!r} names a path; a shim can only stand for a program found on PATH")
    return name
