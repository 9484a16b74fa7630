"""Probes against real servers: healthy, wrong, slow, garbled, closed, and behind certificates good and bad."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import trustme

from drillbook.backends.base import Address, Message
from drillbook.probes.http import HttpProbe
from drillbook.probes.inbox import InboxProbe
from drillbook.probes.subset import mismatch
from drillbook.probes.tcp import TcpProbe

Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve, context: ssl.SSLContext | None = None) -> Iterator[Address]:
    """Call `serve` with each connection in turn, in a thread, and close it afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) if context else connection as wrapped:
                        serve(wrapped)
                except OSError:
                    connection.close()  # the probe hung up, as it may

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield Address("127.0.0.1", listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def answering(answer: bytes) -> Serve:
    """Read a request's head, send `answer`."""

    def serve(connection: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536) or b"\r\n\r\n"
        connection.sendall(answer)

    return serve


def response(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Some Reason", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def look(probe: HttpProbe | TcpProbe | InboxProbe) -> str:
    return asyncio.run(probe.look())


def http(address: Address, **fields: Any) -> str:
    return look(HttpProbe("web", f"http://{address}/", **fields))


@pytest.mark.parametrize(
    ("status", "body", "fields", "expected"),
    [
        (200, b"", {}, ""),
        (500, b"", {}, "HTTP 500, expected 200"),
        (503, b'{"status": "down"}', {"status": 503, "json": {"status": "down"}}, ""),
        (200, b'{"status": "ok", "more": 1}', {"json": {"status": "ok"}}, ""),
        (200, b'{"status": "down"}', {"json": {"status": "ok"}}, 'JSON status is "down", expected "ok"'),
        (200, b"<html>", {"json": {"status": "ok"}}, "body is not JSON"),
        (200, "<h1>Großer Markt</h1>".encode(), {"contains": "Großer"}, ""),
        (200, b"<h1>Parked</h1>", {"contains": "Meta Aggregator"}, "body lacks 'Meta Aggregator'"),
    ],
)
def test_http_judges_status_json_and_text(status: int, body: bytes, fields: dict[str, object], expected: str) -> None:
    with server(answering(response(status, body))) as address:
        assert http(address, **fields) == expected


def test_http_reads_chunks_and_bodies_without_a_length() -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"a": \r\n2\r\n1}\r\n0\r\n\r\n'
    for answer in (chunked, b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}'):
        with server(answering(answer)) as address:
            assert http(address, json={"a": 1}) == ""
            assert http(address, json={"a": 2}) == "JSON a is 1, expected 2"


def test_http_sends_what_the_url_says_on_a_fresh_connection_each_time() -> None:
    heads: list[bytes] = []
    peers: set[int] = set()

    def serve(connection: socket.socket) -> None:
        heads.append(connection.recv(65536))
        peers.add(connection.getpeername()[1])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")

    with server(serve) as address:
        probe = HttpProbe("web", "http://api.example.test:8080/orders?limit=1", address=address)
        assert [look(probe) for _ in range(3)] == [""] * 3
    assert len(peers) == 3
    assert heads[0].startswith(b"GET /orders?limit=1 HTTP/1.1\r\n")
    assert b"\r\nHost: api.example.test:8080\r\n" in heads[0]


def test_http_follows_redirects_only_when_asked() -> None:
    with (
        server(answering(response(200, b"here"))) as goal,
        server(answering(response(302, b"", f"Location: http://{goal}/there"))) as address,
    ):
        assert http(address) == "HTTP 302, expected 200"
        assert http(address, status=302) == ""
        assert http(address, follow_redirects=True, contains="here") == ""


def test_http_gives_a_circle_of_redirects_up() -> None:
    with server(answering(response(302, b"", "Location: /round"))) as address:
        assert http(address, follow_redirects=True) == "HTTP 302, expected 200"


def test_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address("127.0.0.1", listener.getsockname()[1])
    assert http(address) == f"connection refused by {address}"
    assert look(TcpProbe("port", address)) == f"connection refused by {address}"


def test_reset() -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with server(reset) as address:
        assert http(address) == f"connection reset by {address}"


def test_hang_up_without_an_answer() -> None:
    with server(answering(b"")) as address:
        assert http(address) == f"connection to {address} failed: closed without an answer"


def test_garbage() -> None:
    with server(answering(b"\x00\xff hello \x01\r\n\r\n")) as address:
        assert http(address).startswith(f"{address} broke HTTP: ")


def test_body_cut_short_is_not_good() -> None:
    with server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")) as address:
        assert http(address).startswith(f"{address} broke HTTP: ")


@pytest.mark.parametrize("drip", [b"", b"H"])
def test_slow_is_given_up_at_the_time_out(drip: bytes) -> None:
    done = threading.Event()

    def stall(connection: socket.socket) -> None:
        connection.recv(65536)
        while not done.wait(0.05):
            connection.sendall(drip)

    with server(stall) as address:
        began = monotonic()
        assert http(address, timeout=0.3) == "timed out after 0.3 s"
        assert 0.3 <= monotonic() - began < 0.6
        done.set()


def test_time_out_of_whole_seconds_reads_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the kernel accepts, nobody answers
        assert http(Address("127.0.0.1", listener.getsockname()[1]), timeout=1.0) == "timed out after 1.0 s"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A CA that the environment says to trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def test_tls_is_verified_by_the_sandbox_authority(authority: trustme.CA) -> None:
    context = server_context(authority.issue_cert("api.example.test"))
    with server(answering(response(200)), context) as address:
        assert look(HttpProbe("web", "https://api.example.test/", address=address)) == ""
        wrong_name = look(HttpProbe("web", "https://www.example.test/", address=address))
    assert wrong_name.startswith("TLS certificate of www.example.test:443 refused: Hostname mismatch")


@pytest.mark.usefixtures("authority")
def test_tls_of_a_strange_authority_is_refused() -> None:
    context = server_context(trustme.CA().issue_cert("api.example.test"))
    with server(answering(response(200)), context) as address:
        error = look(HttpProbe("web", "https://api.example.test/", address=address))
    assert error.startswith("TLS certificate of api.example.test:443 refused: ")


@pytest.mark.usefixtures("authority")
def test_plain_text_where_tls_was_expected() -> None:
    with server(lambda connection: connection.sendall(b"220 mail ready\r\n")) as address:
        error = look(HttpProbe("web", "https://api.example.test/", address=address))
    assert error.startswith("TLS handshake with api.example.test:443 failed: ")


def test_tcp_is_content_with_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert look(TcpProbe("port", Address("127.0.0.1", listener.getsockname()[1]))) == ""


@pytest.mark.parametrize(
    ("expected", "actual", "problem"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, ""),
        ({"a.b": 1}, {"a": {"b": 1}}, ""),
        ({"a.b": 1}, {"a.b": 1}, ""),
        ({"items.1.id": 7}, {"items": [{"id": 6}, {"id": 7}]}, ""),
        ({"items": [{"id": 6}]}, {"items": [{"id": 6, "more": True}]}, ""),
        ({"items": [1]}, {"items": [1, 2]}, "JSON items is [1, 2], expected [1]"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "JSON a.b is 2, expected 1"),
        ({"a": {"b": 1}}, {"a": None}, "JSON body lacks a.b"),
        ({"a.2": 1}, {"a": [1]}, "JSON body lacks a.2"),
        ({"a": True}, {"a": 1}, "JSON a is 1, expected true"),
        ({"a": 0}, {"a": False}, "JSON a is false, expected 0"),
        ({"a": 1}, {"a": 1.0}, ""),
        ({"a": None}, {"a": None}, ""),
        ({"a": None}, {}, "JSON body lacks a"),
        ({"a": 1}, [], "JSON body lacks a"),
    ],
)
def test_subset(expected: object, actual: object, problem: str) -> None:
    assert mismatch(expected, json.loads(json.dumps(actual))) == problem


def test_inbox_counts_what_it_was_asked_for() -> None:
    messages = [
        Message("slack", "#emergency-response", "API down", "2026-01-31T12:00:00.000000Z"),
        Message("slack", "#general", "API down", "2026-01-31T12:00:01.000000Z"),
    ]

    async def fetch() -> Sequence[Message]:
        return messages

    assert look(InboxProbe("alert", fetch, contains="down", recipient="#emergency-response")) == ""
    assert look(InboxProbe("alert", fetch, at_least=2, contains="down")) == ""
    problem = look(InboxProbe("alert", fetch, at_least=2, contains="down", recipient="#general"))
    assert problem == "1 messages to #general with 'down', expected 2"


def test_inbox_that_hangs_is_given_up() -> None:
    async def fetch() -> Sequence[Message]:
        await asyncio.sleep(30)
        return []

    assert look(InboxProbe("alert", fetch, timeout=0.1)) == "timed out after 0.1 s"
