"""Drillbook's command line as users start it: a process of its own, in the repository's folder, with a cache that is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "drillbook"]
ENVIRONMENT = REPOSITORY / "environments/meta_aggregator/environment.yaml"
SECONDS = 60


def drillbook(
    *arguments: str | Path, cwd: Path = REPOSITORY, seconds: float = SECONDS, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "120"} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
