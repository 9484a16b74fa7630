"""The maintenance procedures, with real parts: Postgres, a chain, the registry's twin, and npm itself where there is one."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest

from drillbook.chain.client import ChainClient
from ops import daily_health_check, full_system_backup, weekly_performance_report
from ops.capacity_analysis import Demand, LoadTest, NotMeasured, Plan, limits, read_load_test
from ops.deploy_contracts import ARBITER, deploy, open_trades
from ops.escrow import seed_trades
from ops.exposition import Metric, Sample, parse, render
from ops.npm_project import NpmError, satisfies
from tests.chains import serve_chain
from tests.postgres import ENVIRONMENT_FOLDER, PostgresServer, running_postgres
from tests.running import Certificates, Service, running

DATABASE = "production_db"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as postgres:
        postgres.create("fresh")
        yield postgres


@pytest.fixture
def postgres(server: PostgresServer) -> Iterator[PostgresServer]:
    """A server with a fresh database."""
    server.clone("fresh", DATABASE)
    yield server
    server.drop(DATABASE)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("maintenance"))


@pytest.fixture(scope="module")
def twin(certificates: Certificates) -> Iterator[Service]:
    with running("npm_registry", certificates) as service:
        yield service


@pytest.fixture
def registry(twin: Service) -> Service:
    """The registry's twin, with nothing published."""
    for path in ("/behaviour", "/twin/advisories", "/twin/releases"):
        twin.client.delete(path)
    return twin


# npm


class Npm:
    """`npm` in the project's folder: the machine's own, or our stand-in for it."""

    def __init__(self, real: bool, registry: Service, certificates: Certificates, folder: Path) -> None:
        self._real = real
        self._folder = folder / "project"
        shutil.copytree(ENVIRONMENT_FOLDER / "project", self._folder)
        for path, package in json.loads((self._folder / "package-lock.json").read_text())["packages"].items():
            if path:
                (self._folder / path).mkdir(parents=True)
                content = {"name": path.removeprefix("node_modules/"), "version": package["version"]}
                (self._folder / path / "package.json").write_text(json.dumps(content))
        self.registry = registry
        self._variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ENVIRONMENT_FOLDER),
            "SSL_CERT_FILE": str(certificates.file),
            "NPM_CONFIG_CAFILE": str(certificates.file),
            "NPM_CONFIG_REGISTRY": f"{registry.url}/",
            "NPM_CONFIG_FETCH_RETRIES": "0",
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",
        }

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `npm audit` or `npm outdated`."""
        program = ["npm", command] if self._real else [sys.executable, "-m", f"ops.npm_{command}"]
        return subprocess.run(
            [*program, *arguments],
            cwd=self._folder,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def lose_lock_file(self) -> None:
        (self._folder / "package-lock.json").unlink()


@pytest.fixture(params=["npm", "our stand-in"])
def npm(request: pytest.FixtureRequest, registry: Service, certificates: Certificates, tmp_path: Path) -> Npm:
    real = request.param == "npm"
    if real and not shutil.which("npm"):
        pytest.skip("this machine has no npm")
    return Npm(real, registry, certificates, tmp_path)


def publish(registry: Service, name: str, severity: str, versions: str) -> None:
    advisory = {"name": name, "title": "a hole", "severity": severity, "vulnerable_versions": versions}
    assert registry.client.put("/twin/advisories", json=advisory).status_code == 200


def test_nothing_is_vulnerable_until_an_advisory_says_so(npm: Npm) -> None:
    clean = npm.run("audit")
    assert (clean.returncode, "found 0 vulnerabilities" in clean.stdout) == (0, True), clean
    publish(npm.registry, "axios", "moderate", "<1.8.2")
    publish(npm.registry, "ws", "high", "<1.0.0")  # ours is newer
    found = npm.run("audit")
    assert found.returncode == 1
    assert "axios" in found.stdout
    assert "1 moderate severity vulnerability" in found.stdout
    assert npm.run("audit", "--audit-level", "high").returncode == 0
    assert npm.run("audit", "--audit-level", "moderate").returncode == 1


def test_what_is_outdated_is_told_and_a_silent_registry_is_an_error(npm: Npm) -> None:
    current = npm.run("outdated", "--json")
    assert (current.returncode, json.loads(current.stdout or "{}")) == (0, {}), current
    npm.registry.client.put("/twin/releases", json={"name": "express", "version": "4.22.0"})
    newer = npm.run("outdated", "--json")
    assert newer.returncode == 1
    assert json.loads(newer.stdout)["express"]["wanted"] == "4.22.0"
    npm.registry.client.put("/behaviour", json={"mode": "error", "status": 503})
    silent = npm.run("outdated", "--json")
    assert silent.returncode == 1
    assert json.loads(silent.stdout)["error"]["code"] == "E503"
    assert '"summary":' in silent.stdout  # by which the runbook knows it
    assert npm.run("audit").returncode == 1


def test_an_audit_needs_a_lock_file(npm: Npm) -> None:
    npm.lose_lock_file()
    done = npm.run("audit")
    assert done.returncode == 1
    assert "ENOLOCK" in done.stderr


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("1.7.9", "<1.8.2", True), ("1.8.2", "<1.8.2", False), ("8.18.0", ">=8.0.0 <8.18.1", True),
        ("7.9.9", ">=8.0.0 <8.18.1", False), ("2.0.0", "<1.0.0 || >=2.0.0", True), ("1.9.0", "^1.7.9", True),
        ("2.0.0", "^1.7.9", False), ("0.2.4", "^0.2.3", True), ("0.3.0", "^0.2.3", False), ("0.0.4", "^0.0.3", False),
        ("1.2.9", "~1.2.3", True), ("1.3.0", "~1.2.3", False), ("1.2.2", "~1.2.3", False), ("1.5.0", "1.5.0", True),
        ("9.9.9", "*", True), ("1.2.2", ">1.2.2", False), ("1.2.2", "<=1.2.2", True), ("1.9.9", "^1", True),
    ],
)  # fmt: skip
def test_ranges_mean_what_npm_means(version: str, wanted: str, fits: bool) -> None:
    assert satisfies(version, wanted) is fits


def test_a_range_that_is_not_understood_is_not_guessed() -> None:
    with pytest.raises(NpmError):
        satisfies("1.0.0", "latest-ish")


# Metrics


def test_what_is_written_for_prometheus_is_read_back() -> None:
    metrics = [
        Metric(
            "up",
            "gauge",
            'a "help"\nof two lines',
            (Sample(1.0, {"target": 'a"b\\c\nd'}), Sample(0.0, {"target": "e"})),
        ),
        Metric(
            "seconds",
            "histogram",
            "",
            (Sample(3, {"le": "0.5"}, "_bucket"), Sample(1.5, {}, "_sum"), Sample(4, {}, "_count")),
        ),
        Metric("huge", "counter", "", (Sample(18015000000000000000.0),)),
    ]
    found = parse(render(metrics))
    assert [family.samples for family in found.values()] == [metric.samples for metric in metrics]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# TYPE a gauge\na 1", "newline"),
        ("a 1\n", "no TYPE"),
        ("# TYPE a gauge\na 1\na 2\n", "twice"),
        ("# TYPE a gauge\n# TYPE a gauge\na 1\n", "second TYPE"),
        ("# TYPE a number\na 1\n", "wrong"),
        ('# TYPE a gauge\na{b="c} 1\n', "no labels"),
        ("# TYPE a gauge\na one two three\n", "no sample"),
    ],
)
def test_what_prometheus_would_refuse_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(text)


# The database


def bloat(postgres: PostgresServer) -> None:
    """Leave 8,000 dead rows in orders."""
    with postgres.superuser(DATABASE) as link:
        link.execute("alter table orders set (autovacuum_enabled = off)")
        link.execute(
            "insert into orders (idempotency_key, fingerprint, customer, sell_token, buy_token, sell_amount, fee, total)"
            " select 'copy-' || n, fingerprint, customer, sell_token, buy_token, sell_amount, fee, total"
            " from (select * from orders where id = 1) as one, generate_series(1, 8000) as n"
        )
        link.execute("delete from orders where idempotency_key like 'copy-%'")


def size(postgres: PostgresServer) -> int:
    with psycopg.connect(postgres.url(DATABASE)) as link:
        return int(link.execute("select pg_total_relation_size('orders')").fetchall()[0][0])


def optimize(postgres: PostgresServer, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**postgres.variables(DATABASE), "PYTHONPATH": str(ENVIRONMENT_FOLDER), **variables}
    command = [sys.executable, "-m", "ops.optimize_database"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_bloat_goes(postgres: PostgresServer) -> None:
    bloat(postgres)
    before = size(postgres)
    done = optimize(postgres)
    assert done.returncode == 0, done
    assert "orders: written anew" in done.stdout
    assert size(postgres) < before / 10
    assert optimize(postgres).returncode == 0


def test_a_table_in_use_is_left_within_the_bound_and_named(postgres: PostgresServer) -> None:
    bloat(postgres)
    with psycopg.connect(postgres.url(DATABASE), application_name="a-report") as reader:
        reader.execute("select count(*) from orders")
        done = optimize(postgres)
    assert done.returncode == 1, done
    assert "LEFT: orders is left bloated: somebody holds it" in done.stdout
    assert "a-report" in done.stdout
    waited = float(done.stdout.partition("writers waited at most ")[2].partition(" s")[0])
    assert waited < 1.0


def test_indexes_alone_are_built_anew_and_a_half_built_one_does_not_stay(postgres: PostgresServer) -> None:
    bloat(postgres)
    with postgres.superuser(DATABASE) as link:
        link.execute("vacuum orders")  # gives the table's end back, and nothing of its indexes
    with psycopg.connect(postgres.url(DATABASE), application_name="a-report") as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select count(*) from orders")
        held = optimize(postgres)
    assert held.returncode == 1, held
    assert "LEFT: orders: its indexes are left bloated" in held.stdout
    before = size(postgres)
    done = optimize(postgres)
    assert done.returncode == 0, done
    assert "orders: indexes built anew" in done.stdout
    assert size(postgres) < before / 3
    with postgres.superuser(DATABASE) as link:
        assert link.execute("select count(*) from pg_index where not indisvalid").fetchall() == [(0,)]


def test_a_locked_table_is_told_and_the_others_are_cleaned(postgres: PostgresServer) -> None:
    bloat(postgres)
    with psycopg.connect(postgres.url(DATABASE), application_name="a-migration") as owner:
        owner.execute("lock table trades in access exclusive mode")
        done = optimize(postgres)
    assert done.returncode == 1, done
    assert "LEFT: trades was not cleaned: it is locked by session" in done.stdout
    assert "a-migration" in done.stdout
    assert "orders: written anew" in done.stdout


def test_a_table_too_large_to_be_locked_is_left_for_another_tool(postgres: PostgresServer) -> None:
    bloat(postgres)
    done = optimize(postgres, LOCK_SECONDS_MAX="0.001")
    assert done.returncode == 1
    assert "pg_repack" in done.stdout


def test_a_database_that_is_away_is_told(postgres: PostgresServer) -> None:
    assert optimize(postgres, PGPORT="1").returncode == 2


# Reports


def test_the_report_has_a_plot_for_the_sample_and_one_for_the_days() -> None:
    figures = weekly_performance_report.Figures((("2026-01-05", 3), ("2026-01-06", 9)), (("open", 12),), (), 0.99, 4.0)
    sample = weekly_performance_report.Sample((10.0, 20.0, 400.0), ("HTTP 503",))
    page = weekly_performance_report.render(figures, sample, ["p95 is <above>"], 300.0, "2026-01-07")
    plots = [ElementTree.fromstring("<svg" + part.partition("</svg>")[0] + "</svg>") for part in page.split("<svg")[1:]]
    bars = [plot.findall("{http://www.w3.org/2000/svg}rect") for plot in plots]
    assert [len(found) for found in bars] == [3, 2]
    assert [bar.get("fill") for bar in bars[0]] == ["#2c6fbb", "#2c6fbb", "#c0392b"]
    heights = [float(bar.get("height", "0")) for bar in bars[1]]
    assert heights[1] == pytest.approx(3 * heights[0], rel=0.01)
    assert "p95 is &lt;above&gt;" in page
    assert "Failed: 1." in page


def test_percentiles_are_by_nearest_rank() -> None:
    sample = weekly_performance_report.Sample(tuple(float(n) for n in range(1, 21)), ())
    assert [sample.percentile(percent) for percent in (50, 95, 100)] == [10.0, 19.0, 20.0]
    assert weekly_performance_report.Sample((), ("HTTP 500",)).percentile(95) == math.inf


# Capacity

PLAN = Plan(replicas=2, pool=5, connections=55, peak=25.0, growth=0.1, ceiling=0.7, months=6.0)


def test_what_runs_out_first_comes_first() -> None:
    slow_database = limits(Demand(cpu=0.002, connection=0.2, requests=50), PLAN)
    assert "pool" in slow_database[0].resource
    assert slow_database[0].rate == pytest.approx(10 / 0.2)
    assert slow_database[0].months == pytest.approx(math.log(35 / 25) / math.log(1.1))
    slow_code = limits(Demand(cpu=0.05, connection=0.002, requests=50), PLAN)
    assert "replicas" in slow_code[0].resource
    assert limits(Demand(cpu=0.1, connection=0.002, requests=50), PLAN)[0].months == 0.0
    assert limits(Demand(0.002, 0.01, 50), replace(PLAN, growth=0.0))[0].months == math.inf


def test_a_load_test_corrects_the_extrapolation(tmp_path: Path) -> None:
    demand, file = Demand(cpu=0.002, connection=0.01, requests=50), tmp_path / "load-test.csv"
    assert read_load_test(file) is None
    rows = [f"{n / 100:.6f},0.020000,browse,200," for n in range(200)]
    file.write_text("\n".join(["started,seconds,task,status,error", *rows]) + "\n")
    kept_up = read_load_test(file)
    assert kept_up is not None
    assert not kept_up.broke
    assert kept_up.rate == pytest.approx(100, rel=0.02)
    assert kept_up.mean == pytest.approx(0.02)
    assert limits(demand, PLAN, kept_up) == limits(demand, PLAN)
    broken = limits(demand, PLAN, LoadTest(200, 30.0, 1.0, 0.2))
    assert (broken[0].resource, broken[0].rate) == ("what the load test broke at", 30.0)
    file.write_text("a,b\n1,2\n")
    with pytest.raises(NotMeasured):
        read_load_test(file)


# Backups


def test_a_missing_an_old_and_an_empty_backup_are_not_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_DIR", str(tmp_path))
    archive = tmp_path / daily_health_check.ARCHIVE

    def well() -> bool:
        return next(one for one in daily_health_check.backup() if one.check == "backup").well

    assert not well()
    archive.write_bytes(b"an archive")
    assert well()
    os.utime(archive, (archive.stat().st_mtime - 27 * 3600,) * 2)
    assert not well()
    archive.write_bytes(b"")
    assert not well()


def test_a_backup_that_was_changed_or_lost_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for name in ("database.dump", "inner/a.json", "contract.json"):
        (tmp_path / name).write_text(name)
    assert "manifest.json is missing" in full_system_backup.check_kept(tmp_path)[0]
    (tmp_path / "manifest.json").write_text(json.dumps({"sha256": full_system_backup.digests(tmp_path)}))
    assert full_system_backup.check_kept(tmp_path) == []
    (tmp_path / "database.dump").write_text("database.dumq")
    (tmp_path / "inner/a.json").unlink()
    missing, changed = full_system_backup.check_kept(tmp_path)
    assert "inner/a.json is missing" in missing
    assert "database.dump is not what was written" in changed


def test_the_escrow_comes_back_on_an_empty_chain_and_a_difference_is_named(tmp_path: Path) -> None:
    trades = seed_trades()
    orders = [trade.order_id for trade in trades]
    with serve_chain("") as (system, process), serve_chain("") as (empty, other):
        address = deploy(system).address
        open_trades(system, address)
        arbiter = system.accounts()[ARBITER]
        system.invoke(arbiter, address, "confirm(bytes32)", orders[0])
        system.invoke(arbiter, address, "refund(bytes32)", orders[1])
        system.invoke(system.accounts()[0], address, "pause()")
        kept = full_system_backup.read_contract(system, [*orders, "0x" + "77" * 32])
        states = [state for _, _, _, state in kept.deposits.values()]
        assert states == [full_system_backup.CONFIRMED, full_system_backup.REFUNDED, *[1] * (len(orders) - 2), 0]
        assert compared(kept, empty, tmp_path, other) == []
    assert process.returncode is not None
    with serve_chain("") as (empty, other):
        richer = replace(kept, balance=kept.balance + 1)
        assert [problem.split(" is ")[0] for problem in compared(richer, empty, tmp_path, other)] == [
            "restored contract: balance"
        ]


def compared(
    kept: full_system_backup.Contract, empty: ChainClient, folder: Path, process: subprocess.Popen[bytes]
) -> list[str]:
    """Write a contract's state as the backup does, and restore it onto a chain."""
    (folder / "contract.json").write_text(json.dumps(asdict(kept)))
    return full_system_backup.compare_contract(folder, full_system_backup.EmptyChain(process, empty.url))
