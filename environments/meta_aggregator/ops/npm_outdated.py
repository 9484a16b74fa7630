"""What `npm outdated` does, for a machine without npm: ask the registry for each dependency's versions.

Option: `--json`. As npm: exit 0 where everything is the newest, 1 where something is not, and 1 where the registry gives no
answer (then with `{"error": {"code", "summary"}}`, by which the runbook tells the two apart).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from ops.npm_project import NpmError, Package, ask, packages, parse, refuse, satisfies


@dataclass(frozen=True, slots=True)
class Update:
    """A package that is not the newest: its version here, the newest in the wanted range, the latest of all."""

    current: str
    wanted: str
    latest: str


def updates(project: Sequence[Package]) -> dict[str, Update]:
    """Give what could be updated, by name. Raises NpmError."""
    found = {}
    for package in project:
        known = ask("/" + quote(package.name, safe="@"))
        in_range = [version for version in known["versions"] if satisfies(version, package.wanted or package.version)]
        wanted, latest = max([*in_range, package.version], key=parse), known["dist-tags"]["latest"]
        if package.version not in (wanted, latest) or wanted != latest:
            found[package.name] = Update(package.version, wanted, latest)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """List what could be updated in the project of the current folder."""
    parser = argparse.ArgumentParser(prog="npm outdated")
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args(arguments).json
    try:
        found = updates(packages(Path.cwd()))
    except NpmError as error:
        if as_json:
            code = str(error).partition(":")[0].removeprefix("code ")
            print(json.dumps({"error": {"code": code, "summary": str(error)}}, indent=2))
        return refuse(error)
    if as_json:
        print(json.dumps({name: asdict(update) for name, update in found.items()}, indent=2))
    elif found:
        print(f"{'Package':<16} {'Current':>10} {'Wanted':>10} {'Latest':>10}")
        for name, update in found.items():
            print(f"{name:<16} {update.current:>10} {update.wanted:>10} {update.latest:>10}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
