"""One run: its folder, its journal, its environment, and the drills that share them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drillbook import __version__
from drillbook.backends.base import Environment, Part
from drillbook.drill.conductor import Drill, Options
from drillbook.drill.read import runbook_read
from drillbook.drill.words import listed, quoted
from drillbook.errors import DrillbookError, Location, UsageError
from drillbook.faults.disk_full import FOLDERS
from drillbook.journal import (
    DrillFinished,
    DrillStarted,
    EnvironmentPart,
    Journal,
    JudgeCrashed,
    RunStarted,
    ScenarioLeftOut,
)
from drillbook.responder.follow import matching_steps
from drillbook.responder.registry import Registry
from drillbook.runbook import Runbook, find_section, parse
from drillbook.tags import NEEDS, NO_RECOVERING_STEP, RECOVERS_BY, problem_of, words_of_tag
from drillbook.topology.model import Topology
from drillbook.verdict.model import Outcome, Reason, Verdict

JOURNAL = "journal.jsonl"
SUITE = "steps"


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
        self.journal.write(runbook_read(self.runbook, self.topology))

    @contextmanager
    def environment(self) -> Iterator[Environment]:
        """Start the environment; its secrets are out of the journal from then on."""
        from drillbook.backends.embedded.backend import EmbeddedBackend

        with EmbeddedBackend(self.cache).start(self.topology, self.folder, progress=self._tell) as environment:
            self.journal.hide(environment.secrets)
            self._environment = environment
            yield environment

    def drill(self, environment: Environment, started: DrillStarted, *, felt_by_step: bool = False) -> Drill:
        """Begin a drill: on a fresh environment, or on one that has been reset.

        `felt_by_step`: a step of the runbook is what notices the fault, so that no probe's alarm is waited for.
        """
        options = replace(self._options_for(started), felt_by_step=felt_by_step)
        drill = Drill(environment, self.runbook, self._registry(), self.journal, options)
        fresh, self._fresh = self._fresh, False
        drill.begin(started, fresh=fresh)
        return drill

    def _options_for(self, started: DrillStarted) -> Options:
        if not self.options.omit_recovering_step:
            return self.options
        return replace(self.options, omit_steps=(words_of_tag(started.tags, RECOVERS_BY),))

    def missing_program(self, tags: Iterable[str]) -> str:
        """Say why a scenario cannot run on this machine: the program that its tag @needs:… names; "" if it can."""
        program = words_of_tag(tags, NEEDS)
        return f"it needs {program}, which is not installed" if program and shutil.which(program) is None else ""

    def leave_out(self, started: DrillStarted, reason: str) -> None:
        """Record a scenario that does not run on this machine."""
        self.journal.write(ScenarioLeftOut(started.name, started.feature, started.line, reason))

    def leaves_out(self, tags: Iterable[str]) -> bool:
        """Say whether this run does without a scenario: it has no step to leave out."""
        return self.options.omit_recovering_step and bool(words_of_tag(tags, NO_RECOVERING_STEP))

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
        """Say what is wrong with a scenario's tags that Drillbook reads; "" if nothing is."""
        tags = tuple(tags)
        words, problem = words_of_tag(tags, RECOVERS_BY), problem_of(tags)
        if words and not problem and not matching_steps(self.runbook.sections, words):
            return f"no step of the runbook contains {words!r}"
        if not words and self.options.omit_recovering_step and not words_of_tag(tags, NO_RECOVERING_STEP):
            return problem or f"the scenario has no tag {RECOVERS_BY}…, which names its recovering step"
        return problem

    def knows(self, parameter: str, value: str) -> str:
        """Say what is wrong with the value of a phrase's parameter: a section, link, app, service or table's owner."""
        known: dict[str, list[str]] = {
            "link": [*self.topology.links, *(f"{n}:{p}" for n, ports in self.topology.names.items() for p in ports)],
            "app": list(self.topology.apps),
            "service": list(self.topology.services),
            "channel": list(self.topology.inboxes),
            "load": list(self.topology.loads),
            "contact": list(self.topology.people.contacts),
            "folder": list(FOLDERS),
        }
        if parameter == "section":
            try:
                find_section(self.runbook, value)
            except DrillbookError as error:
                return error.message + (f"; {error.mend}" if error.mend else "")
        if parameter == "steps":
            missing = [words for words in quoted(value) if not matching_steps(self.runbook.sections, words)]
            return f"no step of the runbook contains {missing[0]!r}" if missing else ""
        if parameter == "probes":
            missing = [name for name in listed(value) if name not in self.topology.probes]
            return f"there is no probe {missing[0]!r}" if missing else ""
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
