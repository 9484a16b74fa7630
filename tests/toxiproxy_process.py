"""A Toxiproxy server of either kind for tests, and links through it whose both ends the test holds."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any

from drillbook.clock import wait_until

NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `headers` has the names in lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Api:
    """The control API of a running server."""

    port: int

    def ask(self, method: str, path: str, body: str | None = None, agent: str = "drillbook-tests") -> Answer:
        """Send one request exactly as told."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            connection.putheader("User-Agent", agent)
            if body is not None:
                connection.putheader("Content-Length", str(len(body.encode())))
            connection.endheaders(None if body is None else body.encode())
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read().decode())
        finally:
            connection.close()

    def do(self, method: str, path: str, **body: Any) -> Any:
        """Send a request that must succeed; give its JSON, if any."""
        answer = self.ask(method, path, json.dumps(body) if body else None)
        assert answer.status < 300, answer
        return answer.json if answer.text else None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str]) -> Iterator[Api]:
    """Run a server until the block ends."""
    api = Api(free_port())
    options = ["--host", "127.0.0.1", "--port", str(api.port)]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_until(lambda: _answers(api), 10), f"{command} does not answer"
            yield api
        finally:
            process.kill()


def _answers(api: Api) -> bool:
    try:
        return api.ask("GET", "/version").status == 200
    except (OSError, HTTPException):
        return False


class Link:
    """A proxy whose upstream is a listener of the test's own."""

    def __init__(self, api: Api, resources: ExitStack, *, receive_buffer: int | None = None) -> None:
        """`receive_buffer` in bytes: a small one at both ends makes the server keep what its sockets do not take."""
        self.api = api
        self.name = f"link-{next(NUMBERS)}"
        self._resources = resources
        self.listener = resources.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listener.settimeout(5)
        self._receive_buffer = receive_buffer
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.upstream = f"127.0.0.1:{self.listener.getsockname()[1]}"
        made = api.do("POST", "/proxies", name=self.name, listen="127.0.0.1:0", upstream=self.upstream)
        self.listen: str = made["listen"]
        resources.callback(api.ask, "DELETE", self.path)

    @property
    def path(self) -> str:
        return f"/proxies/{self.name}"

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host, int(port)

    def client(self) -> socket.socket:
        client = self._resources.enter_context(socket.socket())
        client.settimeout(5)
        if self._receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        client.connect(self.address)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Connect; give the client's end and the server's."""
        client = self.client()
        server = self._resources.enter_context(self.listener.accept()[0])
        server.settimeout(5)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client, server

    def live_pair(self) -> tuple[socket.socket, socket.socket]:
        """Connect, and make sure that both directions are up before anything else happens."""
        client, server = self.pair()
        for source, sink in ((client, server), (server, client)):
            source.sendall(b"!")
            assert sink.recv(1) == b"!"
        return client, server

    def toxic(self, type: str, *, stream: str = "downstream", toxicity: float = 1.0, **attributes: int) -> str:
        """Add a toxic; give its path."""
        name = f"{type}-{next(NUMBERS)}"
        body = {"name": name, "type": type, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        self.api.do("POST", f"{self.path}/toxics", **body)
        return f"{self.path}/toxics/{name}"


def read_exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            break
        data += part
    return bytes(data)


def read_to_end(sock: socket.socket) -> bytes:
    """Read until FIN."""
    data = bytearray()
    while part := sock.recv(65536):
        data += part
    return bytes(data)


def silent(sock: socket.socket, seconds: float) -> bool:
    """Whether nothing arrives, neither data nor an end, for so long."""
    timeout = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(timeout)
    return False


class Stopwatch:
    """Seconds since the block began."""

    def __enter__(self) -> Stopwatch:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = self.elapsed

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began


def without_ports(text: str) -> str:
    """Blank the ports that a server chose."""
    return re.sub(r'("listen":"(?:127\.0\.0\.1|\[::\])):\d+"', r'\1:0"', text)
