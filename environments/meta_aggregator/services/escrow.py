"""How to ask the escrow contract for its state over JSON-RPC without an Ethereum library: calls without arguments.

A call is the first four bytes of keccak256 of the function's signature, an answer one 32-byte word (Solidity ABI
specification, "Function Selector and Argument Encoding"). The selectors are written out since Python has no keccak.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SELECTORS: Mapping[str, str] = {
    "paused()": "0x5c975abb",
    "openCount()": "0xcfaf380e",
    "openTotal()": "0x4a080bc8",
}


class ChainError(Exception):
    """The chain answered with an error, or with something that is no answer."""


@dataclass(frozen=True, slots=True)
class EscrowState:
    """What the contract says of itself; `open_total` and `balance` in wei."""

    address: str
    paused: bool
    open_count: int
    open_total: int
    balance: int


def escrow_address() -> str:
    """Give the contract's address: ESCROW_ADDRESS, else what the deployment wrote beside the contracts.

    Raises ChainError if nothing has been deployed.
    """
    given = os.environ.get("ESCROW_ADDRESS")
    if given:
        return given
    file = Path(__file__).parents[1] / "contracts" / "addresses.json"
    try:
        return str(json.loads(file.read_text())["Escrow"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ChainError(f"the escrow's address is not in {file.name}: {error!r}") from None


def requests(address: str) -> list[dict[str, Any]]:
    """Make the JSON-RPC requests that read the whole state, in the order that `state` wants their answers."""
    calls: list[tuple[str, list[Any]]] = [
        ("eth_call", [{"to": address, "data": selector}, "latest"]) for selector in SELECTORS.values()
    ]
    calls.append(("eth_getBalance", [address, "latest"]))
    return [{"jsonrpc": "2.0", "id": n, "method": method, "params": params} for n, (method, params) in enumerate(calls)]


def word(answer: object) -> int:
    """Give the number in a JSON-RPC answer; raise ChainError if it holds an error or no number."""
    if not isinstance(answer, dict) or "result" not in answer:
        error = answer.get("error") if isinstance(answer, dict) else answer
        raise ChainError(f"the chain answered {error!r}")
    try:
        return int(answer["result"], 16)
    except (TypeError, ValueError):
        raise ChainError(f"{answer['result']!r} is not a number: is there a contract at this address?") from None


def state(address: str, answers: list[object]) -> EscrowState:
    """Read the answers to `requests`."""
    paused, open_count, open_total, balance = (word(answer) for answer in answers)
    return EscrowState(address, bool(paused), open_count, open_total, balance)
