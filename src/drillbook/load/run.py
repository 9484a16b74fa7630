"""Run one declared load against a running environment: Locust as bounded subprocesses, whose every request is read back.

What cannot be measured (a host that does not answer, a generator that dies or hangs, a locustfile that raises) is an
`EnvironmentFailed`, never a figure.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from drillbook.backends.base import RunningModule
from drillbook.clock import SYSTEM_CLOCK, Clock, wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.load.plan import stages
from drillbook.load.samples import Sample, read_samples
from drillbook.topology.loads import Load

GENERATOR = "drillbook.load.launch"
START_SECONDS = 20.0
"""The longest that Locust may take to be ready: its import alone is half a second of a free core."""
GRACE_SECONDS = 10.0
CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Measured:
    """All requests of a load that was made as declared. Monotonic seconds.

    `counted_from` ends the warm-up; from `counted_until` on nobody new came; at `ended` the last had been served.
    """

    samples: tuple[Sample, ...]
    started: float
    counted_from: float
    counted_until: float
    ended: float

    @property
    def counted_seconds(self) -> float:
        """The length of what is counted."""
        return max(0.0, self.counted_until - self.counted_from)

    def between(self, since: float, until: float) -> list[Sample]:
        """Give the requests that were due in a stretch of time, none of the warm-up."""
        return [s for s in self.samples if max(since, self.counted_from) <= s.started < until]

    @property
    def counted(self) -> list[Sample]:
        """Give every request but the warm-up's."""
        return self.between(self.counted_from, float("inf"))


StartModule = Callable[[str, Sequence[str]], RunningModule]
"""Starts a Python module with arguments beside the system: `Environment.start_module`."""


class LoadRun:
    """A load that runs. Its generators end with `finish`, or at once with `kill`."""

    def __init__(
        self,
        start_module: StartModule,
        load: Load,
        folder: Path,
        *,
        seed: int = 0,
        workers: int = 0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Start the load and wait until it has begun; `folder` takes the samples. `workers`: Locust's own, 0 for none."""
        self._load = load
        self._clock = clock
        self.folder = folder
        """Where its generators write their samples."""
        self._start_module = start_module
        self._modules: list[_Module] = []
        _see_that_it_answers(load.host)
        common = {
            "module": load.locustfile,
            "host": load.host.rstrip("/"),
            "mix": dict(load.mix),
            "model": load.model,
            "stages": [(stage.seconds, stage.level) for stage in stages(load)],
            "think": load.think,
            "timeout": load.timeout,
            "seed": seed,
            "workers": max(1, workers),
        }
        try:
            self.started = self._start(common, workers)
        except BaseException:
            self.kill()
            raise

    @property
    def running(self) -> bool:
        """Whether it still goes on."""
        return self._modules[0].process.poll() is None

    def finish(self, *, early: bool = False) -> Measured:
        """Wait for the end (`early`: let nobody new come); EnvironmentFailed if it did not go as declared."""
        first, until = self._modules[0], self.started + self._load.duration
        if early:
            first.process.terminate()
            until = min(until, self._clock.now())
        left = 0.0 if early else max(0.0, self.started + self._load.duration - self._clock.now())
        limit = left + self._load.timeout + GRACE_SECONDS
        if not wait_until(lambda: all(m.process.poll() is not None for m in self._modules), limit, clock=self._clock):
            self.kill()
            raise EnvironmentFailed(f"Locust did not end within {limit:.0f} s of its time", mend=self._said())
        for module in self._modules:
            ended = module.moment("ended")
            if module.process.poll() != 0 or ended is None:
                raise EnvironmentFailed(f"Locust broke off (exit {module.process.poll()}): {self._said()}")
        samples = read_samples(self._files())
        if not samples:
            raise EnvironmentFailed("the load made no request")
        if not any(sample.status for sample in samples):
            raise EnvironmentFailed(f"{self._load.host} never answered: {samples[-1].error}")
        finished = first.moment("ended")
        assert finished is not None  # seen above
        return Measured(tuple(samples), self.started, self.started + self._load.warm_up, until, finished)

    def kill(self) -> None:
        """End it at once."""
        for module in self._modules:
            module.process.kill()

    def _start(self, common: dict[str, object], workers: int) -> float:
        if not workers:
            return self._module(common, "local").wait_for("started", self._clock)
        port = _free_port()
        master = self._module(common | {"port": port}, "master")
        master.wait_for("listening", self._clock)
        for number in range(workers):
            self._module(common | {"port": port}, "worker", number)
        return master.wait_for("started", self._clock)

    def _module(self, common: dict[str, object], role: str, number: int = 0) -> _Module:
        file = self.folder / f"{role}-{number}.csv"
        order = json.dumps(common | {"role": role, "samples": str(file)})
        module = _Module(self._start_module(GENERATOR, [order]))
        self._modules.append(module)
        return module

    def _files(self) -> Sequence[Path]:
        return sorted(self.folder.glob("*-*.csv"))

    def _said(self) -> str:
        """Give the last that the generators said besides their reports."""
        said = [line for module in self._modules for line in module.stray]
        return " / ".join(said[-3:]) or "it said nothing"


class _Module:
    """A generator's process, and what it says, read in a thread of its own."""

    def __init__(self, process: RunningModule) -> None:
        self.process = process
        self.stray: list[str] = []
        self._moments: dict[str, float] = {}
        self._reader = threading.Thread(target=self._read, name="drillbook-load", daemon=True)
        self._reader.start()

    def wait_for(self, event: str, clock: Clock) -> float:
        """Wait until it says that something has happened; give when. EnvironmentFailed if it ends or hangs first."""
        wait_until(lambda: event in self._moments or self.process.poll() is not None, START_SECONDS, clock=clock)
        moment = self.moment(event)
        if moment is None:
            self._reader.join(1.0)
            how = "did not start" if self.process.poll() is None else f"ended (exit {self.process.poll()})"
            raise EnvironmentFailed(f"Locust {how}: {' / '.join(self.stray[-3:]) or 'it said nothing'}")
        return moment

    def moment(self, event: str) -> float | None:
        """Give when it said that something happened, None if it has not."""
        if self.process.poll() is not None:
            self._reader.join(1.0)
        return self._moments.get(event)

    def _read(self) -> None:
        with self.process.stdout as lines:
            for line in lines:
                try:
                    said = json.loads(line)
                    self._moments[str(said["event"])] = float(said["at"])
                except (ValueError, KeyError, TypeError):
                    if line.strip():
                        self.stray.append(line.strip())


def _see_that_it_answers(host: str) -> None:
    url = urlsplit(host)
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    try:
        socket.create_connection((url.hostname or "", port), CONNECT_SECONDS).close()
    except OSError as error:
        raise EnvironmentFailed(f"{host} cannot be reached, so there is nothing to measure: {error}") from error


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
