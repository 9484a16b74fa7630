"""Deploy a new escrow in the place of one that cannot be upgraded, and wind the old one down.

Run as `npx hardhat run scripts/deployNewContract.js --network NAME`. The old one's open deposits go back to their buyers, then
it is paused if it can be, so that it refuses deposits. The new address is written into the table `contracts`; it goes live
with updateContractAddress.js. Exit 1 with the reason where something cannot be done.
"""

from __future__ import annotations

import os
import sys

import psycopg

from drillbook.chain.abi import encode, parse_signature
from drillbook.chain.client import ChainClient, ChainError
from ops.escrow import load_artifact
from ops.escrow_state import in_words, read_at, target_address
from ops.networks import Network, run_script
from ops.releases import FIRST, load_release
from ops.transactions import ARBITER, OWNER, call_contract, create
from ops.winding_down import refund_all, settle

REGISTER = "insert into contracts (name, address) values ('Escrow', %s)"


def deploy_new(client: ChainClient, _: Network) -> int:
    """Deploy, wind down, register."""
    owner, arbiter = (client.accounts()[number] for number in (OWNER, ARBITER))
    implementation = create(client, owner, load_release(FIRST).bytecode)
    initialize = parse_signature("initialize(address,address)").encode((owner, arbiter))
    arguments = encode(("address", "bytes"), (implementation, initialize))
    address = create(client, owner, load_artifact("ERC1967Proxy").bytecode + arguments.hex())
    if client.read(address, "owner()(address)").lower() != owner.lower():
        print(f"the new escrow at {address} does not belong to {owner}", file=sys.stderr)
        return 1
    print(f"new escrow at {address}")
    try:
        _wind_down(client, target_address(), owner)
        with psycopg.connect(dbname=os.environ.get("PGDATABASE", "production_db"), connect_timeout=3) as database:
            database.execute(REGISTER, [address])
    except psycopg.Error as error:
        print(f"NOT REGISTERED: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print("registered; it goes live with updateContractAddress.js")
    return 0


def _wind_down(client: ChainClient, old: str, owner: str) -> None:
    if not read_at(client, old, client.block_number(), "paused()(bool)"):
        settle(client, old, refund_all(client, old))
    try:
        call_contract(client, owner, old, "pause()")
        print(f"the old escrow {old} is paused: it refuses deposits")
    except ChainError as error:
        print(f"the old escrow {old} is not paused by this: {in_words(error)}")


if __name__ == "__main__":
    sys.exit(run_script(deploy_new))
