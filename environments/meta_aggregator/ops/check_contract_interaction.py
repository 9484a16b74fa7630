"""Look at the escrow contract as a trade meets it: the chain, the code behind the proxy, its money, and a deposit on trial.

The deposit is executed on the chain's present state and thrown away (`eth_call`): it costs nothing and leaves nothing.
Run as `python -m ops.check_contract_interaction` with CHAIN_URL; CHAIN_ID is 1 unless it says otherwise. Exit 0: all is
well; 1: something is not, and it is named.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from drillbook.chain.abi import parse_signature
from ops.looking import Broken, ask, look_at, rpc

ADDRESSES = Path(__file__).parents[1] / "contracts" / "addresses.json"
IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
"""Where an ERC-1967 proxy keeps the address of its code."""
DEPOSIT = parse_signature("depositFor(bytes32,address)")
TRIAL_ORDER = bytes.fromhex("d1a6") * 16
TRIAL_SELLER = "0x" + "5e" * 20
IS_PAUSED = "0x" + parse_signature("IsPaused()").selector.hex()


def newest_block(url: str) -> str:
    """See that the chain's node answers, and that it is on the right chain."""
    block, chain = int(rpc(url, "eth_blockNumber"), 16), int(rpc(url, "eth_chainId"), 16)
    wanted = int(os.environ.get("CHAIN_ID", "1"))
    if chain != wanted:
        raise Broken(f"this is chain {chain}, not {wanted}")
    return f"chain {chain}, block {block}"


def code(url: str) -> str:
    """See that there is a proxy, and code behind it."""
    proxy = _escrow()
    if rpc(url, "eth_getCode", proxy, "latest") == "0x":
        raise Broken(f"there is no contract at {proxy}")
    implementation = "0x" + str(rpc(url, "eth_getStorageAt", proxy, IMPLEMENTATION_SLOT, "latest"))[-40:]
    if rpc(url, "eth_getCode", implementation, "latest") == "0x":
        raise Broken(f"the proxy {proxy} points to {implementation}, where there is no code")
    return f"{proxy}, its code at {implementation}"


def running_escrow(url: str) -> str:
    """See that the contract is not paused and has the money of its open deposits."""
    paused, count, total = (_read(url, f"{name}()({kind})") for name, kind in
                            (("paused", "bool"), ("openCount", "uint256"), ("openTotal", "uint256")))  # fmt: skip
    balance = int(rpc(url, "eth_getBalance", _escrow(), "latest"), 16)
    if paused:
        raise Broken("paused: it takes no deposits and pays nobody")
    if balance < total:
        raise Broken(f"it holds {balance} wei, {total - balance} less than its open deposits")
    return f"{count} open deposits, {balance} wei"


def deposit(url: str) -> str:
    """Try a deposit of one wei without making it. (Where there is no code, whatever is sent is taken: hence `code`.)"""
    code(url)
    sender = next(iter(rpc(url, "eth_accounts")), TRIAL_SELLER)
    data = "0x" + DEPOSIT.encode((TRIAL_ORDER, TRIAL_SELLER)).hex()
    call = {"from": sender, "to": _escrow(), "data": data, "value": "0x1"}
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
    answer = ask(url, body=request).json()
    error = answer.get("error")
    if isinstance(error, dict):
        paused = str(error.get("data", "")).startswith(IS_PAUSED)
        raise Broken("refused: the escrow is paused" if paused else f"refused: {error.get('message')}")
    if "result" not in answer:
        raise Broken(f"neither taken nor refused: {answer}")
    return "would be taken"


def _escrow() -> str:
    return str(json.loads(ADDRESSES.read_text())["Escrow"])


def _read(url: str, signature: str) -> Any:
    function = parse_signature(signature)
    answer = rpc(url, "eth_call", {"to": _escrow(), "data": "0x" + function.encode(()).hex()}, "latest")
    content = bytes.fromhex(answer[2:])
    if not content:
        raise Broken(f"there is no contract at {_escrow()}")
    return function.decode(content)


def main() -> int:
    """Look at all of it at once."""
    url = os.environ["CHAIN_URL"]
    return look_at(
        {
            "chain": lambda: newest_block(url),
            "contract": lambda: code(url),
            "escrow": lambda: running_escrow(url),
            "deposit": lambda: deposit(url),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
