"""A real platform process with a real app, for the tests of the platform and of what acts on it."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme

from drillbook.clock import wait_until
from drillbook.platform.client import App, PlatformClient

APPS = Path(__file__).parent / "fixtures" / "apps"
HOST = "127.0.77.1"
TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True, slots=True)
class PlatformServer:
    """A running platform: its addresses, its certificate authority, its folder."""

    process: subprocess.Popen[bytes]
    client: PlatformClient
    ca_file: Path
    admin: int
    kubernetes: int
    greeter: int
    folder: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.greeter}"

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def app(self) -> App:
        return self.client.app("greeter")

    def ask(self, path: str = "/", timeout: float = 3.0) -> httpx.Response:
        """Ask the app over a new connection."""
        with httpx.Client(verify=self.context, trust_env=False, timeout=timeout) as client:
            return client.get(f"https://{HOST}:{self.greeter}{path}")

    def pids(self) -> list[int]:
        return [instance.pid for instance in self.app().instances if instance.pid and instance.state != "exited"]


@contextmanager
def platform_server(folder: Path, *, replicas: int = 2) -> Iterator[PlatformServer]:
    """Start a platform with one app, `greeter`, at ports of its own."""
    authority = trustme.CA()
    ca_file, cert_file = folder / "ca.pem", folder / "cert.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    certificate = authority.issue_cert(HOST, "127.0.0.1", "localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(cert_file))
    admin, kubernetes, greeter = free_ports(3)
    config = {
        "releases_dir": str(folder / "releases"),
        "admin": {"host": HOST, "port": admin},
        "kubernetes": {"host": HOST, "port": kubernetes, "token": TOKEN},
        "tls": {"cert_file": str(cert_file), "key_file": str(cert_file)},
        "apps": [greeter_app(folder, greeter, replicas)],
    }
    (folder / "platform.json").write_text(json.dumps(config))
    process = start_platform(folder)
    client = PlatformClient(f"https://{HOST}:{admin}", ca_file)
    try:
        assert wait_until(lambda: process.poll() is not None or is_up(client), 30), "the platform did not come up"
        assert process.poll() is None, (folder / "platform.log").read_text()
        yield PlatformServer(process, client, ca_file, admin, kubernetes, greeter, folder)
    finally:
        client.close()
        process.send_signal(signal.SIGTERM)
        process.wait(5)


def greeter_app(folder: Path, port: int, replicas: int) -> dict[str, object]:
    """Give the app's part of a configuration."""
    return {
        "name": "greeter",
        "module": "services.greeter",
        "source": str(APPS),
        "ports": {"https": {"host": HOST, "port": port}},
        "replicas": replicas,
        "deployment": "meta-greeter",
        "namespace": "default",
        "project": "greeting",
        "health": {"path": "/health", "port": "https", "scheme": "https"},
        "environment": {},
        "log": str(folder / "greeter.log"),
    }


def start_platform(folder: Path) -> subprocess.Popen[bytes]:
    """Start `python -m drillbook.platform` on the folder's configuration."""
    environment = {**os.environ, "PLATFORM_CONFIG": str(folder / "platform.json")}
    with (folder / "platform.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "drillbook.platform"], env=environment, stdout=log, stderr=log, cwd=folder
        )


def is_up(client: PlatformClient) -> bool:
    """Tell whether the admin API answers."""
    from drillbook.errors import EnvironmentFailed

    try:
        client.apps()
    except EnvironmentFailed:
        return False
    return True


def free_ports(count: int) -> Sequence[int]:
    """Find free ports."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
