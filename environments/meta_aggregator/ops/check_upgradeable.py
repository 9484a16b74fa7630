"""Say whether the escrow's code can be replaced, by trying it on the chain's present state without sending anything.

Run as `npx hardhat run scripts/checkUpgradeable.js --network NAME`. Exit 1 with the contract's reason where it cannot.
"""

from __future__ import annotations

import sys

from drillbook.chain.abi import parse_signature
from drillbook.chain.client import ChainClient, ChainError
from ops.escrow_state import IMPLEMENTATION_SLOT, in_words, target_address
from ops.networks import Network, run_script
from ops.transactions import OWNER, account

UPGRADE = parse_signature("upgradeToAndCall(address,bytes)")


def check_upgradeable(client: ChainClient, _: Network) -> int:
    """Try to upgrade to the code that is there."""
    address = target_address()
    now = "0x" + str(client.call("eth_getStorageAt", address, IMPLEMENTATION_SLOT, "latest"))[-40:]
    data = "0x" + UPGRADE.encode((now, b"")).hex()
    try:
        client.call("eth_call", {"from": account(client, OWNER), "to": address, "data": data}, "latest")
    except ChainError as error:
        print(f"NOT upgradeable: {in_words(error)}")
        return 1
    print(f"upgradeable: {address}, its code at {now}")
    return 0


if __name__ == "__main__":
    sys.exit(run_script(check_upgradeable))
