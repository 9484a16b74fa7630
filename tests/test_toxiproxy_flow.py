"""Whatever the chain of toxics that drop nothing, and however it changes meanwhile: every byte arrives, in order, once."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.toxiproxy.binary import own_command
from drillbook.toxiproxy.toxics import Slicer
from tests.toxiproxy_process import Api, Link, read_exactly, running

TOXIC = st.one_of(
    st.builds(
        lambda latency, jitter: ("latency", {"latency": latency, "jitter": jitter}),
        st.integers(0, 20),
        st.integers(0, 30),
    ),
    st.builds(
        lambda size, variation, delay: ("slicer", {"average_size": size, "size_variation": variation, "delay": delay}),
        st.integers(500, 40_000),
        st.integers(0, 600),
        st.integers(0, 50),
    ),
    st.builds(lambda rate: ("bandwidth", {"rate": rate}), st.integers(5_000, 200_000)),
    st.builds(lambda delay: ("slow_close", {"delay": delay}), st.integers(0, 50)),
    st.just(("noop", {})),
    st.just(("limit_data", {"bytes": 1 << 40})),
)
Change = tuple[tuple[str, dict[str, int]], str, float]
CHANGES = st.lists(
    st.tuples(TOXIC, st.sampled_from(["upstream", "downstream"]), st.sampled_from([0.5, 1.0])), max_size=6
)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with running(own_command()) as api:
        yield api


@settings(max_examples=60, deadline=None)
@given(
    before=CHANGES,
    meanwhile=CHANGES,
    sizes=st.tuples(st.integers(50_000, 400_000), st.integers(50_000, 400_000)),
    seed=st.integers(0, 1000),
)
def test_every_byte_arrives_in_order(
    api: Api, before: list[Change], meanwhile: list[Change], sizes: tuple[int, int], seed: int
) -> None:
    """Small buffers make the server keep data while the chain changes; a reader that waits makes it keep a lot."""
    chance = random.Random(seed)
    sent = chance.randbytes(sizes[0]), chance.randbytes(sizes[1])
    with ExitStack() as resources:
        link = Link(api, resources, receive_buffer=4096)
        paths = [
            link.toxic(kind, stream=stream, toxicity=share, **attributes)
            for (kind, attributes), stream, share in before
        ]
        client, server = link.pair()
        go = Event()
        received = [
            _start(partial(_carry, source, sink, data, go))
            for source, sink, data in ((client, server, sent[0]), (server, client, sent[1]))
        ]
        if chance.random() < 0.5:
            go.set()
        for (kind, attributes), stream, share in meanwhile:
            paths.append(link.toxic(kind, stream=stream, toxicity=share, **attributes))
            go.wait(0.005)
            if chance.random() < 0.5:
                api.do("PATCH", chance.choice(paths), toxicity=chance.choice([0, 1]))
            if chance.random() < 0.5:
                api.do("DELETE", paths.pop(chance.randrange(len(paths))))
        go.set()
        assert tuple(one.get(timeout=20) for one in received) == sent


def _start(work: Callable[[], bytes]) -> SimpleQueue[bytes]:
    outcome: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=lambda: outcome.put(work()), daemon=True).start()
    return outcome


def _carry(source: socket.socket, sink: socket.socket, data: bytes, go: Event) -> bytes:
    """Send from one end, read at the other as soon as told to."""
    sending = Thread(target=source.sendall, args=(data,), daemon=True)
    sending.start()
    go.wait(10)
    arrived = read_exactly(sink, len(data))
    sending.join(10)
    return arrived


@given(size=st.integers(1, 40_000), average=st.integers(-5, 3000), variation=st.integers(-5, 3000))
def test_slices_cover_a_chunk_without_gap_or_overlap(size: int, average: int, variation: int) -> None:
    slicer = Slicer(average, variation)
    if slicer.refusal():
        return
    pieces = list(slicer.pieces(0, size))
    assert [start for start, _ in pieces] == [0, *(end for _, end in pieces[:-1])]
    assert pieces[-1][1] == size
    assert all(end - start <= max(1, average + variation) for start, end in pieces)
    assert all(end > start for start, end in pieces)
