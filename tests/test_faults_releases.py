"""Bad releases, made on a real platform with a real app."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from drillbook.clock import wait_until
from drillbook.errors import DrillbookError, EnvironmentFailed
from drillbook.faults.bad_release import BadRelease
from drillbook.faults.changed_release import ChangedRelease
from drillbook.faults.cluster_full import ClusterFull
from drillbook.faults.rollback_hangs import RollbackHangs
from drillbook.platform.client import PlatformClient
from tests.parts_environment import PartsEnvironment
from tests.platform_server import HOST, PlatformServer, platform_server


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


def test_a_changed_release_has_its_setting_and_healing_takes_it_away(
    server: PlatformServer, environment: PartsEnvironment
) -> None:
    good = server.app().current
    active = ChangedRelease("greeter", "DATABASE_POOL", "1").inject(environment)
    [pid] = server.pids()
    assert b"DATABASE_POOL=1" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    active.heal()
    assert server.app().current == good
    [pid] = server.pids()
    assert b"DATABASE_POOL=1" not in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def test_a_full_cluster_leaves_new_processes_pending_until_there_is_room(
    server: PlatformServer, environment: PartsEnvironment
) -> None:
    def states() -> list[str]:
        return sorted(instance.state for instance in server.app().instances)

    active = ClusterFull(2).inject(environment)
    server.client.scale("greeter", 4)
    assert states() == ["pending", "pending", "ready", "ready"]
    assert feel(server) == "200"
    server.client.scale("greeter", 3)
    assert states() == ["pending", "ready", "ready"]  # who waits goes first
    active.heal()
    assert wait_until(lambda: states() == ["ready", "ready", "ready"], 10)


def test_a_place_that_becomes_free_goes_to_who_waits(server: PlatformServer, environment: PartsEnvironment) -> None:
    ClusterFull(1).inject(environment)
    server.client.scale("greeter", 2)
    [pid] = server.pids()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: [p for p in server.pids() if p != pid], 10)


def test_a_reset_gives_the_cluster_its_room_back(server: PlatformServer, environment: PartsEnvironment) -> None:
    before = server.client.capacity()
    ClusterFull(1).inject(environment)
    server.client.scale("greeter", 3)
    server.client.reset()
    assert server.client.capacity() == before
    assert [instance.state for instance in server.app().instances] == ["ready"]


def test_a_cluster_that_is_smaller_already_is_no_fault(environment: PartsEnvironment) -> None:
    with pytest.raises(DrillbookError, match="did not take"):
        ClusterFull(50).inject(environment)


def test_the_rollback_after_a_release_that_stalls_never_ends(
    server: PlatformServer, environment: PartsEnvironment
) -> None:
    good = server.app().current
    active = RollbackHangs("greeter").inject(environment)
    stalled = good + 1
    assert (server.app().current, feel(server)) == (good + 2, "500")
    rollback = threading.Thread(target=lambda: suppress_refusal(server, stalled), daemon=True)
    rollback.start()
    assert wait_until(lambda: server.app().rolling == stalled, 5)
    rollback.join(0.5)
    assert rollback.is_alive()
    assert feel(server) == "500"
    active.heal()
    assert (server.app().current, server.app().rolling, feel(server)) == (good, None, "200")
    rollback.join(5)


def suppress_refusal(server: PlatformServer, release: int) -> None:
    """Roll back, as another operator would: the platform refuses once a later change comes in between."""
    client = PlatformClient(f"https://{HOST}:{server.admin}", server.ca_file)
    with contextlib.suppress(EnvironmentFailed):
        client.rollback("greeter", release)
    client.close()
