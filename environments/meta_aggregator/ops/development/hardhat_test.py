"""What `npx hardhat test [FILE…]` does: the contract's tests on a fresh chain; all of them, or those of the files named."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ops.development.testing import run

SUITES = {"test/Escrow.test.js": "escrow", "test/Escrow.integration.test.js": "escrow_integration"}
"""The module that each test file of the original stands for here."""


def main(arguments: Sequence[str]) -> int:
    """Run the suites; 1 with Hardhat's words for a file that is none."""
    files = [one.removeprefix("./") for one in arguments if one != "--no-compile"]
    unknown = [one for one in files if one not in SUITES]
    if unknown:
        print(f"Error HH601: Script {unknown[0]} doesn't exist. Known: {', '.join(SUITES)}", file=sys.stderr)
        return 1
    return run([SUITES[one] for one in files] or list(SUITES.values()), tool="hardhat", chain=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
