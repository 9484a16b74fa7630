"""Write blocks, transactions, receipts and logs in the JSON forms of the Ethereum execution API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth.abc import SignedTransactionAPI
from eth_utils.crypto import keccak

from drillbook.chain.ledger import Mined
from drillbook.chain.parameters import LogQuery

Json = dict[str, Any]


def quantity(value: int) -> str:
    """Write a number: `0x` and hex digits without leading zeros."""
    return hex(value)


def data(value: bytes) -> str:
    """Write bytes: `0x` and two hex digits for each."""
    return "0x" + value.hex()


def word(value: int) -> str:
    """Write a number as 32 bytes."""
    return data(value.to_bytes(32))


def address_or_null(value: bytes) -> str | None:
    """Write a recipient; a transaction that creates a contract has none."""
    return data(value) if value else None


def format_block(mined: Mined, *, full: bool) -> Json:
    """Write a block, with its transactions in full or only their hashes."""
    header: Any = mined.block.header
    transactions = mined.block.transactions
    return {
        "number": quantity(mined.number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": data(header.bloom.to_bytes(256)),
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": data(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "totalDifficulty": "0x0",
        "extraData": data(header.extra_data),
        "size": quantity(len(rlp.encode(mined.block))),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "mixHash": data(header.mix_hash),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "withdrawalsRoot": data(header.withdrawals_root),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root),
        "transactions": [
            format_transaction(mined, index) if full else data(transaction.hash)
            for index, transaction in enumerate(transactions)
        ],
        "uncles": [],
        "withdrawals": [],
    }


def format_transaction(mined: Mined, index: int) -> Json:
    """Write a mined transaction."""
    transaction: Any = mined.block.transactions[index]
    return _form(transaction, _effective_price(mined, transaction)) | {
        "blockHash": data(mined.block.hash),
        "blockNumber": quantity(mined.number),
        "transactionIndex": quantity(index),
    }


def format_waiting(transaction: Any) -> Json:
    """Write a transaction that no block holds yet: the price is the highest that it offers."""
    return _form(transaction, transaction.max_fee_per_gas) | {
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
    }


def _form(transaction: Any, price: int) -> Json:
    kind = _type(transaction)
    fields = {
        "type": quantity(kind),
        "hash": data(transaction.hash),
        "from": data(transaction.sender),
        "to": address_or_null(transaction.to),
        "nonce": quantity(transaction.nonce),
        "value": quantity(transaction.value),
        "gas": quantity(transaction.gas),
        "gasPrice": quantity(price),
        "input": data(transaction.data),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
    }
    if kind == 0:
        chain_id = {} if transaction.chain_id is None else {"chainId": quantity(transaction.chain_id)}
        return fields | chain_id | {"v": quantity(transaction.v)}
    return fields | _typed_fields(transaction, kind)


def _typed_fields(transaction: Any, kind: int) -> Json:
    fields: Json = {
        "chainId": quantity(transaction.chain_id),
        "v": quantity(transaction.y_parity),
        "yParity": quantity(transaction.y_parity),
        "accessList": [
            {"address": data(address), "storageKeys": [word(slot) for slot in slots]}
            for address, slots in transaction.access_list
        ],
    }
    if kind >= 2:
        fields["maxFeePerGas"] = quantity(transaction.max_fee_per_gas)
        fields["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas)
    return fields


def format_receipt(mined: Mined, index: int) -> Json:
    """Write what a transaction did."""
    transaction: Any = mined.block.transactions[index]
    receipt = mined.receipts[index]
    before = mined.receipts[index - 1].gas_used if index else 0
    return {
        "type": quantity(_type(transaction)),
        "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
        "transactionHash": data(transaction.hash),
        "transactionIndex": quantity(index),
        "blockHash": data(mined.block.hash),
        "blockNumber": quantity(mined.number),
        "from": data(transaction.sender),
        "to": address_or_null(transaction.to),
        "contractAddress": None if transaction.to else data(_created(transaction)),
        "cumulativeGasUsed": quantity(receipt.gas_used),
        "gasUsed": quantity(receipt.gas_used - before),
        "effectiveGasPrice": quantity(_effective_price(mined, transaction)),
        "logs": [log for log in format_logs(mined, None) if log["transactionIndex"] == quantity(index)],
        "logsBloom": data(receipt.bloom.to_bytes(256)),
    }


def format_logs(mined: Mined, query: LogQuery | None) -> Iterator[Json]:
    """Write a block's logs, those that a query wants; a log's index counts from the block's first."""
    position = 0
    for index, receipt in enumerate(mined.receipts):
        for log in receipt.logs:
            topics = tuple(topic.to_bytes(32) for topic in log.topics)
            if query is None or query.matches(log.address, topics):
                yield {
                    "address": data(log.address),
                    "topics": [data(topic) for topic in topics],
                    "data": data(log.data),
                    "blockHash": data(mined.block.hash),
                    "blockNumber": quantity(mined.number),
                    "blockTimestamp": quantity(mined.block.header.timestamp),
                    "transactionHash": data(mined.block.transactions[index].hash),
                    "transactionIndex": quantity(index),
                    "logIndex": quantity(position),
                    "removed": False,
                }
            position += 1


def _type(transaction: SignedTransactionAPI) -> int:
    # Legacy transactions have no EIP-2718 type byte and count as type 0.
    return transaction.type_id or 0


def _effective_price(mined: Mined, transaction: Any) -> int:
    header: Any = mined.block.header
    return int(min(transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas + header.base_fee_per_gas))


def _created(transaction: SignedTransactionAPI) -> bytes:
    return keccak(rlp.encode([transaction.sender, transaction.nonce]))[12:]
