"""Time the statements that the system lives on, as pgbench does: one client, one statement after another, every one counted.

Run as `python -m ops.db_performance_test` with libpq's variables. Nothing that it writes stays. Exit 0: each statement's 95th
percentile is within the bound; 1: one is not, and it is named; 2: the database cannot be asked.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import psycopg

BOUND = 0.06
"""Seconds: what each statement's 95th percentile must keep, the way to the server included."""
BUDGET = 0.12
"""Seconds that each statement is repeated for, FEWEST times at least."""
FEWEST = 3
CUSTOMER = "0x" + "d" * 40
STATEMENTS = {
    "one order": "select * from orders where id = 1 + (random() * 199)::int",
    "the list of orders": """
        select o.*, (select p.usd from price_ticks as p
                     where p.token = o.sell_token and p.at <= o.created_at order by p.at desc limit 1) as usd
        from orders as o order by o.id desc limit 50""",
    "a new order": f"""
        insert into orders (idempotency_key, fingerprint, customer, sell_token, buy_token, sell_amount, fee, total)
        values ('performance-' || gen_random_uuid(), 'x', '{CUSTOMER}', 'ETH', 'USDC', 1000, 1, 1001)""",
    "a cancelled order": "update orders set status = 'cancelled' where id = 1 + (random() * 199)::int",
}


@dataclass(frozen=True, slots=True)
class Timing:
    """One statement: how often it ran, and its seconds in ascending order."""

    name: str
    seconds: tuple[float, ...]

    @property
    def p95(self) -> float:
        """The nearest-rank 95th percentile, in seconds."""
        return self.seconds[math.ceil(0.95 * len(self.seconds)) - 1]

    def __str__(self) -> str:
        median, rate = self.seconds[(len(self.seconds) - 1) // 2], len(self.seconds) / sum(self.seconds)
        word = "ok  " if self.p95 <= BOUND else "SLOW"
        figures = f"{rate:.0f}/s, p50 {median * 1000:.1f} ms, p95 {self.p95 * 1000:.1f} ms of {BOUND * 1000:.0f} ms"
        return f"{word}  {self.name}: {figures} ({len(self.seconds)} times)"


def run(connection: psycopg.Connection[Any]) -> Iterator[Timing]:
    """Time each statement, in a transaction that is rolled back."""
    for name, statement in STATEMENTS.items():
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())  # not counted: it warms caches up
            yield Timing(name, tuple(sorted(_times(connection, statement.encode()))))


def _times(connection: psycopg.Connection[Any], statement: bytes) -> Iterator[float]:
    count, began = 0, perf_counter()
    while count < FEWEST or perf_counter() - began < BUDGET:
        started = perf_counter()
        connection.execute(statement)
        yield perf_counter() - started
        count += 1


def main() -> int:
    """Run, and report."""
    database = os.environ.get("PGDATABASE", "production_db")
    options = "-c statement_timeout=5000 -c lock_timeout=2000"
    try:
        with psycopg.connect(dbname=database, connect_timeout=5, autocommit=True, options=options) as connection:
            timings = list(run(connection))
    except psycopg.Error as error:
        print(f"db_performance_test: {database}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print("\n".join(map(str, timings)))
    return 1 if any(timing.p95 > BOUND for timing in timings) else 0


if __name__ == "__main__":
    sys.exit(main())
