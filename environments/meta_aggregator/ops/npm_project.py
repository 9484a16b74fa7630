"""The npm project in the current folder, its registry, and semantic versions: what both stand-ins for npm need.

They run only where the machine has no npm of its own. They ask the same registry the same questions, and say and exit as npm
does where the runbook looks at it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 10.0
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
COMPARATOR = re.compile(r"(<=|>=|<|>|=|\^|~)?\s*v?(\d+(?:\.\d+){0,2})")

Version = tuple[int, int, int]


class NpmError(Exception):
    """Tell why npm would break off: no lock file, no registry. Printed as npm prints its errors."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the project: its `version` is the one locked, `wanted` the range that package.json asks for."""

    name: str
    version: str
    wanted: str


def packages(folder: Path) -> list[Package]:
    """Read package-lock.json (version 2 or 3). Raises NpmError where there is none, or none that can be read."""
    try:
        locked: Mapping[str, Mapping[str, Any]] = json.loads((folder / "package-lock.json").read_text())["packages"]
        direct: Mapping[str, str] = locked[""].get("dependencies", {})
        return [
            Package(name, str(found["version"]), direct.get(name, ""))
            for path, found in locked.items()
            if path and (name := path.rpartition("node_modules/")[2])
        ]
    except FileNotFoundError:
        raise NpmError("code ENOLOCK: this command requires an existing lockfile") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NpmError(f"package-lock.json cannot be read: {error!r}") from None


def ask(path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Ask the registry of NPM_CONFIG_REGISTRY: GET, or POST with a body. Raises NpmError for anything but an answer."""
    registry = os.environ.get("NPM_CONFIG_REGISTRY", "").rstrip("/")
    if not registry:
        raise NpmError("NPM_CONFIG_REGISTRY is not set: there is no registry to ask")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{registry}{path}", data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise NpmError(f"code E{error.code}: {request.get_method()} {request.full_url}: {error.reason}") from None
    except (OSError, ValueError) as error:
        raise NpmError(f"{request.get_method()} {request.full_url}: {error}") from None


def parse(text: str) -> Version:
    """Read a version, without what may follow its three numbers; NpmError for none."""
    found = VERSION.match(text.removeprefix("v"))
    if not found:
        raise NpmError(f"{text!r} is not a version")
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def satisfies(version: str, wanted: str) -> bool:
    """Tell whether a version is in a range: comparators, `^`, `~`, `||` and `*` (node-semver's grammar without hyphens)."""
    return any(all(_holds(parse(version), *one) for one in _comparators(part)) for part in wanted.split("||"))


def _comparators(text: str) -> Iterator[tuple[str, str]]:
    if text.strip() in ("", "*", "latest"):
        return
    found = COMPARATOR.findall(text)
    if not found or COMPARATOR.sub("", text).strip():
        raise NpmError(f"{text.strip()!r} is not a range that this understands")
    yield from found


def _holds(version: Version, sign: str, bound: str) -> bool:
    given = [int(number) for number in bound.split(".")]
    major, minor, patch = [*given, 0, 0][:3]
    low: Version = (major, minor, patch)
    match sign:
        case "<":
            return version < low
        case "<=":
            return version <= low
        case ">":
            return version > low
        case ">=":
            return version >= low
    fixed = len(given)
    if sign == "~":
        fixed = min(fixed, 2)
    elif sign == "^":
        fixed = next((place for place, number in enumerate(low[: len(given)], 1) if number), len(given))
    return version >= low and version[:fixed] == low[:fixed]


def refuse(error: NpmError) -> int:
    """Print an error as npm does; give its exit code."""
    print(f"npm error {error}", file=sys.stderr)
    return 1
