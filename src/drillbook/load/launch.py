"""Become the load generator: a fresh interpreter in the place of this process.

The backend starts modules by forking a process that has imported much already; gevent must patch the standard library before
anything else has imported it.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    os.execv(sys.executable, [sys.executable, "-W", "ignore", "-m", "drillbook.load.generator", *sys.argv[1:]])
