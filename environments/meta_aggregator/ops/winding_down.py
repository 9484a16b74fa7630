"""Empty an escrow that cannot be mended: the arbiter refunds every open deposit, the treasury pays what is not there."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psycopg

from drillbook.chain.client import ChainClient, ChainError
from ops.escrow_state import Deposit, ether, in_words, open_deposits
from ops.transactions import ARBITER, OWNER, account, call_contract, send

CLOSE = (
    "update trades set status = 'refunded', closed_at = clock_timestamp()"
    " where escrow_order_id = any(%s) and status = 'open'"
)
COVER = "update escrow_losses set covered_at = clock_timestamp() where contract = %s and covered_at is null"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of the open deposits: paid by the escrow, or by the treasury in its place."""

    refunded: tuple[Deposit, ...]
    covered: tuple[Deposit, ...]


def refund_all(client: ChainClient, address: str) -> Withdrawn:
    """Refund every open deposit to its buyer, the largest first: a thief is racing for the same money. Raises ChainError."""
    arbiter = account(client, ARBITER)
    refunded, covered = [], []
    for deposit in sorted(open_deposits(client, address), key=lambda one: -one.amount):
        try:
            call_contract(client, arbiter, address, "refund(bytes32)", deposit.order_id)
        except ChainError as error:
            if error.data is None:
                raise
            print(f"{deposit.order_id[:10]}…, {ether(deposit.amount)}: {in_words(error)}")
            covered.append(deposit)
        else:
            print(f"{deposit.order_id[:10]}…, {ether(deposit.amount)} refunded to {deposit.buyer}")
            refunded.append(deposit)
    return Withdrawn(tuple(refunded), tuple(covered))


def cover_from_treasury(client: ChainClient, deposits: tuple[Deposit, ...]) -> None:
    """Pay buyers what the escrow no longer holds: to them, not into a contract that leaks. Raises ChainError."""
    treasury = account(client, OWNER)
    for deposit in deposits:
        send(client, {"from": treasury, "to": deposit.buyer, "value": hex(deposit.amount)})
        print(f"{deposit.order_id[:10]}…, {ether(deposit.amount)} paid to {deposit.buyer} by the treasury")


def book(address: str, withdrawn: Withdrawn) -> None:
    """Close the trades of these deposits, and the losses that were made good. Raises psycopg.Error."""
    closed = [one.order_id for one in (*withdrawn.refunded, *withdrawn.covered)]
    with psycopg.connect(dbname=os.environ.get("PGDATABASE", "production_db"), connect_timeout=3) as database:
        count = database.execute(CLOSE, [closed]).rowcount
        if withdrawn.covered:
            database.execute(COVER, [address])
    print(f"{count} trades closed as refunded")
