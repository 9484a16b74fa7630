"""Outside APIs that misbehave: the twin of 0x, as a real process behind TLS under production's name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.backends.base import Address
from drillbook.errors import EnvironmentFailed
from drillbook.faults.external_api import ExternalApi
from drillbook.faults.stack import FaultStack
from drillbook.probes.http import HttpProbe
from drillbook.topology.load import load
from tests.parts_environment import PartsEnvironment
from tests.postgres import ENVIRONMENT_FOLDER
from tests.running import Certificates, Service, running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def twin(certificates: Certificates) -> Iterator[Service]:
    with running("zeroex", certificates, names=["api.0x.org"]) as service:
        yield service


@pytest.fixture
def environment(twin: Service, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> PartsEnvironment:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.file))
    topology = load(ENVIRONMENT_FOLDER / "environment.yaml", check_runbook=False)
    address = Address("127.0.0.1", twin.ports["https"])
    return PartsEnvironment(declared=topology, addresses={("zeroex", "https"): address})


def look(twin: Service) -> str:
    address = Address("127.0.0.1", twin.ports["https"])
    probe = HttpProbe("0x", "https://api.0x.org/health", json={"status": "ok"}, address=address, timeout=0.5)
    return asyncio.run(probe.look())


@pytest.mark.parametrize(
    ("fault", "felt"),
    [
        (ExternalApi("zeroex"), "HTTP 503, expected 200"),
        (ExternalApi("zeroex", status=500), "HTTP 500, expected 200"),
        (ExternalApi("zeroex", "rate-limited"), "HTTP 429, expected 200"),
        (ExternalApi("zeroex", "garbage"), "body is not JSON"),
        (ExternalApi("zeroex", "slow", delay=2.0), "timed out after 0.5 s"),
        (ExternalApi("zeroex", "hang"), "timed out after 0.5 s"),
    ],
    ids=lambda value: f"{value.mode}-{value.status}" if isinstance(value, ExternalApi) else None,
)
def test_each_mode_is_felt_and_healed(
    environment: PartsEnvironment, twin: Service, fault: ExternalApi, felt: str
) -> None:
    assert look(twin) == ""
    active = fault.inject(environment)
    assert look(twin) == felt
    active.heal()
    assert look(twin) == ""


def test_healing_the_newer_of_two_restores_the_older(environment: PartsEnvironment, twin: Service) -> None:
    stack = FaultStack(environment)
    stack.inject(ExternalApi("zeroex", status=500))
    newer = ExternalApi("zeroex", "garbage")
    stack.inject(newer)
    assert stack.heal(newer) is None
    assert look(twin) == "HTTP 500, expected 200"
    assert stack.heal_all() == []
    assert look(twin) == ""


def test_healing_after_the_twin_was_reset_is_peaceful(environment: PartsEnvironment, twin: Service) -> None:
    active = ExternalApi("zeroex").inject(environment)
    twin.client.delete("/behaviour").raise_for_status()
    active.heal()
    assert look(twin) == ""


def test_a_mode_that_the_twin_does_not_know_is_an_error(environment: PartsEnvironment, twin: Service) -> None:
    with pytest.raises(EnvironmentFailed, match="HTTP 422"):
        ExternalApi("zeroex", "moody").inject(environment)
    assert look(twin) == ""


def test_a_twin_under_a_strange_authority_is_not_trusted(
    environment: PartsEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(Certificates(tmp_path).file))
    with pytest.raises(EnvironmentFailed, match="certificate verify failed"):
        ExternalApi("zeroex").inject(environment)
