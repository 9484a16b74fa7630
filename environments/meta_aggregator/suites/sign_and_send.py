"""Tests of signing: a key signs a transaction, a node takes it raw, and the escrow shows what was signed, nothing else."""

from __future__ import annotations

import rlp  # type: ignore[import-untyped]
from eth_keys.datatypes import PrivateKey

from drillbook.chain.abi import keccak, parse_signature
from drillbook.chain.client import ChainError
from services import escrow as api
from suites.local_escrow import DEPOSIT, DEPOSIT_FOR, OPEN, ORDER, OnLocalChain

KEY = "47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"
"""The key of the fifth account of the published development mnemonic: known to everybody, worth nothing."""
GAS = 300_000


def number(value: int) -> bytes:
    """Give a number as RLP has it: big-endian, without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


class SignAndSend(OnLocalChain):
    """One signer, who is a buyer."""

    key = PrivateKey(bytes.fromhex(KEY))

    def signed(self, *, nonce: int, value: int = 900, chain_id: int | None = None) -> str:
        """Sign a deposit for the order (EIP-155); give it raw, as hex."""
        chain_id = self.client.chain_id() if chain_id is None else chain_id
        data = parse_signature(DEPOSIT_FOR).encode((ORDER, self.seller))
        price = int(self.client.call("eth_gasPrice"), 16) * 2
        to = bytes.fromhex(self.escrow[2:])
        fields = [number(nonce), number(price), number(GAS), to, number(value), data]
        digest = keccak(rlp.encode([*fields, number(chain_id), b"", b""]))
        signature = self.key.sign_msg_hash(digest)
        v = chain_id * 2 + 35 + signature.v
        raw: bytes = rlp.encode([*fields, number(v), number(signature.r), number(signature.s)])
        return "0x" + raw.hex()

    def nonce(self) -> int:
        """Give the number of the signer's next transaction."""
        return int(self.client.call("eth_getTransactionCount", self.address, "latest"), 16)

    @property
    def address(self) -> str:
        """The signer's address."""
        return str(self.key.public_key.to_checksum_address())

    def test_the_key_is_the_accounts(self) -> None:
        self.assertEqual(self.address.lower(), self.stranger.lower())

    def test_what_is_signed_is_sent_mined_and_seen(self) -> None:
        before = self.nonce()
        digest = self.client.call("eth_sendRawTransaction", self.signed(nonce=before))
        receipt = self.client.call("eth_getTransactionReceipt", digest)
        self.assertEqual((receipt["status"], receipt["from"].lower()), ("0x1", self.address.lower()))
        buyer, seller, amount, state = self.ask(DEPOSIT, ORDER)
        self.assertEqual((buyer.lower(), seller.lower()), (self.address.lower(), self.seller.lower()))
        self.assertEqual((amount, state, self.nonce()), (900, OPEN, before + 1))

    def test_the_orders_api_sees_the_deposit(self) -> None:
        self.client.call("eth_sendRawTransaction", self.signed(nonce=self.nonce()))
        requests = api.requests(self.escrow)
        answers: list[object] = [{"result": self.client.call(one["method"], *one["params"])} for one in requests]
        self.assertEqual(api.state(self.escrow, answers), api.EscrowState(self.escrow, False, 1, 900, 900))

    def test_the_same_transaction_is_not_taken_twice(self) -> None:
        raw = self.signed(nonce=self.nonce())
        self.client.call("eth_sendRawTransaction", raw)
        with self.assertRaises(ChainError):
            self.client.call("eth_sendRawTransaction", raw)
        self.assertEqual(self.ask("openCount()(uint256)"), 1)

    def test_a_signature_for_another_chain_is_not_taken(self) -> None:
        with self.assertRaises(ChainError):
            self.client.call("eth_sendRawTransaction", self.signed(nonce=self.nonce(), chain_id=1))
        self.assertEqual(self.ask("openCount()(uint256)"), 0)
