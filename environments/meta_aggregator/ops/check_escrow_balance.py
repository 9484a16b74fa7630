"""What the live escrow holds must be what the open trades add up to, less what was stolen and is booked: no wei more or less.

Run as `python -m ops.check_escrow_balance` with libpq's variables, CHAIN_URL and, if there is one, CHAIN_FALLBACK_URL: of the
two the node is asked that has seen the newer block. Exit 0: equal; 1: not; 2: cannot tell.
"""

from __future__ import annotations

import os
import sys

import psycopg

from drillbook.chain.abi import AbiError
from drillbook.chain.client import ChainClient, ChainError

RECORDED = """
select contracts.address,
    (select coalesce(sum(amount), 0) from trades where status = 'open'),
    (select coalesce(sum(amount), 0) from escrow_losses where contract = contracts.address and covered_at is null)
from contracts where name = 'Escrow' and live
"""


def newest_node() -> str:
    """Give the URL of the node that has seen the newest block. Raises ChainError if none answers, KeyError."""
    heights: dict[str, int] = {}
    refused: ChainError | None = None
    for url in filter(None, (os.environ["CHAIN_URL"], os.environ.get("CHAIN_FALLBACK_URL"))):
        try:
            with ChainClient(url, timeout=3.0) as chain:
                heights[url] = chain.block_number()
        except ChainError as error:
            refused = error
    if refused is not None and not heights:
        raise refused
    return max(heights, key=lambda url: heights[url])


def main() -> int:
    """Compare the database's open trades and booked losses with the contract's own sum and balance, in wei."""
    try:
        with psycopg.connect(dbname=os.environ.get("PGDATABASE", "production_db"), connect_timeout=3) as database:
            row = database.execute(RECORDED).fetchone()
        if row is None:
            print("cannot tell: no escrow is live")
            return 2
        address, recorded, lost = str(row[0]), int(row[1]), int(row[2])
        with ChainClient(newest_node(), timeout=3.0) as chain:
            balance, promised = chain.balance(address), int(chain.read(address, "openTotal()(uint256)"))
    except (ChainError, AbiError, psycopg.Error, KeyError) as error:
        print(f"cannot tell: {error}")
        return 2
    print(f"escrow holds {balance} wei, its open deposits are {promised} wei, open trades are {recorded} wei")
    if lost:
        print(
            f"escrow holds {balance} wei, {lost} wei less than it owes are booked as stolen, open trades {recorded} wei"
        )
    return 0 if balance + lost == promised == recorded else 1


if __name__ == "__main__":
    sys.exit(main())
