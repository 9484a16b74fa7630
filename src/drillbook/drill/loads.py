"""The loads of one drill: run to their end, or beside everything else; what they measure goes on the timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drillbook.backends.base import Environment
from drillbook.clock import Clock
from drillbook.errors import EnvironmentFailed, UsageError
from drillbook.journal import Journal, LoadBroken, LoadMeasured, LoadStarted, Record
from drillbook.load.run import LoadRun, Measured
from drillbook.load.samples import Figures, Sample, figures, told, write_samples
from drillbook.topology.loads import Load

FOLDER = "loads"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a load, or a part of one, measured, and the record that says so."""

    samples: tuple[Sample, ...]
    figures: Figures
    record: Record


class Loads:
    """Starts loads by name, and keeps what the last run of each has measured."""

    def __init__(self, environment: Environment, journal: Journal, seed: int, clock: Clock) -> None:
        self._environment = environment
        self._journal = journal
        self._seed = seed
        self._clock = clock
        self._running: dict[str, LoadRun] = {}
        self._measured: dict[str, tuple[Measured, str]] = {}
        self._found: dict[str, Finding] = {}
        self._baselines: dict[str, Finding] = {}
        self._going_on: set[str] = set()

    def declared(self, name: str) -> Load:
        """Give a load of the environment file."""
        loads = self._environment.topology.loads
        if name not in loads:
            raise UsageError(f"there is no load {name!r}", mend=f"declared: {', '.join(loads) or 'none'}")
        return loads[name]

    def start(self, name: str, *, workers: int = 0) -> None:
        """Start a load beside everything else; LoadBroken on the timeline, and the error, where that fails."""
        load, folder = self.declared(name), self._environment.logs.parent / FOLDER
        self._measured.pop(name, None)
        self._found.pop(name, None)
        number = len(list(folder.glob("*"))) if folder.is_dir() else 0
        own = folder / f"{number:03}-{self._journal.worker}-{name}"
        own.mkdir(parents=True)
        try:
            run = LoadRun(
                self._environment.start_module, load, own, seed=self._seed, workers=workers, clock=self._clock
            )
        except EnvironmentFailed as error:
            self._journal.write(LoadBroken(name, error.message))
            raise
        self._running[name] = run
        self._going_on.add(name)
        self._journal.write(LoadStarted(name, load.model, load.shape, load.level, load.duration, run.started, workers))

    def run(self, name: str, *, workers: int = 0) -> Finding:
        """Run a load to its end; give what it measured."""
        self.start(name, workers=workers)
        self._going_on.discard(name)
        return self.finding(name)

    def finding(self, name: str) -> Finding:
        """Give what a load has measured as a whole; one that goes on is ended."""
        if name not in self._found:
            measured, file = self._finish(name, early=name in self._going_on)
            self._found[name] = self._record(name, "", measured.counted, measured.counted_seconds, file)
        return self._found[name]

    def stop(self, name: str) -> None:
        """End a load early, if it still runs: nobody new comes, who is there is served."""
        self._finish(name, early=True)

    def part(self, name: str, words: str, since: float, until: float) -> Finding:
        """Give what a load that has ended measured in a stretch of time (monotonic seconds)."""
        measured, file = self._finish(name, early=True)
        return self._record(name, words, measured.between(since, until), until - since, file)

    def keep_baseline(self, name: str) -> None:
        """Run a load to its end as what a later run of it is compared with."""
        self._baselines[name] = self.run(name)
        del self._found[name], self._measured[name]

    def baseline(self, name: str) -> Finding:
        """Give what a load is compared with."""
        if name not in self._baselines:
            raise UsageError(f"the load {name!r} has no baseline here")
        return self._baselines[name]

    def close(self) -> None:
        """End whatever still runs."""
        for name in list(self._running):
            self._finish(name, early=True)

    def _finish(self, name: str, *, early: bool) -> tuple[Measured, str]:
        if name not in self._measured:
            if name not in self._running:
                raise UsageError(f"the load {name!r} was not run", mend=f'say: When the load "{name}" is run')
            run = self._running.pop(name)
            try:
                measured = run.finish(early=early)
            except EnvironmentFailed as error:
                self._journal.write(LoadBroken(name, error.message))
                raise
            file = run.folder / "samples.csv"
            write_samples(file, measured.samples)
            self._measured[name] = measured, str(file.relative_to(self._environment.logs.parent))
        return self._measured[name]

    def _record(self, name: str, part: str, samples: Sequence[Sample], seconds: float, file: str) -> Finding:
        found = figures(samples, seconds)
        percentiles = {key: value if value is None else round(value, 6) for key, value in found.percentiles}
        event = LoadMeasured(
            name, part, found.count, found.failed, found.rate, percentiles, found.error_share, told(found), file
        )
        return Finding(tuple(samples), found, self._journal.write(event))
