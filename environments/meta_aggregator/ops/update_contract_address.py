"""Let the frontend and the API use the newest escrow that is one of ours, and see that they do.

Run as `node scripts/updateContractAddress.js [--address ADDRESS]`, with libpq's variables. Exit 1 where no address will do, or
the frontend or the API still serves another; 2 on usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

import psycopg

from drillbook.chain.abi import AbiError
from drillbook.chain.client import ChainError
from drillbook.clock import wait_until
from ops.escrow_state import EscrowState, read_state
from ops.networks import HardhatError, connect, find_network
from ops.releases import audited_version
from ops.transactions import OWNER

SERVED = ("https://metaaggregator.com/api/escrow", "https://api.metaaggregator.com/api/escrow")
SECONDS = 5.0
LIVE = "select address from contracts where name = 'Escrow' and live"
NEWEST_FIRST = "select address from contracts where name = 'Escrow' order by id desc"
RETIRE = "update contracts set live = false where name = 'Escrow' and live and address <> %s"
GO_LIVE = (
    "insert into contracts (name, address, live) values ('Escrow', %s, true)"
    " on conflict (address) do update set live = true"
)


def connection() -> psycopg.Connection[tuple[object, ...]]:
    """Connect to the database of the services. Raises psycopg.Error."""
    return psycopg.connect(dbname=os.environ.get("PGDATABASE", "production_db"), connect_timeout=3)


def live_address() -> str:
    """Give the address that is live by the database. Raises ValueError where there is none to be had."""
    try:
        with connection() as database:
            row = database.execute(LIVE).fetchone()
    except psycopg.Error as error:
        raise ValueError(" ".join(str(error).split())) from error
    if row is None:
        raise ValueError("no escrow is live")
    return str(row[0])


def check_escrow(address: str, *, running: bool = True) -> str:
    """Say what is wrong with an escrow at an address, "" if nothing is. Raises HardhatError.

    It must be one of ours; with `running` it must be ready to go live as well: audited, not paused, backed.
    """
    with connect(find_network("mainnet")) as client:
        if client.code(address) == "0x":
            return f"there is no contract at {address}"
        try:
            owner, ours = client.read(address, "owner()(address)"), client.accounts()[OWNER]
            state = read_state(client, address) if running else None
        except (ChainError, AbiError) as error:
            return f"there is no working escrow at {address}: {error}"
    if owner.lower() != ours.lower():
        return f"{address} belongs to {owner}"
    return _unready(state) if state else ""


def _unready(state: EscrowState) -> str:
    if not audited_version(state.version):
        return f"{state.address} runs release {state.version}, which nobody has audited"
    if state.paused:
        return f"{state.address} is paused"
    return f"{state.address} holds {state.short} wei less than it owes" if state.short else ""


def go_live(address: str | None) -> str:
    """Make an address, or the newest that will do, the live one; give it. ValueError says why not; psycopg.Error."""
    with connection() as database:
        known = [str(row[0]) for row in database.execute(NEWEST_FIRST).fetchall()]
        for candidate in known if address is None else [address]:
            problem = check_escrow(candidate)
            if not problem:
                database.execute(RETIRE, [candidate])
                database.execute(GO_LIVE, [candidate])
                return candidate
            print(f"not this one: {problem}")
    raise ValueError("there is no escrow that may go live")


def serves(url: str) -> str:
    """Give the address that a service serves; "" if it serves none."""
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return str(json.load(answer)["address"])
    except urllib.error.HTTPError as error:
        return _named(error)
    except (OSError, ValueError, KeyError):
        return ""


def _named(error: urllib.error.HTTPError) -> str:
    """Give the address that a service names although it cannot read the contract there."""
    try:
        return str(json.load(error)["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Go live, and wait until both serve the address."""
    parser = argparse.ArgumentParser(prog="updateContractAddress.js", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--address", help="the escrow's address; without it the newest that is one of ours")
    given = parser.parse_args(arguments)
    try:
        address = go_live(given.address)
    except (ValueError, HardhatError, psycopg.Error) as error:
        print(f"NOT UPDATED: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    late = [url for url in SERVED if not _serves_within(url, address)]
    for url in SERVED:
        print(f"{url}: {'STILL ANOTHER' if url in late else address}")
    return 1 if late else 0


def _serves_within(url: str, address: str) -> bool:
    return bool(wait_until(lambda: serves(url) == address, SECONDS))


if __name__ == "__main__":
    sys.exit(main())
