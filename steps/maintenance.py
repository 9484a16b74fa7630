"""Given, When and Then of the maintenance sections: backups that age or rot, bloat, vulnerable packages, and what is left."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import httpx
import psycopg
from pytest_bdd import given, parsers, then, when

from drillbook.backends.base import Environment
from drillbook.clock import SYSTEM_CLOCK
from drillbook.drill import Drill
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault, NothingToHeal
from drillbook.faults.database import identifier, operator_session, superuser
from drillbook.journal import CommandEnded, LoadMeasured, RequestEnded
from drillbook.probes.http import tls_context
from drillbook.verdict.timeline import each
from ops.exposition import Metric, parse
from steps.data import ARCHIVE, Look, shell

REGISTRY = "npm-registry"
METRICS = "metrics/meta_aggregator.prom"
SVG = "{http://www.w3.org/2000/svg}"


# What maintenance finds


@given("the project's dependencies are installed")
def project_installed(drill: Drill) -> None:
    """Start the registry, put the project's package.json and lock file into the workspace, and each package as it is locked
    into node_modules.
    """
    drill.environment.start_on_demand(REGISTRY)
    workspace, project = drill.environment.workspace, drill.environment.topology.folder / "project"
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(project / name, workspace / name)
    packages = json.loads((project / "package-lock.json").read_text())["packages"]
    for path, locked in packages.items():
        if path:
            (workspace / path).mkdir(parents=True)
            manifest = {"name": path.rpartition("node_modules/")[2], "version": locked["version"]}
            (workspace / path / "package.json").write_text(json.dumps(manifest))


@given(parsers.parse('the load test "{load}" has been run'))
def load_tested(drill: Drill, load: str) -> None:
    """Run a declared load to its end, and put the list of its requests where the capacity analysis looks for it."""
    event = drill.loads.run(load).record.event
    if not isinstance(event, LoadMeasured):
        raise EnvironmentFailed(f"the load {load!r} measured nothing")
    shutil.copyfile(drill.environment.logs.parent / event.file, drill.environment.workspace / "load-test.csv")


@given("a full backup was made last month")
def full_backup_made(drill: Drill) -> None:
    """Make one by the team's own procedure, before anything breaks."""
    shell(drill, "node scripts/fullSystemBackup.js")


# What breaks


@dataclass(frozen=True, slots=True)
class BackupAged:
    """The nightly job has not run for some days: the newest archive is that old."""

    kind: ClassVar[str] = "backup-aged"
    days: int

    @property
    def target(self) -> str:
        """The archive."""
        return ARCHIVE

    def inject(self, environment: Environment) -> ActiveFault:
        """Set the archive's time back, and see it; EnvironmentFailed if there is no archive."""
        file = environment.backups / ARCHIVE
        if not file.is_file():
            raise EnvironmentFailed(
                f"there is no {ARCHIVE} that could be old", mend="Given the nightly backup has been taken"
            )
        then_ = SYSTEM_CLOCK.wall().timestamp() - self.days * 86400
        os.utime(file, (then_, then_))
        return NothingToHeal()


@dataclass(frozen=True, slots=True)
class BackupRotten:
    """One byte in the middle of a file of the newest full backup has changed on the disk."""

    kind: ClassVar[str] = "backup-rotten"
    file: str

    @property
    def target(self) -> str:
        """The file."""
        return self.file

    def inject(self, environment: Environment) -> ActiveFault:
        """Change the byte, not the file's length or time; EnvironmentFailed where there is no such file."""
        found = newest_full_backup(environment) / self.file
        if not found.is_file():
            raise EnvironmentFailed(f"the newest full backup has no {self.file}")
        state, content = found.stat(), bytearray(found.read_bytes())
        content[len(content) // 2] ^= 0xFF
        found.write_bytes(content)
        os.utime(found, ns=(state.st_atime_ns, state.st_mtime_ns))
        return NothingToHeal()


@dataclass(frozen=True, slots=True)
class TableBloated:
    """A table is mostly air: rows were written and deleted, and left their pages and index entries behind.

    Its vacuum is kept from it for as long as the fault is in force, as a cluster's is that never comes round.
    """

    kind: ClassVar[str] = "table-bloated"
    table: str
    rows: int

    @property
    def target(self) -> str:
        """The table."""
        return self.table

    def inject(self, environment: Environment) -> ActiveFault:
        """Copy the table's rows until there are so many more, and delete the copies; see that dead rows are counted."""
        with superuser(environment, None) as link:
            name = identifier(self.table, link).encode()
            link.execute(b"alter table " + name + b" set (autovacuum_enabled = off)")
            newest = link.execute(b"select max(id) from " + name).fetchone()
            with link.transaction():
                link.execute("set local session_replication_role = replica")
                link.execute(
                    b"insert into "
                    + name
                    + b" (idempotency_key, fingerprint, customer, sell_token, buy_token, sell_amount,"
                    b" fee, total) select 'copy-' || n, fingerprint, customer, sell_token, buy_token, sell_amount, fee, total"
                    b" from (select * from " + name + b" where id = 1) as one, generate_series(1, %s) as n",
                    (self.rows,),
                )
            link.execute(b"delete from " + name + b" where id > %s and idempotency_key like 'copy-%%'", newest)
            link.execute("select pg_stat_force_next_flush()")
            dead = link.execute(
                "select n_dead_tup from pg_stat_user_tables where relid = %s::regclass", (self.table,)
            ).fetchone()
        if dead is None or dead[0] < self.rows:
            raise EnvironmentFailed(f"the fault did not take: {dead and dead[0]} dead rows in {self.table}")
        return NothingToHeal()


@dataclass(frozen=True, slots=True)
class LongReport:
    """Somebody's report has been reading a table in an open transaction, and holds its lock and its old rows."""

    kind: ClassVar[str] = "long-report"
    table: str

    @property
    def target(self) -> str:
        """The table."""
        return self.table

    def inject(self, environment: Environment) -> ActiveFault:
        """Begin to read, and leave the transaction open."""
        session = operator_session(environment, None, "long-report")
        session.execute("set transaction isolation level repeatable read, read only")
        session.execute(b"select count(*) from " + identifier(self.table, session).encode())
        return _Session(session)


@dataclass(frozen=True, slots=True)
class _Session:
    session: psycopg.Connection[Any]

    def heal(self) -> None:
        """End the report."""
        self.session.close()


@dataclass(frozen=True, slots=True)
class AdvisoryPublished:
    """A vulnerability of a package is made public."""

    kind: ClassVar[str] = "advisory-published"
    package: str
    severity: str
    versions: str

    @property
    def target(self) -> str:
        """The package."""
        return self.package

    def inject(self, environment: Environment) -> ActiveFault:
        """Publish it at the registry, and see that the registry has it."""
        advisory = {
            "name": self.package,
            "title": f"{self.package} lets a stranger in",
            "severity": self.severity,
            "vulnerable_versions": self.versions,
        }
        known = registry(environment, "PUT", "/twin/advisories", advisory)
        if not any(one["name"] == self.package for one in known):
            raise EnvironmentFailed(f"the registry does not show the advisory: {known}")
        return _Published(environment, "/twin/advisories")


@dataclass(frozen=True, slots=True)
class PackageReleased:
    """A newer version of a package that we use is out."""

    kind: ClassVar[str] = "package-released"
    package: str
    version: str

    @property
    def target(self) -> str:
        """The package."""
        return self.package

    def inject(self, environment: Environment) -> ActiveFault:
        """Release it at the registry."""
        registry(environment, "PUT", "/twin/releases", {"name": self.package, "version": self.version})
        return _Published(environment, "/twin/releases")


@dataclass(frozen=True, slots=True)
class _Published:
    environment: Environment
    path: str

    def heal(self) -> None:
        """Take it back."""
        registry(self.environment, "DELETE", self.path)


def registry(environment: Environment, method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Tell the twin of the registry something, past every link; give its answer. EnvironmentFailed where it refuses."""
    name = next(n for n, ports in environment.topology.names.items() if f"{REGISTRY}.https" in map(str, ports.values()))
    url = f"https://{environment.address(REGISTRY, 'https')}{path}"
    try:
        with httpx.Client(verify=tls_context(), timeout=5.0, trust_env=False) as client:
            answer = client.request(method, url, json=body, headers={"Host": name}, extensions={"sni_hostname": name})
            answer.raise_for_status()
    except httpx.HTTPError as error:
        raise EnvironmentFailed(f"{method} {path} at the registry: {error}") from error
    return answer.json()


@when(parsers.parse("the newest backup is {days:d} days old"))
def backup_aged(drill: Drill, days: int) -> None:
    """Age the nightly archive, as if the job had not run since."""
    drill.inject(BackupAged(days))


@when(parsers.parse('a byte of "{file}" in the full backup rots'))
def backup_rotten(drill: Drill, file: str) -> None:
    """Change one byte of a file of the newest full backup."""
    drill.inject(BackupRotten(file))


@when(parsers.parse('{rows:d} deleted rows bloat the table "{table}"'))
def table_bloated(drill: Drill, rows: int, table: str) -> None:
    """Leave so many dead rows in a table of the shape of orders, which no automatic vacuum takes away."""
    drill.inject(TableBloated(table, rows))


@when(parsers.parse('a report keeps reading the table "{table}"'))
def long_report(drill: Drill, table: str) -> None:
    """Hold a table's weakest lock, and its old rows, in an open transaction."""
    drill.inject(LongReport(table))


@when(parsers.parse('an advisory of severity "{severity}" is published against "{package}" {versions}'))
def advisory(drill: Drill, severity: str, package: str, versions: str) -> None:
    """Make a vulnerability of a package public, for a range of its versions."""
    drill.inject(AdvisoryPublished(package, severity, versions))


@when(parsers.parse('"{package}" {version} is released'))
def released(drill: Drill, package: str, version: str) -> None:
    """Release a newer version of a package that the project uses."""
    drill.inject(PackageReleased(package, version))


# What must have come of it


def newest_full_backup(environment: Environment) -> Path:
    """Give the folder of the newest full backup; EnvironmentFailed if there is none."""
    found = sorted(folder for folder in environment.backups.glob("full_*") if folder.is_dir())
    if not found:
        raise EnvironmentFailed("there is no full backup")
    return found[-1]


def metrics(drill: Drill) -> dict[str, Metric]:
    """Read the metrics file as Prometheus would; ValueError where that would refuse it."""
    return parse((drill.environment.workspace / METRICS).read_text())


@then("Prometheus can read the metrics")
def metrics_readable(drill: Drill) -> None:
    """See that the file is of the text format, fresh, and holds the figures of every part."""
    wanted = {"up", "orders", "open_trades", "dead_rows", "escrow_balance_wei", "block_height", "api_health_seconds"}

    def look() -> Look:
        try:
            found = metrics(drill)
        except (OSError, ValueError) as error:
            return False, str(error), ()
        missing = sorted(wanted - {name.removeprefix("meta_aggregator_") for name in found})
        stamp = found["meta_aggregator_metrics_updated_timestamp_seconds"].samples[0].value
        age = SYSTEM_CLOCK.wall().timestamp() - stamp
        with drill.environment.database() as link:
            orders = link.execute("select count(*) from trades where status = 'open'").fetchone()
        told = found["meta_aggregator_open_trades"].samples[0].value if not missing else None
        detail = f"{len(found)} metrics, {age:.1f} s old, {told} open trades" + (
            f"; missing: {missing}" if missing else ""
        )
        return not missing and 0 <= age < 60 and orders is not None and told == orders[0], detail, ()

    drill.check("Prometheus can read the metrics", look)


@then(parsers.parse('the metrics say that "{target}" is {state}'))
def metrics_say(drill: Drill, target: str, state: str) -> None:
    """See which value a part has in meta_aggregator_up: up is 1, down is 0."""

    def look() -> Look:
        try:
            samples = metrics(drill)["meta_aggregator_up"].samples
        except (OSError, ValueError, KeyError) as error:
            return False, repr(error), ()
        values = {sample.labels["target"]: sample.value for sample in samples}
        return values.get(target) == {"up": 1.0, "down": 0.0}[state], str(values), ()

    drill.check(f"the metrics say that {target} is {state}", look)


@then(parsers.parse('no order waited longer than {seconds:g} seconds while "{step}" ran'))
def nobody_waited(drill: Drill, seconds: float, step: str) -> None:
    """See that orders were placed while a step's commands ran (half a second either side), that all were acknowledged, and how
    long the slowest took.
    """

    def look() -> Look:
        commands = [c for _, c in each(drill.timeline, CommandEnded) if step.casefold() in c.step.casefold()]
        if not commands:
            return False, "it ran no command", ()
        begun, ended = min(c.started for c in commands) - 0.5, max(c.finished for c in commands) + 0.5
        seen = [(r, q) for r, q in each(drill.timeline, RequestEnded) if q.sent <= ended and q.finished >= begun]
        longest = max((q.finished - q.sent for _, q in seen), default=0.0)
        lost = [q.outcome for _, q in seen if q.outcome != "acknowledged"]
        detail = f"{len(seen)} orders, the slowest {longest:.2f} s" + (f", not acknowledged: {lost}" if lost else "")
        return bool(seen) and not lost and longest <= seconds, detail, tuple(r.seq for r, _ in seen)

    drill.check(f"no order waited longer than {seconds:g} s while {step!r} ran", look)


@then("the performance report has a plot of every day with orders")
def report_has_plots(drill: Drill) -> None:
    """See that the report is there, is HTML with plots that an XML parser reads, and has a bar for each day."""

    def look() -> Look:
        files = sorted((drill.environment.workspace / "reports").glob("performance-*.html"))
        if not files:
            return False, "there is no report", ()
        page = files[-1].read_text()
        plots = [
            ElementTree.fromstring("<svg" + part.partition("</svg>")[0] + "</svg>") for part in page.split("<svg")[1:]
        ]
        with drill.environment.database() as link:
            days = link.execute("select count(distinct created_at::date) from orders").fetchone()
        expected = min(14, int(days[0])) if days else 0
        found = [len(plot.findall(f"{SVG}rect")) for plot in plots]
        return len(found) == 2 and found[1] == expected > 0, f"bars: {found}, days with orders: {expected}", ()

    drill.check("the performance report has a plot of every day with orders", look)


@then("the full backup is whole, and nothing is left of its proof")
def full_backup_whole(drill: Drill) -> None:
    """See each file's SHA-256 against the manifest, that the archive, the contract and the configuration are there, and that
    no database, folder or chain of the proof is left.
    """

    def look() -> Look:
        folder = newest_full_backup(drill.environment)
        manifest = json.loads((folder / "manifest.json").read_text())["sha256"]
        wrong = [n for n, digest in manifest.items() if hashlib.sha256((folder / n).read_bytes()).hexdigest() != digest]
        needed = {"database.dump", "contract.json", "configuration/environment.yaml", "configuration/deployment.json"}
        wrong += sorted(needed - set(manifest))
        with drill.environment.database() as link:
            left = [
                row[0] for row in link.execute("select datname from pg_database where datname like 'backup_check%'")
            ]
        left += [one.name for one in drill.environment.backups.glob("*.incomplete")]
        return not wrong and not left, f"{len(manifest)} files; wrong: {wrong}; left: {left}", ()

    drill.check("the full backup is whole, and nothing is left of its proof", look)


@then(parsers.parse("there are {count:d} full backups"))
def full_backups(drill: Drill, count: int) -> None:
    """See how many full backups are kept: one that could not be made must leave nothing that looks like one."""

    def look() -> Look:
        found = sorted(one.name for one in drill.environment.backups.glob("full_*"))
        return len(found) == count, ", ".join(found) or "none", ()

    drill.check(f"there are {count} full backups", look)
