"""Looks at the system all through a drill, so that the moment of recovery is known to within a look.

One thread, one asyncio loop. Each probe observes on a schedule that was fixed at the start (the k-th observation is due at
start + k / rate; late ones don't push the others), and observations overlap, so neither a hung service nor the harness's
own waiting slows the rate. Whoever wants the moment of recovery sorts observations by `started` and takes `finished` of
the first of the last good streak.

While OWN_LOOKS of a probe's looks are unanswered, the next observation joins the newest of them instead of asking anew;
once a look has gone unanswered to its end, one at a time suffices. Otherwise a service that hangs for seconds would wake
up to hundreds of requests of ours, and come to the living ones only after all that were given up long ago: four HTTPS
probes saw a thawed service 250 to 350 ms late without this. The price: a service that recovers but does not answer the
look under way, nor breaks it off, is seen up to a time-out late; never early.
"""

from __future__ import annotations

import asyncio
import math
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from drillbook.clock import SYSTEM_CLOCK, Clock
from drillbook.errors import EnvironmentFailed
from drillbook.probes.base import Observation, Probe
from drillbook.probes.network import timed_out

Sink = Callable[[Observation], None]

GRACE = 0.1
"""Seconds that a probe has, past its time-out, to say itself that it timed out."""
OWN_LOOKS = 4
"""Looks of one probe that may be under way at once: an answer within 0.2 s at 20 looks a second is never shared."""
STUCK_LOOKS = 2
"""Looks that outlive their time-out before the probe counts as crashed."""


async def observe(probe: Probe, clock: Clock = SYSTEM_CLOCK, *, timeout: float | None = None) -> Observation:
    """Look once, for the probe's own time-out or `timeout` seconds; a probe that raises is crashed, not bad."""
    started, bound, crashed = clock.now(), probe.timeout if timeout is None else min(timeout, probe.timeout), False
    try:
        async with asyncio.timeout(bound + GRACE):
            error = await probe.look()
    except TimeoutError:
        error = timed_out(bound)
    except Exception:
        error, crashed = traceback.format_exc(), True
    return Observation(probe.name, not error, started, clock.now(), error, crashed)


class _Looks:
    """The looks of one probe that are under way, OWN_LOOKS at most, and the observations that wait for them."""

    def __init__(self, probe: Probe, clock: Clock, group: asyncio.TaskGroup) -> None:
        self._probe = probe
        self._clock = clock
        self._group = group
        self._under_way: dict[asyncio.Task[Observation], float] = {}
        self._hung = False

    async def observe(self) -> Observation:
        """Give what a look of this moment sees, or what one that was under way saw first, within the time-out."""
        started = self._clock.now()
        try:
            async with asyncio.timeout(self._probe.timeout + 2 * GRACE):
                while True:
                    look, joined = self._newest()
                    seen = await asyncio.shield(look)
                    # That somebody else's time is up says nothing of this observation's.
                    if not joined or seen.latency < self._probe.timeout:
                        return replace(seen, started=started)
        except TimeoutError:
            return self._unanswered(started)

    def _newest(self) -> tuple[asyncio.Task[Observation], bool]:
        if self._under_way and self._enough():
            return list(self._under_way)[-1], True
        look = self._group.create_task(observe(self._probe, self._clock))
        self._under_way[look] = self._clock.now()
        look.add_done_callback(self._ended)
        return look, False

    def _enough(self) -> bool:
        stuck = len(self._stuck())
        return stuck >= STUCK_LOOKS or len(self._under_way) - stuck >= (1 if self._hung else OWN_LOOKS)

    def _stuck(self) -> list[asyncio.Task[Observation]]:
        """Give the looks that go on although their time is long up: they don't let themselves be cancelled."""
        since = self._clock.now() - self._probe.timeout - 2 * GRACE
        return [look for look, begun in self._under_way.items() if begun < since]

    def _ended(self, look: asyncio.Task[Observation]) -> None:
        del self._under_way[look]
        self._hung = not look.cancelled() and look.result().latency >= self._probe.timeout

    def _unanswered(self, started: float) -> Observation:
        timeout, stuck = self._probe.timeout, len(self._stuck())
        error, crashed = timed_out(timeout), stuck >= STUCK_LOOKS
        if crashed:
            error = f"{stuck} looks have outlived their time-out of {timeout} s: the probe can look no more"
        return Observation(self._probe.name, False, started, self._clock.now(), error, crashed)


class Sampler:
    """Lets every probe look `rate` times a second between `start` and `stop`, and gives each observation to `sink`.

    `sink` is called in the sampler's thread and must be quick; what it raises ends the sampling, and `stop` raises it.
    A probe whose looks outlive their time-outs gives crashed observations.
    `missed` counts looks that were never begun because the loop itself was late (a starved machine): the gap that they
    leave is visible in the observations' times.
    """

    def __init__(self, probes: Sequence[Probe], sink: Sink, *, rate: float = 20.0, clock: Clock = SYSTEM_CLOCK) -> None:
        self.missed = 0
        self._probes = tuple(probes)
        self._sink = sink
        self._rate = rate
        self._clock = clock
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="drillbook-sampler", daemon=True)
        self._running = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    def start(self) -> None:
        """Begin; return when the schedule runs."""
        self._thread.start()
        self._running.wait()

    def stop(self, timeout: float = 5.0) -> None:
        """Begin no more looks, let those under way end, close the probes.

        Raises EnvironmentFailed if that takes longer than `timeout` seconds, and whatever the sink raised.
        """
        if self._loop is not None and self._ending is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise EnvironmentFailed(f"the probes' thread did not end within {timeout} s: a probe blocks it")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            self._failure = error
        finally:
            self._running.set()

    async def _run(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        start, stagger = self._loop.time(), 1 / (self._rate * max(1, len(self._probes)))
        self._running.set()
        try:
            async with asyncio.TaskGroup() as looks:
                for place, probe in enumerate(self._probes):
                    looks.create_task(self._keep_looking(probe, start + place * stagger, looks, self._ending))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            await close_all(self._probes)

    async def _keep_looking(self, probe: Probe, start: float, group: asyncio.TaskGroup, ending: asyncio.Event) -> None:
        looks = _Looks(probe, self._clock, group)
        turn = 0
        while not await _set_by(ending, start + turn / self._rate):
            group.create_task(self._observe(looks))
            turn = self._next_turn(start, turn)

    async def _observe(self, looks: _Looks) -> None:
        self._sink(await looks.observe())

    def _next_turn(self, start: float, turn: int) -> int:
        late = math.ceil((asyncio.get_running_loop().time() - start) * self._rate)
        self.missed += max(0, late - turn - 1)
        return max(turn + 1, late)


async def close_all(probes: Sequence[Probe]) -> None:
    """Close every probe; one that fails to close does not keep the others open."""
    results = await asyncio.gather(*(probe.close() for probe in probes), return_exceptions=True)
    for failure in (result for result in results if isinstance(result, BaseException)):
        raise failure


async def _set_by(event: asyncio.Event, when: float) -> bool:
    try:
        async with asyncio.timeout_at(when):
            await event.wait()
    except TimeoutError:
        return False
    return True
