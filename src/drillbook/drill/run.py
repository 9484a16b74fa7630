"""One run: its folder, its journal, its environment, and the drills that share them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drillbook import __version__
from drillbook.backends.base import Environment, Part
from drillbook.drill.conductor import Drill, Options
from drillbook.errors import DrillbookError, Location, UsageError
from drillbook.journal import (
    DrillFinished,
    DrillStarted,
    EnvironmentPart,
    Journal,
    JudgeCrashed,
    RunStarted,
)
from drillbook.responder.follow import matching_steps
from drillbook.responder.registry import Registry
from drillbook.runbook import Runbook, find_section, parse
from drillbook.topology.model import Topology
from drillbook.verdict.model import Outcome, Reason, Verdict

JOURNAL = "journal.jsonl"
RECOVERS_BY = "@recovers-by:"
SUITE = "steps"


def recovering_step(tags: Iterable[str]) -> str:
    """Give the words of the step without which a drill must go red: its tag @recovers-by:words_of_the_step."""
    found = [tag.removeprefix(RECOVERS_BY).replace("_", " ") for tag in tags if tag.startswith(RECOVERS_BY)]
    if len(found) != 1:
        raise UsageError(f"the scenario has {len(found)} tags {RECOVERS_BY}…; one names its recovering step")
    return found[0]


def check_omitted(topology: Topology, texts: Iterable[str]) -> Runbook:
    """Give the runbook; UsageError for a text that no step of it contains."""
    runbook = parse(topology.runbook)
    for text in texts:
        if not matching_steps(runbook.sections, text):
            raise UsageError(
                f"--omit-step {text!r}: no step of the runbook contains it",
                at=Location(runbook.file),
                mend="`drillbook outline` lists the steps",
            )
    return runbook


@dataclass(slots=True)
class Run:
    """What one pytest process runs; with several workers each has one, over one journal file."""

    topology: Topology
    runbook: Runbook
    folder: Path
    cache: Path
    options: Options
    backend: str
    worker: str
    journal: Journal
    _environment: Environment | None = None
    _fresh: bool = True

    @classmethod
    def open(
        cls,
        topology: Topology,
        folder: Path,
        cache: Path,
        options: Options,
        backend: str = "embedded",
        worker: str = "main",
    ) -> Run:
        """Open a run's journal in a folder that exists; UsageError for an omitted step that the runbook does not have."""
        runbook = check_omitted(topology, options.omit_steps)
        return cls(topology, runbook, folder, cache, options, backend, worker, Journal(folder / JOURNAL, worker=worker))

    def announce(self, arguments: list[str]) -> None:
        """Write how the run begins."""
        self.journal.write(
            RunStarted(
                __version__,
                self.options.seed,
                self.backend,
                self.topology.name,
                self.runbook.file.name,
                tuple(arguments),
                (*self.options.omit_steps, *((RECOVERS_BY + "…",) if self.options.omit_recovering_step else ())),
                self.options.omit_fault,
            )
        )

    @contextmanager
    def environment(self) -> Iterator[Environment]:
        """Start the environment; its secrets are out of the journal from then on."""
        from drillbook.backends.embedded.backend import EmbeddedBackend

        with EmbeddedBackend(self.cache).start(self.topology, self.folder, progress=self._tell) as environment:
            self.journal.hide(environment.secrets)
            self._environment = environment
            yield environment

    def drill(self, environment: Environment, started: DrillStarted) -> Drill:
        """Begin a drill: on a fresh environment, or on one that has been reset."""
        drill = Drill(environment, self.runbook, self._registry(), self.journal, self._options_for(started))
        fresh, self._fresh = self._fresh, False
        drill.begin(started, fresh=fresh)
        return drill

    def _options_for(self, started: DrillStarted) -> Options:
        if not self.options.omit_recovering_step:
            return self.options
        return replace(self.options, omit_steps=(recovering_step(started.tags),))

    def never_began(self, started: DrillStarted, error: str) -> Verdict:
        """Record a drill for which there was no environment: unknown."""
        self.journal.begin(f"{started.feature}::{started.name}")
        self.journal.write(started)
        record = self.journal.write(JudgeCrashed(error))
        reason = Reason(
            Outcome.UNKNOWN, error.strip().splitlines()[-1] if error.strip() else "no environment", (record.seq,)
        )
        verdict = Verdict(Outcome.UNKNOWN, (reason,))
        self.journal.write(DrillFinished(verdict.outcome, verdict.reasons))
        self.journal.end()
        return verdict

    def check_tags(self, tags: Iterable[str]) -> str:
        """Say what is wrong with a scenario's tag @recovers-by:…; "" if it names a step of the runbook, or is not there."""
        if not any(tag.startswith(RECOVERS_BY) for tag in tags) and not self.options.omit_recovering_step:
            return ""
        try:
            words = recovering_step(tags)
        except UsageError as error:
            return error.message
        return "" if matching_steps(self.runbook.sections, words) else f"no step of the runbook contains {words!r}"

    def knows(self, parameter: str, value: str) -> str:
        """Say what is wrong with the value of a phrase's parameter: a section, link, app, service or table's owner."""
        known: dict[str, list[str]] = {
            "link": [*self.topology.links, *(f"{n}:{p}" for n, ports in self.topology.names.items() for p in ports)],
            "app": list(self.topology.apps),
            "service": list(self.topology.services),
            "channel": list(self.topology.inboxes),
        }
        if parameter == "section":
            try:
                find_section(self.runbook, value)
            except DrillbookError as error:
                return error.message + (f"; {error.mend}" if error.mend else "")
        if parameter in known and value not in known[parameter]:
            from difflib import get_close_matches

            close = get_close_matches(value, known[parameter], 1)
            return f"there is no {parameter} {value!r}" + (f"; did you mean {close[0]!r}?" if close else "")
        return ""

    def _registry(self) -> Registry:
        modules = [module for name, module in sys.modules.items() if name == SUITE or name.startswith(f"{SUITE}.")]
        return Registry.collect(modules)

    def _tell(self, part: Part) -> None:
        self.journal.write(EnvironmentPart(part.name, part.state, part.seconds, part.detail))
