"""The methods that a node answers, by name: each reads its parameters, asks the ledger, writes the answer's JSON form."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from eth.exceptions import PyEVMError
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]

from drillbook.chain.filters import Filter, matching_logs
from drillbook.chain.formats import (
    data,
    format_block,
    format_receipt,
    format_transaction,
    format_waiting,
    quantity,
    word,
)
from drillbook.chain.ledger import PRIORITY_FEE, Ledger, Mined, RefusedError
from drillbook.chain.parameters import (
    InvalidParamsError,
    LogQuery,
    block_number,
    parse_address,
    parse_block,
    parse_data,
    parse_log_query,
    parse_quantity,
    parse_request,
)

LATEST = "latest"
Method = Callable[..., Any]


class UnknownBlockError(Exception):
    """Report a block that state was asked of and that is not there."""


class Node:
    """One chain behind the execution API. `methods` maps each JSON-RPC method's name to what answers it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._filters: dict[int, Filter] = {}
        self._filter_ids = itertools.count(1)
        self.methods: dict[str, Method] = {
            "web3_clientVersion": lambda: f"drillbook/{version('drillbook')}/py-evm",
            "web3_sha3": lambda value: data(keccak(parse_data(value))),
            "net_version": lambda: str(ledger.chain_id),
            "net_listening": lambda: True,
            "net_peerCount": lambda: "0x0",
            "eth_chainId": lambda: quantity(ledger.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": lambda: [data(account) for account in ledger.keys],
            "eth_blockNumber": lambda: quantity(ledger.head.number),
            "eth_gasPrice": lambda: quantity(ledger.base_fee + PRIORITY_FEE),
            "eth_maxPriorityFeePerGas": lambda: quantity(PRIORITY_FEE),
            "eth_blobBaseFee": lambda: "0x1",
            "eth_feeHistory": self.fee_history,
            "eth_getBalance": self.get_balance,
            "eth_getTransactionCount": self.get_transaction_count,
            "eth_getCode": self.get_code,
            "eth_getStorageAt": self.get_storage_at,
            "eth_call": self.call,
            "eth_estimateGas": self.estimate_gas,
            "eth_sendTransaction": self.send_transaction,
            "eth_sendRawTransaction": self.send_raw_transaction,
            "eth_getBlockByNumber": self.get_block,
            "eth_getBlockByHash": lambda value, full=False: self.get_block({"blockHash": value}, full),
            "eth_getBlockTransactionCountByNumber": self.count_transactions,
            "eth_getBlockTransactionCountByHash": lambda value: self.count_transactions({"blockHash": value}),
            "eth_getBlockReceipts": self.get_block_receipts,
            "eth_getTransactionByHash": lambda value: self._look_up(value, format_transaction) or self._waiting(value),
            "eth_getTransactionReceipt": lambda value: self._look_up(value, format_receipt),
            "eth_getTransactionByBlockNumberAndIndex": self.get_transaction_in_block,
            "eth_getTransactionByBlockHashAndIndex": lambda value, index: self.get_transaction_in_block(
                {"blockHash": value}, index
            ),
            "eth_getLogs": lambda value: self._logs(parse_log_query(ledger, value)),
            "eth_newFilter": lambda value: self._add_filter("logs", parse_log_query(ledger, value)),
            "eth_newBlockFilter": lambda: self._add_filter("blocks"),
            "eth_newPendingTransactionFilter": lambda: self._add_filter("transactions"),
            "eth_getFilterChanges": lambda value: self._filter(value).changes(ledger),
            "eth_getFilterLogs": self.get_filter_logs,
            "eth_uninstallFilter": lambda value: self._filters.pop(parse_quantity(value), None) is not None,
            "txpool_content": self.pool_content,
            "txpool_status": lambda: {"pending": quantity(len(tuple(ledger.pool))), "queued": "0x0"},
            "miner_setGasPrice": self.set_minimum_tip,
            "miner_gasPrice": lambda: quantity(ledger.minimum_tip),
            "evm_snapshot": lambda: quantity(ledger.snapshot()),
            "evm_revert": lambda value: ledger.revert(parse_quantity(value, "snapshot")),
            "evm_mine": self.mine,
        }

    # State

    def get_balance(self, address: str, block: Any = LATEST) -> str:
        """Give an account's wei."""
        return quantity(self._state(block).get_balance(parse_address(address)))

    def get_transaction_count(self, address: str, block: Any = LATEST) -> str:
        """Give an account's next nonce; of the block "pending", after the transactions that wait."""
        if block == "pending":
            return quantity(self._ledger.pending_nonce(parse_address(address)))
        return quantity(self._state(block).get_nonce(parse_address(address)))

    def get_code(self, address: str, block: Any = LATEST) -> str:
        """Give a contract's code."""
        return data(self._state(block).get_code(parse_address(address)))

    def get_storage_at(self, address: str, slot: str, block: Any = LATEST) -> str:
        """Give one word of a contract's storage."""
        return word(self._state(block).get_storage(parse_address(address), parse_quantity(slot, "slot")))

    def call(self, transaction: Any, block: Any = LATEST, overrides: Any = None) -> str:
        """Execute without a transaction. State overrides are refused."""
        if overrides:
            raise InvalidParamsError("state overrides are not supported here")
        return data(self._ledger.call(parse_request(self._ledger, transaction), self._block(block)))

    def estimate_gas(self, transaction: Any, block: Any = LATEST) -> str:
        """Give a sufficient gas limit, on the newest state whatever block is asked for."""
        self._block(block)
        return quantity(self._ledger.estimate(parse_request(self._ledger, transaction)))

    def fee_history(self, count: Any, newest: Any = LATEST, percentiles: Any = None) -> dict[str, Any]:
        """Give the base fees of the last blocks and of the next one; every percentile of tips is the suggested tip."""
        end = self._block(newest).number
        first = max(0, end - max(1, min(parse_quantity(count, "blockCount"), 1024)) + 1)
        headers: list[Any] = [mined.block.header for mined in self._ledger.blocks[first : end + 1]]
        following: list[Any] = [mined.block.header for mined in self._ledger.blocks[end + 1 : end + 2]]
        next_fee = following[0].base_fee_per_gas if following else self._ledger.base_fee
        history: dict[str, Any] = {
            "oldestBlock": quantity(first),
            "baseFeePerGas": [quantity(header.base_fee_per_gas) for header in headers] + [quantity(next_fee)],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        }
        if percentiles:
            history["reward"] = [[quantity(PRIORITY_FEE)] * len(percentiles) for _ in headers]
        return history

    # Transactions

    def send_transaction(self, transaction: Any) -> str:
        """Sign with an account of the node, take it in, give the hash."""
        request = parse_request(self._ledger, transaction)
        if "from" not in transaction:
            raise InvalidParamsError("from: missing; eth_sendTransaction needs one of eth_accounts")
        return data(self._ledger.send(request))

    def send_raw_transaction(self, raw: str) -> str:
        """Take a signed transaction in, give the hash."""
        blob = parse_data(raw, "transaction")
        try:
            transaction = self._ledger.decode(blob)
            transaction.validate()
        except (RLPException, ValidationError, PyEVMError, ValueError, IndexError, TypeError) as error:
            raise InvalidParamsError(f"transaction: cannot be decoded: {error}") from error
        return data(self._ledger.include(transaction))

    def set_minimum_tip(self, wei: Any) -> bool:
        """Have blocks take only transactions that tip so much for each gas (geth's method); mine what pays it now."""
        self._ledger.minimum_tip = parse_quantity(wei, "gas price")
        return True

    def pool_content(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Give what waits, by sender and nonce; nothing is ever queued behind a gap, for a gap is refused."""
        content: dict[str, dict[str, dict[str, Any]]] = {}
        for transaction in self._ledger.pool:
            content.setdefault(data(transaction.sender), {})[str(transaction.nonce)] = format_waiting(transaction)
        return {"pending": content, "queued": {}}

    def mine(self, *_: Any) -> str:
        """Mine one empty block."""
        self._ledger.mine()
        return "0x0"

    # Blocks and logs

    def get_block(self, block: Any, full: bool = False) -> dict[str, Any] | None:
        """Give a block, or null."""
        mined = parse_block(self._ledger, block)
        return None if mined is None else format_block(mined, full=bool(full))

    def count_transactions(self, block: Any) -> str | None:
        """Give the number of a block's transactions, or null."""
        mined = parse_block(self._ledger, block)
        return None if mined is None else quantity(len(mined.receipts))

    def get_block_receipts(self, block: Any) -> list[dict[str, Any]] | None:
        """Give all receipts of a block, or null."""
        mined = parse_block(self._ledger, block)
        return None if mined is None else [format_receipt(mined, index) for index in range(len(mined.receipts))]

    def get_transaction_in_block(self, block: Any, index: Any) -> dict[str, Any] | None:
        """Give a transaction by its place, or null."""
        mined, place = parse_block(self._ledger, block), parse_quantity(index, "index")
        return None if mined is None or place >= len(mined.receipts) else format_transaction(mined, place)

    def get_filter_logs(self, value: Any) -> list[dict[str, Any]]:
        """Give all logs that a log filter wants, seen or not."""
        query = self._filter(value).query
        if query is None:
            raise InvalidParamsError("not a log filter")
        return self._logs(query)

    def _logs(self, query: LogQuery) -> list[dict[str, Any]]:
        return matching_logs(self._ledger.blocks[query.first :], query)

    def _look_up(self, value: Any, form: Callable[[Mined, int], dict[str, Any]]) -> dict[str, Any] | None:
        place = self._ledger.find_transaction(parse_data(value, "hash", 32))
        return None if place is None else form(*place)

    def _waiting(self, value: Any) -> dict[str, Any] | None:
        found = self._ledger.pool.find(parse_data(value, "hash", 32))
        return None if found is None else format_waiting(found)

    def _add_filter(self, kind: str, query: LogQuery | None = None) -> str:
        number = next(self._filter_ids)
        self._filters[number] = Filter(kind, len(self._ledger.blocks), query)
        return quantity(number)

    def _filter(self, value: Any) -> Filter:
        found = self._filters.get(parse_quantity(value, "filter"))
        if found is None:
            raise RefusedError("filter not found")
        return found

    def _state(self, block: Any) -> Any:
        return self._ledger.state(self._block(block))

    def _block(self, value: Any) -> Mined:
        mined = parse_block(self._ledger, value)
        if mined is None:
            raise UnknownBlockError(
                f"header not found: the head is {block_number(self._ledger, LATEST)}, asked for {value!r}"
            )
        return mined
