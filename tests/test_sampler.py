"""The sampler: rate, schedule, crashes, hung looks, and the moment at which a real, frozen server came back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest
import trustme

from drillbook.backends.base import Address
from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.probes.base import Observation
from drillbook.probes.http import HttpProbe
from drillbook.probes.sampler import Sampler
from drillbook.probes.steady import sample_once, steady
from drillbook.probes.tcp import TcpProbe

SERVER = Path(__file__).with_name("probed_server.py")


@dataclass
class Told:
    """A probe that says what it is told to; `wait` seconds into each look."""

    name: str = "told"
    timeout: float = 1.0
    wait: float = 0.0
    says: list[str | Exception] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    closed: int = 0

    async def look(self) -> str:
        self.begun.append(monotonic())
        if self.wait:
            await asyncio.sleep(self.wait)
        said = self.says.pop(0) if self.says else ""
        if isinstance(said, Exception):
            raise said
        return said

    async def close(self) -> None:
        self.closed += 1


class Stubborn(Told):
    """A defective probe: it ignores being cancelled until it is let go."""

    released = False

    async def look(self) -> str:
        while not self.released:
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue
        return ""


def sampled(*probes: Told | HttpProbe | TcpProbe, seconds: float, rate: float = 20.0) -> list[Observation]:
    seen: list[Observation] = []
    sampler = Sampler(probes, seen.append, rate=rate)
    sampler.start()
    SYSTEM_CLOCK.sleep(seconds)
    sampler.stop()
    return sorted(seen, key=lambda observation: observation.started)


def test_looks_keep_the_rate_without_drift() -> None:
    probe = Told(wait=0.03)
    sampled(probe, seconds=2.0)
    assert 39 <= len(probe.begun) <= 42
    offsets = [began - probe.begun[0] - number / 20 for number, began in enumerate(probe.begun)]
    assert abs(sorted(offsets)[len(offsets) // 2]) < 0.02
    assert abs(offsets[-1]) < 0.045  # a schedule that adds 1 ms at each look would be 40 ms behind by now


def test_probes_start_staggered() -> None:
    probes = [Told(name=f"p{number}") for number in range(4)]
    sampled(*probes, seconds=0.5)
    firsts = [probe.begun[0] for probe in probes]
    assert firsts == sorted(firsts)
    assert 0.02 < firsts[-1] - firsts[0] < 0.08


def test_a_hung_probe_slows_neither_itself_nor_others() -> None:
    hung, well = Told(name="hung", wait=60, timeout=0.4), Told(name="well")
    seen = sampled(hung, well, seconds=1.0)
    bad = [observation for observation in seen if observation.probe == "hung"]
    assert 18 <= len(bad) <= 22  # those under way at the end are told as well
    assert 18 <= len(well.begun) <= 22
    assert {observation.error for observation in bad} == {"timed out after 0.4 s"}
    assert all(0.4 <= observation.latency < 0.8 for observation in bad)


def test_a_hung_service_is_not_buried_in_looks() -> None:
    hung = Told(name="hung", wait=60, timeout=0.4)
    sampled(hung, seconds=2.0)
    assert 6 <= len(hung.begun) <= 8  # four at first, then one after the other
    later = hung.begun[4:]
    assert all(0.4 <= second - first < 0.65 for first, second in pairwise(later))


def test_observations_share_an_answer_only_when_four_looks_are_unanswered() -> None:
    quick, slow = Told(name="quick", wait=0.15), Told(name="slow", wait=0.35)
    seen = sampled(quick, slow, seconds=1.0)
    assert len(quick.begun) == sum(observation.probe == "quick" for observation in seen)
    shared = [observation for observation in seen if observation.probe == "slow"]
    assert len(slow.begun) < len(shared)
    assert all(observation.ok and observation.latency < 0.5 for observation in shared)


def test_a_service_slower_than_the_time_out_is_never_good() -> None:
    slow = Told(wait=0.6, timeout=0.4)
    assert not any(observation.ok for observation in sampled(slow, seconds=1.5))


def test_a_crash_is_told_with_its_traceback_and_sampling_goes_on() -> None:
    probe = Told(says=["", ZeroDivisionError("a defect")])
    seen = sampled(probe, seconds=0.4)
    assert [observation.crashed for observation in seen[:4]] == [False, True, False, False]
    assert not seen[1].ok
    assert "ZeroDivisionError: a defect" in seen[1].error
    assert "test_sampler.py" in seen[1].error


def test_looks_that_never_end_are_bounded_and_told() -> None:
    probe, seen = Stubborn(timeout=0.1), list[Observation]()
    sampler = Sampler([probe], seen.append)
    sampler.start()
    assert wait_until(lambda: any(observation.crashed for observation in seen), 3.0)
    with pytest.raises(EnvironmentFailed, match="did not end within"):
        sampler.stop(timeout=0.2)
    probe.released = True
    sampler.stop()
    told = next(observation for observation in seen if observation.crashed)
    assert "have outlived their time-out of 0.1 s" in told.error


def test_stop_joins_the_thread_and_closes_the_probes() -> None:
    before = threading.active_count()
    probe = Told()
    sampled(probe, seconds=0.1)
    assert probe.closed == 1
    assert threading.active_count() == before
    looks = len(probe.begun)
    SYSTEM_CLOCK.sleep(0.15)
    assert len(probe.begun) == looks


def test_what_the_sink_raises_comes_out_of_stop() -> None:
    def full(_: Observation) -> None:
        raise OSError("disk full")

    sampler = Sampler([Told()], full)
    sampler.start()
    SYSTEM_CLOCK.sleep(0.1)
    with pytest.raises(OSError, match="disk full"):
        sampler.stop()


def test_sample_once_looks_at_all_together() -> None:
    probes = [Told(name="a", wait=0.2), Told(name="b", wait=0.2, says=["ill"]), Told(name="c", wait=60)]
    began = monotonic()
    seen = sample_once(probes, timeout=0.4)
    assert [(o.probe, o.ok, o.error) for o in seen] == [
        ("a", True, ""),
        ("b", False, "ill"),
        ("c", False, "timed out after 0.4 s"),
    ]
    assert monotonic() - began < 0.8
    assert [probe.closed for probe in probes] == [1, 1, 1]


def test_steady_needs_good_looks_in_a_row() -> None:
    probe = Told(says=["", "ill", "", "", "ill"])
    assert steady([probe], consecutive=3, within=3) == []
    assert len(probe.begun) == 8


def test_steady_names_each_probe_that_is_not() -> None:
    ill = Told(name="api", says=["HTTP 500, expected 200"] * 1000)
    broken = Told(name="broken", says=[ValueError("a defect")] * 1000)
    slow = Told(name="slow", wait=0.35)
    problems = steady([ill, broken, slow, Told()], consecutive=3, within=0.5)
    assert problems[:2] == [
        "api: HTTP 500, expected 200 (0 of 3 good looks in a row within 0.5 s)",
        "broken: the probe itself crashed: ValueError: a defect (0 of 3 good looks in a row within 0.5 s)",
    ]
    assert problems[2].startswith("slow: timed out after ")
    assert len(problems) == 3


@dataclass(frozen=True)
class Child:
    """A real HTTPS server in a process of its own."""

    process: subprocess.Popen[bytes]
    address: Address


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    authority = trustme.CA()
    leaf = authority.issue_cert("api.example.test")
    for blob, name in ((authority.cert_pem, "ca"), (leaf.cert_chain_pems[0], "cert"), (leaf.private_key_pem, "key")):
        blob.write_to_path(str(tmp_path / f"{name}.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    ready = tmp_path / "ready"
    process = subprocess.Popen(
        [sys.executable, str(SERVER), str(ready), str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")]
    )
    try:
        assert wait_until(ready.exists, 10)
        yield Child(process, Address("127.0.0.1", int(ready.read_text())))
    finally:
        process.kill()
        process.wait()


def recovered(seen: list[Observation]) -> float:
    """Give the moment of recovery as a judge would: the end of the first look of the last good streak."""
    ordered = sorted(seen, key=lambda observation: observation.started)
    last_bad = max(place for place, observation in enumerate(ordered) if not observation.ok)
    return ordered[last_bad + 1].finished


def test_the_moment_at_which_a_frozen_server_came_back(child: Child) -> None:
    probes = [
        HttpProbe(f"p{n}", "https://api.example.test/", json={"status": "ok"}, address=child.address) for n in range(4)
    ]
    seen: list[Observation] = []
    sampler = Sampler(probes, seen.append)
    sampler.start()
    SYSTEM_CLOCK.sleep(0.5)
    os.kill(child.process.pid, signal.SIGSTOP)
    frozen = monotonic()
    SYSTEM_CLOCK.sleep(2.5)
    os.kill(child.process.pid, signal.SIGCONT)
    thawed = monotonic()
    SYSTEM_CLOCK.sleep(1.0)
    sampler.stop()
    bad = [observation for observation in seen if not observation.ok]
    assert {observation.error for observation in bad} == {"timed out after 1.0 s"}
    assert min(observation.started for observation in bad) - frozen < 0.5
    for probe in probes:  # `make bench` measures how exact this is; a busy machine is late here
        assert abs(recovered([o for o in seen if o.probe == probe.name]) - thawed) < 0.5


def test_four_https_probes_cost_less_than_a_third_of_a_core(child: Child) -> None:
    probes = [
        HttpProbe(f"p{n}", "https://api.example.test/", json={"status": "ok"}, address=child.address) for n in range(4)
    ]
    sampled(*probes, seconds=0.5)  # warm: the context, the certificate
    before, began = os.times(), monotonic()
    seen = sampled(*probes, seconds=3.0)
    after = os.times()
    share = (after.user + after.system - before.user - before.system) / (monotonic() - began)
    assert all(observation.ok for observation in seen)
    assert len(seen) >= 235
    assert share < 0.35


def test_a_killed_server_refuses(child: Child) -> None:
    child.process.kill()
    child.process.wait()
    (seen,) = sample_once([TcpProbe("api", child.address)])
    assert seen.error == f"connection refused by {child.address}"
