"""The schema, its seed, and the two programs that work on it, against a real Postgres and its own pg_dump."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from eth_utils.crypto import keccak

from drillbook.clock import wait_until
from tests.postgres import ENVIRONMENT_FOLDER, OWNER, PostgresServer, running_postgres

DATABASE, SIDE = "production_db", "restored"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as postgres:
        postgres.create("fresh")
        yield postgres


@pytest.fixture
def postgres(server: PostgresServer) -> Iterator[PostgresServer]:
    """A server with a fresh database, and nothing else."""
    server.clone("fresh", DATABASE)
    yield server
    server.drop(DATABASE)
    server.drop(SIDE)


def run(postgres: PostgresServer, *command: str, database: str = DATABASE) -> subprocess.CompletedProcess[str]:
    """Run a program as an operator would: told by libpq's variables only."""
    variables = {**postgres.variables(database), "PYTHONPATH": str(ENVIRONMENT_FOLDER)}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30, check=False)


def verify(postgres: PostgresServer, *arguments: str, database: str = DATABASE) -> subprocess.CompletedProcess[str]:
    return run(postgres, sys.executable, "-m", "ops.verify_data_integrity", *arguments, database=database)


def change(postgres: PostgresServer, *statements: str, database: str = DATABASE) -> None:
    """Do something to the data past every rule, as a wrong restore does."""
    with postgres.superuser(database) as link:
        link.execute("set session_replication_role = replica")
        for statement in statements:
            link.execute(statement.encode())


def rows(postgres: PostgresServer, query: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
    with psycopg.connect(postgres.url(database)) as link:
        return link.execute(query.encode()).fetchall()


def restore(postgres: PostgresServer, archive: Path) -> None:
    """Bring an archive into a database beside the live one, as its owner."""
    with postgres.superuser() as link:
        link.execute(f"create database {SIDE} owner {OWNER}".encode())
    assert run(postgres, "pg_restore", "-e", "--no-owner", "-d", SIDE, str(archive)).returncode == 0


def test_the_seeded_trades_are_those_of_the_contract(postgres: PostgresServer) -> None:
    expected = json.loads((ENVIRONMENT_FOLDER / "contracts" / "seed_trades.json").read_text())
    found = rows(postgres, "select reference, escrow_order_id, buyer, seller, amount, status from trades order by id")
    names = ("reference", "order_id", "buyer", "seller", "amount_wei", "state")
    assert [tuple(str(value) for value in row) for row in found] == [
        tuple(str(trade[name]) for name in names) for trade in expected
    ]
    assert all(row[1] == "0x" + keccak(text=row[0]).hex() for row in found)


def test_the_seed_has_orders_of_every_status(postgres: PostgresServer) -> None:
    counts = dict(rows(postgres, "select status, count(*) from orders group by status"))
    assert sum(counts.values()) == 200
    assert set(counts) == {"open", "filled", "cancelled"}


@pytest.mark.parametrize(
    "statement",
    [
        "update orders set total = total + 1 where id = 10",
        "update orders set idempotency_key = 'seed-1' where id = 2",
        "update orders set status = 'lost' where id = 2",
        "update orders set customer = 'me' where id = 2",
        "delete from orders where id = 1",
        "insert into trades (reference, escrow_order_id, order_id, buyer, seller, amount)"
        " select 'new', '0x' || repeat('0', 64), 9999, buyer, seller, 1 from trades limit 1",
        "update trades set status = 'confirmed' where id = 1",
    ],
)
def test_the_schema_refuses_what_cannot_be(postgres: PostgresServer, statement: str) -> None:
    with psycopg.connect(postgres.url(DATABASE)) as link, pytest.raises(psycopg.IntegrityError):
        link.execute(statement.encode())


def test_a_whole_database_is_called_whole(postgres: PostgresServer) -> None:
    outcome = verify(postgres)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "200 orders, 6 trades, 1 incidents" in outcome.stdout
    assert outcome.stdout.endswith("production_db: whole\n")


def test_what_changes_in_peace_is_no_damage(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url(DATABASE)) as link:
        link.execute("update orders set status = 'filled' where status = 'open'")
        link.execute("update trades set status = 'refunded', closed_at = now() where id = 1")
    assert verify(postgres).returncode == 0


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (("delete from orders where id in (150, 151)",), "2 orders lost: 150, 151"),
        (("delete from trades where id = 3",), "1 trades lost: 3"),
        (("delete from orders where id = 2",), "trades without order: MA-2026-0002"),
        (("update orders set sell_amount = 7, fee = 0, total = 7 where id = 42",), "1 orders altered: 42"),
        (("update trades set amount = amount * 10 where id = 1",), "1 trades altered: 1"),
        (("alter table orders drop constraint orders_total_is_sum", "update orders set total = 1 where id = 9"),
         "total is not its parts: 9"),
        (("alter table orders drop constraint orders_idempotency_key_unique",
          "update orders set idempotency_key = 'seed-1' where id = 2"), "keys used by several orders: seed-1"),
        (("insert into incidents (title, severity, started_at) values ('x', 'minor', now())",), "unknown to the ledger"),
        (("alter sequence orders_id_seq restart with 5",), "the sequence is behind the highest number, 200"),
        (("alter table trades drop constraint trades_order_id_fkey",), "constraints missing: trades_order_id_fkey"),
        (("alter table trades drop constraint trades_order_id_fkey",
          "alter table trades add constraint trades_order_id_fkey foreign key (order_id) references orders not valid"),
         "constraints not validated: trades_order_id_fkey"),
        (("alter table orders disable trigger orders_ledger",), "triggers missing or disabled: orders_ledger"),
        (("drop index orders_status_id",), "indexes missing: orders_status_id"),
        (("drop table trades",), "1 missing: trades"),
        (("truncate orders, trades, incidents, ledger",), "there is not one order"),
    ],
)  # fmt: skip
def test_damage_is_found_and_named(postgres: PostgresServer, statements: tuple[str, ...], named: str) -> None:
    change(postgres, *statements)
    outcome = verify(postgres)
    assert outcome.returncode == 1
    assert named in outcome.stdout
    assert "NOT whole" in outcome.stdout


def test_a_restored_backup_is_whole_and_agrees_with_its_manifest(postgres: PostgresServer, tmp_path: Path) -> None:
    archive, manifest = tmp_path / "backup.dump", tmp_path / "backup.json"
    assert verify(postgres, "--write-manifest", str(manifest)).returncode == 0
    # What is written between manifest and backup, and after it, does not matter to either.
    change_key = (
        "insert into orders (idempotency_key, fingerprint, customer, sell_token, buy_token, sell_amount, fee, total)"
    )
    values = (
        " select 'later', fingerprint, customer, sell_token, buy_token, sell_amount, fee, total from orders limit 1"
    )
    with psycopg.connect(postgres.url(DATABASE)) as link:
        link.execute((change_key + values).encode())
    assert run(postgres, "pg_dump", "-Fc", "-f", str(archive), DATABASE).returncode == 0
    restore(postgres, archive)
    outcome = verify(postgres, "--database", SIDE, "--manifest", str(manifest))
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "201 orders" in outcome.stdout


def test_rows_lost_from_table_and_ledger_alike_show_against_the_manifest(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    manifest = tmp_path / "backup.json"
    verify(postgres, "--write-manifest", str(manifest))
    change(
        postgres, "delete from orders where id > 190", "delete from ledger where table_name = 'orders' and row_id > 190"
    )
    assert verify(postgres).returncode == 0
    outcome = verify(postgres, "--manifest", str(manifest))
    assert outcome.returncode == 1
    assert "orders: 190 rows up to number 200, the backup has 200" in outcome.stdout


def test_rows_put_back_from_a_backup_make_the_database_whole_again(postgres: PostgresServer, tmp_path: Path) -> None:
    archive = tmp_path / "backup.dump"
    assert run(postgres, "pg_dump", "-Fc", "-f", str(archive), DATABASE).returncode == 0
    change(postgres, "delete from orders where id between 100 and 120")
    restore(postgres, archive)
    lost = rows(postgres, "select * from orders where id between 100 and 120", SIDE)
    with psycopg.connect(postgres.url(DATABASE)) as link:
        link.cursor().executemany(f"insert into orders values ({', '.join(['%s'] * 12)})".encode(), lost)
    assert len(lost) == 21
    assert verify(postgres).returncode == 0


def test_what_cannot_be_checked_is_not_called_whole(postgres: PostgresServer, tmp_path: Path) -> None:
    missing = verify(postgres, "--database", "nowhere")
    assert missing.returncode == 2
    assert 'database "nowhere" does not exist' in missing.stderr
    other = tmp_path / "other.json"
    other.write_text('{"tables": {}}')
    wrong = verify(postgres, "--manifest", str(other))
    assert wrong.returncode == 2
    assert "is not a manifest" in wrong.stderr


def test_an_incident_is_recorded_with_the_next_number(postgres: PostgresServer) -> None:
    outcome = run(
        postgres, sys.executable, "-m", "ops.record_incident", "--title", "Outage", "--severity", "critical",
        "--started", "2026-02-01T10:00:00", "--resolved", "2026-02-01T11:00:00+01:00", "--actions", "Rolled back",
    )  # fmt: skip
    assert (outcome.returncode, outcome.stdout) == (0, "INC-0002\n"), outcome.stderr
    (row,) = rows(postgres, "select title, extract(epoch from resolved_at - started_at) from incidents where id = 2")
    assert row == ("Outage", Decimal(0))
    assert verify(postgres).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--title", " ", "--severity", "minor", "--started", "2026-02-01"),
        ("--title", "x", "--severity", "awful", "--started", "2026-02-01"),
        ("--title", "x", "--severity", "minor", "--started", "yesterday"),
        ("--title", "x", "--severity", "minor", "--started", "2026-02-02", "--resolved", "2026-02-01"),
    ],
)
def test_an_incident_that_cannot_be_is_a_usage_error(postgres: PostgresServer, arguments: tuple[str, ...]) -> None:
    assert run(postgres, sys.executable, "-m", "ops.record_incident", *arguments).returncode == 2
    assert rows(postgres, "select count(*) from incidents") == [(1,)]


def test_a_dropped_table_comes_back_by_the_runbooks_own_restore(postgres: PostgresServer, tmp_path: Path) -> None:
    archive = tmp_path / "latest_backup.dump"
    assert run(postgres, "pg_dump", "-Fc", "-f", str(archive), DATABASE).returncode == 0
    change(postgres, "drop table orders cascade")
    assert verify(postgres).returncode == 1
    restored = run(postgres, "pg_restore", "--clean", "--if-exists", "-d", DATABASE, str(archive))
    assert restored.returncode == 0, restored.stderr
    assert verify(postgres).returncode == 0
    with psycopg.connect(postgres.url(DATABASE)) as link:
        link.execute("insert into incidents (title, severity, started_at) values ('after', 'minor', now())")
    assert verify(postgres).returncode == 0


def test_the_performance_check_names_a_missing_index_and_gives_what_makes_it(postgres: PostgresServer) -> None:
    check = (sys.executable, "-m", "ops.check_db_performance")
    healthy = run(postgres, *check)
    assert (healthy.returncode, "SLOW" in healthy.stdout) == (0, False), healthy.stdout
    change(postgres, "drop index price_ticks_token_at", "drop index orders_status_id")
    found = run(postgres, *check)
    assert found.returncode == 1
    assert "SLOW  index price_ticks_token_at is missing" in found.stdout
    assert "SLOW  index orders_status_id is missing" in found.stdout
    assert "which reads the whole of price_ticks" in found.stdout
    statements = run(postgres, *check, "--missing-indexes").stdout.splitlines()
    assert len(statements) == 2
    assert all(statement.startswith("create index concurrently ") for statement in statements)
    with postgres.superuser(DATABASE) as link:
        for statement in statements:
            link.execute(statement.encode())
    assert run(postgres, *check).returncode == 0


def test_the_performance_check_names_who_blocks_whom(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url(DATABASE)) as blocker, psycopg.connect(postgres.url(DATABASE)) as blocked:
        blocker.execute("lock table incidents")
        waiting = Thread(target=lambda: blocked.execute("select count(*) from incidents"), daemon=True)
        waiting.start()
        found = ""

        def seen() -> bool:
            nonlocal found
            found = run(postgres, sys.executable, "-m", "ops.check_db_performance").stdout
            return "waits for session" in found

        assert wait_until(seen, 10)
        assert f"session {blocker.info.backend_pid}, which is idle in transaction" in found
        blocker.rollback()
        waiting.join()


def test_the_performance_test_times_each_statement_and_leaves_nothing(postgres: PostgresServer) -> None:
    test = (sys.executable, "-m", "ops.db_performance_test")
    before = rows(postgres, "select count(*), count(*) filter (where status = 'cancelled') from orders")
    healthy = run(postgres, *test)
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert [line[:2] for line in healthy.stdout.splitlines()] == ["ok"] * 4
    assert rows(postgres, "select count(*), count(*) filter (where status = 'cancelled') from orders") == before
    change(postgres, "drop index price_ticks_token_at")
    slow = run(postgres, *test)
    assert slow.returncode == 1
    assert next(line for line in slow.stdout.splitlines() if line.startswith("SLOW")).startswith("SLOW  the list of")
