"""Show the escrow's state as the chain has it, and say whether it is being robbed.

Run as `npx hardhat run scripts/checkEscrowStatus.js --network NAME`. Exit 0: it holds what it owes, or is paused so that
nothing can leave; 1: money is missing while it runs, or the state cannot be read.
"""

from __future__ import annotations

import sys

from drillbook.chain.client import ChainClient, ChainError
from ops.escrow_state import double_payments, ether, in_words, pause_block, read_state, target_address
from ops.networks import Network, run_script


def show_status(client: ChainClient, network: Network) -> int:
    """Print the state; 1 if the escrow runs and holds less than it owes."""
    try:
        state = read_state(client, target_address())
    except ChainError as error:
        print(f"the escrow's state CANNOT BE READ: {in_words(error)}")
        return 1
    how = "PAUSED" if state.paused else "running"
    print(f"escrow {state.address} on {network.name}, block {state.block}: release {state.version}, {how}")
    print(f"it owes {ether(state.open_total)} in {state.open_count} open deposits and holds {ether(state.balance)}")
    if state.paused:
        print(f"paused since block {pause_block(client, state.address)}: nothing can leave")
    if not state.short:
        return 0
    print(f"SHORT BY {ether(state.short)} ({state.short} wei)")
    for payment in double_payments(client, state.address)[-3:]:
        print(f"order {payment.order_id[:10]}… was paid {payment.times} times in block {payment.block}")
    if state.paused:
        return 0
    print("EXPLOIT SUSPECTED: it runs, and holds less than it owes")
    return 1


if __name__ == "__main__":
    sys.exit(run_script(show_status))
