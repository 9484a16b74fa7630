"""Tell whether a database is whole, after a restore above all: a restore that ends with 0 may still have lost rows.

Every check is named and printed with what is wrong. The rows are compared with the ledger, which holds a seal of each
row ever entered, so a row that is missing, altered or smuggled in is found by number. What table and ledger have both
lost (an archive cut off before its last rows) shows against a manifest written when the backup was made.

    python -m ops.verify_data_integrity --write-manifest backup.json     beside pg_dump, before it
    python -m ops.verify_data_integrity --manifest backup.json           after pg_restore
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

TABLES = ("orders", "trades", "incidents")
CONSTRAINTS = frozenset(
    {
        "orders_pkey", "orders_idempotency_key_unique", "orders_idempotency_key_length", "orders_customer_is_address",
        "orders_sell_amount_positive", "orders_fee_not_negative", "orders_status_known", "orders_total_is_sum",
        "orders_tokens_differ", "orders_acknowledged_after_created",
        "trades_pkey", "trades_reference_unique", "trades_escrow_order_id_unique", "trades_escrow_order_id_is_bytes32",
        "trades_order_id_unique", "trades_order_id_fkey", "trades_buyer_is_address", "trades_seller_is_address",
        "trades_amount_positive", "trades_status_known", "trades_closed_when_not_open",
        "incidents_pkey", "incidents_title_not_empty", "incidents_severity_known", "incidents_number_unique",
        "incidents_resolved_after_started",
        "ledger_pkey",
    }
)  # fmt: skip
TRIGGERS = frozenset(f"{table}_ledger" for table in TABLES)
INDEXES = frozenset({"orders_status_id", "orders_created_at", "trades_status", "incidents_started_at"})
SHOWN = 5
"""How many rows of a kind are named before the rest is only counted."""

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what it looked at, in words, and what is wrong (nothing: it holds)."""

    check: str
    detail: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRecord:
    """What a manifest says of a table: its rows up to and with the number `through_id`, and a checksum of their seals."""

    rows: int
    through_id: int
    checksum: str


def _column(connection: Connection, query: LiteralString | sql.Composed, *parameters: object) -> list[Any]:
    return [row[0] for row in connection.execute(query, parameters)]


def _named(kind: str, numbers: Sequence[Any]) -> list[str]:
    """Say which rows, in one sentence; nothing for none."""
    if not numbers:
        return []
    shown = ", ".join(str(number) for number in numbers[:SHOWN])
    return [f"{len(numbers)} {kind}: {shown}" + (", …" if len(numbers) > SHOWN else "")]


def check_tables(connection: Connection) -> Finding:
    """See that every table is there; without one the other checks can't be made."""
    present = _column(connection, "select tablename from pg_tables where schemaname = 'public'")
    missing = [name for name in (*TABLES, "ledger") if name not in present]
    return Finding("tables", f"{len(TABLES) + 1 - len(missing)} present", tuple(_named("missing", missing)))


def check_structure(connection: Connection) -> Finding:
    """See that constraints, triggers and indexes are there, and that each constraint is validated."""
    constraints: dict[str, bool] = dict(
        connection.execute(
            "select conname, convalidated from pg_constraint where connamespace = 'public'::regnamespace"
        ).fetchall()
    )
    triggers = _column(connection, "select tgname from pg_trigger where not tgisinternal and tgenabled <> 'D'")
    indexes = _column(connection, "select indexname from pg_indexes where schemaname = 'public'")
    problems = [
        *_named("constraints missing", sorted(CONSTRAINTS - set(constraints))),
        *_named("constraints not validated", sorted(name for name, valid in constraints.items() if not valid)),
        *_named("triggers missing or disabled", sorted(TRIGGERS - set(triggers))),
        *_named("indexes missing", sorted(INDEXES - set(indexes))),
    ]
    return Finding("structure", f"{len(constraints)} constraints", tuple(problems))


def check_rows(connection: Connection) -> Finding:
    """See that there are orders at all: an empty table keeps every other rule."""
    counts = {name: _column(connection, sql.SQL("select count(*) from {}").format(sql.Identifier(name)))[0]
              for name in TABLES}  # fmt: skip
    detail = ", ".join(f"{count} {name}" for name, count in counts.items())
    return Finding("rows", detail, () if counts["orders"] else ("there is not one order",))


def check_totals(connection: Connection) -> Finding:
    """See that each order's total is the sum of its parts, whatever the constraint says of itself."""
    wrong = _column(connection, "select id from orders where total <> sell_amount + fee order by id")
    return Finding("totals", "total = sell_amount + fee", tuple(_named("orders whose total is not its parts", wrong)))


def check_orphans(connection: Connection) -> Finding:
    """See that each trade has its order."""
    query: LiteralString = """
        select t.reference from trades t left join orders o on o.id = t.order_id where o.id is null order by t.id"""
    return Finding(
        "orphans", "every trade has its order", tuple(_named("trades without order", _column(connection, query)))
    )


def check_keys(connection: Connection) -> Finding:
    """See that no order was placed twice."""
    query: LiteralString = """
        select idempotency_key from orders group by idempotency_key having count(*) > 1 order by idempotency_key"""
    doubled = _column(connection, query)
    return Finding("idempotency keys", "each used once", tuple(_named("keys used by several orders", doubled)))


def check_sequences(connection: Connection) -> Finding:
    """See that the next number of each table is free: a restore may bring the rows but not the sequence."""
    problems = []
    for table in TABLES:
        name = _column(connection, "select pg_get_serial_sequence(%s, 'id')", table)[0]
        if name is None:
            problems.append(f"{table} has no sequence")
            continue
        query = sql.SQL("select max(id) from {} having max(id) > (select last_value from {})")
        behind = _column(connection, query.format(sql.Identifier(table), sql.SQL(name)))
        problems += [f"{table}: the sequence is behind the highest number, {highest}" for highest in behind]
    return Finding("sequences", "ahead of every number", tuple(problems))


def check_ledger(connection: Connection) -> Finding:
    """See that each table holds exactly the rows that the ledger has, unaltered."""
    problems: list[str] = []
    for table in TABLES:
        query = sql.SQL("""
            select coalesce(l.row_id, r.id),
                   case when r.id is null then 'lost' when l.row_id is null then 'unknown' else 'altered' end
            from {table} r full join (select * from ledger where table_name = {name}) l on l.row_id = r.id
            where r.id is null or l.row_id is null or l.seal <> row_seal(to_jsonb(r))
            order by 1
        """).format(table=sql.Identifier(table), name=sql.Literal(table))
        found = connection.execute(query).fetchall()
        for kind in ("lost", "altered", "unknown"):
            words = "unknown to the ledger" if kind == "unknown" else kind
            problems += _named(f"{table} {words}", [number for number, how in found if how == kind])
    count = _column(connection, "select count(*) from ledger")[0]
    return Finding("ledger", f"{count} rows sealed", tuple(problems))


CHECKS: tuple[Callable[[Connection], Finding], ...] = (
    check_structure, check_rows, check_totals, check_orphans, check_keys, check_sequences, check_ledger,
)  # fmt: skip


def check_escrow(connection: Connection, chain_url: str) -> Finding:
    """See that the escrow contract holds what the open trades say."""
    import httpx  # only when there is a chain to ask

    from services import escrow

    total, count = connection.execute(
        "select coalesce(sum(amount), 0), count(*) from trades where status = 'open'"
    ).fetchall()[0]
    try:
        address = escrow.escrow_address()
        with httpx.Client(timeout=2.0) as client:
            answers = [client.post(chain_url, json=request).json() for request in escrow.requests(address)]
        state = escrow.state(address, answers)
    except (httpx.HTTPError, ValueError, escrow.ChainError) as error:
        return Finding("escrow", "not read", (f"the escrow contract can't be read: {error}",))
    problems = []
    if (state.open_total, state.open_count) != (int(total), int(count)):
        problems.append(f"the contract holds {state.open_count} deposits of {state.open_total} wei, "
                        f"the open trades are {count} of {total} wei")  # fmt: skip
    if state.balance < state.open_total:
        problems.append(
            f"the contract's balance, {state.balance} wei, is below its open deposits, {state.open_total} wei"
        )
    return Finding("escrow", f"{count} open trades, {total} wei", tuple(problems))


def record(connection: Connection, table: str, through_id: int | None = None) -> TableRecord:
    """Count and seal a table's rows, up to a number or all of them."""
    query = sql.SQL("""
        select count(*), coalesce(max(id), 0),
               encode(sha256(convert_to(coalesce(string_agg(row_seal(to_jsonb(r)), ',' order by id), ''), 'UTF8')), 'hex')
        from {} r where %s::bigint is null or id <= %s
    """).format(sql.Identifier(table))
    rows, highest, checksum = connection.execute(query, (through_id, through_id)).fetchall()[0]
    return TableRecord(rows, highest if through_id is None else through_id, checksum)


def make_manifest(connection: Connection) -> dict[str, TableRecord]:
    """Record every table. Writers wait meanwhile, so that no lower number is committed after a higher one is counted."""
    with connection.transaction():
        connection.execute("set local lock_timeout = '2s'")
        connection.execute("lock table orders, trades, incidents in share mode")
        return {table: record(connection, table) for table in TABLES}


def read_manifest(file: Path) -> dict[str, TableRecord]:
    """Read a manifest; raise ValueError if it is none."""
    try:
        tables = json.loads(file.read_text())["tables"]
        return {table: TableRecord(**tables[table]) for table in TABLES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not a manifest of this program: {error!r}") from None


def check_manifest(connection: Connection, manifest: Mapping[str, TableRecord]) -> Finding:
    """See that every row that the backup was to hold is there as it was; newer rows are none of its business."""
    problems = []
    for table, expected in manifest.items():
        found = record(connection, table, expected.through_id)
        if found.rows != expected.rows:
            problems.append(
                f"{table}: {found.rows} rows up to number {expected.through_id}, the backup has {expected.rows}"
            )
        elif found.checksum != expected.checksum:
            problems.append(f"{table}: as many rows as in the backup, but not the same")
    rows = sum(expected.rows for expected in manifest.values())
    return Finding("manifest", f"{rows} rows in the backup", tuple(problems))


def verify(connection: Connection, manifest: Mapping[str, TableRecord] | None, chain_url: str) -> list[Finding]:
    """Make every check that can be made, in one snapshot of the database."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        findings = [check_tables(connection)]
        if findings[0].problems:
            return findings
        findings += [check(connection) for check in CHECKS]
        if manifest is not None:
            findings.append(check_manifest(connection, manifest))
        if chain_url:
            findings.append(check_escrow(connection, chain_url))
    return findings


def render(findings: Sequence[Finding]) -> str:
    """Give the findings as a table, what is wrong below its check."""
    lines = []
    for finding in findings:
        lines.append(f"{'WRONG' if finding.problems else 'ok':<6} {finding.check:<17} {finding.detail}")
        lines += [f"{'':<6} {'':<17} -> {problem}" for problem in finding.problems]
    return "\n".join(lines)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ops.verify_data_integrity",
        description="Tell whether the database is whole. Connects as psql does (PGHOST, PGPORT, PGUSER, PGPASSWORD).",
        epilog="Exit code: 0 whole; 1 something is wrong; 2 it could not be checked (usage, connection).",
    )
    parser.add_argument("--database", default=os.environ.get("PGDATABASE", "production_db"), help="(%(default)s)")
    manifests = parser.add_mutually_exclusive_group()
    manifests.add_argument("--manifest", type=Path, metavar="FILE", help="compare with what the backup held")
    manifests.add_argument("--write-manifest", type=Path, metavar="FILE", help="write what a backup made now holds")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify, or write a manifest; print the outcome and give the exit code."""
    given = _arguments(arguments)
    lock_seconds = os.environ.get("LOCK_SECONDS", "10")
    options = f"-c timezone=UTC -c lock_timeout={lock_seconds}s"  # a locked table is told, not waited for
    try:
        manifest = read_manifest(given.manifest) if given.manifest else None
        with psycopg.connect(dbname=given.database, connect_timeout=5, autocommit=True, options=options) as link:
            if given.write_manifest:
                tables = {table: asdict(found) for table, found in make_manifest(link).items()}
                given.write_manifest.write_text(json.dumps({"tables": tables}, indent=2) + "\n")
                return 0
            findings = verify(link, manifest, os.environ.get("CHAIN_URL", ""))
    except (psycopg.Error, ValueError, OSError) as error:
        print(f"verify_data_integrity: {given.database}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(render(findings))
    wrong = [finding.check for finding in findings if finding.problems]
    print(f"{given.database}: " + (f"NOT whole: {', '.join(wrong)}" if wrong else "whole"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
