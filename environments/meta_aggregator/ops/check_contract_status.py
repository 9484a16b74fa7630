"""Tell how the escrow contract stands on one network: the chain, the code behind the proxy, who may act on it, its money.

Run as `npx hardhat run scripts/checkContractStatus.js --network NAME`. It only asks, and pays nothing. Exit 0: all of it is as
it should be; 1: something is not, and it is named, or the network is none of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from drillbook.chain.abi import parse_signature
from ops.check_contract_interaction import code, running_escrow
from ops.escrow import escrow_address
from ops.looking import Broken, look_at, rpc
from ops.networks import HardhatError, Network, named_network

NOBODY = "0x" + "0" * 40


def newest_block(network: Network) -> str:
    """See that the network's node answers, and that its chain is the one that the network's name stands for."""
    block, chain = int(rpc(network.url, "eth_blockNumber"), 16), int(rpc(network.url, "eth_chainId"), 16)
    if chain != network.chain_id:
        raise Broken(f"{network.url} is chain {chain}, but {network.name} is chain {network.chain_id}")
    return f"chain {chain}, block {block}"


def roles(network: Network) -> str:
    """See that somebody can pause the contract and that somebody can settle a dispute."""
    owner, arbiter, version = (_read(network, f"{name}()({kind})") for name, kind in
                               (("owner", "address"), ("arbiter", "address"), ("version", "string")))  # fmt: skip
    missing = [name for name, holder in (("owner", owner), ("arbiter", arbiter)) if holder.lower() == NOBODY]
    if missing:
        raise Broken(f"it has no {' and no '.join(missing)}")
    return f"version {version}, owner {owner}, arbiter {arbiter}"


def _read(network: Network, signature: str) -> Any:
    function = parse_signature(signature)
    answer = rpc(network.url, "eth_call", {"to": escrow_address(), "data": "0x" + function.encode(()).hex()}, "latest")
    content = bytes.fromhex(answer[2:])
    if not content:
        raise Broken(f"there is no contract at {escrow_address()}")
    return function.decode(content)


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at all of it at once, on the network that the command line names."""
    try:
        network = named_network(sys.argv[1:] if arguments is None else arguments)
    except HardhatError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"escrow {escrow_address()} on {network.name}", flush=True)
    return look_at(
        {
            "network": lambda: newest_block(network),
            "contract": lambda: code(network.url),
            "roles": lambda: roles(network),
            "escrow": lambda: running_escrow(network.url),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
