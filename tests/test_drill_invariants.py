"""What of the acknowledged requests was lost or doubled, counted against a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from drillbook.drill.invariants import KEPT, check_kept, measure_loss
from drillbook.journal import FaultInjected, InvariantChecked, Note, ObjectiveSet, RequestEnded
from drillbook.journal.events import Event
from drillbook.topology.model import Stored
from drillbook.verdict.model import Outcome
from tests.parts_environment import PartsEnvironment
from tests.postgres import PostgresServer, running_postgres
from tests.timelines import timeline

FAULT = FaultInjected("table-dropped", "orders", 100.0)
STORED = Stored(service="postgres", query="select key, count(*) from kept group by 1")


def sent(key: str, at: float, outcome: str = "acknowledged") -> RequestEnded:
    """Give a request that ended at a moment."""
    return RequestEnded(outcome, key, at - 0.1, at)


@pytest.mark.parametrize(
    ("requests", "stored", "lost", "doubled", "window"),
    [
        ([sent("a", 90), sent("b", 95)], {"a": 1, "b": 1}, (), (), 0.0),
        ([sent("a", 90), sent("b", 95)], {"a": 1}, ("b",), (), 5.0),
        ([sent("a", 90), sent("b", 95), sent("c", 98)], {"c": 1}, ("a", "b"), (), 10.0),
        ([sent("a", 90), sent("b", 104)], {}, ("a", "b"), (), 14.0),
        ([sent("a", 103)], {}, ("a",), (), 0.0),
        ([sent("a", 90)], {"a": 2}, (), ("a",), 0.0),
        ([sent("a", 90), sent("f", 91, "failed")], {"a": 1, "f": 2}, (), ("f",), 0.0),
        ([sent("a", 90), sent("f", 91, "failed")], {"a": 1}, (), (), 0.0),
        ([sent("a", 90), sent("r", 91, "refused")], {"a": 1, "another's": 2}, (), (), 0.0),
    ],
    ids=[
        "all kept",
        "up to the fault",
        "from the first lost one",
        "beyond the fault",
        "one after the fault",
        "doubled",
        "doubled by trying again",
        "never acknowledged",
        "not of this workload",
    ],
)
def test_loss_is_counted_in_requests_and_in_seconds(
    requests: list[Event], stored: dict[str, int], lost: tuple[str, ...], doubled: tuple[str, ...], window: float
) -> None:
    loss = measure_loss(timeline([*requests, FAULT]), stored)
    assert (loss.lost, loss.doubled, loss.window) == (lost, doubled, window)
    assert loss.acknowledged == sum(isinstance(r, RequestEnded) and r.outcome == "acknowledged" for r in requests)


def test_without_a_fault_loss_reaches_to_the_last_lost_one() -> None:
    assert measure_loss(timeline([sent("a", 90), sent("b", 93)]), {}).window == 3.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as running, running.superuser() as database:
        database.execute("create table kept (key text)")
        database.execute("insert into kept values ('a'), ('b'), ('twice'), ('twice'), (null), (null)")
        yield running


def _checked(
    server: PostgresServer, *events: Event, rpo: float | None = None, stored: Stored | None = STORED
) -> tuple[InvariantChecked, Note | None]:
    promised = ObjectiveSet("Recovery", 900.0, "file", ("api",), 3, rpo=rpo)
    environment = PartsEnvironment(connect=server.superuser)
    return check_kept(environment, stored, timeline([*events, FAULT, promised]))


@pytest.mark.parametrize(
    ("requests", "rpo", "outcome", "words"),
    [
        ([sent("a", 90), sent("b", 91)], None, Outcome.PASS, "2 acknowledged, 0 lost, none doubled"),
        (
            [sent("a", 90), sent("x", 95)],
            None,
            Outcome.FAIL,
            "2 acknowledged, 1 lost over 5.0 s (RPO 0 s), none doubled",
        ),
        ([sent("a", 90), sent("x", 95)], 5.0, Outcome.PASS, "1 lost over 5.0 s (RPO 5 s)"),
        ([sent("a", 90), sent("x", 94.9)], 5.0, Outcome.FAIL, "1 lost over 5.1 s (RPO 5 s)"),
        ([sent("a", 90), sent("x", 105)], 0.0, Outcome.FAIL, "1 lost over 0.0 s (RPO 0 s)"),
        ([sent("a", 90), sent("twice", 95)], 60.0, Outcome.FAIL, "0 lost, 1 doubled: twice"),
        ([sent("x", 95, "failed")], 60.0, Outcome.UNKNOWN, "none was acknowledged"),
    ],
)
def test_kept_is_judged_by_the_rpo(
    server: PostgresServer, requests: list[Event], rpo: float | None, outcome: Outcome, words: str
) -> None:
    checked, note = _checked(server, *requests, rpo=rpo)
    assert (checked.name, checked.outcome) == (KEPT, outcome)
    assert words in checked.detail
    assert (note is not None) == ("0 lost" not in words and "none was" not in words)


def test_the_figures_are_noted(server: PostgresServer) -> None:
    _, note = _checked(server, sent("a", 90), sent("x", 95), sent("y", 97), rpo=60.0)
    assert note is not None
    assert note.details == {"rpo_requests": 2, "rpo_seconds": 5.0, "rpo_allowed": 60.0, "acknowledged": 3}


def test_what_cannot_be_asked_is_unknown(server: PostgresServer, tmp_path: Path) -> None:
    undeclared, _ = _checked(server, sent("a", 90), stored=None)
    assert undeclared.outcome is Outcome.UNKNOWN
    assert "does not say where they are stored" in undeclared.detail
    missing = Stored(service="postgres", query="select key, count(*) from lost_table group by 1")
    without_table, _ = _checked(server, sent("a", 90), stored=missing)
    assert without_table.outcome is Outcome.UNKNOWN
    assert "lost_table" in without_table.detail
    gone = PartsEnvironment(connect=lambda: psycopg.connect(host=str(tmp_path), autocommit=True))
    unreachable, note = check_kept(gone, STORED, timeline([sent("a", 90), FAULT]))
    assert unreachable.outcome is Outcome.UNKNOWN
    assert note is None
