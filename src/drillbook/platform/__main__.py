"""Run the release platform until SIGTERM: `PLATFORM_CONFIG=platform.json python -m drillbook.platform`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from drillbook.platform.serve import run


def main() -> int:
    """Serve; give 0 after SIGTERM, 2 for a bad configuration, 1 when an app does not start."""
    file = os.environ.get("PLATFORM_CONFIG")
    if not file:
        print("error: PLATFORM_CONFIG is not set\n  mend: set it to the path of a JSON file", file=sys.stderr)
        return 2
    return asyncio.run(run(Path(file)))


if __name__ == "__main__":
    sys.exit(main())
