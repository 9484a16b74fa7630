"""Given and Then about Meta Aggregator's own data: its backups, what is left of its tables, its incident log."""

from __future__ import annotations

import subprocess

from pytest_bdd import given, parsers, then

from drillbook.drill import Drill
from drillbook.errors import EnvironmentFailed
from drillbook.verdict.model import Outcome

ARCHIVE = "latest_backup.dump"
SEEDED = 200
"""How many orders database/90_seed.sql makes; their ids are 1 to 200."""
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
