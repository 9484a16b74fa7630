"""An escrow of the checkout's own build on the test run's chain, and what its tests share."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any

from drillbook.chain.abi import encode, keccak, parse_signature
from drillbook.chain.client import Baseline, ChainClient, ChainError

ARTIFACTS = Path("contracts/artifacts")
DEPOSIT = "deposit(bytes32)(address,address,uint256,uint8)"
DEPOSIT_FOR = "depositFor(bytes32,address)"
OPEN, CONFIRMED, REFUNDED = 1, 2, 3
ORDER = "0x" + keccak(b"an order").hex()


class OnLocalChain(unittest.TestCase):
    """Tests of one escrow; each begins with the chain as the class has set it up."""

    client: ChainClient
    escrow: str
    baseline: Baseline
    owner: str
    arbiter: str
    buyer: str
    seller: str
    stranger: str

    @classmethod
    def setUpClass(cls) -> None:
        """Connect, deploy, remember."""
        cls.client = ChainClient(os.environ["LOCAL_CHAIN_URL"])
        cls.addClassCleanup(cls.client.close)
        cls.owner, cls.arbiter, cls.buyer, cls.seller, cls.stranger = cls.client.accounts()[:5]
        cls.escrow = cls.deploy()
        cls.baseline = Baseline(cls.client)

    def setUp(self) -> None:
        """Leave the chain behind as it was found."""
        self.addCleanup(self.baseline.restore)

    @classmethod
    def create(cls, name: str, arguments: bytes = b"") -> str:
        """Create a contract from the checkout's artifacts."""
        code = json.loads((ARTIFACTS / f"{name}.json").read_text())["bytecode"]
        return str(cls.client.transact({"from": cls.owner, "data": code + arguments.hex()})["contractAddress"])

    @classmethod
    def deploy(cls) -> str:
        """Create the escrow behind its proxy."""
        initialize = parse_signature("initialize(address,address)").encode((cls.owner, cls.arbiter))
        return cls.create("ERC1967Proxy", encode(("address", "bytes"), (cls.create("Escrow"), initialize)))

    def ask(self, signature: str, *arguments: Any) -> Any:
        """Ask the escrow."""
        return self.client.read(self.escrow, signature, *arguments)

    def do(self, sender: str, signature: str, *arguments: Any, value: int = 0) -> None:
        """Call the escrow in a transaction."""
        self.client.invoke(sender, self.escrow, signature, *arguments, value=value)

    def refused(self, error: str, sender: str, signature: str, *arguments: Any, value: int = 0) -> None:
        """See that the escrow reverts with this error."""
        with self.assertRaises(ChainError) as caught:
            self.do(sender, signature, *arguments, value=value)
        self.assertEqual(str(caught.exception.data)[:10], "0x" + parse_signature(error).selector.hex())

    def solvent(self) -> None:
        """See that the escrow holds what it promises."""
        self.assertEqual(self.client.balance(self.escrow), self.ask("openTotal()(uint256)"))
