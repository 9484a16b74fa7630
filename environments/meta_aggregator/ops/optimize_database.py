"""Take dead rows and bloat out of the database without keeping its writers waiting; prints what each table lost.

Every table is vacuumed and analysed, which locks out nobody. Only a table with much air is then written anew (VACUUM FULL),
which locks it, so that is bounded twice: it waits for the lock at most WAIT seconds, for those behind it wait as well, and
it is cancelled when it has not done within LOCK_SECONDS_MAX; a table too large for that is left for pg_repack. Exit 1 where
bloat is left, and it says which and why; 2 where the database could not be asked.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from time import monotonic

import psycopg
from psycopg import sql

from drillbook.clock import SYSTEM_CLOCK
from ops import production
from ops.production import Connection

WAIT = 0.1
ATTEMPTS = 5
PAUSE = 0.1
BYTES_PER_SECOND = 20_000_000
"""What writing a table anew is sure to manage here, indexes too: decides which table is too large to be locked."""
SPARE = 1_000_000
"""Bytes of air below which a table is left alone."""
TABLES = """
    select c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid), coalesce(s.n_dead_tup, 0), greatest(c.reltuples, 0),
           coalesce((select sum(avg_width) from pg_stats where schemaname = 'public' and tablename = c.relname), 100)
    from pg_class c left join pg_stat_user_tables s on s.relid = c.oid
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by 1
"""
ROW_OVERHEAD = 40
"""Bytes of a row's header, its item pointer and its alignment."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table's size: `air` is what its live rows do not need, estimated from the planner's statistics."""

    name: str
    heap: int
    indexes: int
    dead: int
    live_bytes: int

    @property
    def air(self) -> int:
        """Bytes that writing it anew would give back."""
        return max(0, self.heap - self.live_bytes)

    @property
    def bloated(self) -> bool:
        """Whether it is mostly air, and enough of it to matter."""
        return self.air > SPARE and self.air > self.heap / 2

    @property
    def seconds(self) -> float:
        """How long writing it anew takes at the most."""
        return (self.live_bytes + self.indexes) / BYTES_PER_SECOND


def tables(link: Connection) -> list[Table]:
    """Look at every table."""
    return [
        Table(name, heap, indexes, dead, int(rows * (width + ROW_OVERHEAD)))
        for name, heap, indexes, dead, rows, width in link.execute(TABLES).fetchall()
    ]


def compact(link: Connection, table: Table, bound: float) -> tuple[float, str]:
    """Write a table anew within the bound; give the seconds that it was locked or waited for, and why it was not done."""
    statement = sql.SQL("vacuum (full, analyze) {}").format(sql.Identifier(table.name))
    link.execute(sql.SQL("set lock_timeout = {}").format(sql.Literal(f"{int(WAIT * 1000)}ms")))
    link.execute(sql.SQL("set statement_timeout = {}").format(sql.Literal(f"{int(bound * 1000)}ms")))
    longest, why = 0.0, ""
    for attempt in range(ATTEMPTS):
        if attempt:
            SYSTEM_CLOCK.sleep(PAUSE)  # those who waited behind us go first
        begun = monotonic()
        try:
            link.execute(statement)
            why = ""
        except psycopg.errors.LockNotAvailable:
            why = "somebody holds it: " + holders(link, table)
        except psycopg.errors.QueryCanceled:
            why = f"it was not done within {bound:g} s, and was cancelled"
        longest = max(longest, monotonic() - begun)
        if not why.startswith("somebody"):
            break
    return longest, why


def holders(link: Connection, table: Table) -> str:
    """Name the sessions that hold a lock on a table."""
    rows = link.execute(
        "select l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), a.state from pg_locks l"
        " join pg_stat_activity a using (pid) where l.relation = %s::regclass and l.granted and l.pid <> pg_backend_pid()"
        " order by a.xact_start limit 3",
        (table.name,),
    ).fetchall()
    return ", ".join(f"session {pid} ({name}, {state})" for pid, name, state in rows) or "gone by now"


def optimize(link: Connection, bound: float) -> list[str]:
    """Clean every table; give what is left to do, in words."""
    before = {table.name: table for table in tables(link)}
    left = []
    link.execute(sql.SQL("set lock_timeout = {}").format(sql.Literal(f"{int(WAIT * 1000)}ms")))
    for name in before:
        try:
            link.execute(sql.SQL("vacuum (analyze, skip_locked) {}").format(sql.Identifier(name)))
        except psycopg.errors.LockNotAvailable:
            left.append(f"{name} was not vacuumed: it is locked")
    for table in tables(link):
        if table.bloated and table.seconds > bound:
            left.append(
                f"{table.name}: {table.air} bytes of air; locked for {table.seconds:.1f} s it would take: pg_repack"
            )
        elif table.bloated:
            locked, why = compact(link, table, bound)
            print(
                f"{table.name}: {'left alone' if why else 'written anew'}, writers waited at most {locked:.3f} s at once"
            )
            left += [f"{table.name} is left bloated: {why}"] if why else []
    link.execute("set statement_timeout = 0")
    for table in tables(link):
        was = before[table.name]
        print(
            f"{table.name:<10} dead rows {was.dead} -> {table.dead}, table {was.heap} -> {table.heap} bytes,"
            f" indexes {was.indexes} -> {table.indexes} bytes"
        )
    return left


def main() -> int:
    """Optimise the database; print what is left to do."""
    bound = float(os.environ.get("LOCK_SECONDS_MAX", "1"))
    try:
        with production.database(seconds=20.0) as link:
            left = optimize(link, bound)
    except psycopg.Error as error:
        print(f"optimize_database: {production.one_line(error)}", file=sys.stderr)
        return 2
    for one in left:
        print(f"LEFT: {one}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
