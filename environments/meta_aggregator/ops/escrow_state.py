"""What the chain says of the escrow: its state at one block, who was paid twice, and what its refusals mean in words."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from drillbook.chain.abi import AbiError, decode, keccak, parse_signature
from drillbook.chain.client import ChainClient, ChainError
from ops.escrow import CONTRACTS, escrow_address

IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
"""Where an ERC-1967 proxy keeps the address of its code."""
DEPOSIT = "deposit(bytes32)(address,address,uint256,uint8)"
OPEN, REFUNDED = 1, 3
"""States of a deposit, as the contract numbers them."""
REFUSALS = {
    "IsPaused": "it is paused already",
    "IsNotPaused": "it is not paused",
    "NotOwner": "the account is not its owner",
    "NotAllowed": "the account is neither a party of the order nor the arbiter",
    "NotPausable": "this release cannot be paused",
    "NotUpgradeable": "this release cannot be upgraded",
    "TotalUnknown": "this release cannot say what it owes",
    "PaymentFailed": "it could not pay",
    "NotOpen": "the order is not open",
}


@dataclass(frozen=True, slots=True)
class EscrowState:
    """The escrow at one block; amounts in wei."""

    address: str
    block: int
    version: str
    implementation: str
    owner: str
    paused: bool
    open_count: int
    open_total: int
    balance: int

    @property
    def short(self) -> int:
        """Wei that it owes and does not hold."""
        return max(0, self.open_total - self.balance)


@dataclass(frozen=True, slots=True)
class Deposit:
    """An open deposit, amounts in wei."""

    order_id: str
    buyer: str
    seller: str
    amount: int


@dataclass(frozen=True, slots=True)
class DoublePayment:
    """An order that was paid out `times` times in one block, `amount` wei each: all but one are stolen."""

    order_id: str
    recipient: str
    block: int
    amount: int
    times: int

    @property
    def stolen(self) -> int:
        """Wei beyond what the order was good for."""
        return self.amount * (self.times - 1)


def target_address() -> str:
    """Give the escrow that a script is about: ESCROW_ADDRESS, else the one that is deployed with every release.

    It is not read from the database: an emergency of the contract must not wait for another of the database.
    """
    return os.environ.get("ESCROW_ADDRESS") or escrow_address()


def read_at(client: ChainClient, address: str, block: int, signature: str, *arguments: Any) -> Any:
    """Ask a contract as it was at a block. Raises ChainError, AbiError."""
    function = parse_signature(signature)
    call = {"to": address, "data": "0x" + function.encode(arguments).hex()}
    return function.decode(bytes.fromhex(client.call("eth_call", call, hex(block))[2:]))


def read_state(client: ChainClient, address: str) -> EscrowState:
    """Read the escrow, every figure at the same block. Raises ChainError, AbiError."""
    block = client.block_number()

    def ask(signature: str) -> Any:
        return read_at(client, address, block, signature)

    slot = client.call("eth_getStorageAt", address, IMPLEMENTATION_SLOT, hex(block))
    return EscrowState(
        address,
        block,
        str(ask("version()(string)")),
        "0x" + str(slot)[-40:],
        str(ask("owner()(address)")),
        bool(ask("paused()(bool)")),
        int(ask("openCount()(uint256)")),
        int(ask("openTotal()(uint256)")),
        int(client.call("eth_getBalance", address, hex(block)), 16),
    )


def open_deposits(client: ChainClient, address: str) -> list[Deposit]:
    """Give every deposit that is open now, found by the events of all that were ever made. Raises ChainError."""
    found = []
    for log in events(client, address, "Deposited(bytes32,address,address,uint256)"):
        order_id = str(log["topics"][1])
        buyer, seller, amount, state = client.read(address, DEPOSIT, order_id)
        if state == OPEN:
            found.append(Deposit(order_id, buyer, seller, int(amount)))
    return found


def double_payments(client: ChainClient, address: str) -> list[DoublePayment]:
    """Find the orders that were paid out more than once: by the contract's own events. Raises ChainError."""
    paid: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in ("Refunded(bytes32,address,uint256)", "Confirmed(bytes32,address,uint256)"):
        for log in events(client, address, event):
            paid[str(log["topics"][1])].append(log)
    twice = [(order_id, logs) for order_id, logs in paid.items() if len(logs) > 1]
    return [
        DoublePayment(
            order_id,
            "0x" + str(logs[0]["topics"][2])[-40:],
            int(logs[0]["blockNumber"], 16),
            int(logs[0]["data"], 16),
            len(logs),
        )
        for order_id, logs in twice
    ]


def pause_block(client: ChainClient, address: str) -> int | None:
    """Give the block of the newest pause, None if it was never paused. Raises ChainError."""
    logs = events(client, address, "Paused(address)")
    return int(logs[-1]["blockNumber"], 16) if logs else None


def events(client: ChainClient, address: str, signature: str) -> list[dict[str, Any]]:
    """Give all events of a kind that a contract has emitted, oldest first. Raises ChainError."""
    wanted = {"address": address, "fromBlock": "0x0", "toBlock": "latest"}
    topic = "0x" + keccak(signature.encode()).hex()
    logs: list[dict[str, Any]] = client.call("eth_getLogs", wanted | {"topics": [topic]})
    return logs


def ether(wei: int) -> str:
    """Write an amount in ETH, exactly."""
    return f"{(Decimal(wei) / 10**18).normalize():f} ETH"


def in_words(error: ChainError) -> str:
    """Say why the escrow refused: the error's name from the artifacts and what it means; else what the node said."""
    if not error.data or len(error.data) < 10:
        return str(error)
    selector, body = error.data[:10], bytes.fromhex(error.data[10:])
    for name, types in _errors():
        if "0x" + parse_signature(f"{name}({','.join(types)})").selector.hex() == selector:
            try:
                values = ", ".join(map(str, decode(types, body)))
            except AbiError:
                values = "?"
            return f"{REFUSALS.get(name, 'it refuses')}: {name}({values})"
    return str(error)


def _errors() -> Sequence[tuple[str, tuple[str, ...]]]:
    known: dict[str, tuple[str, ...]] = {}
    for file in sorted((CONTRACTS / "artifacts").rglob("*.json")):
        for entry in json.loads(file.read_text())["abi"]:
            if entry["type"] == "error":
                known[entry["name"]] = tuple(one["type"] for one in entry["inputs"])
    return list(known.items())
