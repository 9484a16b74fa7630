"""Find the transaction that did the damage, in the WAL archive: the first that dropped or emptied a table, or deleted rows.

Nothing of ours deletes rows in peace, nor drops a table. Recovery up to that transaction, and without it, brings back all
that was committed before. All that are found are told on stderr with their times, for a person to read (a table that was
rewritten, as VACUUM FULL does, looks like an emptied one); the first one's number alone goes to stdout.

    python -m ops.find_damage --base "$BACKUP_DIR/base" --wal "$BACKUP_DIR/wal"

Connects as psql does, to learn which database is meant. Exit 0: found; 1: there is none; 2: the archive can't be read.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

SEGMENT = re.compile(r"[0-9A-F]{24}")
START = re.compile(r"^START WAL LOCATION: .*\(file ([0-9A-F]{24})\)", re.MULTILINE)
RECORD = re.compile(r"rmgr: (?P<manager>\w+) .*? tx: +(?P<number>\d+), .*? desc: (?P<what>.*)")
FIRST_OF_USERS = 16384
"""Files with lower numbers are the catalogue's (PostgreSQL's FirstNormalObjectId)."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What a committed transaction did: rows deleted, tables and indexes whose files were dropped; when, as WAL says."""

    transaction: int
    committed: str
    deleted: int
    dropped: int

    def __str__(self) -> str:
        done = [f"{self.deleted} rows deleted"] if self.deleted else []
        done += [f"{self.dropped} tables and indexes dropped, emptied or rewritten"] if self.dropped else []
        return f"transaction {self.transaction}, {self.committed}: {', '.join(done)}"


def damages(lines: Iterable[str], database: int) -> list[Damage]:
    """Read what pg_waldump printed; give the transactions that took something from a database, in the order of commit."""
    row = re.compile(rf"DELETE .*blkref #0: rel \d+/{database}/(\d+) ")
    file = re.compile(rf"base/{database}/\d+")
    deleted: Counter[int] = Counter()
    found = []
    for line in lines:
        record = RECORD.match(line)
        if record is None:
            continue
        number, what = int(record["number"]), record["what"]
        if record["manager"] == "Heap":
            taken = row.match(what)
            deleted[number] += taken is not None and int(taken[1]) >= FIRST_OF_USERS
        elif record["manager"] == "Transaction" and what.startswith("COMMIT "):
            parts = dict(_part(part) for part in what.split("; "))
            members = [number, *map(int, parts.get("subxacts", "").split())]
            damage = Damage(
                number,
                what.removeprefix("COMMIT ").partition(";")[0].strip(),
                sum(deleted[member] for member in members),
                sum(file.fullmatch(name) is not None for name in parts.get("rels", "").split()),
            )
            found += [damage] if damage.deleted or damage.dropped else []
    return found


def _part(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip(), value


def segments(base: Path, wal: Path) -> list[str]:
    """Give the archive's segments from the base backup's first one on; raise ValueError for one that is missing.

    Looked for here, since pg_waldump waits five seconds for each file that is not there.
    """
    label = START.search((base / "backup_label").read_text())
    if label is None:
        raise ValueError(f"{base} is no base backup: its backup_label names no WAL")
    found = sorted(entry.name for entry in wal.iterdir() if SEGMENT.fullmatch(entry.name) and entry.name >= label[1])
    wanted = label[1]
    for name in found or [""]:
        if name != wanted:
            raise ValueError(f"the WAL archive has a gap: {wanted} is not in {wal}")
        wanted = following(name, (wal / name).stat().st_size)
    return found


def following(name: str, size: int) -> str:
    """Give the name of the segment after one, of `size` bytes: timeline, then the upper and lower half of its number."""
    halves = 2**32 // size
    number = int(name[8:16], 16) * halves + int(name[16:], 16) + 1
    return f"{name[:8]}{number // halves:08X}{number % halves:08X}"


def read_wal(wal: Path, first: str, last: str) -> list[str]:
    """Have pg_waldump print the commits and what was done to rows; raise ValueError where the archive breaks off."""
    command = ["pg_waldump", "-p", str(wal), "-r", "Heap", "-r", "Transaction", first, last]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip())
    return done.stdout.splitlines()


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops.find_damage", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--base", required=True, type=Path, metavar="FOLDER", help="the base backup")
    parser.add_argument("--wal", required=True, type=Path, metavar="FOLDER", help="the WAL archive")
    parser.add_argument("--database", default="production_db", help="(%(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the number of the first transaction that did damage, and on stderr all of them."""
    given = _arguments(arguments)
    try:
        with psycopg.connect(dbname="postgres", connect_timeout=5) as connection:
            row = connection.execute("select oid from pg_database where datname = %s", [given.database]).fetchone()
        if row is None:
            raise ValueError(f"there is no database {given.database}")
        kept = segments(given.base, given.wal)
        found = damages(read_wal(given.wal, kept[0], kept[-1]), int(row[0]))
    except (psycopg.Error, ValueError, OSError) as error:
        print(f"find_damage: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for damage in found:
        print(damage, file=sys.stderr)
    if not found:
        print("no transaction in the WAL archive took anything away", file=sys.stderr)
        return 1
    print(found[0].transaction)
    return 0


if __name__ == "__main__":
    sys.exit(main())
