"""What `npm audit` does, for a machine without npm: send the locked versions to the registry, list what is vulnerable.

Options: `--audit-level low|moderate|high|critical` (the least that counts as a failure). As npm: exit 0 where nothing at that
level is vulnerable, 1 where something is, and 1 where the registry gives no answer, with `npm error` in front.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.npm_project import NpmError, Package, ask, packages, refuse, satisfies

AUDIT = "/-/npm/v1/security/advisories/bulk"
LEVELS = ("info", "low", "moderate", "high", "critical")


def vulnerable(project: Sequence[Package]) -> list[tuple[Package, Mapping[str, Any]]]:
    """Give each package with an advisory that concerns its locked version. Raises NpmError."""
    asked: dict[str, list[str]] = {}
    for package in project:
        asked.setdefault(package.name, []).append(package.version)
    known = ask(AUDIT, asked)
    return [
        (package, advisory)
        for package in project
        for advisory in known.get(package.name, ())
        if satisfies(package.version, advisory["vulnerable_versions"])
    ]


def report(found: Sequence[tuple[Package, Mapping[str, Any]]]) -> str:
    """Give the report as npm prints it."""
    if not found:
        return "found 0 vulnerabilities"
    lines = ["# npm audit report", ""]
    for package, advisory in found:
        lines += [f"{package.name}  {advisory['vulnerable_versions']}", f"Severity: {advisory['severity']}"]
        lines += [f"{advisory['title']} - {advisory['url']}", f"node_modules/{package.name}", ""]
    counts = {level: sum(advisory["severity"] == level for _, advisory in found) for level in LEVELS}
    told = ", ".join(f"{count} {level}" for level, count in counts.items() if count)
    word = "vulnerability" if len(found) == 1 else "vulnerabilities"
    alone = f"{counts[found[0][1]['severity']]} {found[0][1]['severity']} severity {word}"
    return "\n".join([*lines, alone if told.count(" ") == 1 else f"{len(found)} {word} ({told})"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the project in the current folder."""
    parser = argparse.ArgumentParser(prog="npm audit")
    parser.add_argument("--audit-level", choices=LEVELS, default="low")
    least = LEVELS.index(parser.parse_args(arguments).audit_level)
    try:
        found = vulnerable(packages(Path.cwd()))
    except NpmError as error:
        return refuse(error)
    print(report(found))
    return 1 if any(LEVELS.index(advisory["severity"]) >= least for _, advisory in found) else 0


if __name__ == "__main__":
    sys.exit(main())
