"""See that the frontend and the API serve the address of an escrow of ours.

Run as `node scripts/checkContractAddress.js`. Exit 1 where one of them serves none, or one that is not ours.
"""

from __future__ import annotations

import sys

from ops.networks import HardhatError
from ops.update_contract_address import SERVED, check_escrow, live_address, serves


def main() -> int:
    """Ask the database which address is live, both services what they serve, and the chain what is there."""
    try:
        live = live_address()
        problem = check_escrow(live, running=False)
    except (ValueError, HardhatError) as error:
        print(f"the contract's address cannot be checked: {error}", file=sys.stderr)
        return 1
    print(f"live: {live}" + (f": WRONG: {problem}" if problem else ", an escrow of ours"))
    wrong = bool(problem)
    for url in SERVED:
        served = serves(url)
        print(f"{url}: {served or 'NO ADDRESS'}")
        wrong |= served != live
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
