"""Unit tests of the orders API: which orders are taken, what they cost, and how the escrow's answers are read."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any, ClassVar

from drillbook.chain.abi import keccak
from services import escrow
from services.orders_api.orders import FEE_BPS, LARGEST, Invalid, NewOrder
from services.orders_api.outside import OutsideError
from services.orders_api.quotes import NoQuote, Sources, quote

ETHER = 10**18
ORDER = {"customer": "0x" + "Ab" * 20, "sell_token": "ETH", "buy_token": "USDC", "sell_amount": str(ETHER)}


class Orders(unittest.TestCase):
    """What a customer may ask for."""

    def refused(self, **changes: Any) -> dict[str, str]:
        """Give what is wrong with an order, by field."""
        with self.assertRaises(Invalid) as caught:
            NewOrder.parse({**ORDER, **changes})
        return dict(caught.exception.errors)

    def test_an_order_is_read_and_its_customer_unified(self) -> None:
        order = NewOrder.parse(ORDER)
        self.assertEqual(order, NewOrder("0x" + "ab" * 20, "ETH", "USDC", ETHER))

    def test_the_fee_is_fifteen_basis_points_rounded_down(self) -> None:
        self.assertEqual(FEE_BPS, 15)
        self.assertEqual(NewOrder.parse(ORDER).fee, 1_500_000_000_000_000)
        self.assertEqual(NewOrder.parse({**ORDER, "sell_amount": "666"}).fee, 0)
        self.assertEqual(NewOrder.parse({**ORDER, "sell_amount": "667"}).fee, 1)

    def test_amounts_are_whole_positive_and_bounded(self) -> None:
        for wrong in ("0", "-1", "1.5", "", "0x10", None, True, 1.0, str(LARGEST)):
            with self.subTest(wrong):
                self.assertEqual(list(self.refused(sell_amount=wrong)), ["sell_amount"])
        self.assertEqual(NewOrder.parse({**ORDER, "sell_amount": LARGEST - 1}).sell_amount, LARGEST - 1)

    def test_every_wrong_field_is_named_at_once(self) -> None:
        errors = self.refused(customer="0x12", sell_token="BTC", buy_token="DOGE", note="please")
        self.assertEqual(set(errors), {"customer", "sell_token", "buy_token", "note"})

    def test_a_token_is_not_swapped_for_itself(self) -> None:
        self.assertEqual(list(self.refused(buy_token="ETH")), ["buy_token"])

    def test_a_repeat_has_the_same_fingerprint_and_another_order_has_not(self) -> None:
        same = NewOrder.parse({**ORDER, "customer": "0x" + "aB" * 20})
        self.assertEqual(same.fingerprint, NewOrder.parse(ORDER).fingerprint)
        self.assertNotEqual(same.fingerprint, NewOrder.parse({**ORDER, "sell_amount": "1"}).fingerprint)


class EscrowAnswers(unittest.TestCase):
    """How the API reads the contract."""

    def test_selectors_are_the_hashes_of_their_signatures(self) -> None:
        for signature, selector in escrow.SELECTORS.items():
            self.assertEqual(selector, "0x" + keccak(signature.encode())[:4].hex(), signature)

    def test_a_state_is_read_word_by_word(self) -> None:
        words = [{"result": hex(number)} for number in (1, 3, 5 * ETHER, 6 * ETHER)]
        state = escrow.state("0xe5c", list(words))
        self.assertEqual(state, escrow.EscrowState("0xe5c", True, 3, 5 * ETHER, 6 * ETHER))

    def test_what_is_no_answer_is_refused(self) -> None:
        for wrong in (None, {}, {"error": {"message": "reverted"}}, {"result": "0x"}, {"result": None}):
            with self.subTest(wrong), self.assertRaises(escrow.ChainError):
                escrow.word(wrong)


class Prices:
    """Stands for 0x and CoinGecko: each gives what it is made with, or fails."""

    def __init__(self, firm: int | None, market: dict[str, float] | None) -> None:
        self.firm, self.market = firm, market

    async def zeroex_price(self, *_: Any) -> dict[str, Any]:
        """Answer as 0x."""
        if self.firm is None:
            raise OutsideError("HTTP 503")
        return {"buyAmount": str(self.firm)}

    async def usd_prices(self, *_: str) -> dict[str, float]:
        """Answer as CoinGecko."""
        if self.market is None:
            raise OutsideError("HTTP 429")
        return self.market


def quoted(firm: int | None, market: dict[str, float] | None) -> dict[str, Any]:
    """Quote 2 ETH in USDC."""
    outside: Any = Prices(firm, market)
    given: dict[str, Any] = asyncio.run(quote(outside, Sources(), "ETH", "USDC", 2 * ETHER))
    return given


class Quotes(unittest.TestCase):
    """A quote from two sources."""

    MARKET: ClassVar = {"ETH": 3000.0, "USDC": 1.0}

    def test_the_firm_price_counts_and_the_market_stands_beside_it(self) -> None:
        given = quoted(5_990_000_000, self.MARKET)
        self.assertEqual((given["source"], given["buy_amount"]), ("0x", "5990000000"))
        self.assertEqual((given["market_amount"], given["degraded"]), ("6000000000", {}))

    def test_the_market_stands_in_and_says_so(self) -> None:
        given = quoted(None, self.MARKET)
        self.assertEqual((given["source"], given["buy_amount"]), ("coingecko", "6000000000"))
        self.assertEqual(list(given["degraded"]), ["0x"])

    def test_without_any_source_there_is_no_quote(self) -> None:
        with self.assertRaises(NoQuote):
            quoted(None, None)
