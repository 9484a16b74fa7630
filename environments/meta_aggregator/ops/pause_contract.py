"""Pause the escrow, so that no wei can leave it.

Run as `npx hardhat run scripts/pauseContract.js --network NAME`. Exit 1 with the reason where it is paused already, cannot
be paused, or the account is not its owner.
"""

from __future__ import annotations

import sys

from drillbook.chain.client import ChainClient, ChainError
from ops.escrow_state import in_words, read_state, target_address
from ops.networks import Network, run_script
from ops.transactions import OWNER, account, call_contract


def pause(client: ChainClient, _: Network) -> int:
    """Pause, and read back that it is."""
    address = target_address()
    try:
        receipt = call_contract(client, account(client, OWNER), address, "pause()")
    except ChainError as error:
        print(f"NOT PAUSED by this: {in_words(error)}", file=sys.stderr)
        return 1
    state = read_state(client, address)
    print(f"pause mined in block {int(receipt['blockNumber'], 16)}: {'PAUSED' if state.paused else 'STILL RUNNING'}")
    return 0 if state.paused else 1


if __name__ == "__main__":
    sys.exit(run_script(pause))
