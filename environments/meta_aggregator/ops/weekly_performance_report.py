"""Write the week's performance report: one HTML file with its plots inside, from the database and a measured sample.

REPORTS_DIR says where (reports in the current folder). The sample is SAMPLES requests of the order list, PARALLEL at a time.
Exit 1, and the report says so as well, where the sample's 95th percentile is above PERFORMANCE_P95_MS (500) or a request
failed; 2 where the database or the folder refused.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from pathlib import Path

import httpx
import psycopg

from drillbook.clock import SYSTEM_CLOCK
from ops import production
from ops.production import Connection

SAMPLES, PARALLEL = 20, 4
DAYS = 14
URL = f"{production.API}/api/orders?limit=20"
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 220, 60, 28
STYLE = (
    "body{font:15px sans-serif;max-width:760px;margin:2em auto}"
    "table{border-collapse:collapse}td,th{padding:2px 12px;text-align:left}"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the requests took, in milliseconds, in the order in which they were sent; `errors` in words."""

    milliseconds: tuple[float, ...]
    errors: tuple[str, ...]

    def percentile(self, percent: float) -> float:
        """Give a percentile by the nearest rank; infinite if no request was answered."""
        ordered = sorted(self.milliseconds)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.inf


@dataclass(frozen=True, slots=True)
class Figures:
    """What the database says: orders by day (ISO date), by status, tables as (name, rows, dead, bytes), hits of the cache."""

    days: tuple[tuple[str, int], ...]
    statuses: tuple[tuple[str, int], ...]
    tables: tuple[tuple[str, int, int, int], ...]
    cache_hits: float
    placed_ms: float


def measure() -> Sample:
    """Ask for the order list as customers do; only 200 counts as an answer."""
    with production.web(timeout=5.0) as web, ThreadPoolExecutor(PARALLEL) as pool:

        def ask(_: int) -> float | str:
            try:
                answer = web.get(URL)
            except httpx.HTTPError as error:
                return production.one_line(error)
            seconds = answer.elapsed.total_seconds()
            return seconds * 1000 if answer.status_code == httpx.codes.OK else f"HTTP {answer.status_code}"

        told = list(pool.map(ask, range(SAMPLES)))
    return Sample(tuple(t for t in told if isinstance(t, float)), tuple(t for t in told if isinstance(t, str)))


def read(link: Connection) -> Figures:
    """Read the week's figures; days are the last on which there were orders."""
    days = link.execute(
        "select to_char(created_at, 'YYYY-MM-DD'), count(*) from orders group by 1 order by 1 desc limit %s", (DAYS,)
    ).fetchall()
    statuses = link.execute("select status, count(*) from orders group by 1 order by 1").fetchall()
    tables = link.execute(
        "select relname, n_live_tup, n_dead_tup, pg_total_relation_size(relid) from pg_stat_user_tables order by 4 desc"
    ).fetchall()
    hits = link.execute(
        "select coalesce(blks_hit / nullif(blks_hit + blks_read, 0)::float, 1) from pg_stat_database"
        " where datname = current_database()"
    ).fetchall()
    placed = link.execute(
        "select coalesce(percentile_disc(0.95) within group (order by extract(epoch from acknowledged_at - created_at)), 0)"
        " from (select * from orders order by id desc limit 1000) as newest"
    ).fetchall()
    return Figures(
        tuple((day, count) for day, count in reversed(days)), tuple((name, count) for name, count in statuses),
        tuple((name, rows, dead, size) for name, rows, dead, size in tables), hits[0][0], float(placed[0][0]) * 1000,
    )  # fmt: skip


def bars(
    title: str, values: Sequence[tuple[str, float]], shown: Callable[[float], str], limit: float | None = None
) -> str:
    """Draw a bar for each value, as SVG, with what it stands for when pointed at; `limit` is a line across."""
    top = max([value for _, value in values] + ([limit] if limit else []) + [1.0]) * 1.1
    step = (WIDTH - LEFT) / max(1, len(values))
    floor = HEIGHT - BOTTOM

    def height(value: float) -> float:
        return floor - value / top * (floor - 10)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>'
    ]
    for mark in (0.0, top / 2, top / 1.1):
        parts.append(
            f'<text x="{LEFT - 6}" y="{height(mark) + 4:.1f}" text-anchor="end" font-size="11">{shown(mark)}</text>'
        )
    for place, (name, value) in enumerate(values):
        x, colour = LEFT + place * step, "#c0392b" if limit is not None and value > limit else "#2c6fbb"
        parts.append(
            f'<rect x="{x + 1:.1f}" y="{height(value):.1f}" width="{max(1.0, step - 2):.1f}"'
            f' height="{floor - height(value):.1f}" fill="{colour}"><title>{escape(name)}: {shown(value)}</title></rect>'
        )
    if values:
        for x, name, anchor in ((LEFT, values[0][0], "start"), (WIDTH, values[-1][0], "end")):
            parts.append(f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}" font-size="11">{escape(name)}</text>')
    if limit is not None:
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH}" y1="{height(limit):.1f}" y2="{height(limit):.1f}" stroke="#c0392b"/>'
        )
    return "\n".join([*parts, "</svg>"])


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Give an HTML table."""
    lines = [f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows]
    return "<table>" + "".join(lines) + "</table>"


def render(figures: Figures, sample: Sample, wrong: Sequence[str], limit: float, when: str) -> str:
    """Give the report: what is wrong first, then the figures."""
    told = "".join(f"<p><strong>{escape(one)}</strong></p>" for one in wrong) or "<p>Within its limits.</p>"
    percentiles = [(f"p{percent}", f"{sample.percentile(percent):.0f} ms") for percent in (50, 95, 100)]
    numbered = [(f"request {n}", value) for n, value in enumerate(sample.milliseconds, 1)]
    body = [
        f"<h1>Performance, {when}</h1>{told}",
        f"<h2>Order list, {SAMPLES} requests, {PARALLEL} at a time</h2>",
        bars("milliseconds of each request", numbered, lambda value: f"{value:.0f} ms", limit),
        table(("", "answered within"), percentiles) + f"<p>Failed: {len(sample.errors)}.</p>",
        "<h2>Orders by day</h2>",
        bars("orders by day", list(figures.days), lambda value: f"{value:.0f}"),
        table(("status", "orders"), figures.statuses),
        f"<p>95 of 100 of the newest orders were acknowledged within {figures.placed_ms:.0f} ms.</p>",
        "<h2>Database</h2>",
        table(("table", "rows", "dead rows", "bytes with indexes"), figures.tables),
        f"<p>{figures.cache_hits:.1%} of the pages were found in memory.</p>",
    ]
    page = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Performance, {when}</title>'
    return page + f"<style>{STYLE}</style></head><body>" + "\n".join(body) + "</body></html>\n"


def main() -> int:
    """Measure, read, write; tell what is wrong and where the report is."""
    limit = float(os.environ.get("PERFORMANCE_P95_MS", "500"))
    when = SYSTEM_CLOCK.wall().date().isoformat()
    file = Path(os.environ.get("REPORTS_DIR", "reports")) / f"performance-{when}.html"
    sample = measure()
    p95 = sample.percentile(95)
    wrong = [f"p95 of the order list is {p95:.0f} ms, above {limit:.0f} ms"] if p95 > limit else []
    wrong += [f"{len(sample.errors)} of {SAMPLES} requests failed: {sample.errors[0]}"] if sample.errors else []
    try:
        with production.database(seconds=5.0) as link:
            figures = read(link)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(figures, sample, wrong, limit, when))
    except (psycopg.Error, OSError) as error:
        print(f"weekly_performance_report: {production.one_line(error)}", file=sys.stderr)
        return 2
    print(f"report: {file}, p50 {sample.percentile(50):.0f} ms, p95 {p95:.0f} ms, {len(sample.errors)} failed")
    for one in wrong:
        print(f"WRONG: {one}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
