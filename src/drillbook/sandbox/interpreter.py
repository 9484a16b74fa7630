"""A Python interpreter that enters a sandbox first: what pytest-xdist starts its workers with, a sandbox each.

Run as `python -m drillbook.sandbox.interpreter ARGUMENTS`. DRILLBOOK_SHOWN and DRILLBOOK_WRITABLE name paths, separated by `:`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from drillbook.errors import SandboxRefused
from drillbook.sandbox import View, enter

SHOWN, WRITABLE = "DRILLBOOK_SHOWN", "DRILLBOOK_WRITABLE"


def describe(view: View) -> None:
    """Put a view into this process's environment, for the interpreters that it will start."""
    os.environ[SHOWN] = ":".join(map(str, view.shown))
    os.environ[WRITABLE] = ":".join(map(str, view.writable))


def main() -> int:
    """Enter, then become the interpreter."""
    shown, writable = (map(Path, filter(None, os.environ.get(name, "").split(":"))) for name in (SHOWN, WRITABLE))
    try:
        code = enter(View.of_this_process(shown=shown, writable=writable))
    except SandboxRefused as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if code is None:
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    return code


if __name__ == "__main__":
    sys.exit(main())
