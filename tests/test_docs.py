"""The documents say what is there, and no file that is kept names a host of packages or a path of somebody's machine."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from drillbook.cli.entry import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ADRS = sorted((ROOT / "docs/adr").glob("*.md"))
LEFT_OUT = {".git", ".venv", "runs", "build", "dist", "node_modules", "__pycache__"}
# In pieces, so that this file does not trip over itself.
HOSTS = re.compile(
    "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(?:org|com)", "proxy.gol" + r"ang\.org"])
)
MACHINE = re.compile(r"(?<![\w./${}:*-])/(?:" + "|".join(["roo" + "t", "wor" + "k", "home/" + r"\w+"]) + r")(?![\w-])")


@cache
def kept_files() -> tuple[Path, ...]:
    """Give the files that git keeps; in a copy without git, all but what is made here."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return tuple(file for name in listed.stdout.split("\0") if name and (file := ROOT / name).is_file())
    found = (file for file in ROOT.rglob("*") if file.is_file())
    return tuple(
        file
        for file in found
        if not any(part in LEFT_OUT or part.endswith(("_cache", ".egg-info")) for part in file.relative_to(ROOT).parts)
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    texts = [README, *(file.read_text() for file in (ROOT / "docs").rglob("*.md"))]
    assert any(f"drillbook {command}" in text for text in texts)


def test_no_command_is_documented_that_is_not_there() -> None:
    named = set(re.findall(r"`drillbook ([a-z]+)\b", README)) | set(re.findall(r"(?m)^\s*drillbook ([a-z]+)\b", README))
    assert named
    assert named <= set(COMMANDS)


def test_the_readmes_make_commands_exist() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    named = set(re.findall(r"\bmake ([a-z]+)(?=`|$|\s{2,}|\s*#)", README, re.MULTILINE))
    assert {"drill", "test"} <= named
    assert named <= targets


def test_the_architecture_names_every_room_and_no_other() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = {folder.name for folder in (ROOT / "src/drillbook").iterdir() if any(folder.glob("*.py"))}
    assert set(re.findall(r"(?m)^\| `(\w+)/` \|", text.partition("## The rooms")[2])) == rooms


@pytest.mark.parametrize("file", ADRS, ids=lambda file: file.stem)
def test_a_decision_is_short_and_complete(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= 40
    assert re.findall(r"(?m)^## (.+)$", text) == ["Context", "Decision", "Consequences"]


def test_the_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(file.stem.partition("-")[0]) for file in ADRS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [int(re.match(r"# (\d+)\.", file.read_text())[1]) for file in ADRS] == numbers  # type: ignore[index]


@pytest.mark.parametrize("file", [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *ADRS], ids=lambda file: file.stem)
def test_links_between_documents_lead_somewhere(file: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)\)", file.read_text())
    assert [t for t in targets if "://" not in t and not (file.parent / t).exists()] == []


def test_no_kept_file_names_a_host_of_packages() -> None:
    """But the environment file, which gives such a name to a twin inside the sandbox, and points npm at it."""
    assert [
        place for place in _matching(HOSTS) if not place.startswith("environments/meta_aggregator/environment.yaml")
    ] == []


def test_no_kept_file_names_a_path_of_a_machine() -> None:
    assert _matching(MACHINE) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cd /wor" + "k/main", True),
        ("'/roo" + "t/.cache'", True),
        ("see /home/" + "somebody/x", True),
        ("layout.root /workspace", False),
        ("https://example.test/work", False),
        ("$HOME/work and ./root", False),
    ],
)
def test_a_machines_path_is_recognised(text: str, found: bool) -> None:
    assert bool(MACHINE.search(text)) is found


def _matching(pattern: re.Pattern[str]) -> list[str]:
    places = []
    for file in kept_files():
        if file == Path(__file__):
            continue
        for number, line in enumerate(file.read_bytes().decode(errors="replace").splitlines(), 1):
            if pattern.search(line):
                places.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return places
