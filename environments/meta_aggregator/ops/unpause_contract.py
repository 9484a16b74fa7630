"""Let the escrow run again, if it is safe: it holds what it owes, and runs a release that was audited.

Run as `npx hardhat run scripts/unpauseContract.js --network NAME`. Exit 1 with the reason where it is not safe, not paused,
or the account is not its owner.
"""

from __future__ import annotations

import sys

from drillbook.chain.client import ChainClient, ChainError
from ops.escrow_state import ether, in_words, read_state, target_address
from ops.networks import Network, run_script
from ops.releases import audited_version
from ops.transactions import OWNER, account, call_contract


def unpause(client: ChainClient, _: Network) -> int:
    """Look, unpause, and read back that it runs."""
    address = target_address()
    state = read_state(client, address)
    if state.short:
        print(f"NOT UNPAUSED: it owes {ether(state.short)} more than it holds", file=sys.stderr)
        return 1
    if not audited_version(state.version):
        print(f"NOT UNPAUSED: it runs release {state.version}, which nobody has audited", file=sys.stderr)
        return 1
    try:
        receipt = call_contract(client, account(client, OWNER), address, "unpause()")
    except ChainError as error:
        print(f"NOT UNPAUSED: {in_words(error)}", file=sys.stderr)
        return 1
    running = not read_state(client, address).paused
    print(f"unpause mined in block {int(receipt['blockNumber'], 16)}: {'running' if running else 'STILL PAUSED'}")
    return 0 if running else 1


if __name__ == "__main__":
    sys.exit(run_script(unpause))
