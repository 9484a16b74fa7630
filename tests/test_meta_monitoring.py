"""The monitoring procedures against a real chain and a real database: 0 when all is well, else 1 and the broken part's name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from drillbook.chain.client import Baseline, ChainClient
from tests.chains import CHAIN_ID, serve_chain
from tests.postgres import ENVIRONMENT_FOLDER, PostgresServer, free_port, running_postgres

DATABASE = "monitored"


def run(module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a procedure as the runbook's command does."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ENVIRONMENT_FOLDER), "CHECK_SECONDS": "2", **variables}
    command = [sys.executable, "-m", f"ops.{module}", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        server.create(DATABASE)
        yield server


def look(server: PostgresServer) -> subprocess.CompletedProcess[str]:
    return run("check_database", **server.variables(DATABASE))


def test_a_database_that_is_well_is_counted(server: PostgresServer) -> None:
    seen = look(server)
    assert (seen.returncode, seen.stderr) == (0, "")
    assert "rows: up, 200 orders, " in seen.stdout
    assert "locks: up, nobody waits" in seen.stdout


def test_a_session_that_waits_is_told_with_the_one_that_it_waits_for(server: PostgresServer) -> None:
    with psycopg.connect(server.url(DATABASE), application_name="forgetful") as holder:
        holder.execute("update orders set status = 'filled' where id = 7")
        waiter = subprocess.Popen(
            [sys.executable, "-c", f"import psycopg; psycopg.connect({server.url(DATABASE)!r}).execute("
             "\"update orders set status = 'cancelled' where id = 7\")"],
        )  # fmt: skip
        try:
            seen = next(done for _ in range(20) if (done := look(server)).returncode)
        finally:
            waiter.kill()
            waiter.wait()
        pid = holder.info.backend_pid
    assert f"waits for session {pid} (forgetful, idle in transaction)" in seen.stdout
    assert seen.stdout.endswith("BROKEN: locks\n")


def test_rows_that_were_entered_and_are_gone_are_counted_by_table(server: PostgresServer) -> None:
    with server.superuser(DATABASE) as administrator, administrator.transaction(force_rollback=False):
        administrator.execute("create table kept as select * from orders where id between 10 and 12")
        administrator.execute("delete from orders where id between 10 and 12")
    seen = look(server)
    with server.superuser(DATABASE) as administrator:
        administrator.execute("insert into orders overriding system value select * from kept")
        administrator.execute("drop table kept")
    assert seen.returncode == 1
    assert "rows: DOWN: 3 orders are lost" in seen.stdout
    assert seen.stdout.endswith("BROKEN: rows\n")


def test_a_database_that_is_not_there(server: PostgresServer) -> None:
    gone = run("check_database", **{**server.variables(DATABASE), "PGPORT": str(free_port())})
    assert gone.returncode == 1
    assert gone.stdout.endswith("BROKEN: database, tables, rows, locks\n")


@pytest.fixture(scope="module")
def deployed() -> Iterator[ChainClient]:
    with serve_chain("") as (client, _):
        assert run("deploy_contracts", CHAIN_URL=client.url).returncode == 0
        yield client


@pytest.fixture
def chain(deployed: ChainClient) -> Iterator[ChainClient]:
    baseline = Baseline(deployed)
    yield deployed
    baseline.restore()


def status(folder: Path, url: str, *arguments: str, chain_id: int = CHAIN_ID) -> subprocess.CompletedProcess[str]:
    networks = folder / "networks.json"
    networks.write_text(json.dumps({"here": {"url": url, "chainId": chain_id}}))
    return run("check_contract_status", *arguments, HARDHAT_NETWORKS=str(networks))


def escrow() -> str:
    return str(json.loads((ENVIRONMENT_FOLDER / "contracts" / "addresses.json").read_text())["Escrow"])


def test_a_contract_that_is_well_is_shown_and_left_alone(chain: ChainClient, tmp_path: Path) -> None:
    before, (owner, arbiter) = chain.block_number(), chain.accounts()[:2]
    seen = status(tmp_path, chain.url, "--network", "here")
    assert (seen.returncode, seen.stderr) == (0, "")
    assert f"escrow {escrow()} on here" in seen.stdout
    assert f"owner {owner}, arbiter {arbiter}" in seen.stdout.lower()
    assert seen.stdout.endswith("all is well\n")
    assert chain.block_number() == before


def test_a_paused_contract_is_named(chain: ChainClient, tmp_path: Path) -> None:
    chain.invoke(chain.accounts()[0], escrow(), "pause()")
    seen = status(tmp_path, chain.url, "--network", "here")
    assert (seen.returncode, seen.stdout.splitlines()[-1]) == (1, "BROKEN: escrow")


def test_a_chain_that_is_another_is_named(chain: ChainClient, tmp_path: Path) -> None:
    seen = status(tmp_path, chain.url, "--network", "here", chain_id=CHAIN_ID + 1)
    assert (seen.returncode, seen.stdout.splitlines()[-1]) == (1, "BROKEN: network")
    assert f"is chain {CHAIN_ID}, but here is chain {CHAIN_ID + 1}" in seen.stdout


def test_a_network_that_is_not_declared_is_refused_before_anything_is_asked(chain: ChainClient, tmp_path: Path) -> None:
    seen = status(tmp_path, chain.url, "--network", "elsewhere")
    assert (seen.returncode, seen.stdout) == (1, "")
    assert "Error HH100: Network elsewhere doesn't exist" in seen.stderr


def test_a_node_that_is_not_there(tmp_path: Path) -> None:
    seen = status(tmp_path, f"http://127.0.0.1:{free_port()}", "--network", "here")
    assert (seen.returncode, seen.stdout.splitlines()[-1]) == (1, "BROKEN: network, contract, roles, escrow")
