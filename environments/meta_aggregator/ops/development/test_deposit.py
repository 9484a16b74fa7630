"""Make a deposit in the local escrow as a buyer would, and see it there: its parties, its amount, the contract's sums."""

from __future__ import annotations

import sys

from drillbook.chain.abi import keccak
from drillbook.chain.client import ChainClient
from ops.development.deploy_with_correct_arbiter import require_arbiter
from ops.development.project import Project, ProjectError
from ops.networks import Network, run_script

NETWORK = "localhost"
AMOUNT = 10**16
BUYER, SELLER = 2, 3
"""Which of the node's accounts trade."""
OPEN = 1


def act(client: ChainClient, network: Network) -> int:
    """Deposit for an order of its own; 1 if the escrow then shows anything else than that deposit."""
    try:
        project = Project.here()
        escrow = project.deployment(network.name).escrow
        require_arbiter(client, project, network.name, escrow)
    except ProjectError as error:
        print(f"testDeposit: {error}", file=sys.stderr)
        return 1
    accounts = client.accounts()
    buyer, seller = accounts[BUYER], accounts[SELLER]
    order = "0x" + keccak(f"test deposit at block {client.block_number()}".encode()).hex()
    before = client.balance(escrow)
    client.invoke(buyer, escrow, "depositFor(bytes32,address)", order, seller, value=AMOUNT)
    found = client.read(escrow, "deposit(bytes32)(address,address,uint256,uint8)", order)
    balance, promised = client.balance(escrow), client.read(escrow, "openTotal()(uint256)")
    seen = (str(found[0]).lower(), str(found[1]).lower(), *found[2:])
    print(f"order {order}: {found[2] / 10**18:g} ETH from {found[0]} for {found[1]}, state {found[3]}")
    print(f"escrow {escrow}: {balance} wei, of which {promised} are promised")
    if seen != (buyer.lower(), seller.lower(), AMOUNT, OPEN) or balance != before + AMOUNT or promised != balance:
        print("testDeposit: the escrow does not show the deposit as it was made", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_script(act, ["--network", NETWORK]))
