"""Calling people on call, against the real pager of the environment: in time, too late, never, and who is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from drillbook.clock import SYSTEM_CLOCK
from drillbook.errors import EnvironmentFailed, Unbound, UsageError
from drillbook.faults.contact_away import ContactAway
from drillbook.faults.stack import FaultStack
from drillbook.pager import Pager
from drillbook.responder.calls import Answer, ask_person, call_person
from drillbook.topology.load import load
from tests.parts_environment import PartsEnvironment
from tests.postgres import ENVIRONMENT_FOLDER
from tests.running import Certificates, Service, running

FACTOR = 2000
"""300 s of people's time take 0.15 s here."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def phone(certificates: Certificates) -> Iterator[Service]:
    people = load(ENVIRONMENT_FOLDER / "environment.yaml", check_runbook=False).people
    with running("phone", certificates, environment={"CONTACTS": people.contacts_json()}) as service:
        yield service


@pytest.fixture
def environment(phone: Service, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> PartsEnvironment:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.file))
    topology = load(ENVIRONMENT_FOLDER / "environment.yaml", check_runbook=False)
    people = topology.people.model_copy(update={"pager": f"{phone.url}/calls"})
    phone.client.delete("/inbox")
    phone.client.put("/behaviour", json={"clock_factor": FACTOR})
    return PartsEnvironment(declared=topology.model_copy(update={"people": people}))


def call(environment: PartsEnvironment, contact: str) -> Answer:
    return call_person(environment, contact, "Service is down", SYSTEM_CLOCK)


def test_a_person_acknowledges_after_their_own_time(environment: PartsEnvironment, phone: Service) -> None:
    answer = call(environment, "primary")
    assert (answer.acknowledged, answer.waited, answer.factor) == (True, 40.0, FACTOR)
    assert answer.finished - answer.at >= 40 / FACTOR
    assert str(answer).startswith(
        "Joeri van der Klink (+1-555-0123) acknowledged after 40 s of their time, which runs 20"
    )
    (message,) = phone.client.get("/inbox").json()
    assert (message["recipient"], message["text"]) == ("+1-555-0123", "Service is down")


def test_who_never_picks_up_is_called_again_and_then_passed_over(environment: PartsEnvironment, phone: Service) -> None:
    ContactAway("primary").inject(environment)
    answer = call(environment, "primary")
    assert not answer.acknowledged
    assert answer.waited >= 300
    assert answer.finished - answer.at >= 300 / FACTOR
    assert len(phone.client.get("/inbox").json()) > 1


@pytest.mark.parametrize(("seconds", "in_time"), [(299.0, True), (301.0, False)])
def test_the_persons_own_clock_says_whether_they_were_in_time(
    environment: PartsEnvironment, seconds: float, in_time: bool
) -> None:
    ContactAway("primary", seconds).inject(environment)
    assert call(environment, "primary").acknowledged is in_time


def test_a_person_who_was_away_is_back_when_healed(environment: PartsEnvironment, phone: Service) -> None:
    before = phone.client.get("/behaviour").json()
    faults = FaultStack(environment)
    faults.inject(ContactAway("primary"))
    faults.inject(ContactAway("secondary", 480.0))
    now = phone.client.get("/behaviour").json()["acknowledges_after"]
    assert now == {"+1-555-0123": None, "+1-555-0100": 480.0, "+1-555-0911": 30.0}
    assert faults.heal_all() == []
    assert phone.client.get("/behaviour").json() == before
    assert before["clock_factor"] == FACTOR


@pytest.mark.parametrize(("approves", "answer"), [(True, "approved"), (False, "refused")])
def test_who_is_asked_answers_as_the_scenario_says(environment: PartsEnvironment, approves: bool, answer: str) -> None:
    approval = ask_person(call(environment, "primary"), {"primary": approves})
    assert (approval.answer, approval.granted) == (answer, approves)
    assert str(approval) == f"Joeri van der Klink {answer} it: Service is down"


def test_silence_is_no_approval(environment: PartsEnvironment) -> None:
    ContactAway("primary").inject(environment)
    approval = ask_person(call(environment, "primary"), {"primary": True})
    assert (approval.answer, approval.granted) == ("no-answer", False)


def test_nobody_approves_by_default(environment: PartsEnvironment) -> None:
    with pytest.raises(Unbound, match="nobody says what 'primary' answers"):
        ask_person(call(environment, "primary"), {"secondary": True})


def test_nobody_of_that_name(environment: PartsEnvironment) -> None:
    for act in (lambda: call(environment, "tertiary"), lambda: ContactAway("tertiary").inject(environment)):
        with pytest.raises(UsageError, match="tertiary"):
            act()


def test_a_pager_that_is_broken_or_absent_is_told(environment: PartsEnvironment, phone: Service) -> None:
    phone.client.put("/behaviour", json={"mode": "error"})
    with pytest.raises(EnvironmentFailed, match=r"the pager refused POST .* 503"):
        call(environment, "primary")
    topology = environment.topology
    without = topology.model_copy(update={"people": topology.people.model_copy(update={"pager": None})})
    with pytest.raises(UsageError, match="names no pager"):
        Pager.of(PartsEnvironment(declared=without))


def test_the_pager_changes_only_what_is_named(environment: PartsEnvironment, phone: Service) -> None:
    with Pager.of(environment) as pager:
        pager.behave(clock_factor=7)
        assert pager.behaviour()["clock_factor"] == 7
    kept = phone.client.get("/behaviour").json()
    assert json.loads(json.dumps(kept["acknowledges_after"]))["+1-555-0123"] == 40.0
