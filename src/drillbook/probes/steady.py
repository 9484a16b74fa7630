"""Is the system healthy before it is broken? A drill that began with an ill system would prove nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from drillbook.clock import SYSTEM_CLOCK, Clock
from drillbook.probes.base import Observation, Probe
from drillbook.probes.network import one_line
from drillbook.probes.sampler import close_all, observe


def sample_once(probes: Sequence[Probe], timeout: float = 5.0, clock: Clock = SYSTEM_CLOCK) -> list[Observation]:
    """Let every probe look once, all at the same time, for `timeout` seconds or its own time-out; keep their order."""

    async def look() -> list[Observation]:
        try:
            return await asyncio.gather(*(observe(probe, clock, timeout=timeout) for probe in probes))
        finally:
            await close_all(probes)

    return asyncio.run(look())


def steady(
    probes: Sequence[Probe],
    consecutive: int = 3,
    within: float = 5.0,
    clock: Clock = SYSTEM_CLOCK,
    *,
    rate: float = 20.0,
) -> list[str]:
    """Give what keeps the system from being steady, a line for each probe at fault; empty when steady.

    Steady means that each probe saw `consecutive` good looks in a row, `1 / rate` s apart, within `within` seconds.
    """
    ends = clock.now() + within

    async def streak(probe: Probe) -> str:
        good, last = 0, "not seen good"
        while good < consecutive:
            left = ends - clock.now()
            if left <= 0:
                return f"{probe.name}: {last} ({good} of {consecutive} good looks in a row within {within:g} s)"
            seen = await observe(probe, clock, timeout=left)
            good, last = (good + 1, "good, but too late") if seen.ok else (0, _cause(seen))
            await asyncio.sleep(max(0.0, min(ends, seen.started + 1 / rate) - clock.now()) if good < consecutive else 0)
        return ""

    async def all_streaks() -> list[str]:
        try:
            return [problem for problem in await asyncio.gather(*map(streak, probes)) if problem]
        finally:
            await close_all(probes)

    return asyncio.run(all_streaks())


def _cause(seen: Observation) -> str:
    return f"the probe itself crashed: {seen.error.rstrip().splitlines()[-1]}" if seen.crashed else one_line(seen.error)
