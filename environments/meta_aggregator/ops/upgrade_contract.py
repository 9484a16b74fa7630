"""Upgrade the escrow behind its proxy to a release whose storage fits, and prove that nobody lost anything by it.

Run as `npx hardhat run scripts/upgradeContract.js --network NAME`; release.json (`{"release": NAME}`) in the working folder
names the release, without it the release Escrow. Exit 1 with the reason where the release does not fit, or the contract
refuses.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from drillbook.chain.client import ChainClient
from ops.escrow_state import read_state, target_address
from ops.networks import Network, run_script
from ops.releases import FIRST, load_release
from ops.upgrading import Refused, check_layout, kept, upgrade

HANDOVER = Path("release.json")


def upgrade_escrow(client: ChainClient, _: Network) -> int:
    """Check the layout, upgrade, and see that the deposits add up."""
    address = target_address()
    try:
        release = load_release(str(json.loads(HANDOVER.read_text())["release"]) if HANDOVER.exists() else FIRST)
        check_layout(release)
        upgrade(client, address, release)
        # What the code before said of the storage may be what is being mended: the storage itself is the measure.
        after, state = kept(client, address), read_state(client, address)
    except Refused as error:
        print(f"NOT UPGRADED: {error}", file=sys.stderr)
        return 1
    added = sum(one.amount for one in after.deposits)
    print(
        f"{len(after.deposits)} open deposits of {added} wei; it owes {state.open_total} and holds {state.balance} wei"
    )
    if not added == state.open_total <= state.balance or len(after.deposits) != state.open_count:
        print("the deposits do not add up", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_script(upgrade_escrow))
