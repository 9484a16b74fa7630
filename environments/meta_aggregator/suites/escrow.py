"""Tests of the escrow contract alone: whose money goes where, and who may stop it."""

from __future__ import annotations

from suites.local_escrow import CONFIRMED, DEPOSIT, DEPOSIT_FOR, OPEN, ORDER, REFUNDED, OnLocalChain


class Escrow(OnLocalChain):
    """A fresh escrow."""

    def test_it_is_the_release_that_this_checkout_is_for(self) -> None:
        self.assertTrue(str(self.ask("version()(string)")).startswith("1."))
        self.assertEqual(str(self.ask("owner()(address)")).lower(), self.owner.lower())
        self.assertEqual(str(self.ask("arbiter()(address)")).lower(), self.arbiter.lower())
        self.assertFalse(self.ask("paused()(bool)"))

    def test_a_deposit_is_kept_for_its_parties(self) -> None:
        self.do(self.buyer, DEPOSIT_FOR, ORDER, self.seller, value=700)
        buyer, seller, amount, state = self.ask(DEPOSIT, ORDER)
        self.assertEqual((buyer.lower(), seller.lower()), (self.buyer.lower(), self.seller.lower()))
        self.assertEqual((amount, state, self.ask("openCount()(uint256)")), (700, OPEN, 1))
        self.solvent()

    def test_confirming_pays_the_seller_all_of_it(self) -> None:
        self.do(self.buyer, DEPOSIT_FOR, ORDER, self.seller, value=700)
        before = self.client.balance(self.seller)
        self.do(self.buyer, "confirm(bytes32)", ORDER)
        self.assertEqual(self.client.balance(self.seller), before + 700)
        self.assertEqual(self.ask(DEPOSIT, ORDER)[3], CONFIRMED)
        self.solvent()

    def test_the_arbiter_can_pay_the_buyer_back(self) -> None:
        self.do(self.buyer, DEPOSIT_FOR, ORDER, self.seller, value=700)
        before = self.client.balance(self.buyer)
        self.do(self.arbiter, "refund(bytes32)", ORDER)
        self.assertEqual(self.client.balance(self.buyer), before + 700)
        self.assertEqual(self.ask(DEPOSIT, ORDER)[3], REFUNDED)

    def test_nobody_else_moves_the_money(self) -> None:
        self.do(self.buyer, DEPOSIT_FOR, ORDER, self.seller, value=700)
        for sender, act in ((self.seller, "confirm"), (self.buyer, "refund"), (self.stranger, "confirm")):
            self.refused("NotAllowed(bytes32,address)", sender, f"{act}(bytes32)", ORDER)
        self.solvent()

    def test_a_deposit_is_settled_once(self) -> None:
        self.do(self.buyer, DEPOSIT_FOR, ORDER, self.seller, value=700)
        self.do(self.buyer, "confirm(bytes32)", ORDER)
        self.refused("NotOpen(bytes32,uint8)", self.arbiter, "refund(bytes32)", ORDER)
        self.refused("AlreadyDeposited(bytes32)", self.buyer, DEPOSIT_FOR, ORDER, self.seller, value=1)

    def test_only_the_owner_pauses_and_a_pause_stops_money(self) -> None:
        self.refused("NotOwner(address)", self.stranger, "pause()")
        self.do(self.owner, "pause()")
        self.refused("IsPaused()", self.buyer, DEPOSIT_FOR, ORDER, self.seller, value=700)
        self.do(self.owner, "unpause()")
        self.do(self.buyer, DEPOSIT_FOR, ORDER, self.seller, value=700)
        self.solvent()
