"""Given and Then about Meta Aggregator's own data: its backups, what is left of its tables, its incident log."""

from __future__ import annotations

import math
import subprocess
from itertools import pairwise

import psycopg
from pytest_bdd import given, parsers, then, when

from drillbook.clock import wait_until
from drillbook.drill import Drill
from drillbook.drill.invariants import Loss, measure_loss
from drillbook.errors import EnvironmentFailed, UnsupportedFault
from drillbook.journal import Note, RequestEnded
from drillbook.verdict.model import Outcome
from drillbook.verdict.timeline import each

ARCHIVE = "latest_backup.dump"
SEEDED = 200
"""How many orders database/90_seed.sql makes; their ids are 1 to 200."""
_ARCHIVED_SECONDS = 10.0
"""PostgreSQL tries a segment that could not be archived again after a second, and three times."""
Look = tuple[bool, str, tuple[int, ...]]


def shell(drill: Drill, command: str) -> str:
    """Run a command outside the runbook, in the operator's variables; EnvironmentFailed if it fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=dict(drill.environment.variables),
        cwd=drill.environment.backups,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        raise EnvironmentFailed(f"{command}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


@given("the nightly backup has been taken")
def nightly_backup(drill: Drill) -> None:
    """Dump production_db with pg_dump, as the nightly job does, to $BACKUP_DIR/latest_backup.dump."""
    shell(drill, f"pg_dump -Fc -f {ARCHIVE} production_db")


@given("the archive is cut off in the middle")
def truncated(drill: Drill) -> None:
    """Leave the first two thirds of the newest backup: its table of contents is whole, its data is not."""
    file = drill.environment.backups / ARCHIVE
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 2 // 3])


@given("the archive holds altered orders")
def altered(drill: Drill) -> None:
    """Take the newest backup of a copy in which fifty orders were changed and one is missing."""
    shell(
        drill,
        "createdb -T template0 altered; "
        "psql -q altered -c 'set client_min_messages = error' -f <(pg_dump production_db) > /dev/null; "
        "psql -q altered -v ON_ERROR_STOP=1 "
        "-c 'update orders set sell_amount = sell_amount + 1, total = total + 1 where id between 100 and 149' "
        "-c 'delete from orders where id = 99'; "
        f"pg_dump -Fc -f {ARCHIVE} altered; dropdb altered",
    )


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


@then(parsers.parse("the seeded orders other than {first:d} to {last:d} are still there"))
def rest_is_there(drill: Drill, first: int, last: int) -> None:
    """See that production_db holds every order that the fault left."""
    query = "select count(*) from orders where id <= %s and not id between %s and %s"

    def look() -> Look:
        with drill.environment.database() as database:
            found = database.execute(query, [SEEDED, first, last]).fetchone()
        count, expected = int(found[0]) if found else 0, SEEDED - (last - first + 1)
        return count == expected, f"{count} of {expected}", ()

    drill.check("the seeded orders that the fault left are still there", look)


@then("every order is there again")
def all_there(drill: Drill) -> None:
    """See that production_db holds all seeded orders."""

    def look() -> Look:
        with drill.environment.database() as database:
            found = database.execute("select count(*) from orders where id <= %s", [SEEDED]).fetchone()
        count = int(found[0]) if found else 0
        return count == SEEDED, f"{count} of {SEEDED} seeded orders", ()

    drill.check("every order is there again", look)


@then(parsers.parse('the incident "{title}" is recorded'))
def incident_recorded(drill: Drill, title: str) -> None:
    """See that the incident log in the database holds an incident of this title that began in this drill."""
    began = drill.timeline[0].time

    def look() -> Look:
        with drill.environment.database() as database:
            query = "select number from incidents where title = %s and started_at >= %s"
            rows = database.execute(query, [title, began]).fetchall()
        return len(rows) == 1, ", ".join(str(number) for (number,) in rows) or "the incident log does not have it", ()

    drill.check(f"the incident {title!r} is recorded", look)


@then(parsers.parse("at least {count:d} acknowledged orders are lost, by number and by seconds"))
def some_are_lost(drill: Drill, count: int) -> None:
    """See that what was acknowledged after the backup is really counted, and judged against the RPO."""

    def look() -> Look:
        kept = drill.measure_loss()
        words = kept.detail.split()
        lost = int(words[words.index("lost") - 1]) if "lost" in words or "lost," in words else 0
        return kept.outcome is Outcome.PASS and lost >= count, kept.detail, ()

    drill.check(f"at least {count} acknowledged orders are lost", look)


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


APPLICATION = "orders-api"
PROCESSES = "the application's processes"


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
