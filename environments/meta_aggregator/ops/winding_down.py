"""Empty an escrow that cannot be mended: the arbiter refunds every open deposit, the treasury pays what is not there."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psycopg

from drillbook.chain.client import ChainClient, ChainError
from ops.escrow_state import DEPOSIT, REFUNDED, Deposit, ether, in_words, open_deposits
from ops.transactions import ARBITER, OWNER, FailedInBlock, account, call_contract, send

CLOSE = "update trades set status = 'refunded', closed_at = clock_timestamp() where escrow_order_id = %s and status = 'open'"
STILL_OPEN = "select escrow_order_id from trades where status = 'open'"
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
            if error.data is None and not isinstance(error, FailedInBlock):
                raise
            print(f"{deposit.order_id[:10]}…, {ether(deposit.amount)}: {in_words(error)}")
            covered.append(deposit)
        else:
            print(f"{deposit.order_id[:10]}…, {ether(deposit.amount)} refunded to {deposit.buyer}")
            refunded.append(deposit)
    return Withdrawn(tuple(refunded), tuple(covered))


def settle(client: ChainClient, address: str, withdrawn: Withdrawn) -> int:
    """Close the trades that the escrow has refunded, now or before; pay the rest from the treasury, to the buyers: it leaks.

    A trade that is closed already was paid before: each is paid and closed in one transaction of the database. Gives the wei
    that the treasury paid. Raises psycopg.Error, ChainError.
    """
    treasury, paid = account(client, OWNER), 0
    with psycopg.connect(dbname=os.environ.get("PGDATABASE", "production_db"), connect_timeout=3) as database:
        for (order_id,) in database.execute(STILL_OPEN).fetchall():
            if client.read(address, DEPOSIT, order_id)[3] == REFUNDED:
                database.execute(CLOSE, [order_id])
        database.commit()
        for deposit in withdrawn.covered:
            if database.execute(CLOSE, [deposit.order_id]).rowcount == 0:
                print(f"{deposit.order_id[:10]}… is no open trade: nothing is paid for it")
                continue
            send(client, {"from": treasury, "to": deposit.buyer, "value": hex(deposit.amount)})
            database.commit()
            paid += deposit.amount
            print(f"{deposit.order_id[:10]}…, {ether(deposit.amount)} paid to {deposit.buyer} by the treasury")
        if withdrawn.covered:
            database.execute(COVER, [address])
    return paid
