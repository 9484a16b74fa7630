"""Count what the escrow has lost and what is still at risk, from the chain's own figures, and book the loss.

Run as `npx hardhat run scripts/assessContractRisk.js --network NAME`; the loss is booked in the database (libpq's variables).
Amounts are printed in wei, each with the block that it is of. Exit 1: money is missing that no double payment explains, or
the loss cannot be booked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import psycopg

from drillbook.chain.client import ChainClient
from ops.escrow_state import DoublePayment, double_payments, pause_block, read_state, target_address
from ops.networks import Network, run_script

BOOK = (
    "insert into escrow_losses (order_id, contract, block, recipient, amount) values (%s, %s, %s, %s, %s)"
    " on conflict (order_id) do nothing"
)


def assess(client: ChainClient, _: Network) -> int:
    """Print the figures and book the loss."""
    state = read_state(client, target_address())
    payments = [one for one in double_payments(client, state.address) if one.block <= state.block]
    stolen, since = sum(one.stolen for one in payments), pause_block(client, state.address) if state.paused else None
    print(f"block {state.block}: escrow {state.address}")
    print(f"open deposits: {state.open_count}")
    print(f"owed: {state.open_total} wei")
    print(f"held: {state.balance} wei")
    print(f"short by: {state.short} wei")
    print(f"at risk: {0 if state.paused else state.balance} wei")
    print(f"stolen: {stolen} wei by {len(payments)} double payments{_where(payments)}")
    if since is not None:
        late = sum(one.stolen for one in payments if one.block > since)
        print(f"paused since block: {since}, stolen after it: {late} wei")
    booked = _book(state.address, payments)
    if state.short > stolen:
        print(f"{state.short - stolen} wei are missing that no double payment explains", file=sys.stderr)
        return 1
    return 0 if booked else 1


def _where(payments: Sequence[DoublePayment]) -> str:
    if not payments:
        return ""
    blocks = sorted(one.block for one in payments)
    to = ", ".join(sorted({one.recipient for one in payments}))
    return f" in blocks {blocks[0]} to {blocks[-1]}, to {to}"


def _book(address: str, payments: Sequence[DoublePayment]) -> bool:
    if not payments:
        return True
    try:
        with psycopg.connect(dbname=os.environ.get("PGDATABASE", "production_db"), connect_timeout=3) as database:
            rows = [(one.order_id, address, one.block, one.recipient, one.stolen) for one in payments]
            database.cursor().executemany(BOOK, rows)
    except psycopg.Error as error:
        print(f"the loss is NOT BOOKED: {' '.join(str(error).split())}", file=sys.stderr)
        return False
    print(f"booked: {len(payments)} losses")
    return True


if __name__ == "__main__":
    sys.exit(run_script(assess))
