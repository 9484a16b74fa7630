"""The escrow's releases: which code each is, whether it was audited, and whether its storage fits what is there.

Storage behind a proxy outlives its code. A release fits if every variable of the first release, its gap aside, is where it
was, of the same type; what is new may only stand in the gap or behind it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from drillbook.chain.abi import keccak
from ops.escrow import CONTRACTS

FIRST = "Escrow"
"""The release whose layout is the escrow's."""
GAP = "_gap"
AUDITED = CONTRACTS / "audited.json"


@dataclass(frozen=True, slots=True)
class Release:
    """A release by its artifact's name; `code_hash` is keccak256 of the code that creates it."""

    name: str
    bytecode: str
    code_hash: str
    storage: tuple[tuple[str, int, int, str, int], ...]


def load_release(name: str) -> Release:
    """Read a release's artifact, such as `Escrow` or `testing/EscrowNext`. Raises OSError."""
    content = json.loads((CONTRACTS / "artifacts" / f"{name}.json").read_text())
    code = str(content["bytecode"])
    storage = tuple(
        (str(v["label"]), int(v["slot"]), int(v["offset"]), _type(v), int(v["bytes"])) for v in content["storage"]
    )
    return Release(name, code, "0x" + keccak(bytes.fromhex(code[2:])).hex(), storage)


def _type(variable: dict[str, Any]) -> str:
    return str(variable["type"])


def layout_problems(release: Release) -> list[str]:
    """Say which of the escrow's variables a release would misread; nothing if it fits."""
    places = {label: (slot, offset, kind) for label, slot, offset, kind, _ in release.storage}
    problems = []
    for label, slot, offset, kind, _ in load_release(FIRST).storage:
        if label == GAP:
            continue
        found = places.get(label)
        if found is None:
            problems.append(f"{label} (slot {slot}) is gone")
        elif found != (slot, offset, kind):
            where = f"slot {found[0]} offset {found[1]} as {found[2]}"
            problems.append(f"{label} is kept in slot {slot} offset {offset} as {kind}, this release has it in {where}")
    return problems


def audited(release: Release) -> bool:
    """Tell whether the Security Team has audited exactly this code."""
    return release.code_hash in {one["codeHash"] for one in _audits()}


def audited_version(version: str) -> bool:
    """Tell whether a release of this version was audited."""
    return version in {one["version"] for one in _audits()}


def _audits() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(AUDITED.read_text())
    return found
