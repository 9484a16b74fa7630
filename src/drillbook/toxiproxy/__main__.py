"""Start Toxiproxy without the rest of Drillbook: `python -m drillbook.toxiproxy`, in a tenth of a second."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from drillbook.errors import DrillbookError, UsageError
from drillbook.toxiproxy.server import DEFAULT_HOST, DEFAULT_PORT, serve


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal; give the exit code: 0, 1 where the port is taken, 2 for a bad configuration."""
    parser = argparse.ArgumentParser(
        prog="python -m drillbook.toxiproxy", description="Toxiproxy's HTTP API and links."
    )
    parser.add_argument("--host", default=DEFAULT_HOST, help="address of the HTTP API (%(default)s)")
    parser.add_argument("--port", default=DEFAULT_PORT, type=int, help="port of the HTTP API (%(default)s)")
    parser.add_argument("--config", type=Path, help="JSON list of proxies to create at start")
    given = parser.parse_args(arguments)
    try:
        serve(given.host, given.port, config=given.config)
    except DrillbookError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
