"""The daily look at everything that can be wrong without an alarm: prints each check, exits 1 and names what failed.

Beside what the probes see (frontend, API and what it depends on, database, contract) it looks at what fails slowly: the age
of the newest backup, sessions that hold a transaction open, connections running out, the disk, certificates that expire.
BACKUP_DIR is the folder of the nightly archives; BACKUP_HOURS (26) is the age that the newest may have.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg

from drillbook.chain.client import ChainClient
from drillbook.clock import SYSTEM_CLOCK
from drillbook.errors import DrillbookError
from ops import production
from ops.escrow import escrow_address

ARCHIVE = "latest_backup.dump"
OPEN_MINUTES = 15
"""How long a transaction may be open before it keeps VACUUM from cleaning, and perhaps a lock."""
CONNECTIONS = 0.8
DISK = 0.1
CERTIFICATE_DAYS = 14


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, what was seen, whether that is well."""

    check: str
    well: bool
    detail: str


def frontend() -> Iterator[Finding]:
    """Ask the frontend for its own health."""
    with production.web() as web:
        answer = web.get(f"{production.FRONTEND}/api/health")
    status = answer.json().get("status")
    yield Finding("frontend", status == "ok", f"HTTP {answer.status_code}, status {status}")


def api() -> Iterator[Finding]:
    """Ask the API for its own health, and for that of all that it depends on."""
    with production.web() as web:
        answer = web.get(f"{production.API}/health")
    body = answer.json()
    yield Finding("API", body["status"] == "ok", f"HTTP {answer.status_code}, status {body['status']}")
    for name, found in body["dependencies"].items():
        detail = found["status"] + (f": {found['error']}" if found.get("error") else "")
        yield Finding(f"API -> {name}", found["status"] == "ok", detail)


def database() -> Iterator[Finding]:
    """See how near the database is to its limits, and who holds a transaction open."""
    with production.database() as link:
        used, limit = link.execute(
            "select count(*), current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " from pg_stat_activity where backend_type = 'client backend'"
        ).fetchall()[0]
        old = link.execute(
            "select pid, application_name, (extract(epoch from now() - xact_start) / 60)::int from pg_stat_activity"
            " where now() - xact_start > make_interval(mins => %s) and backend_type = 'client backend' order by xact_start",
            (OPEN_MINUTES,),
        ).fetchall()
    yield Finding("database connections", used < limit * CONNECTIONS, f"{used} of {limit} in use")
    held = "; ".join(f"session {pid} ({name or 'unnamed'}) for {minutes} min" for pid, name, minutes in old)
    yield Finding("open transactions", not old, held or f"none older than {OPEN_MINUTES} min")


def contract() -> Iterator[Finding]:
    """See that the escrow can be read, is not paused, and holds what it owes."""
    with ChainClient(os.environ["CHAIN_URL"], timeout=5.0) as chain:
        address = escrow_address()
        paused = chain.read(address, "paused()(bool)")
        owed, held = int(chain.read(address, "openTotal()(uint256)")), chain.balance(address)
    yield Finding("escrow", not paused and held >= owed, f"paused: {paused}, holds {held} wei, owes {owed} wei")


def backup() -> Iterator[Finding]:
    """See that last night's backup was taken: its age and that it is not empty."""
    folder, hours = Path(os.environ["BACKUP_DIR"]), float(os.environ.get("BACKUP_HOURS", "26"))
    usage = shutil.disk_usage(folder)
    free = usage.free / usage.total
    yield Finding("disk of the backups", free > DISK, f"{free:.0%} free")
    file = folder / ARCHIVE
    if not file.is_file():
        yield Finding("backup", False, f"there is no {ARCHIVE} in {folder}")
        return
    state = file.stat()
    age = (SYSTEM_CLOCK.wall().timestamp() - state.st_mtime) / 3600
    well = state.st_size > 0 and age <= hours
    yield Finding("backup", well, f"{ARCHIVE} is {age:.1f} h old and has {state.st_size} bytes; at most {hours:g} h")


def certificates() -> Iterator[Finding]:
    """See how long the certificates of production's names are good; a connection that is not trusted raises."""
    context = ssl.create_default_context()
    for url in (production.FRONTEND, production.API):
        host = str(urlsplit(url).hostname)
        with (
            socket.create_connection((host, 443), timeout=5.0) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"]))
        days = (ends - SYSTEM_CLOCK.wall().timestamp()) / 86400
        yield Finding(f"certificate of {host}", days > CERTIFICATE_DAYS, f"good for {days:.0f} more days")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "frontend": frontend,
    "API": api,
    "database": database,
    "escrow": contract,
    "backup": backup,
    "certificates": certificates,
}


def look(name: str) -> list[Finding]:
    """Make one check; what can't be looked at is not well."""
    try:
        return list(CHECKS[name]())
    except (httpx.HTTPError, psycopg.Error, DrillbookError, OSError, ValueError, KeyError) as error:
        return [Finding(name, False, f"cannot be checked: {production.one_line(error)}")]


def main() -> int:
    """Make every check at once and print them; 1 if one is not well."""
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        findings = [finding for found in pool.map(look, CHECKS) for finding in found]
    for finding in findings:
        print(f"{'ok' if finding.well else 'WRONG':<6} {finding.check:<34} {finding.detail}")
    wrong = [finding.check for finding in findings if not finding.well]
    print(f"daily health: {'NOT well: ' + ', '.join(wrong) if wrong else 'well'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
