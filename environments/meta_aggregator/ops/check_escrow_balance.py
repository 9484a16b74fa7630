"""What the escrow holds must be what the open trades add up to: no wei more, none less.

Run as `python -m ops.check_escrow_balance` with libpq's variables and CHAIN_URL. Exit 0: equal; 1: not; 2: cannot tell.
"""

from __future__ import annotations

import os
import sys

import psycopg

from drillbook.chain.client import ChainClient, ChainError
from ops.escrow import escrow_address

OPEN = "select coalesce(sum(amount), 0) from trades where status = 'open'"


def main() -> int:
    """Compare the database's open trades with the contract's own sum and with its balance, in wei."""
    try:
        with ChainClient(os.environ["CHAIN_URL"], timeout=3.0) as chain:
            address = escrow_address()
            balance, promised = chain.balance(address), int(chain.read(address, "openTotal()(uint256)"))
        with psycopg.connect(dbname=os.environ.get("PGDATABASE", "production_db"), connect_timeout=3) as database:
            row = database.execute(OPEN).fetchone()
    except (ChainError, psycopg.Error, KeyError) as error:
        print(f"cannot tell: {error}")
        return 2
    recorded = int(row[0]) if row else 0
    print(f"escrow holds {balance} wei, its open deposits are {promised} wei, open trades are {recorded} wei")
    return 0 if balance == promised == recorded else 1


if __name__ == "__main__":
    sys.exit(main())
