"""Faults of the database, done to a real Postgres with the suite's own schema; felt by the SQL probe."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from time import monotonic
from typing import Any

import psycopg
import pytest

from drillbook.backends.base import Address
from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.errors import EnvironmentFailed, UnsupportedFault
from drillbook.faults.base import Fault
from drillbook.faults.index_dropped import IndexDropped
from drillbook.faults.pool_exhausted import PoolExhausted
from drillbook.faults.process_frozen import ProcessFrozen
from drillbook.faults.rows_deleted import RowsDeleted
from drillbook.faults.stack import FaultStack
from drillbook.faults.table_dropped import TableDropped
from drillbook.faults.table_locked import TableLocked
from drillbook.probes.sampler import observe
from drillbook.probes.sql import SqlProbe
from tests.parts_environment import PartsEnvironment
from tests.postgres import OWNER, PostgresServer, free_port, running_postgres

DATABASE = "faults"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def environment(server: PostgresServer) -> Iterator[PartsEnvironment]:
    server.create(DATABASE)
    try:
        yield PartsEnvironment(
            variables=server.variables(DATABASE),
            connect=lambda: server.superuser(DATABASE),
            addresses={("postgres", "sql"): Address(server.host, server.port)},
        )
    finally:
        server.drop(DATABASE)


def libpq(environment: PartsEnvironment) -> dict[str, Any]:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {option: environment.variables[name] for option, name in names.items()}


@pytest.fixture
def owner(environment: PartsEnvironment) -> Iterator[psycopg.Connection[Any]]:
    """A session such as the system's pool keeps."""
    with psycopg.connect(autocommit=True, **libpq(environment)) as connection:
        yield connection


def look(server: PostgresServer, query: str = "select count(*) > 0 from orders", expect: object = None) -> str:
    return asyncio.run(SqlProbe("database", server.url(DATABASE), query, expect, timeout=0.5).look())


def value(environment: PartsEnvironment, query: bytes) -> Any:
    with environment.database() as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def test_the_probe_sees_the_value(environment: PartsEnvironment, server: PostgresServer) -> None:
    assert look(server) == ""
    assert look(server, "select 41 + 1", 42) == ""
    assert look(server, "select 41 + 1", 43) == "query gave 42, expected 43"
    assert look(server, "select count(*) from orders where false") == "query gave 0, expected a true value"
    assert look(server, "select 1 where false") == "query gave no row"
    assert look(server, "select pg_sleep(30)") == "timed out after 0.5 s"
    assert look(server, "selct 1").startswith('syntax error at or near "selct"')
    running = b"select count(*) from pg_stat_activity where application_name = 'drillbook-probe'"
    assert wait_until(lambda: value(environment, running) == 0, 1.0), "a look left its session behind"


def test_the_probe_sees_a_server_that_is_not_there() -> None:
    dsn = f"host=127.0.0.1 port={free_port()} dbname=x user=y"
    assert "Connection refused" in asyncio.run(SqlProbe("database", dsn, "select 1").look())


def test_a_frozen_server_ends_the_looks_of_old_and_new_sessions_in_time(
    environment: PartsEnvironment, server: PostgresServer
) -> None:
    postmaster = int(value(environment, b"select pg_read_file('postmaster.pid')").splitlines()[0])
    environment.pids["postgres"] = [postmaster]

    async def frozen_while_looking() -> tuple[float, list[str]]:
        probe = SqlProbe("database", server.url(DATABASE), "select pg_sleep(0.3) is not null", timeout=0.6)
        began = monotonic()
        under_way = asyncio.create_task(observe(probe))
        await asyncio.sleep(0.15)
        active = await asyncio.to_thread(ProcessFrozen("postgres").inject, environment)
        seen = await asyncio.gather(under_way, observe(probe))
        took = monotonic() - began
        active.heal()
        return took, [observation.error for observation in seen]

    took, errors = asyncio.run(frozen_while_looking())
    assert errors == ["timed out after 0.6 s"] * 2
    assert took < 1.5
    assert look(server) == ""


def test_dropped_table_is_absent(environment: PartsEnvironment, server: PostgresServer) -> None:
    active = TableDropped("orders").inject(environment)
    assert look(server) == 'relation "orders" does not exist LINE 1: select count(*) > 0 from orders ^'
    active.heal()
    assert value(environment, b"select to_regclass('trades') is not null"), "CASCADE takes the key, not the other table"
    assert value(environment, b"select count(*) from pg_constraint where conname = 'trades_order_id_fkey'") == 0


def test_a_dropped_index_is_gone_and_comes_back_as_it_was(environment: PartsEnvironment) -> None:
    definition = b"select indexdef from pg_indexes where indexname = 'price_ticks_token_at'"
    before = value(environment, definition)
    active = IndexDropped("price_ticks_token_at").inject(environment)
    with environment.database() as connection:
        assert connection.execute(definition).fetchone() is None
    active.heal()
    assert value(environment, definition) == before
    active.heal()  # somebody else has made it: nothing is left to do


def test_deleted_rows_are_gone_and_the_others_are_there(environment: PartsEnvironment) -> None:
    before = value(environment, b"select count(*) from orders")
    RowsDeleted("public.orders", where="id > 190 and sell_token like 'ETH%'").inject(environment)
    lost = before - value(environment, b"select count(*) from orders")
    assert 0 < lost < 10
    assert value(environment, b"select count(*) from orders where id > 190 and sell_token = 'ETH'") == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (TableDropped("nothing"), 'table "nothing" does not exist'),
        (TableDropped('orders"; drop table trades; --'), "does not exist"),
        (RowsDeleted("orders", where="id < 0"), "no row of orders is one where id < 0"),
        (RowsDeleted("orders"), "violates foreign key constraint"),
        (IndexDropped("nothing"), "there is no index nothing"),
        (IndexDropped("orders_pkey"), "cannot drop index orders_pkey"),
        (TableLocked("nothing"), 'relation "nothing" does not exist'),
    ],
)
def test_a_fault_that_does_not_take_is_an_error_and_changes_nothing(
    environment: PartsEnvironment, server: PostgresServer, fault: Fault, words: str
) -> None:
    before = value(environment, b"select count(*) from orders")
    with pytest.raises(EnvironmentFailed, match=words):
        fault.inject(environment)
    assert value(environment, b"select count(*) from orders") == before
    assert value(environment, b"select to_regclass('trades') is not null")
    assert look(server) == ""


def test_locked_table_makes_queries_wait_until_healed(environment: PartsEnvironment, server: PostgresServer) -> None:
    active = TableLocked("orders").inject(environment)
    assert look(server) == "timed out after 0.5 s"
    assert look(server, "select count(*) > 0 from trades") == "", "other tables are free"
    active.heal()
    assert look(server) == ""


def test_the_runbooks_remedy_ends_a_lock_and_healing_is_peaceful(
    environment: PartsEnvironment, server: PostgresServer, owner: psycopg.Connection[Any]
) -> None:
    active = TableLocked("orders").inject(environment)
    ended = owner.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'"
    ).fetchall()
    assert ended == [(True,)], "the system's own role may end it"
    assert wait_until(lambda: look(server) == "", 2.0)
    active.heal()
    assert look(server) == ""


def idle(environment: PartsEnvironment) -> int:
    return int(value(environment, b"select count(*) from pg_stat_activity where state = 'idle in transaction'"))


def limit(environment: PartsEnvironment) -> int:
    return int(value(environment, f"select rolconnlimit from pg_roles where rolname = '{OWNER}'".encode()))


def test_exhausted_pool_shuts_the_system_out_until_healed(
    environment: PartsEnvironment, server: PostgresServer, owner: psycopg.Connection[Any]
) -> None:
    active = PoolExhausted(sessions=5).inject(environment)
    assert idle(environment) == 5
    with pytest.raises(psycopg.OperationalError):
        owner.execute("select 1")
    assert f'too many connections for role "{OWNER}"' in look(server)
    active.heal()
    assert look(server) == ""
    assert limit(environment) == -1
    assert wait_until(lambda: idle(environment) == 0, 2.0)


def test_a_limit_that_the_role_has_is_filled_and_kept(environment: PartsEnvironment, server: PostgresServer) -> None:
    with environment.database() as connection:
        connection.execute(f"alter role {OWNER} connection limit 3".encode())
    try:
        active = PoolExhausted(sessions=9).inject(environment)
        assert idle(environment) == 3
        assert "too many connections" in look(server)
        active.heal()
        assert limit(environment) == 3
        assert look(server) == ""
    finally:
        with environment.database() as connection:
            connection.execute(f"alter role {OWNER} connection limit -1".encode())


def test_the_runbooks_remedy_lets_the_system_back_in(environment: PartsEnvironment, server: PostgresServer) -> None:
    active = PoolExhausted(sessions=4).inject(environment)
    with environment.database() as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'")
    assert wait_until(lambda: look(server) == "", 2.0)
    active.heal()
    assert limit(environment) == -1


def test_more_sessions_than_the_server_has_is_an_error_and_leaves_nothing(
    environment: PartsEnvironment, server: PostgresServer
) -> None:
    with pytest.raises(EnvironmentFailed, match=r"too many clients|remaining connection slots"):
        PoolExhausted(sessions=2000).inject(environment)
    assert limit(environment) == -1
    assert wait_until(lambda: idle(environment) == 0, 5.0)
    assert look(server) == ""


@pytest.mark.parametrize("role", ["postgres", "nobody", ""])
def test_a_role_that_no_limit_binds_cannot_be_exhausted(environment: PartsEnvironment, role: str) -> None:
    environment.variables = {**environment.variables, "PGUSER": role}
    with pytest.raises(UnsupportedFault, match="PGUSER"):
        PoolExhausted(sessions=2).inject(environment)


def test_a_stack_of_database_faults_heals_in_reverse(environment: PartsEnvironment, server: PostgresServer) -> None:
    stack = FaultStack(environment)
    stack.inject(TableLocked("orders"))
    stack.inject(PoolExhausted(sessions=3))
    assert stack.heal_all() == []
    assert look(server) == ""


def test_a_harness_that_is_killed_leaves_no_lock(environment: PartsEnvironment, server: PostgresServer) -> None:
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            TableLocked("orders").inject(environment)
            os.write(tells, b"locked")
            SYSTEM_CLOCK.sleep(30)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)  # never back into pytest
    os.close(tells)
    assert os.read(told, 16) == b"locked"
    os.close(told)
    assert look(server) == "timed out after 0.5 s"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert wait_until(lambda: look(server) == "", 2.0)
