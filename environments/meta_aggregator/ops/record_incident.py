"""Write an incident into the incident log, the table `incidents`, and print its number.

Connects as psql does (PGHOST, PGPORT, PGUSER, PGPASSWORD); the database is PGDATABASE, else production_db.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from drillbook.clock import SYSTEM_CLOCK

SEVERITIES = ("minor", "major", "critical")


@dataclass(frozen=True, slots=True)
class Incident:
    """What is written: times with their zone, `resolved` None while it lasts."""

    title: str
    severity: str
    started: datetime
    resolved: datetime | None
    actions: str


def moment(text: str) -> datetime:
    """Read an ISO 8601 time; one without a zone is taken as UTC. Raises ValueError."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def record(connection: psycopg.Connection[tuple[str]], incident: Incident) -> str:
    """Insert the incident; give its number, as in INC-0002."""
    row = connection.execute(
        "insert into incidents (title, severity, started_at, resolved_at, actions)"
        " values (%s, %s, %s, %s, %s) returning number",
        (incident.title, incident.severity, incident.started, incident.resolved, incident.actions),
    ).fetchone()
    assert row is not None  # an insert that returns gives its row, or raises
    return row[0]


def _arguments(arguments: Sequence[str] | None) -> Incident:
    parser = argparse.ArgumentParser(prog="python -m ops.record_incident", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--title", required=True)
    parser.add_argument("--severity", required=True, choices=SEVERITIES)
    now = SYSTEM_CLOCK.wall()
    parser.add_argument("--started", default=now, type=moment, help="ISO 8601, UTC unless it says otherwise (now)")
    parser.add_argument("--resolved", type=moment, help="ISO 8601; left out while the incident lasts")
    parser.add_argument("--actions", default="", help="what was done")
    given = parser.parse_args(arguments)
    if not given.title.strip():
        parser.error("--title is empty")
    if given.resolved is not None and given.resolved < given.started:
        parser.error("--resolved is before --started")
    return Incident(given.title, given.severity, given.started, given.resolved, given.actions)


def main(arguments: Sequence[str] | None = None) -> int:
    """Record what the command line says; print the number. Exit code 2 on usage, 1 where the database refuses."""
    incident = _arguments(arguments)
    database = os.environ.get("PGDATABASE", "production_db")
    try:
        with psycopg.connect(dbname=database, connect_timeout=5) as connection:
            number = record(connection, incident)
    except psycopg.Error as error:
        print(f"record_incident: {database}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(number)
    return 0


if __name__ == "__main__":
    sys.exit(main())
