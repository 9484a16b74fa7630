"""Deploy the escrow behind its proxy and open the seeded trades, once on each chain.

Run as `python -m ops.deploy_contracts` with CHAIN_URL set; STATE_DIR, if set, receives contracts.json, which is printed
otherwise. It imports no web3, because the whole system waits for it at each start.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drillbook.chain.abi import encode, parse_signature
from drillbook.chain.client import ChainClient
from drillbook.errors import DrillbookError, EnvironmentFailed
from ops.escrow import Trade, escrow_address, implementation_address, load_artifact, seed_trades, watch_address

OWNER, ARBITER = 0, 1
"""Which of the node's accounts are the contract's owner, who deploys it, and its arbiter."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the escrow is: the proxy's address, its first implementation's, the block of the proxy, the chain's id.

    `watch` is the contract that says whether the escrow's money is safe.
    """

    address: str
    implementation: str
    block: int
    chain_id: int
    watch: str

    def as_json(self) -> str:
        """Write contracts.json."""
        escrow = {
            "address": self.address,
            "implementation": self.implementation,
            "block": self.block,
            "chain_id": self.chain_id,
        }
        return json.dumps({"Escrow": escrow, "EscrowWatch": {"address": self.watch}}, indent=2) + "\n"


def deploy(client: ChainClient) -> Deployment:
    """Put the contract on the chain, unless it is there. Raises ChainError, EnvironmentFailed."""
    accounts = client.accounts()
    if len(accounts) <= ARBITER:
        raise EnvironmentFailed(f"{client.url} has {len(accounts)} accounts: an owner and an arbiter are needed")
    if client.code(escrow_address()) != "0x":
        return _find(client)
    owner, arbiter = accounts[OWNER], accounts[ARBITER]
    implementation, _ = _create(client, owner, load_artifact("Escrow").bytecode)
    initialize = parse_signature("initialize(address,address)").encode((owner, arbiter))
    arguments = encode(("address", "bytes"), (implementation, initialize))
    address, block = _create(client, owner, load_artifact("ERC1967Proxy").bytecode + arguments.hex())
    if address.lower() != escrow_address().lower():
        raise EnvironmentFailed(
            f"the escrow is at {address} rather than {escrow_address()}: account 0 has sent transactions before",
            mend="deploy on a fresh chain with the mnemonic of drillbook.chain.command",
        )
    watch, _ = _create(client, owner, load_artifact("EscrowWatch").bytecode + encode(("address",), (address,)).hex())
    if watch.lower() != watch_address().lower():
        raise EnvironmentFailed(f"the escrow's watch is at {watch} rather than {watch_address()}")
    return Deployment(escrow_address(), implementation_address(), block, client.chain_id(), watch_address())


def open_trades(client: ChainClient, address: str) -> list[Trade]:
    """Deposit for each seeded trade that the escrow does not know yet; give those. Raises ChainError."""
    opened = [trade for trade in seed_trades() if _state(client, address, trade) == 0]
    for trade in opened:
        client.invoke(
            trade.buyer, address, "depositFor(bytes32,address)", trade.order_id, trade.seller, value=trade.amount
        )
    return opened


def _find(client: ChainClient) -> Deployment:
    address = escrow_address()
    if client.read(address, "owner()(address)").lower() != client.accounts()[OWNER].lower():
        raise EnvironmentFailed(f"{address} holds a contract that is not owned by account 0", mend="use a fresh chain")
    logs = client.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": address})
    block = int(logs[0]["blockNumber"], 16)
    return Deployment(address, implementation_address(), block, client.chain_id(), watch_address())


def _create(client: ChainClient, sender: str, code: str) -> tuple[str, int]:
    receipt = client.transact({"from": sender, "data": code})
    return str(receipt["contractAddress"]), int(receipt["blockNumber"], 16)


def _state(client: ChainClient, address: str, trade: Trade) -> int:
    deposit = client.read(address, "deposit(bytes32)(address,address,uint256,uint8)", trade.order_id)
    return int(deposit[3])


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Deploy to CHAIN_URL and say what was done; 1 with the reason if that cannot be."""
    url, folder = environ.get("CHAIN_URL"), environ.get("STATE_DIR")
    if not url:
        print("deploy_contracts: CHAIN_URL is not set; it must be the chain's JSON-RPC URL", file=sys.stderr)
        return 1
    try:
        with ChainClient(url) as client:
            known = client.code(escrow_address()) != "0x"
            deployment = deploy(client)
            trades = open_trades(client, deployment.address)
    except (DrillbookError, OSError) as error:
        print(f"deploy_contracts: {url}: {error}", file=sys.stderr)
        return 1
    _report(deployment, trades, known=known, folder=folder)
    return 0


def _report(deployment: Deployment, trades: list[Trade], *, known: bool, folder: str | None) -> None:
    told = sys.stdout if folder else sys.stderr
    word = "already deployed" if known else "deployed"
    print(f"escrow {word} at {deployment.address}, chain {deployment.chain_id}, block {deployment.block}", file=told)
    total = sum(trade.amount for trade in trades)
    print(f"{len(trades)} trades opened, {total / 10**18:g} ETH in escrow for them", file=told)
    if folder:
        (Path(folder) / "contracts.json").write_text(deployment.as_json())
    else:
        print(deployment.as_json(), end="")


if __name__ == "__main__":
    sys.exit(main())
