"""Measure the recovery clock: `python -m benchmarks.recovery_clock`.

A real HTTPS service is frozen (SIGSTOP) for a known time while four probes look. The error is the moment at which they saw
it come back, less the moment of SIGCONT. The sampler's own share of a core is measured beside it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import trustme

from benchmarks.figure import Figure
from drillbook.backends.base import Address
from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.probes.base import Observation
from drillbook.probes.http import HttpProbe
from drillbook.probes.sampler import Sampler

SERVER = Path(__file__).parents[1] / "tests" / "probed_server.py"
NAME = "api.example.test"
PROBES = 4
FROZEN_SECONDS = (1.5, 3.0, 6.0)
SETTLE_SECONDS = 1.2


@dataclass(frozen=True, slots=True)
class Round:
    """One freeze: seconds from SIGCONT to the recovery that was seen, and the sampler's share of a core."""

    error: float
    share: float


def measure(*, rounds: int = 2) -> list[Figure]:
    """Freeze for each of FROZEN_SECONDS, `rounds` times; give the worst and the median error and the CPU share."""
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder)) as (process, address):
        done = [_round(process, address, seconds) for _ in range(rounds) for seconds in FROZEN_SECONDS]
    errors = [abs(one.error) * 1000 for one in done]
    return [
        Figure("recovery clock, worst error", max(errors), "ms"),
        Figure("recovery clock, median error", median(errors), "ms"),
        Figure(f"sampler, {PROBES} HTTPS probes at 20/s", median(one.share for one in done) * 100, "% of a core"),
    ]


def recovered(observations: Sequence[Observation]) -> float:
    """Give the end of the first look of the last good streak, over looks in the order of their beginnings."""
    ordered = sorted(observations, key=lambda seen: seen.started)
    bad = [place for place, seen in enumerate(ordered) if not seen.ok]
    if not bad or bad[-1] == len(ordered) - 1:
        raise EnvironmentFailed("the freeze was not felt, or never ended")
    return ordered[bad[-1] + 1].finished


def _round(process: subprocess.Popen[bytes], address: Address, seconds: float) -> Round:
    probes = [HttpProbe(f"p{n}", f"https://{NAME}/", json={"status": "ok"}, address=address) for n in range(PROBES)]
    seen: list[Observation] = []
    sampler = Sampler(probes, seen.append)
    processor, wall = time.process_time(), SYSTEM_CLOCK.now()
    sampler.start()
    SYSTEM_CLOCK.sleep(SETTLE_SECONDS)
    os.kill(process.pid, signal.SIGSTOP)
    SYSTEM_CLOCK.sleep(seconds)
    os.kill(process.pid, signal.SIGCONT)
    thawed = SYSTEM_CLOCK.now()
    SYSTEM_CLOCK.sleep(SETTLE_SECONDS)
    sampler.stop()
    share = (time.process_time() - processor) / (SYSTEM_CLOCK.now() - wall)
    # The system is back when every probe says so.
    return Round(max(recovered([o for o in seen if o.probe == probe.name]) for probe in probes) - thawed, share)


@contextmanager
def _service(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Address]]:
    authority = trustme.CA()
    leaf = authority.issue_cert(NAME)
    for blob, name in ((authority.cert_pem, "ca"), (leaf.cert_chain_pems[0], "cert"), (leaf.private_key_pem, "key")):
        blob.write_to_path(str(folder / f"{name}.pem"))
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(folder / "ca.pem")
    ready = folder / "ready"
    command = [sys.executable, str(SERVER), str(ready), str(folder / "cert.pem"), str(folder / "key.pem")]
    with subprocess.Popen(command) as process:
        try:
            if not wait_until(ready.exists, 10):
                raise EnvironmentFailed("the service to be frozen did not start")
            yield process, Address("127.0.0.1", int(ready.read_text()))
        finally:
            process.kill()
            os.environ.pop("SSL_CERT_FILE")
            if before is not None:
                os.environ["SSL_CERT_FILE"] = before


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    for figure in measure(rounds=parser.parse_args().rounds):
        print(f"{figure.name:42} {figure.value:12.2f} {figure.unit}")


if __name__ == "__main__":
    main()
