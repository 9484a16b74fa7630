"""Recovery of the database: what is saved beforehand, how it is spoiled, the decisions of a responder, what may be lost."""

from __future__ import annotations

import math
from itertools import pairwise

import psycopg
from pytest_bdd import given, parsers, then, when

from drillbook.clock import wait_until
from drillbook.drill import Drill
from drillbook.drill.invariants import Loss, measure_loss
from drillbook.errors import EnvironmentFailed, UnsupportedFault
from drillbook.journal import Note, RequestEnded
from drillbook.responder.registry import decision
from drillbook.responder.situation import Situation
from drillbook.verdict.model import Outcome
from drillbook.verdict.timeline import each
from steps._looking import printed
from steps.data import ARCHIVE, Look, shell

APPLICATION = "orders-api"
PROCESSES = "the application's processes"
_ARCHIVED_SECONDS = 10.0
"""PostgreSQL tries a segment that could not be archived again after a second, and three times."""


@decision("If the WAL archive is there")
def wal_archive_is_there(situation: Situation) -> tuple[bool, str]:
    """Prefer the WAL archive, wherever the look found one."""
    found = [line for line in printed(situation, "Look at what there is").splitlines() if "WAL archive: since" in line]
    return bool(found), found[-1] if found else "there is none"


@decision("If there is no WAL archive, or it cannot be used")
def nightly_archive_is_needed(situation: Situation) -> tuple[bool, str]:
    """Take the nightly archive unless the WAL archive has given everything back."""
    if situation.succeeded("restore to the moment before the damage"):
        return False, "the WAL archive has given it back"
    return True, "the nightly archive is what there is"


@given("the archive was made by a newer PostgreSQL")
def newer(drill: Drill) -> None:
    """Give the newest backup the header that the pg_dump of the next major version writes: format 1.16 instead of 1.15."""
    file = drill.environment.backups / ARCHIVE
    content = bytearray(file.read_bytes())
    if bytes(content[:7]) != b"PGDMP\x01\x0f":  # magic, format's major and minor version (pg_backup_archiver.c)
        raise EnvironmentFailed(f"{ARCHIVE} is no custom archive of format 1.15: {bytes(content[:7])!r}")
    content[6] += 1
    file.write_bytes(content)


@given("WAL is archived, beside a base backup")
def wal_archived(drill: Drill) -> None:
    """Have the server copy its WAL to $BACKUP_DIR/wal, as production's does, and take a base backup to $BACKUP_DIR/base."""
    wal = drill.environment.backups / "wal"
    with drill.environment.database() as database:
        if database.execute("show archive_mode").fetchone() != ("on",):
            raise UnsupportedFault("this server can't archive its WAL: archive_mode is off")
        wal.mkdir()
        copied = f'cp "%p" "{wal}/%f.part" && mv "{wal}/%f.part" "{wal}/%f"'  # whole, or not there
        database.execute(f"alter system set archive_command = '{copied}'".encode())
        database.execute("select pg_reload_conf()")
    shell(drill, "pg_basebackup -D base -c fast -X fetch --no-sync")
    segment = shell(drill, "sed -nE 's/^START WAL.*file ([0-9A-F]+).*/\\1/p' base/backup_label")
    if not wait_until((wal / segment).exists, _ARCHIVED_SECONDS):
        raise EnvironmentFailed(f"the base backup's first WAL segment, {segment}, was not archived")


@given("a segment of the WAL archive is missing")
def wal_gap(drill: Drill) -> None:
    """Switch to a new segment and lose the one before: what was committed in it can't be read again."""
    acknowledged_since(drill, 1)  # a segment in which nothing was written is not switched
    wal = drill.environment.backups / "wal"
    before = set(wal.iterdir())
    shell(drill, "psql -d postgres -Atqc 'SELECT pg_switch_wal()'")
    lost = wait_until(
        lambda: [file for file in wal.iterdir() if file not in before and len(file.name) == 24], _ARCHIVED_SECONDS
    )
    if not lost:
        raise EnvironmentFailed("no segment came to the WAL archive")
    lost[0].unlink()


@when(parsers.parse("{count:d} orders have been acknowledged since"))
def acknowledged_since(drill: Drill, count: int) -> None:
    """Wait for that many more acknowledgements, five seconds at most."""
    before = _acknowledged(drill)
    if not wait_until(lambda: _acknowledged(drill) - before >= count, 5.0):
        raise EnvironmentFailed(f"only {_acknowledged(drill) - before} orders were acknowledged")


def _acknowledged(drill: Drill) -> int:
    return sum(request.outcome == "acknowledged" for _, request in each(drill.timeline, RequestEnded))


@then(parsers.parse("no acknowledged order is lost, where the nightly archive would have lost at least {count:d}"))
def better_than_the_archive(drill: Drill, count: int) -> None:
    """Measure both losses, by number and by seconds: what production_db lacks, and what it would lack after the archive."""

    def look() -> Look:
        kept = drill.measure_loss()
        lost, archive = _loss(drill, "production_db"), _loss_of_archive(drill)
        figures = {"requests": len(lost.lost), "seconds": round(lost.window, 3)}
        beside = {"archive_requests": len(archive.lost), "archive_seconds": round(archive.window, 3)}
        drill.note("RPO beside the nightly archive's", **figures, **beside)
        detail = f"{len(lost.lost)} lost, the archive {len(archive.lost)} over {archive.window:.1f} s ({kept.detail})"
        return kept.outcome is Outcome.PASS and not lost.lost and len(archive.lost) >= count, detail, ()

    drill.check(f"no acknowledged order is lost, where the nightly archive would have lost at least {count}", look)


def _loss_of_archive(drill: Drill) -> Loss:
    """Restore the nightly archive to a database of its own, and count what it lacks."""
    try:
        shell(drill, f"createdb -T template0 weighed; pg_restore -e -1 --no-owner -d weighed {ARCHIVE}")
        return _loss(drill, "weighed")
    finally:
        shell(drill, "dropdb --if-exists weighed")


def _loss(drill: Drill, database: str) -> Loss:
    """Compare what was acknowledged with what a database holds."""
    query = "select idempotency_key, count(*) from orders group by 1"
    variables = drill.environment.variables
    with psycopg.connect(host=variables["PGHOST"], port=variables["PGPORT"], user=variables["PGUSER"],
                         password=variables["PGPASSWORD"], dbname=database) as connection:  # fmt: skip
        stored = {str(key): int(number) for key, number in connection.execute(query).fetchall()}
    return measure_loss(drill.timeline, stored)


@given("the application's processes are noted")
def processes_noted(drill: Drill) -> None:
    """Put the pids of the orders API on the timeline."""
    drill.note(PROCESSES, pids=_pids(drill))


@then(parsers.parse("customers are held up for {seconds:d} seconds at most, and the application is not restarted"))
def goes_on(drill: Drill, seconds: int) -> None:
    """See that the longest time without an acknowledgement is short, and that the same processes serve as before."""

    def look() -> Look:
        requests = list(each(drill.timeline, RequestEnded))
        moments = sorted(request.finished for _, request in requests if request.outcome == "acknowledged")
        gaps = [later - sooner for sooner, later in pairwise(moments)]
        noted = [note.details["pids"] for _, note in each(drill.timeline, Note) if note.text == PROCESSES]
        same, longest = noted == [_pids(drill)], max(gaps, default=math.inf)
        detail = f"{longest:.2f} s without an acknowledgement, {'the same' if same else 'other'} processes"
        return same and longest <= seconds, detail, (requests[-1][0].seq,) if requests else ()

    drill.check(f"customers are held up for {seconds} seconds at most, and the application is not restarted", look)


def _pids(drill: Drill) -> list[int]:
    return sorted(drill.environment.processes(APPLICATION))
