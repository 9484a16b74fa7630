"""Say what runs out first as the load grows, the connection pool or the replicas, and when.

A short burst of requests is measured on each replica's own counters (/metrics), and two laws extrapolate from it:
- utilisation (U = X * D): a replica is one event loop, so it answers at most one request for each D seconds of its CPU time;
- Little (N = X * W): requests hold X * W of the pool's connections at a time, W being how long one is held for a request.

LOAD_TEST (load-test.csv in the current folder) is the last load test's list of requests, with the columns started, seconds and
error; where it is there, its rate corrects the extrapolation: what it kept up with is no limit, and what it broke at is one.

CAPACITY_PEAK is today's highest rate in requests a second, CAPACITY_GROWTH what it grows by each month (0.1 is 10 %), of which
at most CAPACITY_CEILING (0.7) may be in use, for queues grow without bound beyond; CAPACITY_MONTHS is how far ahead is
planned. Exit 1 where something runs out before that, 2 where it could not be measured.
"""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from ops import production
from ops.exposition import Metric, parse

REQUESTS, PARALLEL = 30, 3
FAILED = 0.01
"""The share of a load test's requests that may fail before it says that the system broke."""
SCRAPES = 12
"""How often the metrics are asked for at most, until every replica has told its own."""
URL = f"{production.API}/api/orders?limit=20"


class NotMeasured(Exception):
    """Tell why there is nothing to extrapolate from."""


@dataclass(frozen=True, slots=True)
class Counters:
    """One replica's counters: requests answered, CPU seconds, uses of the pool and the seconds of all of them."""

    requests: float
    cpu: float
    uses: float
    held: float
    pool: int

    @classmethod
    def of(cls, families: Mapping[str, Metric]) -> Counters:
        """Read a replica's metrics; NotMeasured where one is not there."""
        try:
            pool = {s.labels["name"]: s.value for s in families["orders_api_pool"].samples}
            cpu = families["process_cpu_seconds_total"].samples[0].value
            requests = sum(s.value for s in families["orders_api_requests_total"].samples)
            held = pool.get("usage_ms", 0.0) / 1000
            return cls(requests, cpu, pool.get("requests_num", 0.0), held, int(pool["pool_max"]))
        except (KeyError, IndexError) as error:
            raise NotMeasured(f"the API's metrics lack {error}") from None


@dataclass(frozen=True, slots=True)
class Demand:
    """What one request needs of a replica: seconds of CPU, and seconds of a connection of its pool."""

    cpu: float
    connection: float
    requests: int


@dataclass(frozen=True, slots=True)
class LoadTest:
    """A load test: its requests, their rate a second, the mean seconds of one, the share that failed."""

    requests: int
    rate: float
    mean: float
    failed: float

    @property
    def broke(self) -> bool:
        """Whether the system did not keep up."""
        return self.failed > FAILED

    def __str__(self) -> str:
        at_a_time = f"{self.rate * self.mean:.1f} in the system at a time"
        how = f"{self.requests} requests at {self.rate:.0f}/s, {self.mean * 1000:.0f} ms each: {at_a_time} (Little)"
        return f"load test: {how}, {self.failed:.1%} failed"


def read_load_test(file: Path) -> LoadTest | None:
    """Read a load test's requests; None where there was none. Raises NotMeasured for a file of another kind."""
    if not file.is_file():
        return None
    try:
        with file.open(newline="") as lines:
            rows = [(float(row["started"]), float(row["seconds"]), bool(row["error"])) for row in csv.DictReader(lines)]
        first, last = min(start for start, _, _ in rows), max(start + took for start, took, _ in rows)
        served = [took for _, took, failed in rows if not failed]
        mean = sum(took for _, took, _ in rows) / len(rows)
        return LoadTest(len(rows), len(served) / (last - first), mean, 1 - len(served) / len(rows))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise NotMeasured(f"{file} holds no load test: {error!r}") from None


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is and what is declared: rates in requests a second, growth a month."""

    replicas: int
    pool: int
    connections: int
    peak: float
    growth: float
    ceiling: float
    months: float


@dataclass(frozen=True, slots=True)
class Limit:
    """One resource: the rate at which it is used up, and the months until the load is there (0: it is now)."""

    resource: str
    rate: float
    months: float


def scrape(web: httpx.Client, replicas: int) -> dict[float, Counters]:
    """Ask for metrics until each replica has answered; give their counters by the time at which each was started."""
    found: dict[float, Counters] = {}
    for _ in range(SCRAPES):
        answer = web.get(f"{production.API}/metrics", headers={"connection": "close"})
        families = parse(answer.raise_for_status().text)
        started = families.get("process_start_time_seconds")
        if started is None:
            raise NotMeasured("the API's metrics do not say which replica they are of")
        found[started.samples[0].value] = Counters.of(families)
        if len(found) == replicas:
            break
    return found


def measure(replicas: int) -> tuple[Demand, int]:
    """Send the burst; give what a request needs, over the replicas that were seen before and after, and the pool's size."""
    with production.web(timeout=10.0) as web, ThreadPoolExecutor(PARALLEL) as threads:
        before = scrape(web, replicas)
        answers = [future.result() for future in [threads.submit(web.get, URL) for _ in range(REQUESTS)]]
        after = scrape(web, replicas)
    failed = sum(answer.status_code != httpx.codes.OK for answer in answers)
    if failed:
        raise NotMeasured(f"{failed} of {REQUESTS} requests failed: an overload is no measure of capacity")
    if before.keys() - after.keys():
        raise NotMeasured("a replica was replaced meanwhile, or did not tell its counters twice")
    both = [(before[start], after[start]) for start in before if start in after]
    requests = sum(new.requests - old.requests for old, new in both)
    cpu = sum(new.cpu - old.cpu for old, new in both)
    held = sum(new.held - old.held for old, new in both)
    if requests < REQUESTS / 4 or cpu <= 0 or held <= 0:
        raise NotMeasured(f"{requests:.0f} requests, {cpu:g} s of CPU and {held:g} s of connections say nothing")
    return Demand(cpu / requests, held / requests, int(requests)), min(old.pool for old, _ in both)


def limits(demand: Demand, plan: Plan, tested: LoadTest | None = None) -> list[Limit]:
    """Extrapolate, corrected by what a load test has seen; give what runs out, the first first."""
    rates = {
        f"the replicas ({plan.replicas}, by CPU)": plan.replicas / demand.cpu,
        f"the pool ({plan.replicas} x {plan.pool} connections)": plan.replicas * plan.pool / demand.connection,
    }
    if tested and tested.broke:
        rates["what the load test broke at"] = tested.rate
    elif tested:
        rates = {name: max(rate, tested.rate) for name, rate in rates.items()}
    found = [Limit(name, rate, months(plan, rate * plan.ceiling)) for name, rate in rates.items()]
    return sorted(found, key=lambda limit: limit.months)


def months(plan: Plan, rate: float) -> float:
    """Give the months until the peak has grown to a rate: 0 if it has, infinite if it does not grow."""
    if plan.peak >= rate:
        return 0.0
    return math.log(rate / plan.peak) / math.log(1 + plan.growth) if plan.growth > 0 else math.inf


def look() -> tuple[int, int]:
    """Give the replicas that are deployed, and the connections that the database grants the API's role."""
    command = ["kubectl", "--context", "production", "-n", "default", "get", "deployment", production.DEPLOYMENT]
    told = subprocess.run(
        [*command, "-o", "jsonpath={.spec.replicas}"], capture_output=True, text=True, check=False, timeout=20
    )
    if told.returncode != 0 or not told.stdout.strip().isdecimal():
        raise NotMeasured(f"kubectl does not tell the replicas: {told.stderr.strip()}")
    with production.database(seconds=5.0) as link:
        free = link.execute(
            "select least(case when rolconnlimit < 0 then 1000000 else rolconnlimit end,"
            " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int)"
            " from pg_roles where rolname = current_user"
        ).fetchall()[0][0]
    return int(told.stdout), int(free)


def main() -> int:
    """Measure, extrapolate, tell."""
    try:
        replicas, connections = look()
        demand, pool = measure(replicas)
        tested = read_load_test(Path(os.environ.get("LOAD_TEST", "load-test.csv")))
    except (NotMeasured, httpx.HTTPError, psycopg.Error, OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(f"capacity_analysis: not measured: {production.one_line(error)}", file=sys.stderr)
        return 2
    setting = {name: float(os.environ.get(f"CAPACITY_{name}", default)) for name, default in
               (("PEAK", "10"), ("GROWTH", "0.1"), ("CEILING", "0.7"), ("MONTHS", "6"))}  # fmt: skip
    plan = Plan(replicas, pool, connections, setting["PEAK"], setting["GROWTH"], setting["CEILING"], setting["MONTHS"])
    print(f"measured over {demand.requests} requests: {demand.cpu * 1000:.2f} ms of CPU and"
          f" {demand.connection * 1000:.2f} ms of a connection each")  # fmt: skip
    print(f"peak {plan.peak:g}/s, growing by {plan.growth:.0%} a month; at most {plan.ceiling:.0%} may be in use")
    if tested:
        print(tested)
    found = limits(demand, plan, tested)
    for limit in found:
        print(f"{limit.resource}: good for {limit.rate * plan.ceiling:.0f}/s, runs out {in_words(limit.months)}")
    print(
        f"the database's {plan.connections} connections allow {plan.connections // plan.pool} replicas of {plan.pool} each"
    )
    first = found[0]
    soon = first.months < plan.months
    print(f"first: {first.resource} {in_words(first.months)}"
          + (f", WITHIN the {plan.months:g} months that are planned" if soon else ""))  # fmt: skip
    short = plan.connections < plan.replicas * plan.pool
    if short:
        print(f"NOT enough connections: {plan.replicas} replicas may take {plan.replicas * plan.pool}")
    return 1 if soon or short else 0


def in_words(ahead: float) -> str:
    """Say when."""
    return "now" if ahead == 0 else "never" if math.isinf(ahead) else f"in {ahead:.1f} months"


if __name__ == "__main__":
    sys.exit(main())
