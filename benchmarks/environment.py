"""What an environment costs: seconds until it is steady, seconds to put it back, bytes of memory.

Each start is a process of its own (`benchmarks.sandboxed`), counted from before its interpreter starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure
from benchmarks.sandboxed import RESULT, Measured
from drillbook.clock import SYSTEM_CLOCK


def measure(*, rounds: int = 3) -> list[Figure]:
    """Start `rounds` times with an empty cache and with a kept one, in turn; give medians.

    The peer of a cold start is a bare initdb and start of Postgres, that of a reset is a start: what it saves.
    """
    with tempfile.TemporaryDirectory() as kept:
        _start(Path(kept))  # fills the cache
        pairs = [(_start_without_cache(), _start(Path(kept))) for _ in range(rounds)]
    cold, warm = [c for c, _ in pairs], [w for _, w in pairs]
    start = median(one.to_steady for one in warm)
    reset = median(seconds for one in warm for seconds in one.resets)
    return [
        _against_postgres("cold start to steady state", warm),
        _against_postgres("cold start, nothing cached", cold),
        Figure("reset between drills", reset, "s", start, reset / start),
        Figure("memory of the environment (PSS)", median(one.pss for one in warm) / 1e6, "MB"),
    ]


def _against_postgres(name: str, measured: list[Measured]) -> Figure:
    ratio = median(one.to_steady / one.plain_postgres for one in measured)
    value, peer = median(one.to_steady for one in measured), median(one.plain_postgres for one in measured)
    return Figure(name, value, "s", peer, ratio)


def _start_without_cache() -> Measured:
    with tempfile.TemporaryDirectory() as empty:
        return _start(Path(empty))


def _start(cache: Path) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.sandboxed", str(SYSTEM_CLOCK.now()), str(cache), folder]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        given = json.loads((Path(folder) / RESULT).read_text())
    return Measured(**(given | {"resets": tuple(given["resets"])}))
