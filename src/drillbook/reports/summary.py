"""A run as one JSON document, with the same keys in the same order each time, for scripts and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from drillbook.journal.events import (
    CheckMade,
    FaultInjected,
    FaultOmitted,
    InvariantChecked,
    LoadMeasured,
    Note,
    ObjectiveSet,
    RequestEnded,
    RunStarted,
)
from drillbook.journal.read import JournalFile
from drillbook.reports.account import INTERRUPTED, Account, accounts, exit_code, run_seconds
from drillbook.verdict.model import Measures

SCHEMA = 1
"""The version of the summary's format."""


class RunJson(TypedDict):
    """How the run was made; `started` is RFC 3339."""

    version: str
    seed: int
    backend: str
    environment: str
    runbook: str
    arguments: list[str]
    omitted_steps: list[str]
    omitted_fault: bool
    started: str
    seconds: float


class ReasonJson(TypedDict):
    """Why, and the journal's sequence numbers of the events that show it."""

    outcome: str
    text: str
    events: list[int]


class MeasuresJson(TypedDict):
    """Seconds since the fault; null where it did not happen."""

    detect: float | None
    act: float | None
    recover: float | None
    allowed: float
    target: float | None
    total: float | None
    margin: float | None


class FaultJson(TypedDict):
    """A fault of the drill; `omitted` by request."""

    fault: str
    target: str
    parameters: dict[str, Any]
    omitted: bool


class CheckJson(TypedDict):
    """An invariant, or a Then of the scenario."""

    name: str
    outcome: str
    detail: str


class NoteJson(TypedDict):
    """A fact that a step recorded."""

    text: str
    details: dict[str, Any]


class TrafficJson(TypedDict):
    """How the workload's requests ended."""

    acknowledged: int
    refused: int
    failed: int


class LoadJson(TypedDict):
    """What a load measured, or a part of it; percentiles in seconds, null where so many requests failed."""

    name: str
    part: str
    count: int
    failed: int
    rate: float
    errors: float
    percentiles: dict[str, float | None]
    file: str


class DrillJson(TypedDict):
    """One drill; `outcome` is pass, fail, unknown or interrupted."""

    name: str
    feature: str
    line: int
    tags: list[str]
    outcome: str
    seconds: float
    reasons: list[ReasonJson]
    measures: MeasuresJson
    rpo: dict[str, Any]
    faults: list[FaultJson]
    invariants: list[CheckJson]
    checks: list[CheckJson]
    traffic: TrafficJson
    loads: list[LoadJson]
    notes: list[NoteJson]


class SummaryJson(TypedDict):
    """What summary.json holds."""

    schema: int
    run: RunJson | None
    drills: list[DrillJson]
    counts: dict[str, int]
    exit_code: int
    interrupted: bool


def summary(journal: JournalFile) -> SummaryJson:
    """Give a run as plain lists and mappings, ready for `json.dumps`; times in seconds."""
    told = accounts(journal)
    words = [account.word for account in told]
    return {
        "schema": SCHEMA,
        "run": _run(journal.started, journal) if journal.started else None,
        "drills": [_drill(account) for account in told],
        "counts": {word: words.count(word) for word in ("pass", "fail", "unknown", INTERRUPTED)},
        "exit_code": exit_code(journal),
        "interrupted": journal.interrupted,
    }


def _run(run: RunStarted, journal: JournalFile) -> RunJson:
    return {
        "version": run.version,
        "seed": run.seed,
        "backend": run.backend,
        "environment": run.environment,
        "runbook": run.runbook,
        "arguments": list(run.arguments),
        "omitted_steps": list(run.omitted_steps),
        "omitted_fault": run.omitted_fault,
        "started": journal.records[0].time,
        "seconds": round(run_seconds(journal), 6),
    }


def _drill(account: Account) -> DrillJson:
    checks, invariants = account.of(CheckMade), account.of(InvariantChecked)
    return {
        "name": account.started.name,
        "feature": account.started.feature,
        "line": account.started.line,
        "tags": list(account.started.tags),
        "outcome": account.word,
        "seconds": round(account.seconds, 6),
        "reasons": [{"outcome": r.outcome.value, "text": r.text, "events": list(r.events)} for r in account.reasons],
        "measures": _measures(account.measures),
        "rpo": _rpo(account),
        "faults": _faults(account),
        "invariants": [{"name": i.name, "outcome": i.outcome.value, "detail": i.detail} for i in invariants],
        "checks": [{"name": c.text, "outcome": c.outcome.value, "detail": c.detail} for c in checks],
        "traffic": _traffic(account),
        "loads": [_load(load) for load in account.of(LoadMeasured)],
        "notes": [{"text": note.text, "details": dict(note.details)} for note in account.of(Note)],
    }


def _measures(measures: Measures) -> MeasuresJson:
    return {
        "detect": measures.detect,
        "act": measures.act,
        "recover": measures.recover,
        "allowed": measures.allowed,
        "target": measures.target,
        "total": _rounded(measures.total),
        "margin": _rounded(measures.margin),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _rpo(account: Account) -> dict[str, Any]:
    """Give the declared RPO in seconds, and the figures of it that steps have noted (details called rpo_…)."""
    declared = [objective.rpo for objective in account.of(ObjectiveSet) if objective.rpo is not None]
    figures: Mapping[str, Any] = {
        name.removeprefix("rpo_"): value
        for note in account.of(Note)
        for name, value in note.details.items()
        if name.startswith("rpo_")
    }
    return {"declared": declared[-1] if declared else None, **figures}


def _faults(account: Account) -> list[FaultJson]:
    injected: list[FaultJson] = [
        {"fault": f.fault, "target": f.target, "parameters": dict(f.parameters), "omitted": False}
        for f in account.of(FaultInjected)
    ]
    omitted: list[FaultJson] = [
        {"fault": f.fault, "target": f.target, "parameters": {}, "omitted": True} for f in account.of(FaultOmitted)
    ]
    return injected + omitted


def _load(load: LoadMeasured) -> LoadJson:
    return {
        "name": load.load,
        "part": load.part,
        "count": load.count,
        "failed": load.failed,
        "rate": load.rate,
        "errors": load.errors,
        "percentiles": dict(load.percentiles),
        "file": load.file,
    }


def _traffic(account: Account) -> TrafficJson:
    ended = [request.outcome for request in account.of(RequestEnded)]
    return {
        "acknowledged": ended.count("acknowledged"),
        "refused": ended.count("refused"),
        "failed": ended.count("failed"),
    }
