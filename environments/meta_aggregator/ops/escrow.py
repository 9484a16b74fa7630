"""What is known of the escrow contract before anybody asks the chain: its code, its address, its first trades.

The address is known because the deployer is account 0 of a fresh chain: a contract's address depends only on its
creator and the creator's nonce, and the implementation is created with nonce 0, the proxy with nonce 1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTRACTS = Path(__file__).parents[1] / "contracts"
ADDRESSES = CONTRACTS / "addresses.json"
SEED_TRADES = CONTRACTS / "seed_trades.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract: `bytecode` creates it, as hex."""

    name: str
    bytecode: str
    abi: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Trade:
    """A seeded trade: `order_id` is keccak256(reference) as hex, the amount is in wei."""

    reference: str
    order_id: str
    buyer: str
    seller: str
    amount: int
    state: str


def escrow_address() -> str:
    """Give the address of the escrow (its proxy) on every chain that `ops.deploy_contracts` has prepared."""
    return str(json.loads(ADDRESSES.read_text())["Escrow"])


def implementation_address() -> str:
    """Give the address of the escrow's first implementation."""
    return str(json.loads(ADDRESSES.read_text())["EscrowImplementation"])


def watch_address() -> str:
    """Give the address of the contract that says whether the escrow's money is safe."""
    return str(json.loads(ADDRESSES.read_text())["EscrowWatch"])


def load_artifact(name: str) -> Artifact:
    """Read a compiled contract, such as `Escrow` or `testing/Reentrant`."""
    content = json.loads((CONTRACTS / "artifacts" / f"{name}.json").read_text())
    return Artifact(content["contract"], content["bytecode"], content["abi"])


def seed_trades() -> list[Trade]:
    """Read the trades that are open at the start; the database is seeded with the same."""
    return [
        Trade(
            item["reference"], item["order_id"], item["buyer"], item["seller"], int(item["amount_wei"]), item["state"]
        )
        for item in json.loads(SEED_TRADES.read_text())
    ]
