"""The workload of a drill: place orders at a steady rate all through it, and keep count of what was acknowledged.

An open loop, for a slow system must not slow down its customers. Each line on stdout is one order's outcome, as JSON;
an order that was not acknowledged is placed again with the same idempotency key, so that one that was kept after all
shows up once, and twice only if the system doubles it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

import httpx

CONCURRENCY = 64
ATTEMPTS = 3
TIMEOUT = 2.0
SETTLES_WITHIN = 1.5
"""Seconds after SIGTERM that orders under way have left."""
UNITS = {"ETH": 10**15, "WETH": 10**15, "USDC": 10**6, "USDT": 10**6, "DAI": 10**18}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one order ended; `sent` and `at` are monotonic seconds of its first sending and its last answer.

    `event` is acknowledged (201, or 200 for one that an earlier attempt had placed), refused (the system said no, and
    would again) or failed (nobody knows: no answer, or a 5xx, in every attempt).
    """

    event: str
    key: str
    order_id: int | None
    at: float
    sent: float
    latency: float
    status: int | None
    error: str
    attempts: int


class Workload:
    """Places orders at `rate` a second; `seed` makes keys and amounts the same from run to run."""

    def __init__(self, client: httpx.AsyncClient, rate: float, seed: int) -> None:
        self._client = client
        self._rate = rate
        self._random = random.Random(seed)
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self.counts: Counter[str] = Counter()

    def stop(self) -> None:
        """Place nothing more."""
        self._stopping.set()

    async def run(self, seconds: float | None) -> None:
        """Place orders until stopped, or for `seconds`; then let those under way settle."""
        started, number = monotonic(), 0
        while seconds is None or number / self._rate < seconds:
            if await self._stopped_before(started + number / self._rate):
                break
            self._begin()
            number += 1
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=SETTLES_WITHIN)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _stopped_before(self, moment: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), max(0.0, moment - monotonic()))
        except TimeoutError:
            return self._stopping.is_set()
        return True

    def _begin(self) -> None:
        key = f"load-{self._random.getrandbits(96):024x}"
        sell, buy = self._random.sample(sorted(UNITS), 2)
        body = {
            "customer": f"0x{self._random.getrandbits(160):040x}",
            "sell_token": sell,
            "buy_token": buy,
            "sell_amount": str(self._random.randint(1, 5000) * UNITS[sell]),
        }
        self.counts["sent"] += 1
        if self._slots.locked():
            # The customer would stand in a queue that grows without end; count it and let go.
            now = monotonic()
            self._report(Outcome("failed", key, None, now, now, 0.0, None, "too many orders under way", 0))
            return
        task = asyncio.create_task(self._place(key, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _place(self, key: str, body: dict[str, str]) -> None:
        async with self._slots:
            sent, attempt = monotonic(), 0
            status, error = None, "cut off at the end of the run"
            answer: Any = None
            try:
                for attempt in range(1, ATTEMPTS + 1):
                    status, answer, error = await self._attempt(key, body)
                    if status is not None and status < 500:
                        break
                    if attempt < ATTEMPTS:
                        await asyncio.sleep(0.2 * attempt)
            finally:
                at = monotonic()
                order_id = answer.get("id") if isinstance(answer, dict) else None
                event = _event(status, order_id)
                self._report(Outcome(event, key, order_id, at, sent, at - sent, status, error, attempt))

    async def _attempt(self, key: str, body: dict[str, str]) -> tuple[int | None, Any, str]:
        try:
            response = await self._client.post("/api/orders", json=body, headers={"Idempotency-Key": key})
            return response.status_code, response.json(), "" if response.is_success else response.text[:200]
        except httpx.HTTPError as problem:
            return None, None, f"{type(problem).__name__}: {problem}".rstrip(": ")
        except ValueError:
            return response.status_code, None, f"HTTP {response.status_code}, but the body is not JSON"

    def _report(self, outcome: Outcome) -> None:
        self.counts[outcome.event] += 1
        print(json.dumps(asdict(outcome)), flush=True)


def _event(status: int | None, order_id: object) -> str:
    if status in (200, 201) and order_id is not None:
        return "acknowledged"
    return "refused" if status is not None and 400 <= status < 500 else "failed"


async def run(url: str, rate: float, seconds: float | None, seed: int) -> Counter[str]:
    """Run the workload against an API; give the counts of sent, acknowledged, refused and failed."""
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT, limits=limits) as client:
        workload = Workload(client, rate, seed)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, workload.stop)
        await workload.run(seconds)
    return workload.counts


def main() -> int:
    """Read the command line, run, print the last line."""
    parser = argparse.ArgumentParser(prog="python -m load.orders", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--url", required=True, help="the orders API, as in https://api.metaaggregator.com")
    parser.add_argument("--rate", type=float, default=5.0, help="orders a second (5)")
    parser.add_argument("--seconds", type=float, help="how long; without it until SIGTERM")
    parser.add_argument("--seed", type=int, default=None, help="makes keys and amounts the same from run to run")
    given = parser.parse_args()
    if given.rate <= 0:
        parser.error("--rate must be above 0")
    seed = random.SystemRandom().getrandbits(63) if given.seed is None else given.seed
    counts = asyncio.run(run(given.url, given.rate, given.seconds, seed))
    names = ("sent", "acknowledged", "refused", "failed")
    print(json.dumps({"event": "stopped", **{name: counts[name] for name in names}, "seed": seed}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
