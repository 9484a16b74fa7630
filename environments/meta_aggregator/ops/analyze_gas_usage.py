"""Measure what each of the escrow's functions costs in gas, and compare it with the bounds in contracts/gas_bounds.json.

Run as `npx hardhat run scripts/analyzeGasUsage.js --network NAME`. Every call is estimated on the chain's present state, as the
account that would make it: nothing is sent. The two that end a trade are estimated on an open deposit. Exit 1: a function
costs more than its bound, cannot be estimated, or has no bound.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from drillbook.chain.abi import parse_signature
from drillbook.chain.client import ChainClient, ChainError
from ops.escrow import CONTRACTS
from ops.escrow_state import in_words, open_deposits, read_state, target_address
from ops.networks import Network, run_script
from ops.transactions import ARBITER, OWNER

BOUNDS = CONTRACTS / "gas_bounds.json"
TRIAL_ORDER = "0x" + "6a5f" * 16
TRIAL_SELLER = "0x" + "5e" * 20
TRIAL_WEI = 10**15


def calls(client: ChainClient, address: str) -> dict[str, dict[str, Any]]:
    """Give one call of each function that changes the escrow, ready to be estimated, by the function's name."""
    accounts = client.accounts()
    owner, arbiter, buyer = accounts[OWNER], accounts[ARBITER], accounts[ARBITER + 1]
    found = {
        "depositFor": _call(buyer, address, "depositFor(bytes32,address)", TRIAL_ORDER, TRIAL_SELLER, value=TRIAL_WEI),
        "setArbiter": _call(owner, address, "setArbiter(address)", buyer),
        "transferOwnership": _call(owner, address, "transferOwnership(address)", buyer),
    }
    state = read_state(client, address)
    toggle = "unpause" if state.paused else "pause"
    found[toggle] = _call(owner, address, f"{toggle}()")
    found["upgradeToAndCall"] = _call(owner, address, "upgradeToAndCall(address,bytes)", state.implementation, b"")
    deposits = open_deposits(client, address)
    if deposits:
        found["confirm"] = _call(arbiter, address, "confirm(bytes32)", deposits[0].order_id)
        found["refund"] = _call(arbiter, address, "refund(bytes32)", deposits[0].order_id)
    return found


def _call(sender: str, address: str, signature: str, *arguments: Any, value: int = 0) -> dict[str, Any]:
    data = "0x" + parse_signature(signature).encode(arguments).hex()
    return {"from": sender, "to": address, "data": data, "value": hex(value)}


def analyze(client: ChainClient, _: Network) -> int:
    """Print each function's gas beside its bound; 1 if one is beyond."""
    address = target_address()
    bounds = {str(name): int(bound) for name, bound in json.loads(BOUNDS.read_text()).items()}
    beyond = []
    for name, call in sorted(calls(client, address).items()):
        try:
            gas = int(client.call("eth_estimateGas", call), 16)
        except ChainError as error:
            print(f"{name}: CANNOT BE ESTIMATED: {in_words(error)}")
            beyond.append(name)
            continue
        bound = bounds.get(name)
        if bound is None or gas > bound:
            beyond.append(name)
        verdict = "NO BOUND" if bound is None else f"of {bound}" + (" TOO MUCH" if gas > bound else "")
        print(f"{name}: {gas} gas {verdict}")
    if beyond:
        print(f"BEYOND ITS BOUND: {', '.join(beyond)}")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(run_script(analyze))
