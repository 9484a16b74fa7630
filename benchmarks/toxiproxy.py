"""Measure Drillbook's Toxiproxy against the Go program: `python -m benchmarks.toxiproxy [--go PATH]`.

Both servers run at the same time and are measured in turn, round by round; a figure's ratio is the median of the rounds'
ratios. On a machine that others share too, only such ratios mean anything.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

from benchmarks.figure import Figure
from benchmarks.toxiproxy_peer import BLOCK, REPLY, REQUEST
from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.toxiproxy.binary import own_command
from drillbook.toxiproxy.client import LinkControl

BULK_BYTES = 128 * 1024 * 1024
HTTP_CONNECTIONS = 16
HTTP_SECONDS = 1.0
PINGS = 1500
DELAYED_PINGS = 12
DELAY_MILLISECONDS = 100
ROLES = ("source", "sink", "answer")

Address = tuple[str, int]
Measurement = Callable[["Server"], float]


class Server:
    """A running Toxiproxy with a link to each of the far ends."""

    def __init__(self, links: LinkControl, peers: dict[str, Address]) -> None:
        self.links = links
        self.peers = peers
        self._listens = {
            role: links.create(role, "127.0.0.1:0", "{}:{}".format(*peer)).listen for role, peer in peers.items()
        }

    def connect(self, role: str) -> socket.socket:
        """Reach a far end through this server."""
        host, _, port = self._listens[role].rpartition(":")
        return _connected((host, int(port)))

    def pings(self, count: int) -> list[float]:
        """Give sorted seconds from a request to its reply, each after the last."""
        with self.connect("answer") as connection:
            return _pings(connection, count)


def bulk_down(server: Server) -> float:
    """MB/s from upstream to client."""
    with server.connect("source") as connection:
        began = time.perf_counter()
        connection.sendall(BULK_BYTES.to_bytes(8, "big"))
        buffer, left = bytearray(BLOCK), BULK_BYTES
        while left:
            left -= connection.recv_into(buffer)
        return BULK_BYTES / 1e6 / (time.perf_counter() - began)


def bulk_up(server: Server) -> float:
    """MB/s from client to upstream; over when the server has passed the end on and closed."""
    with server.connect("sink") as connection:
        began = time.perf_counter()
        block = bytes(BLOCK)
        for _ in range(BULK_BYTES // BLOCK):
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
        return BULK_BYTES / 1e6 / (time.perf_counter() - began)


def http_requests(server: Server) -> float:
    """Small keep-alive requests a second, over several connections that each wait for their reply."""
    with ExitStack() as stack:
        connections = {
            one.fileno(): one
            for one in (stack.enter_context(server.connect("answer")) for _ in range(HTTP_CONNECTIONS))
        }
        epoll = stack.enter_context(select.epoll())
        for fd, connection in connections.items():
            epoll.register(fd, select.EPOLLIN)
            connection.send(REQUEST)
        began, answered = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - began) < HTTP_SECONDS:
            for fd, _ in epoll.poll(1):
                assert len(connections[fd].recv(4096)) == len(REPLY)
                connections[fd].send(REQUEST)
                answered += 1
        return answered / elapsed


def added_latency(percentile: int) -> Measurement:
    """Microseconds that the server adds to a round trip, against the same trip without it."""

    def measure_added(server: Server) -> float:
        with _connected(server.peers["answer"]) as direct:
            without = _pings(direct, PINGS)
        return (_at(server.pings(PINGS), percentile) - _at(without, percentile)) * 1e6

    return measure_added


def latency_error(server: Server) -> float:
    """Milliseconds by which an injected delay of 100 ms is missed, median."""
    toxic = server.links.add_toxic("answer", "latency", attributes={"latency": DELAY_MILLISECONDS})
    try:
        return median(abs(one * 1000 - DELAY_MILLISECONDS) for one in server.pings(DELAYED_PINGS))
    finally:
        server.links.remove_toxic("answer", toxic)


MEASUREMENTS: tuple[tuple[str, str, Measurement], ...] = (
    ("toxiproxy bulk down", "MB/s", bulk_down),
    ("toxiproxy bulk up", "MB/s", bulk_up),
    ("toxiproxy HTTP requests", "1/s", http_requests),
    ("toxiproxy added latency p50", "us", added_latency(50)),
    ("toxiproxy added latency p99", "us", added_latency(99)),
    ("toxiproxy error of a 100 ms latency p50", "ms", latency_error),
)


def measure(go_binary: Path | None, *, rounds: int = 7) -> list[Figure]:
    """Measure everything; the peer is the Go program, where one is given."""
    with ExitStack() as stack:
        peers = {role: stack.enter_context(_peer(role)) for role in ROLES}
        own = stack.enter_context(_running(own_command(), peers))
        go = stack.enter_context(_running([str(go_binary)], peers)) if go_binary else None
        return [_figure(*what, servers=(own, go), rounds=rounds) for what in MEASUREMENTS]


def _figure(name: str, unit: str, one: Measurement, *, servers: tuple[Server, Server | None], rounds: int) -> Figure:
    own, go = servers
    if go is None:
        return Figure(name, median(one(own) for _ in range(rounds)), unit)
    pairs = [(one(own), one(go)) if turn % 2 else (one(go), one(own))[::-1] for turn in range(rounds)]
    ratio = median(ours / theirs for ours, theirs in pairs)
    return Figure(name, median(ours for ours, _ in pairs), unit, median(theirs for _, theirs in pairs), ratio)


def _pings(connection: socket.socket, count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        connection.send(REQUEST)
        connection.recv(4096)
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)


def _at(values: list[float], percentile: int) -> float:
    return quantiles(values, n=100)[percentile - 1]


def _connected(address: Address) -> socket.socket:
    connection = socket.create_connection(address, timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


@contextmanager
def _peer(role: str) -> Iterator[Address]:
    command = [sys.executable, "-m", "benchmarks.toxiproxy_peer", role]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield "127.0.0.1", int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def _running(command: Sequence[str], peers: dict[str, Address]) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            if not wait_until(lambda: _answers(port), 10, clock=SYSTEM_CLOCK):
                raise EnvironmentFailed(f"{command[0]} does not listen on port {port}")
            yield Server(LinkControl("127.0.0.1", port, timeout=10), peers)
        finally:
            process.kill()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = shutil.which(os.environ.get("DRILLBOOK_TOXIPROXY_GO", "toxiproxy-server"))
    parser.add_argument("--go", type=Path, default=default, help="the Go program (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    for figure in measure(given.go, rounds=given.rounds):
        peer = f"{figure.peer:12.1f} {figure.ratio:8.2f}" if figure.peer is not None else ""
        print(f"{figure.name:42} {figure.value:12.2f} {figure.unit:5} {peer}")


if __name__ == "__main__":
    main()
