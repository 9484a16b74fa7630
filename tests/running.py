"""Run one service of meta_aggregator as a real process, by the contract that every backend keeps, on loopback ports."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme

from drillbook.clock import wait_until
from tests.postgres import ENVIRONMENT_FOLDER, free_port

REPOSITORY = Path(__file__).parents[1]


class Certificates:
    """A throw-away CA in a folder; `file` is its bundle, `context` trusts it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))
        self.context = ssl.create_default_context(cafile=str(self.file))

    def issue(self, *names: str) -> tuple[Path, Path]:
        """Make a certificate for names and addresses; give the files of chain and key."""
        issued = self._authority.issue_cert(*names)
        chain, key = (self._folder / f"{names[0]}.{kind}.pem" for kind in ("chain", "key"))
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return chain, key


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: `ports` by name, `client` speaks to its port https (or http, without one)."""

    process: subprocess.Popen[bytes]
    ports: Mapping[str, int]
    client: httpx.Client
    log: Path

    @property
    def url(self) -> str:
        """The base of `client`'s URLs."""
        return str(self.client.base_url)

    def terminate(self) -> int:
        """Send SIGTERM and give the exit code; raise TimeoutExpired where it takes longer than 2 s."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(2)


@contextmanager
def running(
    name: str,
    certificates: Certificates,
    *,
    names: Sequence[str] = (),
    ports: Sequence[str] = ("https",),
    environment: Mapping[str, str] | None = None,
    health: str = "/health",
) -> Iterator[Service]:
    """Start `services.<name>`, wait until its health answers anything, stop it afterwards.

    `names` are what its certificate is valid for, beside 127.0.0.1.
    """
    numbers = {port: free_port() for port in ports}
    chain, key = certificates.issue(*names, "127.0.0.1")
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ENVIRONMENT_FOLDER}:{REPOSITORY}",
        "HOST": "127.0.0.1",
        **{f"PORT_{port.upper()}": str(number) for port, number in numbers.items()},
        "TLS_CERT_FILE": str(chain),
        "TLS_KEY_FILE": str(key),
        "STATE_DIR": str(chain.parent),
        "SERVICE_NAME": name,
        "SSL_CERT_FILE": str(certificates.file),
        **(environment or {}),
    }
    scheme = "https" if "https" in numbers else "http"
    log = chain.parent / f"{name}-{numbers[scheme]}.log"
    with (
        log.open("wb") as output,
        httpx.Client(
            base_url=f"{scheme}://127.0.0.1:{numbers[scheme]}", verify=certificates.context, timeout=5
        ) as client,
        subprocess.Popen(
            [sys.executable, "-m", f"services.{name}"], env=variables, cwd=chain.parent, stdout=output, stderr=output
        ) as process,
    ):
        try:
            ready = wait_until(lambda: process.poll() is not None or _answers(client, health), 20, interval=0.05)
            assert ready, f"{name} does not answer: {log.read_text()}"
            assert process.poll() is None, f"{name} ended: {log.read_text()}"
            yield Service(process, numbers, client, log)
        finally:
            process.kill()


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        client.get(path)
    except httpx.HTTPError:
        return False
    return True
