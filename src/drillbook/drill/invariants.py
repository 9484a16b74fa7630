"""What must hold after every drill: nothing acknowledged is lost or doubled, and whatever the environment file declares.

What cannot be checked is unknown, never held to be true.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import psycopg

from drillbook.backends.base import Environment, RunningModule
from drillbook.clock import wait_until
from drillbook.journal import InvariantChecked, Note, RequestEnded, Timeline
from drillbook.topology.model import Stored
from drillbook.verdict.model import Outcome
from drillbook.verdict.timeline import each, fault_time, objective

KEPT = "acknowledged requests are kept"
_MODULE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Loss:
    """What became of the acknowledged requests: keys lost and doubled; `window` is the loss in seconds (RPO's measure).

    The window reaches from the first lost acknowledgement to the fault, or to the last lost one if that came later.
    """

    acknowledged: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    window: float


def measure_loss(timeline: Timeline, stored: dict[str, int]) -> Loss:
    """Compare what was acknowledged with what is stored: key -> how often. What others have stored is not ours to count."""
    sent = [event for _, event in each(timeline, RequestEnded)]
    requests = [event for event in sent if event.outcome == "acknowledged"]
    lost = [request for request in requests if request.key not in stored]
    doubled = tuple(key for key in dict.fromkeys(request.key for request in sent) if stored.get(key, 0) > 1)
    moments = [request.finished for request in lost]
    ends = max([*moments, fault_time(timeline) or 0.0], default=0.0)
    window = ends - min(moments) if moments else 0.0
    return Loss(len(requests), tuple(request.key for request in lost), doubled, window)


def check_kept(
    environment: Environment, stored: Stored | None, timeline: Timeline
) -> tuple[InvariantChecked, Note | None]:
    """Check that acknowledged requests are kept, within the objective's RPO (0 where none is declared)."""
    if stored is None:
        return InvariantChecked(KEPT, Outcome.UNKNOWN, "the environment file does not say where they are stored"), None
    try:
        with environment.database(stored.service) as database:
            rows = database.execute(stored.query.encode()).fetchall()
    except psycopg.Error as error:
        return InvariantChecked(KEPT, Outcome.UNKNOWN, f"the database cannot be asked: {error}".strip()), None
    loss, promised = measure_loss(timeline, {str(key): int(count) for key, count in rows}), objective(timeline)
    allowed = (promised.rpo if promised else None) or 0.0
    figures = {"rpo_requests": len(loss.lost), "rpo_seconds": round(loss.window, 3), "rpo_allowed": allowed}
    note = Note("acknowledged requests were lost", figures | {"acknowledged": loss.acknowledged}) if loss.lost else None
    return InvariantChecked(KEPT, _judge(loss, allowed), _words(loss, allowed)), note


def _judge(loss: Loss, allowed: float) -> Outcome:
    if loss.acknowledged == 0:
        return Outcome.UNKNOWN
    too_much = bool(loss.lost) and (allowed == 0 or loss.window > allowed)  # one alone has no width, and is lost
    return Outcome.FAIL if loss.doubled or too_much else Outcome.PASS


def _words(loss: Loss, allowed: float) -> str:
    if loss.acknowledged == 0:
        return "none was acknowledged"
    text = f"{loss.acknowledged} acknowledged, {len(loss.lost)} lost"
    text += f" over {loss.window:.1f} s (RPO {allowed:g} s)" if loss.lost else ""
    return text + (
        f", {len(loss.doubled)} doubled: {', '.join(loss.doubled[:3])}" if loss.doubled else ", none doubled"
    )


def check_declared(environment: Environment) -> list[InvariantChecked]:
    """Run the invariants of the environment file side by side: exit 0, it holds; 1, it doesn't; else unknown."""
    declared = environment.topology.invariants
    running = {name: environment.start_module(invariant.python) for name, invariant in declared.items()}
    return [_outcome(name, process) for name, process in running.items()]


def _outcome(name: str, process: RunningModule) -> InvariantChecked:
    said: list[str] = []

    def read() -> None:
        with process.stdout as output:
            said.extend(output)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(_MODULE_SECONDS)
    if reader.is_alive() or not wait_until(lambda: process.poll() is not None, _MODULE_SECONDS):
        process.kill()
        return InvariantChecked(name, Outcome.UNKNOWN, f"it gave no answer within {_MODULE_SECONDS:g} s")
    outcome = {0: Outcome.PASS, 1: Outcome.FAIL}.get(process.poll() or 0, Outcome.UNKNOWN)
    return InvariantChecked(name, outcome, " / ".join("".join(said).strip().splitlines()[-3:]))
