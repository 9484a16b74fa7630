"""Makes `import services` mean the checkout in the current folder, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

INSTALLED = Path(__file__).parents[2]
"""The environment's own folder, from which this procedure was started."""


def use_checkout(folder: Path) -> None:
    """Take modules from `folder` from now on, and none from the environment's folder.

    A module that the checkout lacks must be missing, not be found in the original: tests of it would pass without it.
    """
    sys.path[:] = [str(folder), *(entry for entry in sys.path if Path(entry or ".").resolve() != INSTALLED)]
