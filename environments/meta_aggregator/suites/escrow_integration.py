"""Tests of the escrow with what stands beside it: the seeded trades, the next release, the orders API's reading of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from drillbook.chain.abi import parse_signature
from drillbook.chain.client import Baseline
from services import escrow as api
from suites.local_escrow import DEPOSIT, DEPOSIT_FOR, OPEN, OnLocalChain

UPGRADE = "upgradeToAndCall(address,bytes)"


class EscrowInService(OnLocalChain):
    """An escrow with every seeded trade open."""

    trades: ClassVar[list[dict[str, str]]]

    @classmethod
    def setUpClass(cls) -> None:
        """Open the trades before the state is remembered."""
        super().setUpClass()
        cls.trades = json.loads(Path("contracts/seed_trades.json").read_text())
        for trade in cls.trades:
            amount = int(trade["amount_wei"])
            cls.client.invoke(trade["buyer"], cls.escrow, DEPOSIT_FOR, trade["order_id"], trade["seller"], value=amount)
        cls.baseline = Baseline(cls.client)

    def test_every_trade_is_an_open_deposit(self) -> None:
        for trade in self.trades:
            self.assertEqual(self.ask(DEPOSIT, trade["order_id"])[2:], (int(trade["amount_wei"]), OPEN))
        self.assertEqual(self.ask("openCount()(uint256)"), len(self.trades))
        self.solvent()

    def test_the_orders_api_reads_what_the_contract_says(self) -> None:
        requests = api.requests(self.escrow)
        answers: list[object] = [{"result": self.client.call(one["method"], *one["params"])} for one in requests]
        state = api.state(self.escrow, answers)
        total = sum(int(trade["amount_wei"]) for trade in self.trades)
        self.assertEqual(state, api.EscrowState(self.escrow, False, len(self.trades), total, total))

    def test_an_upgrade_keeps_deposits_and_money(self) -> None:
        before = [self.ask(DEPOSIT, trade["order_id"]) for trade in self.trades]
        following = self.create("testing/EscrowNext")
        self.do(self.owner, UPGRADE, following, parse_signature("setFee(uint256)").encode((25,)))
        self.assertNotEqual(self.ask("version()(string)")[:2], "1.")
        self.assertEqual([self.ask(DEPOSIT, trade["order_id"]) for trade in self.trades], before)
        self.solvent()

    def test_a_stranger_upgrades_nothing(self) -> None:
        self.refused("NotOwner(address)", self.stranger, UPGRADE, self.create("testing/EscrowNext"), b"")
