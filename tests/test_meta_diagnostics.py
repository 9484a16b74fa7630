"""The diagnostics of database and contract against real ones: 0 when all is well, else 1 and the broken part's name.

Those of the services and of the outside APIs ask production's names, so they are tried in a sandbox: see
features/diagnostics/system_health.feature.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from drillbook.chain.client import Baseline, ChainClient
from tests.chains import CHAIN_ID, serve_chain
from tests.postgres import ENVIRONMENT_FOLDER, OWNER, PostgresServer, free_port, running_postgres

DATABASE = "diagnosed"


def diagnose(module: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a diagnostic as the runbook's command does."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ENVIRONMENT_FOLDER), "CHECK_SECONDS": "1", **variables}
    command = [sys.executable, "-m", f"ops.{module}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(server: PostgresServer) -> Iterator[PostgresServer]:
    server.create(DATABASE)
    yield server
    server.drop(DATABASE)


def look(server: PostgresServer, **variables: str) -> subprocess.CompletedProcess[str]:
    return diagnose("check_db_connection", **{**server.variables(DATABASE), **variables})


def test_a_database_that_is_well(database: PostgresServer) -> None:
    seen = look(database)
    assert (seen.returncode, seen.stderr) == (0, "")
    assert "tables: up, orders, trades, incidents, ledger" in seen.stdout
    assert seen.stdout.endswith("all is well\n")


def test_a_table_that_is_missing_and_one_that_is_locked_are_named_and_no_other(database: PostgresServer) -> None:
    with psycopg.connect(database.url(DATABASE)) as holder, database.superuser(DATABASE) as administrator:
        holder.execute("lock table orders in access exclusive mode")
        administrator.execute("drop table incidents")
        seen = look(database)
    assert seen.returncode == 1
    assert "tables: DOWN: orders is locked by a transaction that is open; incidents is missing" in seen.stdout
    assert seen.stdout.endswith("BROKEN: tables\n")


def test_connections_that_are_nearly_used_up_are_told_before_they_are(database: PostgresServer) -> None:
    with database.superuser() as administrator:
        administrator.execute(f"alter role {OWNER} connection limit 10".encode())
        held = [psycopg.connect(database.url(DATABASE)) for _ in range(8)]
        try:
            for session in held:
                session.execute("select 1")
            seen = look(database)
        finally:
            for session in held:
                session.close()
            administrator.execute(f"alter role {OWNER} connection limit -1".encode())
    assert seen.returncode == 1
    assert "of 10 connections are used, 8 of them idle in a transaction" in seen.stdout


def test_a_database_that_takes_no_writes(database: PostgresServer) -> None:
    with database.superuser() as administrator:
        administrator.execute(f"alter database {DATABASE} set default_transaction_read_only = on".encode())
    seen = look(database)
    assert seen.returncode == 1
    assert "read-only transaction" in seen.stdout
    assert seen.stdout.endswith("BROKEN: database\n")


def test_a_server_that_is_not_there_and_one_that_never_answers(database: PostgresServer) -> None:
    gone = look(database, PGPORT=str(free_port()))
    assert gone.returncode == 1
    assert "Connection refused" in gone.stdout
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung = look(database, PGPORT=str(silent.getsockname()[1]))
    assert hung.returncode == 1
    assert "database: DOWN: no answer within 1 s" in hung.stdout


@pytest.fixture(scope="module")
def deployed() -> Iterator[ChainClient]:
    with serve_chain("") as (client, _):
        assert diagnose("deploy_contracts", CHAIN_URL=client.url).returncode == 0
        yield client


@pytest.fixture
def chain(deployed: ChainClient) -> Iterator[ChainClient]:
    baseline = Baseline(deployed)
    yield deployed
    baseline.restore()


def interact(url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return diagnose("check_contract_interaction", **{"CHAIN_URL": url, "CHAIN_ID": str(CHAIN_ID), **variables})


def escrow() -> Any:
    return json.loads((ENVIRONMENT_FOLDER / "contracts" / "addresses.json").read_text())["Escrow"]


def test_a_contract_that_is_well_is_asked_and_left_as_it_was(chain: ChainClient) -> None:
    before = chain.block_number(), chain.read(escrow(), "openCount()(uint256)")
    seen = interact(chain.url)
    assert (seen.returncode, seen.stderr) == (0, "")
    assert "deposit: up, would be taken" in seen.stdout
    assert (chain.block_number(), chain.read(escrow(), "openCount()(uint256)")) == before


def test_a_paused_contract_is_named_by_its_state_and_by_the_deposit_that_it_refuses(chain: ChainClient) -> None:
    chain.invoke(chain.accounts()[0], escrow(), "pause()")
    seen = interact(chain.url)
    assert seen.returncode == 1
    assert "deposit: DOWN: refused: the escrow is paused" in seen.stdout
    assert seen.stdout.endswith("BROKEN: escrow, deposit\n")


def test_the_wrong_chain_and_one_that_is_not_there(chain: ChainClient) -> None:
    wrong = interact(chain.url, CHAIN_ID="1")
    assert wrong.returncode == 1
    assert wrong.stdout.endswith("BROKEN: chain\n")
    gone = interact(f"http://127.0.0.1:{free_port()}")
    assert gone.returncode == 1
    assert gone.stdout.endswith("BROKEN: chain, contract, escrow, deposit\n")


def test_a_chain_without_the_contract() -> None:
    with serve_chain("") as (client, _):
        seen = interact(client.url)
    assert seen.returncode == 1
    assert f"there is no contract at {escrow()}" in seen.stdout
    assert "BROKEN: contract, escrow, deposit" in seen.stdout
