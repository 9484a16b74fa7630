"""The search for the damage in a WAL archive, against a real server's WAL: what is found, in which order, and what is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.postgres import ENVIRONMENT_FOLDER, PostgresServer, binaries, running_postgres

DATABASE, OTHER = "production_db", "another"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        server.create(DATABASE)
        server.create(OTHER)
        yield server


@pytest.fixture
def base(server: PostgresServer, tmp_path: Path) -> Path:
    """A base backup, with which a new segment begins."""
    where = ["-h", server.host, "-p", str(server.port), "-U", "postgres", "-D", str(tmp_path / "base")]
    how = ["-c", "fast", "-X", "none", "--no-sync", "--no-manifest"]
    command = [str(binaries() / "pg_basebackup"), *where, *how]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return tmp_path / "base"


def archive(server: PostgresServer, folder: Path) -> Path:
    """Copy the server's finished segments, as an archive would hold them."""
    with server.superuser() as link:
        link.execute("select pg_switch_wal()")
        row = link.execute("select current_setting('data_directory'), pg_walfile_name(pg_current_wal_insert_lsn())")
        data, current = row.fetchall()[0]
    folder.mkdir()
    for file in sorted((Path(data) / "pg_wal").glob("0*")):
        if file.name < current:
            shutil.copy(file, folder)
    return folder


def find(server: PostgresServer, base: Path, wal: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {**server.variables("postgres"), "PYTHONPATH": str(ENVIRONMENT_FOLDER)}
    command = [sys.executable, "-m", "ops.find_damage", "--base", str(base), "--wal", str(wal), *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30, check=False)


def transaction(server: PostgresServer, *statements: str, database: str = DATABASE) -> str:
    """Run statements in one transaction; give its number."""
    with psycopg.connect(server.url(database)) as link:
        row = link.execute("select pg_current_xact_id()::text").fetchone()
        for statement in statements:
            link.execute(statement.encode())
    assert row is not None
    return str(row[0])


def test_deleted_rows_and_dropped_tables_are_found_in_the_order_of_their_commit(
    server: PostgresServer, base: Path, tmp_path: Path
) -> None:
    deleting = transaction(server, "delete from orders where id between 50 and 59")
    nested = transaction(server, "savepoint one", "delete from incidents where id = 1", "release one")
    dropping = transaction(server, "create table doomed (n int primary key)")
    dropping = transaction(server, "drop table doomed")
    seen = find(server, base, archive(server, tmp_path / "wal"))
    assert (seen.returncode, seen.stdout) == (0, f"{deleting}\n")
    first, second, third = seen.stderr.splitlines()
    assert first.startswith(f"transaction {deleting}, 2")
    assert first.endswith(": 10 rows deleted")
    assert second.startswith(f"transaction {nested},")
    assert second.endswith(": 1 rows deleted")
    assert third.startswith(f"transaction {dropping},")
    assert third.endswith(": 2 tables and indexes dropped, emptied or rewritten")


def test_what_takes_nothing_from_this_database_is_no_damage(server: PostgresServer, base: Path, tmp_path: Path) -> None:
    transaction(server, "insert into incidents (title, severity, started_at) values ('x', 'minor', now())")
    transaction(server, "update orders set status = 'filled' where id = 20")
    transaction(server, "create temporary table scratch on commit drop as select 1")
    transaction(server, "savepoint one", "delete from orders where id = 61", "rollback to one")
    transaction(server, "delete from orders where id = 62", database=OTHER)
    with server.superuser(DATABASE) as link:
        link.execute("analyze")
    seen = find(server, base, archive(server, tmp_path / "wal"))
    assert (seen.returncode, seen.stdout) == (1, "")
    assert seen.stderr == "no transaction in the WAL archive took anything away\n"


def test_a_gap_is_told_at_once_and_by_name(server: PostgresServer, base: Path, tmp_path: Path) -> None:
    for number in range(3):
        transaction(server, f"update orders set status = 'open' where id = {number + 10}")
        with server.superuser() as link:
            link.execute("select pg_switch_wal()")
    wal = archive(server, tmp_path / "wal")
    lost = sorted(wal.iterdir())[-2]
    lost.unlink()
    seen = find(server, base, wal)
    assert (seen.returncode, seen.stdout) == (2, "")
    assert f"the WAL archive has a gap: {lost.name} is not in {wal}" in seen.stderr


def test_an_archive_that_is_empty_and_a_database_that_is_not_there(
    server: PostgresServer, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    empty = find(server, base, tmp_path / "empty")
    assert (empty.returncode, "the WAL archive has a gap: 0" in empty.stderr) == (2, True)
    wrong = find(server, base, tmp_path / "empty", "--database", "nowhere")
    assert (wrong.returncode, wrong.stderr) == (2, "find_damage: there is no database nowhere\n")


@pytest.mark.parametrize(
    ("name", "size", "after"),
    [
        ("0000000100000000000000FF", 16 << 20, "000000010000000100000000"),
        ("000000010000000000000FFF", 1 << 20, "000000010000000100000000"),
        ("00000002000000030000000A", 1 << 20, "00000002000000030000000B"),
    ],
)
def test_segments_are_counted_as_postgresql_does(name: str, size: int, after: str) -> None:
    program = "import sys; from ops.find_damage import following; print(following(sys.argv[1], int(sys.argv[2])))"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ENVIRONMENT_FOLDER)}
    done = subprocess.run(
        [sys.executable, "-c", program, name, str(size)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == after
