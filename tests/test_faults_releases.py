"""Bad releases, made on a real platform with a real app."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from drillbook.errors import DrillbookError
from drillbook.faults.bad_release import BadRelease
from tests.parts_environment import PartsEnvironment
from tests.platform_server import PlatformServer, platform_server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformServer]:
    with platform_server(tmp_path_factory.mktemp("platform"), replicas=1) as server:
        yield server


@pytest.fixture
def server(shared: PlatformServer) -> PlatformServer:
    shared.client.reset()
    return shared


@pytest.fixture
def environment(server: PlatformServer) -> PartsEnvironment:
    return PartsEnvironment(platform_client=server.client)


def feel(server: PlatformServer) -> str:
    try:
        return str(server.ask(timeout=1.0).status_code)
    except httpx.TransportError:
        return "no answer"


@pytest.mark.parametrize(("defect", "felt"), [("answers-500", "500"), ("hangs", "no answer"), ("exits", "no answer")])
def test_a_bad_release_is_live_and_felt_and_healing_brings_the_good_one_back(
    server: PlatformServer, environment: PartsEnvironment, defect: str, felt: str
) -> None:
    good = server.app().current
    assert feel(server) == "200"
    active = BadRelease("greeter", defect).inject(environment)
    assert server.app().current == good + 1
    assert feel(server) in (felt, "502", "503")
    active.heal()
    assert server.app().current == good
    assert feel(server) == "200"


def test_previous_too_leaves_the_rollback_nothing_good(server: PlatformServer, environment: PartsEnvironment) -> None:
    good = server.app().current
    active = BadRelease("greeter", previous_too=True).inject(environment)
    server.client.rollback("greeter")
    assert server.app().current == good + 1
    assert feel(server) == "500"
    active.heal()
    assert server.app().current == good
    assert feel(server) == "200"


def test_healing_after_the_responder_rolled_back_does_nothing(
    server: PlatformServer, environment: PartsEnvironment
) -> None:
    active = BadRelease("greeter").inject(environment)
    server.client.rollback("greeter")
    before = server.app()
    active.heal()
    assert server.app() == before


def test_an_app_that_is_not_there(environment: PartsEnvironment) -> None:
    with pytest.raises(DrillbookError):
        BadRelease("greter").inject(environment)
