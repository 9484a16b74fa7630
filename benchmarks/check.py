"""How long `drillbook check` takes for one runbook and for a thousand, and its memory, beside rumdl on the same files.

rumdl checks Markdown's form and is compiled: it says how fast the machine reads such files, not how fast rules of ours could
be. ShellCheck is measured apart: it is optional, and a program of others.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure
from benchmarks.memory import proportional
from drillbook.clock import SYSTEM_CLOCK

RUNBOOK = Path("environments/meta_aggregator/runbook.md")
FILES = 1000
LINES = 200
SHELLCHECKED = 50
CHECK = (sys.executable, "-m", "drillbook", "check")
RUMDL = (str(Path(sys.executable).parent / "rumdl"), "check", "--no-cache")


def measure(*, rounds: int = 2) -> list[Figure]:
    """Check files that are cut from our own runbook: seconds and megabytes, medians of the rounds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder / "many", FILES)
        make_files(folder / "some", SHELLCHECKED)
        one = folder / "some/0000.md"
        all_of_them = (*CHECK, "--no-shellcheck", str(folder / "many"))
        many = [(seconds_of(all_of_them), seconds_of((*RUMDL, str(folder / "many")))) for _ in range(rounds)]
        memory = memory_of(all_of_them)
        single = [
            (seconds_of((*CHECK, "--no-shellcheck", str(one))), seconds_of((*RUMDL, str(one))))
            for _ in range(3 * rounds)
        ]
        with_shellcheck = seconds_of((*CHECK, str(folder / "some")))
    return [
        _figure("check, 1,000 files of 200 lines", many),
        Figure("check, 1,000 files, peak memory (PSS)", memory / 1e6, "MB"),
        _figure("check, one file", single),
        Figure(f"check with ShellCheck, {SHELLCHECKED} files", with_shellcheck, "s"),
    ]


def _figure(name: str, pairs: Sequence[tuple[float, float]]) -> Figure:
    ratio = median(ours / theirs for ours, theirs in pairs)
    return Figure(name, median(ours for ours, _ in pairs), "s", median(theirs for _, theirs in pairs), ratio)


def make_files(folder: Path, count: int) -> None:
    """Cut `count` files of 200 lines from our runbook, each beginning with another section."""
    folder.mkdir()
    sections = re.split(r"(?m)^(?=#{2,3} )", RUNBOOK.read_text())
    for number in range(count):
        first = number % len(sections)
        lines = "".join((*sections[first:], *sections[:first])).splitlines()[: LINES - 2]
        (folder / f"{number:04}.md").write_text("\n".join([f"# Runbook {number}", "", *lines]) + "\n")


def seconds_of(command: Sequence[str]) -> float:
    """Run a command to its end, 0, or 1 for findings; give the seconds from start to exit."""
    began = SYSTEM_CLOCK.now()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if done.returncode not in (0, 1):
        raise subprocess.CalledProcessError(done.returncode, command, stderr=done.stderr)
    return SYSTEM_CLOCK.now() - began


def memory_of(command: Sequence[str]) -> float:
    """Run a command to its end; give the highest PSS in bytes of it and all that it starts."""
    highest = 0.0
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            highest = max(highest, proportional(process.pid))
            SYSTEM_CLOCK.sleep(0.05)
    return highest
