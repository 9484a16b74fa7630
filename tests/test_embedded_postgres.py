"""PostgreSQL as the embedded backend starts it: from a cold and a warm cache, two at once, and reset to its template."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import ENVIRONMENT_FOLDER
from tests.running import REPOSITORY

SECONDS = 60

_PROGRAM = """
import json, signal, sys, time
from pathlib import Path
from drillbook.backends.base import Address
from drillbook.backends.embedded.postgres import Postgres
from drillbook.errors import EnvironmentFailed
from drillbook.sandbox import DATA, View, enter
cache, migrations = map(Path, sys.argv[1:3])
code = enter(View.of_this_process(shown=[Path.cwd(), migrations], writable=[cache]))
if code is not None:
    sys.exit(code)
folder = DATA / "state/postgres"
folder.mkdir()
address = Address("127.0.7.1", 5432)
server = Postgres(folder, address, "shop", "shop_owner", "it's a \\\\ pass", migrations, cache, DATA / "log")
begun = time.monotonic()
try:
    server.start()
except EnvironmentFailed as error:
    sys.exit(f"EnvironmentFailed: {error}")
seen = {"seconds": time.monotonic() - begun}
import psycopg
def login():
    options = dict(host=address.host, port=address.port, user="shop_owner", dbname="shop", connect_timeout=5)
    with psycopg.connect(**options, password=server.password) as link:
        seen["durable"] = link.execute("select 1").fetchone()
    try:
        psycopg.connect(**options, password="wrong").close()
    except psycopg.OperationalError:
        return "only with its password"
def tables():
    with server.connect() as link:
        return [name for (name,) in link.execute(
            "select tablename || ' of ' || tableowner from pg_tables where schemaname = 'public' order by 1"
        )]
seen["tables"], seen["login"] = tables(), login()
with server.connect() as held, server.connect() as link:
    link.execute("create table more (n int)")
    link.execute("create database beside")
    link.execute("alter system set archive_command = 'cp %p /nowhere'")
    server.reset()
seen["after reset"], seen["login after reset"] = tables(), login()
with server.connect() as link:
    seen["archive"] = [link.execute(f"show archive_{name}").fetchone()[0] for name in ("mode", "command")]
options = dict(host=address.host, port=address.port, user="shop_owner", dbname="postgres", password=server.password)
with psycopg.connect(**options) as link:
    seen["owner switches"] = link.execute("select pg_switch_wal() is not null").fetchone()[0]
with server.connect() as link:
    seen["databases"] = [name for (name,) in link.execute("select datname from pg_database order by 1")]
    link.execute("create table survives (n int)")
server.kill()
seen["killed"] = server.pid
server.restart()
seen["after kill"] = [name for name in tables() if name.startswith("survives")]
server.kill()
json.dump(seen, sys.stdout)
"""


def _start(cache: Path, migrations: Path = ENVIRONMENT_FOLDER / "database") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(cache), str(migrations)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    with process:
        said, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]:
    """Two that start at once with one cold cache, one with the warm one, and what the cache then holds."""
    cache = tmp_path_factory.mktemp("cache")
    both = [_start(cache), _start(cache)]
    first, second = map(_ended, both)
    return first, second, _ended(_start(cache)), [entry.name for entry in cache.iterdir()]


def test_a_cold_and_a_warm_cache_give_the_same_database(started: tuple[Any, Any, Any, list[str]]) -> None:
    first, second, warm, _ = started
    assert first["tables"] == second["tables"] == warm["tables"]
    assert "orders of shop_owner" in warm["tables"]
    assert warm["seconds"] < min(first["seconds"], second["seconds"])


def test_two_that_start_at_once_leave_one_whole_cluster(started: tuple[Any, Any, Any, list[str]]) -> None:
    *_, kept = started
    (cluster,) = kept
    assert cluster.startswith("postgres-")
    assert "." not in cluster


def test_the_owner_logs_in_with_the_run_s_password_only(started: tuple[Any, Any, Any, list[str]]) -> None:
    for seen in started[:3]:
        assert seen["login"] == seen["login after reset"] == "only with its password"


def test_a_reset_gives_the_template_again_although_sessions_are_open(started: tuple[Any, Any, Any, list[str]]) -> None:
    for seen in started[:3]:
        assert seen["after reset"] == seen["tables"]
        assert seen["databases"] == ["postgres", "shop", "shop_template", "template0", "template1"]


def test_wal_goes_to_no_archive_unless_a_drill_says_where_and_a_reset_forgets_it(
    started: tuple[Any, Any, Any, list[str]],
) -> None:
    for seen in started[:3]:
        assert seen["archive"] == ["on", "true"]
        assert seen["owner switches"]


def test_what_was_committed_survives_kill_9(started: tuple[Any, Any, Any, list[str]]) -> None:
    for seen in started[:3]:
        assert seen["killed"] is None
        assert seen["after kill"] == ["survives of postgres"]


def test_a_migration_that_fails_is_named_and_nothing_is_kept(tmp_path: Path) -> None:
    cache, migrations = tmp_path / "cache", tmp_path / "migrations"
    cache.mkdir()
    migrations.mkdir()
    (migrations / "001_good.sql").write_text("create table good (n int);")
    (migrations / "002_bad.sql").write_text("create table bad (n no_such_type);")
    with _start(cache, migrations) as process:
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert errors.startswith("EnvironmentFailed: migration 002_bad.sql failed")
    assert "no_such_type" in errors
    assert list(cache.iterdir()) == []
