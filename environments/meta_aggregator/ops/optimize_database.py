"""Take dead rows and bloat out of the database without keeping its writers waiting; prints what each table lost.

Every table is vacuumed and analysed, which locks out nobody, and indexes with much air are built anew beside the old ones
(REINDEX CONCURRENTLY), which locks out nobody either. Only a table with much air is written anew (VACUUM FULL), which locks
it, so that is bounded twice: it waits for the lock at most WAIT seconds, for those behind it wait as well, and
it is cancelled when it has not done within LOCK_SECONDS_MAX; a table too large for that is left for pg_repack. Exit 1 where
bloat is left, and it says which and why; 2 where the database could not be asked.
"""

from __future__ import annotations

import contextlib
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
NAMES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
SIZES = """
    select pg_table_size(c.oid), pg_indexes_size(c.oid), coalesce(s.n_dead_tup, 0), greatest(c.reltuples, 0),
           (select count(*) from pg_index where indrelid = c.oid),
           coalesce((select sum(avg_width) from pg_stats where schemaname = 'public' and tablename = c.relname), 100)
    from pg_class c left join pg_stat_user_tables s on s.relid = c.oid where c.oid = %s::regclass
"""
ROW_OVERHEAD = 40
"""Bytes of a row's header, its item pointer and its alignment."""
ENTRY, INDEX_PAGES = 100, 16_384
"""Bytes that an index needs for each row, generously, and those of an empty one."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table's size in bytes; what its live rows need is estimated from the planner's statistics."""

    name: str
    heap: int
    indexes: int
    dead: int
    live_bytes: int
    index_bytes: int

    @property
    def air(self) -> int:
        """Bytes that writing it anew would give back."""
        return max(0, self.heap - self.live_bytes)

    @property
    def bloated(self) -> bool:
        """Whether it is mostly air, and enough of it to matter."""
        return self.air > SPARE and self.air > self.heap / 2

    @property
    def indexes_bloated(self) -> bool:
        """Whether its indexes are mostly air."""
        return self.indexes - self.index_bytes > SPARE and self.indexes > 2 * self.index_bytes

    @property
    def seconds(self) -> float:
        """How long writing it anew takes at the most."""
        return (self.live_bytes + self.index_bytes) / BYTES_PER_SECOND


def look(link: Connection, name: str) -> Table | None:
    """Look at a table; None for one that is locked so hard that not even its size can be read."""
    try:
        heap, index_sizes, dead, rows, indexes, width = link.execute(SIZES, (name,)).fetchall()[0]
    except psycopg.errors.LockNotAvailable:
        return None
    return Table(
        name, heap, index_sizes, dead, int(rows * (width + ROW_OVERHEAD)), int(indexes * (rows * ENTRY + INDEX_PAGES))
    )


def compact(link: Connection, table: Table, bound: float) -> tuple[float, str]:
    """Write a table anew within the bound; give the seconds that it was locked or waited for, and why it was not done."""
    statement = sql.SQL("vacuum (full, analyze) {}").format(sql.Identifier(table.name))
    limit(link, WAIT, bound)
    longest, why = 0.0, ""
    for attempt in range(ATTEMPTS):
        if attempt:
            SYSTEM_CLOCK.sleep(PAUSE)  # those who waited behind us go first
        begun = monotonic()
        try:
            link.execute(statement)
            why = ""
        except psycopg.errors.LockNotAvailable:
            why = "somebody holds it: " + (holders(link, table.name) or "gone by now")
        except psycopg.errors.QueryCanceled:
            why = f"it was not done within {bound:g} s, and was cancelled"
        longest = max(longest, monotonic() - begun)
        if not why.startswith("somebody"):
            break
    return longest, why


def rebuild(link: Connection, table: Table) -> str:
    """Build a table's indexes anew beside the old ones; give why that was not done. It waits for every older transaction, so it
    is not begun while one stays open: cut short, it would leave a half-built index, which is dropped at the next chance.
    """
    limit(link, WAIT * ATTEMPTS, 0)
    try:
        drop_half_built(link, table)
        if open_ones := holders(link, table.name, WAIT):
            return "somebody holds it: " + open_ones
        link.execute(sql.SQL("reindex table concurrently {}").format(sql.Identifier(table.name)))
    except psycopg.errors.LockNotAvailable:
        with contextlib.suppress(psycopg.errors.LockNotAvailable):
            drop_half_built(link, table)
        return "a transaction began meanwhile and stays open"
    return ""


def drop_half_built(link: Connection, table: Table) -> None:
    """Drop the indexes that a REINDEX CONCURRENTLY which was cut short has left. Raises LockNotAvailable."""
    invalid = (
        "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid"
        " where i.indrelid = %s::regclass and not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$'"
    )
    for (name,) in link.execute(invalid, (table.name,)).fetchall():
        link.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))


def limit(link: Connection, wait: float, seconds: float) -> None:
    """Bound the statements to come: seconds that they may wait for a lock, and take altogether (0: as long as it takes)."""
    for name, bound in (("lock_timeout", wait), ("statement_timeout", seconds)):
        link.execute(sql.SQL("set {} = {}").format(sql.Identifier(name), sql.Literal(f"{int(bound * 1000)}ms")))


def holders(link: Connection, table: str, older: float = 0.0) -> str:
    """Name the sessions that hold a lock on a table, in transactions older than so many seconds; "" for none."""
    rows = link.execute(
        "select l.pid, coalesce(nullif(a.application_name, ''), 'unnamed'), a.state from pg_locks l"
        " join pg_stat_activity a using (pid) where l.relation = %s::regclass and l.granted and l.pid <> pg_backend_pid()"
        " and a.xact_start <= clock_timestamp() - make_interval(secs => %s) order by a.xact_start limit 3",
        (table, older),
    ).fetchall()
    return ", ".join(f"session {pid} ({name}, {state})" for pid, name, state in rows)


def optimize(link: Connection, bound: float) -> list[str]:
    """Clean every table; give what is left to do, in words."""
    left: list[str] = []
    for (name,) in link.execute(NAMES).fetchall():
        limit(link, WAIT, 0)
        before = look(link, name)
        if before is None:
            left.append(f"{name} was not cleaned: it is locked by {holders(link, name) or 'nobody any more'}")
            continue
        try:
            # Without truncation, for which it would ask for an exclusive lock.
            link.execute(sql.SQL("vacuum (analyze, truncate off) {}").format(sql.Identifier(name)))
            left += shrink(link, look(link, name) or before, bound)
            limit(link, WAIT, 0)
            after = look(link, name)
        except psycopg.errors.LockNotAvailable:
            left.append(f"{name} was not cleaned: it is locked by {holders(link, name) or 'nobody any more'}")
            continue
        if after is not None:
            print(
                f"{name:<11} dead rows {before.dead} -> {after.dead}, table {before.heap} -> {after.heap} bytes,"
                f" indexes {before.indexes} -> {after.indexes} bytes"
            )
    return left


def shrink(link: Connection, table: Table, bound: float) -> list[str]:
    """Take the air out of a table, or only out of its indexes; give what is left to do."""
    if table.bloated and table.seconds > bound:
        return [f"{table.name}: {table.air} bytes of air, and a lock of up to {table.seconds:.1f} s: use pg_repack"]
    if table.bloated:
        locked, why = compact(link, table, bound)
        print(f"{table.name}: {'left alone' if why else 'written anew'}, writers waited at most {locked:.3f} s at once")
        return [f"{table.name} is left bloated: {why}"] if why else []
    if table.indexes_bloated:
        why = rebuild(link, table)
        print(f"{table.name}: {'indexes left alone' if why else 'indexes built anew'}, nobody waited")
        return [f"{table.name}: its indexes are left bloated: {why}"] if why else []
    return []


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
