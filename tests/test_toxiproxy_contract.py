"""What a Toxiproxy must do, asked of ours and of the Go program: whoever swaps one for the other must notice nothing."""

from __future__ import annotations

import os
import random
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread
from typing import Any

import pytest

from drillbook.toxiproxy.binary import own_command
from tests.toxiproxy_exchanges import EXCHANGES
from tests.toxiproxy_process import (
    Api,
    Link,
    Stopwatch,
    free_port,
    read_exactly,
    read_to_end,
    running,
    silent,
    without_ports,
)

SLACK = 0.15
"""Seconds that a loaded machine may add to any moment; what is measured finely is in benchmarks/."""
BULK = random.Random(7).randbytes(4 * 1024 * 1024)


class ToxiproxyContract:
    """Inherit, and say which command starts the server."""

    @classmethod
    def command(cls) -> list[str]:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def api(cls) -> Iterator[Api]:
        with running(cls.command()) as api:
            yield api

    @pytest.fixture
    def link(self, api: Api) -> Iterator[Link]:
        with ExitStack() as resources:
            yield Link(api, resources)

    # The API

    def test_answers_every_request_as_the_go_program_does(self) -> None:
        with running(self.command()) as api:
            free = free_port()

            def fill(text: str) -> str:
                return text.replace("@api@", str(api.port)).replace("@free@", str(free))

            for exchange in EXCHANGES:
                body = None if exchange.body is None else fill(exchange.body)
                answer = api.ask(exchange.method, exchange.path, body, exchange.agent)
                got = answer.status, answer.content_type, without_ports(answer.text)
                assert got == (exchange.status, exchange.content_type, fill(exchange.text)), exchange

    def test_headers(self, api: Api) -> None:
        refused = api.ask("GET", "/proxies/none").headers
        assert refused["x-content-type-options"] == "nosniff"
        assert len(refused["x-toxiproxy-request-id"]) == 20
        assert "x-toxiproxy-request-id" not in api.ask("GET", "/none").headers
        assert api.ask("GET", "//proxies?a=b").headers["location"] == "/proxies?a=b"
        assert "content-length" not in api.ask("POST", "/reset").headers

    # Links without toxics

    def test_carries_bytes_both_ways_at_once(self, link: Link) -> None:
        client, server = link.pair()
        with ExitStack() as stack:
            exchanged = [stack.enter_context(_Transfer(*ends, BULK)) for ends in ((client, server), (server, client))]
        assert all(transfer.received == BULK for transfer in exchanged)

    def test_an_end_on_one_side_ends_both(self, link: Link) -> None:
        client, server = link.live_pair()
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(server) == b"last words"
        # There is no half-closing: an answer after that is lost.
        assert client.recv(1) == b""

    def test_a_refused_upstream_gives_an_accepted_connection_that_ends(self, link: Link) -> None:
        link.listener.close()
        assert link.client().recv(1) == b""

    def test_a_name_as_upstream_is_looked_up(self, link: Link) -> None:
        port = link.listener.getsockname()[1]
        link.api.do("POST", link.path, upstream=f"localhost:{port}")
        link.listen = link.api.do("GET", link.path)["listen"]
        link.live_pair()

    # Links on and off

    def test_disabling_closes_and_refuses_and_enabling_takes_the_same_port(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("latency", latency=1)
        link.api.do("POST", link.path, enabled=False)
        assert client.recv(1) == server.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            link.client()
        again = link.api.do("POST", link.path, enabled=True)
        assert again["listen"] == link.listen
        assert [toxic["type"] for toxic in again["toxics"]] == ["latency"]
        link.live_pair()

    def test_enabling_what_is_enabled_closes_nothing(self, link: Link) -> None:
        client, server = link.live_pair()
        link.api.do("POST", link.path, enabled=True)
        client.sendall(b"?")
        assert server.recv(1) == b"?"

    def test_a_changed_upstream_and_deletion_close_connections(self, link: Link) -> None:
        client, _ = link.live_pair()
        with socket.create_server(("127.0.0.1", 0)) as other:
            other.settimeout(5)
            link.api.do("POST", link.path, upstream=f"127.0.0.1:{other.getsockname()[1]}")
            assert client.recv(1) == b""
            client = link.client()
            with other.accept()[0] as server:
                # Unread bytes would turn the FIN into an RST.
                client.sendall(b"?")
                assert server.recv(1) == b"?"
                link.api.do("DELETE", link.path)
                assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            link.client()

    def test_populate_leaves_alone_what_does_not_differ(self, link: Link) -> None:
        client, server = link.live_pair()
        wanted: dict[str, Any] = {"name": link.name, "listen": link.listen, "upstream": link.upstream}
        body = str([wanted]).replace("'", '"')
        assert link.api.ask("POST", "/populate", body).status == 201
        client.sendall(b"?")
        assert server.recv(1) == b"?"
        link.toxic("latency", latency=1)
        replaced = link.api.ask("POST", "/populate", body.replace(link.upstream, "127.0.0.1:1")).json["proxies"]
        assert replaced[0]["toxics"] == []
        assert client.recv(1) == b""

    def test_reset_enables_and_cleans(self, link: Link) -> None:
        link.toxic("timeout")
        link.toxic("latency", stream="upstream", latency=5000)
        link.api.do("POST", link.path, enabled=False)
        link.api.do("POST", "/reset")
        assert link.api.do("GET", link.path)["toxics"] == []
        link.live_pair()

    # latency

    @pytest.mark.parametrize("stream", ["upstream", "downstream"])
    def test_latency_delays_its_stream_only(self, link: Link, stream: str) -> None:
        client, server = link.live_pair()
        link.toxic("latency", stream=stream, latency=200)
        slow, quick = ((client, server), (server, client))[:: 1 if stream == "upstream" else -1]
        for (source, sink), least, most in ((slow, 0.2, 0.2 + SLACK), (quick, 0, SLACK)):
            with Stopwatch() as watch:
                source.sendall(b"?")
                assert sink.recv(1) == b"?"
            assert least <= watch.seconds < most

    def test_latency_in_series_adds(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("latency", latency=100)
        link.toxic("latency", latency=150)
        with Stopwatch() as watch:
            server.sendall(b"?")
            assert client.recv(1) == b"?"
        assert 0.25 <= watch.seconds < 0.25 + SLACK

    def test_jitter_varies_around_the_latency_and_keeps_the_order(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("latency", latency=40, jitter=30)
        delays = []
        for number in range(25):
            with Stopwatch() as watch:
                server.sendall(bytes([number]))
                assert client.recv(1) == bytes([number])
            delays.append(watch.seconds)
        assert min(delays) >= 0.01
        assert min(delays) < 0.035
        assert max(delays) > 0.045
        server.sendall(BULK[:1_000_000])
        assert read_exactly(client, 1_000_000) == BULK[:1_000_000]

    def test_latency_does_not_delay_the_end(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("latency", latency=2000)
        server.shutdown(socket.SHUT_WR)
        with Stopwatch() as watch:
            assert client.recv(1) == b""
        assert watch.seconds < 1

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_changing_or_removing_latency_releases_what_waits(self, link: Link, method: str) -> None:
        client, server = link.live_pair()
        toxic = link.toxic("latency", latency=30_000)
        server.sendall(b"waiting")
        assert silent(client, 0.1)
        body = '{"attributes":{"latency":20000}}' if method == "PATCH" else None
        assert link.api.ask(method, toxic, body).status < 300
        assert read_exactly(client, 7) == b"waiting"

    def test_removing_latency_releases_everything_in_order(self, link: Link) -> None:
        client, server = link.live_pair()
        toxic = link.toxic("latency", latency=30_000)
        server.sendall(BULK[:500_000])
        assert silent(client, 0.1)
        link.api.do("DELETE", toxic)
        assert read_exactly(client, 500_000) == BULK[:500_000]

    # bandwidth

    def test_bandwidth_keeps_its_rate(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("bandwidth", rate=500)
        with Stopwatch() as watch:
            server.sendall(BULK[:300_000])
            assert read_exactly(client, 300_000) == BULK[:300_000]
        assert 0.57 < watch.seconds < 0.6 + 2 * SLACK

    def test_changing_bandwidth_loses_nothing_of_what_it_was_cutting(self, link: Link) -> None:
        client, server = link.live_pair()
        toxic = link.toxic("bandwidth", rate=10)
        server.sendall(BULK[:100_000])
        assert read_exactly(client, 2000) == BULK[:2000]
        link.api.do("PATCH", toxic, attributes={"rate": 1_000_000})
        assert read_exactly(client, 98_000) == BULK[2000:100_000]

    def test_a_rate_of_nothing_stalls_until_the_toxic_goes(self, link: Link) -> None:
        client, server = link.live_pair()
        toxic = link.toxic("bandwidth", rate=0)
        server.sendall(b"stalled")
        assert silent(client, 0.3)
        link.api.do("DELETE", toxic)
        assert read_exactly(client, 7) == b"stalled"

    # slicer

    def test_slicer_cuts_and_waits_after_each_piece(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("slicer", average_size=100, size_variation=20, delay=5000)
        server.sendall(BULK[:4000])
        pieces: list[bytes] = []
        with Stopwatch() as watch:
            while sum(len(piece) for piece in pieces) < 4000:
                pieces.append(client.recv(4000))
        assert b"".join(pieces) == BULK[:4000]
        assert len(pieces) >= 20
        assert 0.15 < watch.seconds < 1

    # slow_close

    def test_slow_close_delays_the_end_but_no_data(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("slow_close", delay=300)
        with Stopwatch() as watch:
            server.sendall(b"data")
            server.shutdown(socket.SHUT_WR)
            assert read_exactly(client, 4) == b"data"
            assert watch.elapsed < 0.2
            assert client.recv(1) == b""
        assert 0.3 <= watch.seconds < 0.3 + SLACK

    # timeout

    def test_timeout_without_time_drops_all_until_its_removal_closes(self, link: Link) -> None:
        client, server = link.live_pair()
        toxic = link.toxic("timeout")
        server.sendall(b"lost")
        assert silent(client, 0.3)
        link.api.do("DELETE", toxic)
        assert client.recv(1) == b""

    def test_timeout_counts_from_the_last_chunk(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("timeout", timeout=300)
        with Stopwatch() as watch:
            assert silent(client, 0.2)
            server.sendall(b"again")
            assert client.recv(1) == b""
        assert 0.5 <= watch.seconds < 0.5 + SLACK

    # reset_peer

    def test_reset_peer_resets_on_the_first_data(self, link: Link) -> None:
        link.toxic("reset_peer", timeout=100)
        client, server = link.pair()
        assert silent(client, 0.2)
        with Stopwatch() as watch:
            server.sendall(b"first")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        assert 0.1 <= watch.seconds < 0.1 + SLACK

    def test_reset_peer_on_a_live_connection_only_closes_it(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("reset_peer")
        server.sendall(b"first")
        assert client.recv(1) == b""

    # limit_data

    def test_limit_data_passes_exactly_so_many_bytes(self, link: Link) -> None:
        link.toxic("limit_data", bytes=1000)
        client, server = link.pair()
        server.sendall(BULK[:600])
        assert read_exactly(client, 600) == BULK[:600]
        server.sendall(BULK[600:2000])
        assert read_to_end(client) == BULK[600:1000]

    def test_limit_data_keeps_its_count_when_changed(self, link: Link) -> None:
        toxic = link.toxic("limit_data", bytes=1000)
        client, server = link.pair()
        server.sendall(BULK[:600])
        assert read_exactly(client, 600) == BULK[:600]
        link.api.do("PATCH", toxic, attributes={"bytes": 700})
        server.sendall(BULK[600:1000])
        assert read_to_end(client) == BULK[600:700]

    def test_limit_data_of_nothing_closes_on_the_first_data(self, link: Link) -> None:
        link.toxic("limit_data", bytes=0)
        client, server = link.pair()
        assert silent(client, 0.1)
        server.sendall(b"!")
        assert client.recv(1) == b""

    # toxicity and chains

    def test_toxicity_is_rolled_for_each_connection(self, link: Link) -> None:
        link.toxic("limit_data", bytes=0, toxicity=0.5)
        struck = 0
        for _ in range(40):
            client, server = link.pair()
            server.sendall(b"!")
            struck += client.recv(1) == b""
        assert 5 <= struck <= 35

    def test_toxicity_is_rolled_again_when_changed(self, link: Link) -> None:
        client, server = link.live_pair()
        toxic = link.toxic("latency", latency=30_000)
        link.api.do("PATCH", toxic, toxicity=0)
        server.sendall(b"!")
        assert client.recv(1) == b"!"

    def test_a_chain_of_toxics_applies_all_of_them(self, link: Link) -> None:
        client, server = link.live_pair()
        link.toxic("latency", latency=100)
        link.toxic("slicer", average_size=1000, delay=10)
        link.toxic("limit_data", bytes=50_000)
        with Stopwatch() as watch:
            server.sendall(BULK[:100_000])
            assert read_to_end(client) == BULK[:50_000]
        assert watch.seconds >= 0.1

    def test_toxics_come_and_go_under_load_without_losing_a_byte(self, link: Link) -> None:
        client, server = link.live_pair()
        with _Transfer(server, client, BULK) as transfer:
            for _ in range(5):
                added = [
                    link.toxic("latency", latency=3, jitter=2),
                    link.toxic("slicer", average_size=8000, size_variation=500),
                    link.toxic("bandwidth", rate=200_000),
                ]
                for toxic in added:
                    link.api.do("DELETE", toxic)
        assert transfer.received == BULK


class _Transfer:
    """Sends data in one thread and receives it in another; the block ends when it has arrived."""

    def __init__(self, source: socket.socket, sink: socket.socket, data: bytes) -> None:
        self.received = b""
        self._threads = [
            Thread(target=source.sendall, args=(data,)),
            Thread(target=self._receive, args=(sink, len(data))),
        ]

    def _receive(self, sink: socket.socket, size: int) -> None:
        self.received = read_exactly(sink, size)

    def __enter__(self) -> _Transfer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(10)


class TestOwn(ToxiproxyContract):
    """Drillbook's server."""

    @classmethod
    def command(cls) -> list[str]:
        return own_command()

    @pytest.mark.parametrize(
        ("type", "attributes"),
        [("bandwidth", '{"rate":-1}'), ("slicer", "{}"), ("slicer", '{"average_size":5,"size_variation":-5}')],
    )
    def test_refuses_what_crashes_the_go_program(self, link: Link, type: str, attributes: str) -> None:
        body = f'{{"type":"{type}","attributes":{attributes}}}'
        answer = link.api.ask("POST", f"{link.path}/toxics", body)
        assert answer.status == 400
        assert answer.json["error"].startswith(f"bad request body: {type} needs")
        assert link.api.do("GET", f"{link.path}/toxics") == []

    def test_a_refused_change_changes_nothing(self, link: Link) -> None:
        toxic = link.toxic("bandwidth", rate=5)
        assert link.api.ask("PATCH", toxic, '{"attributes":{"rate":-1},"toxicity":0}').status == 400
        assert link.api.do("GET", toxic)["attributes"] == {"rate": 5}
        assert link.api.do("GET", toxic)["toxicity"] == 1

    @pytest.mark.parametrize("toxic_first", [False, True])
    def test_what_no_socket_takes_is_kept_in_order_while_toxics_change(self, api: Api, toxic_first: bool) -> None:
        data = BULK * 4
        with ExitStack() as resources:
            link = Link(api, resources, receive_buffer=4096)
            if toxic_first:
                link.toxic("slicer", average_size=20_000, size_variation=1000)
            client, server = link.live_pair()
            sending = Thread(target=server.sendall, args=(data,), daemon=True)
            sending.start()
            sending.join(0.3)
            assert sending.is_alive(), "the sockets took everything: nothing is tested"
            for _ in range(3):
                toxic = link.toxic("latency", latency=5)
                sending.join(0.02)
                link.api.do("DELETE", toxic)
                sending.join(0.02)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            assert read_exactly(client, len(data)) == data

    def test_slices_with_a_variation_above_the_size_stay_whole(self, link: Link) -> None:
        link.toxic("slicer", average_size=3, size_variation=40)
        client, server = link.pair()
        server.sendall(BULK[:20_000])
        assert read_exactly(client, 20_000) == BULK[:20_000]


GO = shutil.which(os.environ.get("DRILLBOOK_TOXIPROXY_GO", "toxiproxy-server"))


@pytest.mark.skipif(GO is None, reason="no toxiproxy-server on PATH, and DRILLBOOK_TOXIPROXY_GO names none")
class TestGo(ToxiproxyContract):
    """Shopify's server: it keeps this contract honest."""

    @classmethod
    def command(cls) -> list[str]:
        assert GO is not None
        return [GO]
