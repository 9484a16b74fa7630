"""The transactions that a node has accepted and no block holds yet, by sender and nonce, as geth's pool keeps them.

A block builder may want a tip (geth's `--miner.gasprice`): what pays less waits here until the price falls, or until its
sender replaces it with one of the same nonce that pays enough more.
"""

from __future__ import annotations

from collections.abc import Iterator

from eth.abc import SignedTransactionAPI
from eth_typing import Address

PRICE_BUMP = 10
"""Percent by which a replacement must raise both of its prices: geth's `--txpool.pricebump`."""


class UnderpricedError(Exception):
    """Decline a transaction of a nonce that waits already, at a price that is not enough higher."""


class Pool:
    """What waits. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self.minimum_tip = 0
        """Wei for each gas that the builder of blocks wants."""
        self._waiting: dict[tuple[bytes, int], SignedTransactionAPI] = {}

    def __iter__(self) -> Iterator[SignedTransactionAPI]:
        return iter(tuple(self._waiting.values()))

    def add(self, transaction: SignedTransactionAPI) -> None:
        """Take a transaction in, in the place of one that has its sender and nonce. Raises UnderpricedError."""
        place = (transaction.sender, transaction.nonce)
        known = self._waiting.get(place)
        if known is not None and any(
            new * 100 < old * (100 + PRICE_BUMP)
            for new, old in (
                (transaction.max_fee_per_gas, known.max_fee_per_gas),
                (transaction.max_priority_fee_per_gas, known.max_priority_fee_per_gas),
            )
        ):
            raise UnderpricedError("replacement transaction underpriced")
        self._waiting[place] = transaction

    def find(self, transaction_hash: bytes) -> SignedTransactionAPI | None:
        """Give a waiting transaction by its hash."""
        return next((one for one in self._waiting.values() if one.hash == transaction_hash), None)

    def drop(self, transaction: SignedTransactionAPI) -> None:
        """Forget a transaction, and whatever has its sender and nonce."""
        self._waiting.pop((transaction.sender, transaction.nonce), None)

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()

    def next_nonce(self, sender: Address, mined: int) -> int:
        """Give the nonce after a sender's waiting transactions; `mined` is the next one by the newest block."""
        while (sender, mined) in self._waiting:
            mined += 1
        return mined

    def pays(self, transaction: SignedTransactionAPI, base_fee: int) -> bool:
        """Tell whether a transaction's tip, at a base fee, is what the builder wants."""
        return self.tip(transaction, base_fee) >= self.minimum_tip

    @staticmethod
    def tip(transaction: SignedTransactionAPI, base_fee: int) -> int:
        """Give the wei for each gas that the builder gets (EIP-1559): what is left of the maximum above the base fee."""
        return min(transaction.max_priority_fee_per_gas, transaction.max_fee_per_gas - base_fee)
