"""Put the emergency fix behind the escrow's proxy: only while it is paused, and only with the Security Team's approval.

Run as `npx hardhat run scripts/deployEmergencyFix.js --network NAME`, in the folder with the developers' fix.json
(`{"release": NAME}`, without it the release Escrow) and the approval. What was stolen is paid in from the owner's treasury in
the same transaction, so that every deposit is backed again. Exit 1 with the reason where it is refused.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psycopg

from drillbook.chain.client import ChainClient
from ops.approvals import NotApproved, check_approval
from ops.escrow_state import ether, read_state, target_address
from ops.networks import Network, run_script
from ops.releases import Release, load_release
from ops.upgrading import Refused, check_kept, check_layout, kept, upgrade

HANDOVER = Path("fix.json")
COVER = "update escrow_losses set covered_at = clock_timestamp() where contract = %s and covered_at is null"


def fix_release() -> Release:
    """Give the release that the developers handed over. Raises OSError, ValueError, KeyError."""
    name = json.loads(HANDOVER.read_text())["release"] if HANDOVER.exists() else "Escrow"
    return load_release(str(name))


def deploy_fix(client: ChainClient, _: Network) -> int:
    """Check, upgrade, and prove that every deposit is kept and backed."""
    address = target_address()
    try:
        release = fix_release()
        approval = check_approval(release)
        print(f"approved: {release.name}, code {release.code_hash[:18]}…, in {approval.call}")
        state = read_state(client, address)
        if not state.paused:
            raise Refused("the escrow runs: pause it first")
        check_layout(release)
        before = kept(client, address)
        upgrade(client, address, release, cover=state.short)
        check_kept(client, address, before)
    except NotApproved as error:
        print(f"REFUSED: {release.name} is not deployed: {error}", file=sys.stderr)
        return 1
    except Refused as error:
        print(f"REFUSED: {error}", file=sys.stderr)
        return 1
    if state.short:
        print(f"the treasury paid in {ether(state.short)} ({state.short} wei): every deposit is backed")
        return _book_cover(address)
    return 0


def _book_cover(address: str) -> int:
    try:
        with psycopg.connect(dbname=os.environ.get("PGDATABASE", "production_db"), connect_timeout=3) as database:
            database.execute(COVER, [address])
    except psycopg.Error as error:
        print(f"that it was paid in is NOT BOOKED: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_script(deploy_fix))
