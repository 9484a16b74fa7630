"""Take the open deposits out of an escrow that is being robbed and cannot be paused: each goes back to its buyer.

Run as `npx hardhat run scripts/withdrawByArbiter.js --network NAME`. Exit 1 where a deposit could not be paid back.
"""

from __future__ import annotations

import sys

import psycopg

from drillbook.chain.client import ChainClient
from ops.escrow_state import ether, target_address
from ops.networks import Network, run_script
from ops.winding_down import refund_all, settle


def withdraw(client: ChainClient, _: Network) -> int:
    """Refund, cover, and book."""
    address = target_address()
    withdrawn = refund_all(client, address)
    try:
        paid = settle(client, address, withdrawn)
    except psycopg.Error as error:
        print(f"NOT SETTLED, the treasury waits for the database: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    refunded = sum(one.amount for one in withdrawn.refunded)
    print(f"every buyer has the money back: {ether(refunded)} from the escrow, {ether(paid)} from the treasury")
    return 0


if __name__ == "__main__":
    sys.exit(run_script(withdraw))
