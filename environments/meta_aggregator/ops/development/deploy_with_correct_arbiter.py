"""Deploy the checkout's escrow on a development chain, with the arbiter that arbiters.json declares and no other.

An escrow with a wrong arbiter holds money that the right one cannot release, so the contract is asked for its arbiter
before anybody is told that it is there.
"""

from __future__ import annotations

import sys

from drillbook.chain.abi import encode, parse_signature
from drillbook.chain.client import ChainClient
from ops.development.chain import CHAIN_ID
from ops.development.project import LocalDeployment, Project, ProjectError, checksummed
from ops.networks import Network, run_script


def deploy(client: ChainClient, project: Project, network: Network) -> LocalDeployment:
    """Create implementation and proxy, from the node's first account; give where they are. ChainError, ProjectError."""
    owner, arbiter = client.accounts()[0], project.arbiter(network.name)
    if arbiter.lower() == owner.lower():
        raise ProjectError(f"{arbiter} is the owner itself: an arbiter decides between others")
    implementation = _create(client, owner, project.artifact("Escrow"))
    initialize = parse_signature("initialize(address,address)").encode((owner, arbiter))
    arguments = encode(("address", "bytes"), (implementation, initialize))
    escrow = _create(client, owner, project.artifact("ERC1967Proxy") + arguments.hex())
    return LocalDeployment(escrow, implementation, arbiter, network.chain_id)


def require_arbiter(client: ChainClient, project: Project, network: str, escrow: str) -> str:
    """Give the arbiter that the contract has, if it is the declared one; ProjectError if it is another."""
    declared, found = project.arbiter(network), checksummed(str(client.read(escrow, "arbiter()(address)")))
    if found != declared:
        raise ProjectError(f"the escrow at {escrow} has the arbiter {found}, but arbiters.json declares {declared}")
    return found


def act(client: ChainClient, network: Network) -> int:
    """Deploy, ask, and write deployments/NETWORK.json; 1 with the reason if the arbiter is wrong."""
    try:
        project = Project.here()
        project.require("hardhat")
        if network.chain_id != CHAIN_ID:
            raise ProjectError(f"{network.name} is no development chain: `npm run deploy:contracts` deploys there")
        deployment = deploy(client, project, network)
        arbiter = require_arbiter(client, project, network.name, deployment.escrow)
    except ProjectError as error:
        print(f"deployWithCorrectArbiter: {error}", file=sys.stderr)
        return 1
    project.save(network.name, deployment)
    print(f"escrow {deployment.escrow} on {network.name} (chain {network.chain_id}), arbiter {arbiter} as declared")
    return 0


def _create(client: ChainClient, sender: str, code: str) -> str:
    return str(client.transact({"from": sender, "data": code})["contractAddress"])


if __name__ == "__main__":
    sys.exit(run_script(act))
