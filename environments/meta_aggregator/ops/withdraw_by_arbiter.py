"""Take the open deposits out of an escrow that is being robbed and cannot be paused: each goes back to its buyer.

Run as `npx hardhat run scripts/withdrawByArbiter.js --network NAME`. Exit 1 where a deposit could not be paid back.
"""

from __future__ import annotations

import sys

import psycopg

from drillbook.chain.client import ChainClient
from ops.escrow_state import ether, target_address
from ops.networks import Network, run_script
from ops.winding_down import book, cover_from_treasury, refund_all


def withdraw(client: ChainClient, _: Network) -> int:
    """Refund, cover, and book."""
    address = target_address()
    withdrawn = refund_all(client, address)
    cover_from_treasury(client, withdrawn.covered)
    total = sum(one.amount for one in (*withdrawn.refunded, *withdrawn.covered))
    lost = sum(one.amount for one in withdrawn.covered)
    print(f"every buyer has the money back: {ether(total)}, {ether(lost)} of it from the treasury")
    try:
        book(address, withdrawn)
    except psycopg.Error as error:
        print(f"NOT BOOKED: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_script(withdraw))
