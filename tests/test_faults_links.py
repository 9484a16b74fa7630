"""Faults of links, felt by a probe that looks through a real Toxiproxy server at a real one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.backends.base import Address
from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.errors import EnvironmentFailed, UnsupportedFault
from drillbook.faults.base import Fault
from drillbook.faults.link_bandwidth import LinkBandwidth
from drillbook.faults.link_down import LinkDown
from drillbook.faults.link_flapping import LinkFlapping
from drillbook.faults.link_latency import LinkLatency
from drillbook.faults.link_reset import LinkReset
from drillbook.faults.link_timeout import LinkTimeout
from drillbook.faults.stack import FaultStack
from drillbook.probes.http import HttpProbe
from drillbook.probes.sampler import observe
from drillbook.toxiproxy.binary import own_command
from drillbook.toxiproxy.client import LinkControl
from tests.parts_environment import PartsEnvironment
from tests.toxiproxy_process import running

SERVER = Path(__file__).with_name("probed_server.py")


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkControl]:
    """The control of a server with one link, `web`."""
    ready = tmp_path_factory.mktemp("upstream") / "ready"
    with running(own_command()) as api, subprocess.Popen([sys.executable, str(SERVER), str(ready)]) as upstream:
        try:
            assert wait_until(ready.exists, 10)
            control = LinkControl("127.0.0.1", api.port)
            control.create("web", "127.0.0.1:0", f"127.0.0.1:{ready.read_text()}")
            yield control
        finally:
            upstream.kill()


@pytest.fixture
def environment(control: LinkControl) -> Iterator[PartsEnvironment]:
    control.reset()
    yield PartsEnvironment(link_control=control)
    control.reset()


@pytest.fixture
def probe(control: LinkControl) -> HttpProbe:
    host, _, port = control.state("web").listen.rpartition(":")
    return HttpProbe("web", f"http://{Address(host, int(port))}/", json={"status": "ok"}, timeout=0.5)


def look(probe: HttpProbe) -> str:
    return asyncio.run(probe.look())


@pytest.mark.parametrize(
    ("fault", "felt"),
    [
        (LinkDown("web"), "connection refused by"),
        (LinkLatency("web", latency_ms=900), "timed out after 0.5 s"),
        (LinkBandwidth("web", rate=0), "timed out after 0.5 s"),
        (LinkReset("web"), "connection reset by"),
        (LinkTimeout("web"), "timed out after 0.5 s"),
        (LinkTimeout("web", close_ms=50), "closed without an answer"),
        (LinkTimeout("web", stream="downstream"), "closed without an answer"),
    ],
    ids=lambda value: f"{value.kind}" if isinstance(value, Fault) else None,
)
def test_a_fault_is_felt_and_healing_leaves_the_link_as_it_was(
    environment: PartsEnvironment, control: LinkControl, probe: HttpProbe, fault: Fault, felt: str
) -> None:
    before = control.state("web")
    assert look(probe) == ""
    active = fault.inject(environment)
    assert felt in look(probe)
    assert fault.target == "web"
    active.heal()
    assert look(probe) == ""
    assert control.state("web") == before


def test_latency_is_what_was_asked_for(environment: PartsEnvironment, probe: HttpProbe) -> None:
    LinkLatency("web", latency_ms=150).inject(environment)
    seen = asyncio.run(observe(probe))
    assert seen.ok
    assert 0.15 <= seen.latency < 0.25


@pytest.mark.parametrize("fault", [LinkDown("web"), LinkLatency("web", latency_ms=10)], ids=lambda fault: fault.kind)
def test_healing_after_the_responder_reset_the_links_is_peaceful(
    environment: PartsEnvironment, control: LinkControl, probe: HttpProbe, fault: Fault
) -> None:
    active = fault.inject(environment)
    control.reset()
    active.heal()
    assert look(probe) == ""


def test_healing_one_of_two_equal_faults_leaves_the_other(environment: PartsEnvironment, control: LinkControl) -> None:
    stack = FaultStack(environment)
    fault = LinkLatency("web", latency_ms=100)
    stack.inject(fault)
    stack.inject(fault)
    assert len(control.state("web").toxics) == 2
    assert stack.heal(fault) is None
    assert len(control.state("web").toxics) == 1
    assert stack.heal_all() == []
    assert control.state("web").toxics == ()


def test_a_link_that_is_down_cannot_go_down(environment: PartsEnvironment) -> None:
    LinkDown("web").inject(environment)
    with pytest.raises(EnvironmentFailed, match="link web is down already"):
        LinkDown("web").inject(environment)


def test_a_link_that_is_not_there(environment: PartsEnvironment) -> None:
    for fault in (LinkDown("wbe"), LinkLatency("wbe", latency_ms=1)):
        with pytest.raises(UnsupportedFault, match="there is no link 'wbe'\n  mend: choose one of web"):
            fault.inject(environment)


def test_a_toxic_that_the_server_refuses_is_an_error_and_leaves_nothing(
    environment: PartsEnvironment, control: LinkControl
) -> None:
    with pytest.raises(EnvironmentFailed):
        LinkLatency("web", latency_ms=1, stream="sideways").inject(environment)
    assert control.state("web").toxics == ()


def test_healing_goes_on_past_a_toxiproxy_that_is_gone() -> None:
    with running(own_command()) as api:
        control = LinkControl("127.0.0.1", api.port)
        control.create("web", "127.0.0.1:0", "127.0.0.1:1")
        stack = FaultStack(PartsEnvironment(link_control=control))
        stack.inject(LinkDown("web"))
        stack.inject(LinkLatency("web", latency_ms=1))
    SYSTEM_CLOCK.sleep(0.05)
    failures = stack.heal_all()
    assert [failure.fault.kind for failure in failures] == ["link-latency", "link-down"]
    assert all("Toxiproxy at 127.0.0.1" in failure.error for failure in failures)


def test_a_flapping_link_comes_and_goes_and_healing_leaves_it_up(
    control: LinkControl, environment: PartsEnvironment
) -> None:
    active = LinkFlapping("web", up_ms=60, down_ms=60, seconds=30).inject(environment)
    states = list[bool]()

    def changed() -> bool:
        now = control.state("web").enabled
        if not states or states[-1] != now:
            states.append(now)
        return len(states) >= 5

    assert wait_until(changed, 5)
    active.heal()
    assert control.state("web").enabled
    SYSTEM_CLOCK.sleep(0.15)
    assert control.state("web").enabled


def test_a_flapping_link_ends_by_itself_and_up(control: LinkControl, environment: PartsEnvironment) -> None:
    active = LinkFlapping("web", up_ms=10, down_ms=50, seconds=0.1).inject(environment)
    SYSTEM_CLOCK.sleep(0.4)
    assert control.state("web").enabled
    active.heal()


def test_a_link_that_is_down_cannot_flap(control: LinkControl, environment: PartsEnvironment) -> None:
    control.disable("web")
    with pytest.raises(EnvironmentFailed, match="down already"):
        LinkFlapping("web", up_ms=10, down_ms=10, seconds=1).inject(environment)
