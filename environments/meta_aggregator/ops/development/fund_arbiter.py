"""Give the local escrow's arbiter the ether that its transactions cost, and see that it has it."""

from __future__ import annotations

import sys

from drillbook.chain.client import ChainClient
from ops.development.deploy_with_correct_arbiter import require_arbiter
from ops.development.project import Project, ProjectError
from ops.networks import Network, run_script

NETWORK = "localhost"
WANTED = 10 * 10**18
"""Wei that an arbiter has for its work."""


def act(client: ChainClient, network: Network) -> int:
    """Send what is missing from the node's first account; 1 if the arbiter is wrong or the balance is not there."""
    try:
        project = Project.here()
        escrow = project.deployment(network.name).escrow
        arbiter = require_arbiter(client, project, network.name, escrow)
    except ProjectError as error:
        print(f"fundArbiter: {error}", file=sys.stderr)
        return 1
    before = client.balance(arbiter)
    if before < WANTED:
        client.transact({"from": client.accounts()[0], "to": arbiter, "value": hex(WANTED - before)})
    after = client.balance(arbiter)
    print(f"arbiter {arbiter}: {before / 10**18:g} ETH before, {after / 10**18:g} ETH now")
    if after < WANTED:
        print(f"fundArbiter: the balance is below {WANTED / 10**18:g} ETH", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_script(act, ["--network", NETWORK]))
