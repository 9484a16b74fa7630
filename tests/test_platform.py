"""The release platform with real processes: releases good and bad, rollback, scale, death, frost, reset, no lost request."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.errors import EnvironmentFailed, UsageError
from drillbook.platform.config import load_config
from tests.platform_server import HOST, PlatformServer, free_ports, platform_server, start_platform


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformServer]:
    with platform_server(tmp_path_factory.mktemp("platform")) as server:
        yield server


@pytest.fixture
def platform(shared: PlatformServer) -> PlatformServer:
    shared.client.reset()
    return shared


@contextmanager
def traffic(platform: PlatformServer, *, keep_alive: bool, path: str = "/") -> Iterator[list[str]]:
    """Ask all the time, fifty times a second and client; give the failures as they come."""
    failures: list[str] = []
    over = threading.Event()
    answered = [0, 0]

    def ask(number: int) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if keep_alive else 0)
        with httpx.Client(verify=platform.context, trust_env=False, limits=limits, timeout=5) as client:
            while not over.wait(0.1 if keep_alive else 0.02):
                url = f"https://{HOST}:{platform.greeter}{path}"
                try:
                    response = _get(client, url, again=keep_alive)
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                    continue
                answered[number] += 1
                if response.status_code != 200:
                    failures.append(str(response.status_code))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert wait_until(lambda: min(answered) >= 3, 5)
        yield failures
        SYSTEM_CLOCK.sleep(0.3)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _get(client: httpx.Client, url: str, *, again: bool) -> httpx.Response:
    """Get; once more where a kept connection was closed just as it was used, as every client does (RFC 9112, 9.3.1)."""
    try:
        return client.get(url)
    except httpx.RemoteProtocolError:
        if not again:
            raise
        return client.get(url)


CHANGES: dict[str, Callable[[PlatformServer], object]] = {
    "deploy": lambda platform: platform.client.release("greeter"),
    "gated deploy": lambda platform: platform.client.release("greeter", gate=True),
    "restart": lambda platform: platform.client.restart("greeter"),
    "scale up": lambda platform: platform.client.scale("greeter", 3),
    "scale down": lambda platform: platform.client.scale("greeter", 1),
    "rollback": lambda platform: platform.client.rollback("greeter"),
}


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "new connections"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_healthy_change_loses_no_request(platform: PlatformServer, change: str, keep_alive: bool) -> None:
    with traffic(platform, keep_alive=keep_alive) as failures:
        before = set(platform.pids())
        CHANGES[change](platform)
        assert set(platform.pids()) != before
    assert failures == []


def test_requests_under_way_are_finished_before_their_instance_stops(platform: PlatformServer) -> None:
    with traffic(platform, keep_alive=True, path="/slow") as failures:
        platform.client.restart("greeter")
    assert failures == []


def test_releases_are_directories_that_the_instances_run_from(platform: PlatformServer) -> None:
    assert [release.number for release in platform.app().releases] == [1, 2]
    assert (platform.app().current, platform.app().previous) == (2, 1)
    directory = platform.folder / "releases" / "greeter" / "2"
    assert platform.ask().json()["file"] == str(directory / "services" / "greeter.py")
    assert json.loads((directory / "release.json").read_text())["number"] == 2


def test_connections_are_spread_over_the_instances(platform: PlatformServer) -> None:
    assert {platform.ask().json()["pid"] for _ in range(4)} == set(platform.pids())


def test_a_release_that_answers_500_takes_the_site_down_and_rollback_brings_it_back(platform: PlatformServer) -> None:
    number = platform.client.release("greeter", "answers-500")
    assert platform.app().current == number
    assert platform.ask().status_code == 500
    app = platform.client.rollback("greeter")
    assert (app.current, app.previous) == (2, 1)
    assert platform.ask().json()["release"] == 2


def test_a_release_that_hangs_hangs_its_clients(platform: PlatformServer) -> None:
    platform.client.release("greeter", "hangs")
    with pytest.raises(httpx.TimeoutException):
        platform.ask(timeout=0.5)
    platform.client.rollback("greeter")
    assert platform.ask().json()["release"] == 2


def test_a_release_that_exits_refuses_its_clients_and_is_not_started_for_ever(platform: PlatformServer) -> None:
    platform.client.release("greeter", "exits")
    with pytest.raises(httpx.ConnectError):
        platform.ask()
    instances = platform.app().instances
    assert [instance.state for instance in instances] == ["exited", "exited"]
    SYSTEM_CLOCK.sleep(0.5)
    assert [instance.pid for instance in platform.app().instances] == [instance.pid for instance in instances]


@pytest.mark.parametrize("defect", ["answers-500", "exits"])
def test_the_gate_holds_a_bad_release_back(platform: PlatformServer, defect: str) -> None:
    with traffic(platform, keep_alive=False) as failures:
        with pytest.raises(EnvironmentFailed, match="not healthy"):
            platform.client.release("greeter", defect, gate=True)
        assert platform.app().current == 2
    assert failures == []


def test_rollback_to_a_release_that_is_broken_too_does_not_recover(platform: PlatformServer) -> None:
    first = platform.client.release("greeter", "answers-500")
    platform.client.release("greeter", "exits")
    assert platform.client.rollback("greeter").current == first
    assert platform.ask().status_code == 500
    assert platform.client.rollback("greeter").current == 2
    assert platform.ask().status_code == 200


def test_rollback_names_a_release_that_exists(platform: PlatformServer) -> None:
    assert platform.client.rollback("greeter", 1).previous is None
    assert platform.ask().json()["release"] == 1
    with pytest.raises(EnvironmentFailed, match="no release 9"):
        platform.client.rollback("greeter", 9)
    with pytest.raises(EnvironmentFailed, match="no release before 1"):
        platform.client.rollback("greeter")


def test_scale_starts_and_stops_processes(platform: PlatformServer) -> None:
    app = platform.client.scale("greeter", 4)
    assert [instance.state for instance in app.instances] == ["ready"] * 4
    assert len(platform.client.scale("greeter", 0).instances) == 0
    with pytest.raises(httpx.ConnectError):
        platform.ask()
    with pytest.raises(EnvironmentFailed, match="whole number"):
        platform.client.scale("greeter", -1)


def test_a_killed_process_stays_dead_until_somebody_acts(platform: PlatformServer) -> None:
    victim, other = platform.pids()
    os.kill(victim, signal.SIGKILL)
    assert wait_until(lambda: platform.pids() == [other], 2)
    assert {platform.ask().json()["pid"] for _ in range(4)} == {other}
    os.kill(other, signal.SIGKILL)
    assert wait_until(lambda: platform.pids() == [], 2)
    with pytest.raises(httpx.ConnectError):
        platform.ask()
    platform.client.restart("greeter")
    assert platform.ask().status_code == 200


def test_a_frozen_process_is_found_unready_and_comes_back_when_it_thaws(platform: PlatformServer) -> None:
    victim, other = platform.pids()
    os.kill(victim, signal.SIGSTOP)
    try:
        assert wait_until(lambda: state_of(platform, victim) == "unready", 9)
        assert {platform.ask().json()["pid"] for _ in range(4)} == {other}
    finally:
        os.kill(victim, signal.SIGCONT)
    assert wait_until(lambda: state_of(platform, victim) == "ready", 3)


def test_an_app_whose_health_check_fails_stays_reachable_so_that_it_can_say_why(platform: PlatformServer) -> None:
    mark = platform.folder / "releases" / "greeter" / "state" / "unhealthy"
    mark.touch()
    try:
        assert wait_until(lambda: {i.state for i in platform.app().instances} == {"unready"}, 6)
        assert platform.ask("/health").status_code == 503
    finally:
        mark.unlink()
    assert wait_until(lambda: {i.state for i in platform.app().instances} == {"ready"}, 3)


def state_of(platform: PlatformServer, pid: int) -> str:
    return {instance.pid: instance.state for instance in platform.app().instances}[pid]


def test_reset_keeps_healthy_processes_and_is_fast(platform: PlatformServer) -> None:
    before = platform.pids()
    began = SYSTEM_CLOCK.now()
    platform.client.reset()
    assert SYSTEM_CLOCK.now() - began < 1.0  # measured 0.05 s; the bound leaves room for a busy machine
    assert platform.pids() == before


def test_reset_undoes_releases_scale_death_and_frost(platform: PlatformServer) -> None:
    dead, frozen = platform.pids()
    os.kill(dead, signal.SIGKILL)
    os.kill(frozen, signal.SIGSTOP)
    platform.client.reset()
    assert [instance.state for instance in platform.app().instances] == ["ready", "ready"]
    assert not {dead, frozen} & set(platform.pids())
    platform.client.release("greeter", "hangs")
    platform.client.scale("greeter", 3)
    platform.client.reset()
    app = platform.app()
    assert (app.current, app.previous, app.replicas, len(app.instances)) == (2, 1, 2, 2)
    assert [release.number for release in app.releases] == [1, 2]
    assert not (platform.folder / "releases" / "greeter" / "3").exists()
    assert platform.ask().json()["release"] == 2


def test_an_unknown_app_or_defect_is_refused(platform: PlatformServer) -> None:
    with pytest.raises(EnvironmentFailed, match="no app nobody"):
        platform.client.app("nobody")
    with pytest.raises(EnvironmentFailed, match="no defect is called 'sulks'"):
        platform.client.release("greeter", "sulks")


def test_no_process_outlives_a_killed_platform(tmp_path: Path) -> None:
    with platform_server(tmp_path, replicas=1) as platform:
        pids = platform.pids()
        platform.process.kill()
        assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 2)


def test_sigterm_stops_everything_within_two_seconds(tmp_path: Path) -> None:
    with platform_server(tmp_path, replicas=1) as platform:
        pids = platform.pids()
        platform.process.terminate()
        assert platform.process.wait(2) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_an_app_that_never_becomes_ready_ends_the_start_and_names_its_log(tmp_path: Path) -> None:
    with platform_server(tmp_path, replicas=1) as platform:
        config = json.loads((tmp_path / "platform.json").read_text())
        platform.process.terminate()
        platform.process.wait(5)
    config["apps"][0]["environment"] = {"TLS_CERT_FILE": str(tmp_path / "nowhere.pem")}
    (tmp_path / "platform.json").write_text(json.dumps(config))
    assert start_platform(tmp_path).wait(10) == 1
    said = (tmp_path / "platform.log").read_text()
    assert "greeter did not become ready" in said
    assert "greeter-2-" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"admin": {"host": HOST, "port": "x"}}, "admin.port"),
        ({"extra": 1}, "extra"),
        ({"apps": [{"depends_on": ["nobody"]}]}, "no app is called nobody"),
        ({"apps": [{"depends_on": ["greeter"]}]}, "depends on itself"),
        ({"apps": [{"health": {"path": "/", "port": "http"}}]}, "health.port"),
    ],
)
def test_a_wrong_configuration_names_the_key(tmp_path: Path, change: dict[str, object], message: str) -> None:
    app = {"name": "greeter", "module": "m", "source": ".", "log": "l", "ports": {"https": {"host": HOST, "port": 1}}}
    app["health"] = {"path": "/health", "port": "https"}
    endpoint = {"host": HOST, "port": free_ports(1)[0]}
    good = {"releases_dir": "r", "admin": endpoint, "kubernetes": endpoint, "tls": {"cert_file": "c", "key_file": "k"}}
    apps = change.pop("apps", [{}])
    assert isinstance(apps, list)
    file = tmp_path / "platform.json"
    file.write_text(json.dumps({**good, "apps": [{**app, **one} for one in apps], **change}))
    with pytest.raises(UsageError, match=message) as refused:
        load_config(file)
    assert str(file) in str(refused.value)
