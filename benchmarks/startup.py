"""How long the command line keeps a person waiting before it says anything: `drillbook --help` beside an empty Python."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from statistics import median

from benchmarks.figure import Figure
from drillbook.clock import SYSTEM_CLOCK

HELP = (sys.executable, "-m", "drillbook", "--help")
NOTHING = (sys.executable, "-c", "pass")


def measure(*, rounds: int = 15) -> list[Figure]:
    """Start both in turn, `rounds` times; give the medians in seconds and the median of the rounds' ratios."""
    pairs = [(seconds_of(HELP), seconds_of(NOTHING)) for _ in range(rounds)]
    ratio = median(ours / theirs for ours, theirs in pairs)
    return [Figure("--help", median(o for o, _ in pairs), "s", median(t for _, t in pairs), ratio)]


def seconds_of(command: Sequence[str]) -> float:
    """Run a command to its end, which must be 0; give the seconds from start to exit."""
    began = SYSTEM_CLOCK.now()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return SYSTEM_CLOCK.now() - began
