"""Send a transaction and see it mined, whatever the price of gas does meanwhile.

A transaction that no block takes is sent again with the same nonce and a higher price, so that it takes the place of the
first: the two can never both be mined. The nonce is the account's next one by the newest block, so that a transaction of
the account that is stuck is replaced as well, rather than waited for.
"""

from __future__ import annotations

import os
from typing import Any

from drillbook.chain.abi import parse_signature
from drillbook.chain.client import ChainClient, ChainError
from drillbook.clock import wait_until

CONFIRM_SECONDS = float(os.environ.get("CONFIRM_SECONDS", "15"))
"""How long a transaction may wait before it is replaced: a little more than a block takes."""
ATTEMPTS = 8
DEARER = 2
"""A replacement offers so many times as much; nodes ask a tenth more (geth's `--txpool.pricebump`)."""
OWNER, ARBITER = 0, 1
"""Which of the node's accounts are the escrow's owner, who also holds the treasury, and its arbiter."""


class FailedInBlock(ChainError):
    """Report a transaction that would have succeeded when it was sent, and failed in the block that took it."""


def account(client: ChainClient, number: int) -> str:
    """Give the account that a script signs with: HARDHAT_ACCOUNT, else the one of that number."""
    return client.accounts()[int(os.environ.get("HARDHAT_ACCOUNT", number))]


def call_contract(
    client: ChainClient, sender: str, address: str, signature: str, *arguments: Any, value: int = 0
) -> dict[str, Any]:
    """Call a contract in a transaction; `value` in wei. Gives the receipt. Raises ChainError as `send` does."""
    data = "0x" + parse_signature(signature).encode(arguments).hex()
    return send(client, {"from": sender, "to": address, "data": data, "value": hex(value)})


def create(client: ChainClient, sender: str, bytecode: str) -> str:
    """Create a contract; give its address. Raises ChainError."""
    return str(send(client, {"from": sender, "data": bytecode})["contractAddress"])


def send(client: ChainClient, transaction: dict[str, Any]) -> dict[str, Any]:
    """Send a transaction until it is mined; give its receipt.

    Raises ChainError: with the revert's data where the contract refuses, before anything is sent; FailedInBlock where it
    refuses only then; or when no block has taken it at the last price.
    """
    gas = int(client.call("eth_estimateGas", transaction), 16)
    nonce = client.call("eth_getTransactionCount", transaction["from"], "latest")
    tip, base = (int(client.call(method), 16) for method in ("eth_maxPriorityFeePerGas", "eth_gasPrice"))
    fixed = transaction | {"nonce": nonce, "gas": hex(gas + gas // 10)}
    sent: list[str] = []
    for _ in range(ATTEMPTS):
        price = {"maxPriorityFeePerGas": hex(tip), "maxFeePerGas": hex(2 * base + tip)}
        try:
            sent.append(str(client.call("eth_sendTransaction", fixed | price)))
        except ChainError as error:
            _look_into(error, sent)
        receipt = _mined(client, sent)
        if receipt is not None:
            if receipt["status"] != "0x1":
                block = int(receipt["blockNumber"], 16)
                raise FailedInBlock("eth_sendTransaction", f"{receipt['transactionHash']} failed in block {block}")
            return receipt
        dearer = tip * DEARER
        waits = sent[-1] if sent else "another transaction of the account"
        print(
            f"{waits} waits with a tip of {tip} wei: replaced under the same nonce {int(nonce, 16)} with {dearer}",
            flush=True,
        )
        tip, base = dearer, base * DEARER
    raise ChainError(
        "eth_sendTransaction", f"no block took it in {ATTEMPTS} attempts, the last with a tip of {tip} wei"
    )


def _look_into(error: ChainError, sent: list[str]) -> None:
    """Let pass what only means that a higher price, or a look at what was sent, is due."""
    if "underpriced" in str(error):
        return
    if sent and ("nonce too low" in str(error) or "already known" in str(error)):
        return  # one of ours was mined while we looked away
    raise error


def _mined(client: ChainClient, sent: list[str]) -> dict[str, Any] | None:
    def look() -> dict[str, Any] | None:
        receipts = (client.call("eth_getTransactionReceipt", digest) for digest in reversed(sent))
        return next((receipt for receipt in receipts if receipt is not None), None)

    return wait_until(look, CONFIRM_SECONDS, interval=0.02) if sent else None
