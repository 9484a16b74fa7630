"""Write what the dashboard shows into one file for Prometheus' node exporter (its textfile collector), whole or not at all.

METRICS_FILE says where (metrics/meta_aggregator.prom in the current folder); it is replaced at once, so that no scrape meets
half of it. Something that is down is a value here, not a failure: exit 1 only where the file could not be written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg

from drillbook.chain.client import ChainClient
from drillbook.clock import SYSTEM_CLOCK
from drillbook.errors import DrillbookError
from ops import production
from ops.escrow import escrow_address
from ops.exposition import Metric, Sample, parse, render

FILE = "metrics/meta_aggregator.prom"
UP = "meta_aggregator_up"
ERRORS = (httpx.HTTPError, psycopg.Error, DrillbookError, OSError, ValueError, KeyError, TypeError)


def gauge(name: str, meaning: str, *samples: Sample) -> Metric:
    """Make a gauge of ours."""
    return Metric(f"meta_aggregator_{name}", "gauge", meaning, samples)


def web(name: str, url: str) -> tuple[dict[str, float], list[Metric]]:
    """Ask a service for its health, and with it for that of what it depends on; give who is up and how long it took."""
    up, seconds = {name: 0.0}, 0.0
    try:
        with production.web(timeout=3.0) as client:
            answer = client.get(url)
        seconds, body = answer.elapsed.total_seconds(), answer.json()
        up[name] = float(answer.status_code == httpx.codes.OK)
        up |= {other: float(found["status"] == "ok") for other, found in body.get("dependencies", {}).items()}
    except ERRORS:
        return up, []
    return up, [gauge(f"{name}_health_seconds", f"How long the {name} took to tell its health.", Sample(seconds))]


def database() -> tuple[dict[str, float], list[Metric]]:
    """Read orders, trades, sizes, dead rows and connections."""
    try:
        with production.database(seconds=3.0) as link:
            orders = link.execute("select status, count(*) from orders group by 1").fetchall()
            recent = link.execute("select count(*) from orders where created_at > now() - interval '1 day'").fetchall()
            open_, amount = link.execute(
                "select count(*), coalesce(sum(amount), 0) from trades where status = 'open'"
            ).fetchall()[0]
            tables = link.execute(
                "select relname, n_dead_tup, pg_table_size(relid) from pg_stat_user_tables order by 1"
            ).fetchall()
            used = link.execute("select count(*) from pg_stat_activity where datname = current_database()").fetchall()
    except ERRORS:
        return {"database": 0.0}, []
    return {"database": 1.0}, [
        gauge("orders", "Orders by status.", *(Sample(count, {"status": status}) for status, count in orders)),
        gauge("orders_last_day", "Orders taken in the last 24 hours.", Sample(recent[0][0])),
        gauge("open_trades", "Trades whose deposit is in escrow.", Sample(open_)),
        gauge("open_trades_wei", "What the open trades add up to.", Sample(float(amount))),
        gauge("dead_rows", "Dead rows, by table.", *(Sample(dead, {"table": name}) for name, dead, _ in tables)),
        gauge("table_bytes", "Size, by table.", *(Sample(size, {"table": name}) for name, _, size in tables)),
        gauge("database_connections", "Sessions of the database.", Sample(used[0][0])),
    ]


def chain() -> tuple[dict[str, float], list[Metric]]:
    """Read the chain's height and the escrow."""
    try:
        with ChainClient(os.environ["CHAIN_URL"], timeout=3.0) as client:
            address = escrow_address()
            paused, balance = client.read(address, "paused()(bool)"), client.balance(address)
            height = client.block_number()
    except ERRORS:
        return {"chain": 0.0}, []
    return {"chain": 1.0}, [
        gauge("escrow_paused", "Whether the escrow is paused.", Sample(float(paused))),
        gauge("escrow_balance_wei", "What the escrow holds.", Sample(float(balance))),
        gauge("block_height", "The newest block's number.", Sample(height)),
    ]


def backup() -> Iterator[Metric]:
    """Tell the newest backup's age; nothing if there is none."""
    file = Path(os.environ.get("BACKUP_DIR", ".")) / "latest_backup.dump"
    if file.is_file():
        age = SYSTEM_CLOCK.wall().timestamp() - file.stat().st_mtime
        yield gauge("backup_age_seconds", "The age of the newest backup.", Sample(round(age, 3)))


LOOKS: tuple[Callable[[], tuple[dict[str, float], list[Metric]]], ...] = (
    lambda: web("frontend", f"{production.FRONTEND}/api/health"),
    lambda: web("api", f"{production.API}/health"),
    database,
    chain,
)


def collect() -> list[Metric]:
    """Look at everything at once. What one look says of another's part counts only where that was not looked at itself."""
    with ThreadPoolExecutor(len(LOOKS)) as pool:
        looked = [future.result() for future in [pool.submit(look) for look in LOOKS]]
    up: dict[str, float] = {}
    for found, _ in looked:
        up |= found
    samples = (Sample(value, {"target": name}) for name, value in sorted(up.items()))
    now = Sample(round(SYSTEM_CLOCK.wall().timestamp(), 3))
    return [
        Metric(UP, "gauge", "Whether it answers as it should.", tuple(samples)),
        *(metric for _, metrics in looked for metric in metrics),
        *backup(),
        gauge("metrics_updated_timestamp_seconds", "When these figures were taken.", now),
    ]


def main() -> int:
    """Collect, write, read back."""
    file = Path(os.environ.get("METRICS_FILE", FILE))
    metrics = collect()
    text = render(metrics)
    try:
        parse(text)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f"{file.name}.{os.getpid()}")  # the collector reads *.prom only
        unfinished.write_text(text)
        unfinished.replace(file)
    except (OSError, ValueError) as error:
        print(f"update_metrics: {file}: {error}", file=sys.stderr)
        return 1
    down = [sample.labels["target"] for sample in metrics[0].samples if not sample.value]
    print(f"{sum(len(metric.samples) for metric in metrics)} samples in {file}")
    print(f"down: {', '.join(down)}" if down else f"up: all {len(metrics[0].samples)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
