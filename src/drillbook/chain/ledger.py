"""The chain itself: eth-tester's genesis and fork rules on py-evm, one block for each transaction that pays its tip.

It drives py-evm directly rather than through `EthereumTester` or web3's provider, for three reasons: web3's provider
adds 0.2 s to an import of 0.7 s; eth-tester drops the data of a revert, which every client needs to name a custom
error; and it finds a transaction by walking all blocks. Mined blocks are kept in a list and the state is never pruned,
so a snapshot is a height and a revert cuts the list: both take microseconds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI, StateAPI
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.exceptions import Revert
from eth.vm.message import Message
from eth.vm.spoof import SpoofTransaction
from eth_keys.datatypes import PrivateKey
from eth_tester.backends.pyevm.main import (  # type: ignore[import-untyped]
    get_account_keys_from_mnemonic,
    setup_tester_chain,
)
from eth_typing import Address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from drillbook.chain.pool import Pool, UnderpricedError

ACCOUNT_PATH = "m/44'/60'/0'/0"
"""Where wallets, Hardhat and anvil derive accounts from a mnemonic (BIP-44, coin type 60)."""
PRIORITY_FEE = 10**9
"""Wei of tip for each gas that a node suggests."""
STIPEND = 2300


class RefusedError(Exception):
    """Decline a transaction that no block may contain; the text is what a client is told."""


class RevertedError(Exception):
    """Report a contract that reverted; `data` is what it returned (ABI-encoded error, or nothing)."""

    def __init__(self, data: bytes) -> None:
        super().__init__("execution reverted")
        self.data = data


class HaltedError(Exception):
    """Report an execution that stopped for any other reason than a revert: out of gas, bad opcode."""


@dataclass(frozen=True, slots=True)
class Mined:
    """One block with what executing it gave."""

    block: BlockAPI
    receipts: tuple[ReceiptAPI, ...]

    @property
    def number(self) -> int:
        """The block's height."""
        return self.block.number


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks to execute: amounts in wei, None where the node may choose."""

    sender: Address
    to: Address = CREATE_CONTRACT_ADDRESS
    data: bytes = b""
    value: int = 0
    gas: int | None = None
    nonce: int | None = None
    gas_price: int | None = None
    max_fee: int | None = None
    tip: int | None = None
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...] = ()


class Ledger:
    """Blocks, accounts and state of one chain. Not thread-safe: its owner holds a lock."""

    def __init__(self, chain_id: int, mnemonic: str, accounts: int, balance: int) -> None:
        keys: Sequence[PrivateKey] = get_account_keys_from_mnemonic(mnemonic, accounts, ACCOUNT_PATH)
        self.chain_id = chain_id
        self.keys = {key.public_key.to_canonical_address(): key for key in keys}
        account = {"balance": balance, "storage": {}, "code": b"", "nonce": 0}
        self._chain: Any = setup_tester_chain(None, dict.fromkeys(self.keys, account))[1]
        # eth-tester fixes the id in the class that it builds; py-evm reads it from there for every VM.
        type(self._chain).chain_id = chain_id
        self.pool = Pool()
        self.blocks = [Mined(self._chain.get_canonical_block_by_number(0), ())]
        self._places: dict[bytes, tuple[int, int]] = {}
        self._snapshots: dict[int, int] = {}
        self._last_snapshot = -1

    # Reading

    @property
    def head(self) -> Mined:
        """The newest block."""
        return self.blocks[-1]

    def find_block(self, block_hash: bytes) -> Mined | None:
        """Look a block up by hash, newest first."""
        return next((mined for mined in reversed(self.blocks) if mined.block.hash == block_hash), None)

    def find_transaction(self, transaction_hash: bytes) -> tuple[Mined, int] | None:
        """Look a transaction up: its block and its index in it."""
        place = self._places.get(transaction_hash)
        return (self.blocks[place[0]], place[1]) if place else None

    def state(self, at: Mined | None = None) -> StateAPI:
        """Give the state after a block (default: the newest); changes to it are lost."""
        state: StateAPI = self._chain.get_vm((at or self.head).block.header).state
        return state

    @property
    def base_fee(self) -> int:
        """Wei for each gas that the next block will burn (EIP-1559)."""
        return self._next_header().base_fee_per_gas or 0

    # Executing without a block

    def call(self, request: Request, at: Mined | None = None) -> bytes:
        """Execute a message and give what it returns; free of charge, whoever sends it.

        Raises RevertedError, HaltedError.
        """
        state = self.state(at)
        gas = min(request.gas or state.gas_limit, state.gas_limit)
        context = state.get_transaction_context_class()(gas_price=request.gas_price or 0, origin=request.sender)
        if request.to:
            message = Message(
                gas, request.to, request.sender, request.value, request.data, self._code(state, request.to)
            )
            computation = state.computation_class.apply_message(state, message, context)
        else:
            address = Address(keccak(b"drillbook call" + request.sender)[12:])
            message = Message(gas, request.to, request.sender, request.value, b"", request.data, create_address=address)
            computation = state.computation_class.apply_create_message(state, message, context)
        _raise_failure(computation)
        return computation.output

    def estimate(self, request: Request) -> int:
        """Give a gas limit that lets the transaction succeed on the present state.

        Raises RevertedError, HaltedError, RefusedError.
        """
        cap = min(request.gas or self.head.block.header.gas_limit, self.head.block.header.gas_limit)
        computation, peak, floor = self._try(request, cap)
        _raise_failure(computation)
        for limit in (peak, peak * 64 // 63 + STIPEND, peak * 2):
            # A call keeps back 1/64 of the gas (EIP-150), so the peak itself may not be enough.
            if max(limit, floor) < cap and not self._try(request, max(limit, floor))[0].is_error:
                return max(limit, floor)
        return cap

    def _try(self, request: Request, gas: int) -> tuple[ComputationAPI, int, int]:
        """Run as a transaction with a gas limit; give outcome, gas used before refunds, and EIP-7623's floor."""
        with self._chain.get_vm(self.head.block.header).in_costless_state() as state:
            unsigned = self._builder().new_unsigned_dynamic_fee_transaction(
                chain_id=self.chain_id,
                nonce=state.get_nonce(request.sender),
                max_priority_fee_per_gas=0,
                max_fee_per_gas=0,
                gas=gas,
                to=request.to,
                value=request.value,
                data=request.data,
                access_list=request.access_list,
            )
            spoofed: Any = SpoofTransaction(unsigned, from_=request.sender)
            if gas < spoofed.intrinsic_gas:
                raise RefusedError(f"intrinsic gas too low: have {gas}, want {spoofed.intrinsic_gas}")
            _check_funds(state, request.sender, request.value)
            computation = state.apply_transaction(spoofed)
            used = gas - computation.get_gas_remaining()
            return computation, used, used + state.transaction_executor_class.calc_data_floor_gas(spoofed, used, 0)

    # Mining

    def send(self, request: Request) -> bytes:
        """Sign with one of the node's own accounts, include, give the hash. Raises RefusedError, RevertedError, HaltedError."""
        key = self.keys.get(request.sender)
        if key is None:
            raise RefusedError(f"unknown account 0x{request.sender.hex()}")
        nonce = self.pending_nonce(request.sender) if request.nonce is None else request.nonce
        gas = self.estimate(request) if request.gas is None else request.gas
        common = {"nonce": nonce, "gas": gas, "to": request.to, "value": request.value, "data": request.data}
        if request.gas_price is not None and not request.access_list:
            unsigned = self._builder().create_unsigned_transaction(**common, gas_price=request.gas_price)
            signed = unsigned.as_signed_transaction(key, chain_id=self.chain_id)
        else:
            signed = self._typed(request, common).as_signed_transaction(key)
        # py-evm signs into the class of an older fork, which Prague's blocks cannot hold: read it as if it was sent.
        return self.include(self.decode(signed.encode()))

    def _typed(self, request: Request, common: dict[str, Any]) -> Any:
        common |= {"access_list": request.access_list, "chain_id": self.chain_id}
        if request.gas_price is not None:
            return self._builder().new_unsigned_access_list_transaction(**common, gas_price=request.gas_price)
        tip = PRIORITY_FEE if request.tip is None else request.tip
        max_fee = 2 * self.base_fee + tip if request.max_fee is None else request.max_fee
        return self._builder().new_unsigned_dynamic_fee_transaction(
            **common, max_fee_per_gas=max_fee, max_priority_fee_per_gas=min(tip, max_fee)
        )

    def decode(self, raw: bytes) -> SignedTransactionAPI:
        """Read a signed transaction as it travels (RLP, or EIP-2718 envelope). Raises what py-evm or rlp raise."""
        transaction: SignedTransactionAPI = self._builder().decode(raw)
        return transaction

    def include(self, transaction: SignedTransactionAPI) -> bytes:
        """Take a signed transaction and give its hash: mined in a block of its own, or waiting if it pays too little a tip.

        Raises RefusedError.
        """
        # A legacy transaction without EIP-155's id has none, and is taken as geth takes it: valid on every chain.
        if transaction.chain_id not in (None, self.chain_id):
            raise RefusedError(f"invalid chain id for signer: have {transaction.chain_id} want {self.chain_id}")
        self._check_nonce(transaction)
        if transaction.gas < transaction.intrinsic_gas:
            raise RefusedError(f"intrinsic gas too low: have {transaction.gas}, want {transaction.intrinsic_gas}")
        _check_funds(
            self.state(), transaction.sender, transaction.value + transaction.gas * transaction.max_fee_per_gas
        )
        try:
            self.pool.add(transaction)
        except UnderpricedError as error:
            raise RefusedError(str(error)) from error
        self._mine_waiting(transaction)
        return transaction.hash

    def pending_nonce(self, sender: Address) -> int:
        """Give the next nonce of an account, after what it has waiting."""
        return self.pool.next_nonce(sender, self.state().get_nonce(sender))

    @property
    def minimum_tip(self) -> int:
        """Wei for each gas that a transaction must tip to be mined; what pays less waits."""
        return self.pool.minimum_tip

    @minimum_tip.setter
    def minimum_tip(self, wei: int) -> None:
        self.pool.minimum_tip = wei
        self._mine_waiting()

    def _mine_waiting(self, newest: SignedTransactionAPI | None = None) -> None:
        """Mine what waits and pays enough, the best tip first; RefusedError if no block may hold the newest."""
        while (transaction := self._best_waiting(newest)) is not None:
            self.pool.drop(transaction)
            try:
                self.mine((transaction,))
            except RefusedError:
                if transaction is newest:
                    raise

    def _best_waiting(self, newest: SignedTransactionAPI | None) -> SignedTransactionAPI | None:
        state, base_fee = self.state(), self.base_fee
        due = [one for one in self.pool if one.nonce == state.get_nonce(one.sender)]
        # One that cannot even pay the base fee is tried all the same when it comes in, so that its sender hears of it.
        ready = [
            one for one in due if self.pool.pays(one, base_fee) or (one is newest and one.max_fee_per_gas < base_fee)
        ]
        return max(ready, key=lambda one: self.pool.tip(one, base_fee), default=None)

    def mine(self, transactions: Sequence[SignedTransactionAPI] = ()) -> Mined:
        """Add one block. Raises RefusedError when the fork's rules decline a transaction."""
        self._chain.header = self._next_header()
        try:
            result, receipts, _ = self._chain.mine_all(transactions)
        except ValidationError as error:
            raise RefusedError(str(error)) from error
        mined = Mined(result.imported_block, tuple(receipts))
        self.blocks.append(mined)
        for index, transaction in enumerate(transactions):
            self._places[transaction.hash] = (mined.number, index)
        return mined

    def _next_header(self) -> BlockHeaderAPI:
        parent = self.head.block.header
        header: BlockHeaderAPI = self._chain.create_header_from_parent(
            parent,
            timestamp=max(int(time.time()), parent.timestamp + 1),
            # What PREVRANDAO answers: different in each block, the same in every run.
            mix_hash=keccak(parent.hash),
        )
        return header

    def _check_nonce(self, transaction: SignedTransactionAPI) -> None:
        mined, expected = self.state().get_nonce(transaction.sender), self.pending_nonce(transaction.sender)
        if not mined <= transaction.nonce <= expected:
            word = "low" if transaction.nonce < mined else "high"
            raise RefusedError(f"nonce too {word}: next nonce {expected}, tx nonce {transaction.nonce}")

    # Going back

    def snapshot(self) -> int:
        """Remember the present height and give a number for it, from 0."""
        self._last_snapshot += 1
        self._snapshots[self._last_snapshot] = len(self.blocks)
        return self._last_snapshot

    def revert(self, snapshot: int) -> bool:
        """Go back to a snapshot; False if there is none. It and all later ones are used up, as in anvil; none waits then."""
        height = self._snapshots.get(snapshot)
        if height is None:
            return False
        self._snapshots = {number: kept for number, kept in self._snapshots.items() if number < snapshot}
        del self.blocks[height:]
        self.pool.clear()
        self._places = {key: place for key, place in self._places.items() if place[0] < height}
        return True

    def _builder(self) -> Any:
        return self._chain.get_transaction_builder()

    @staticmethod
    def _code(state: StateAPI, address: Address) -> bytes:
        code: bytes = state.get_transaction_executor().get_code_at_address(address)[0]  # type: ignore[attr-defined]
        return code


def _check_funds(state: StateAPI, sender: Address, want: int) -> None:
    have = state.get_balance(sender)
    if have < want:
        raise RefusedError(f"insufficient funds for gas * price + value: have {have} want {want}")


def _raise_failure(computation: ComputationAPI) -> None:
    if not computation.is_error:
        return
    if isinstance(computation.error, Revert):
        raise RevertedError(computation.output)
    raise HaltedError(str(computation.error) or type(computation.error).__name__)
