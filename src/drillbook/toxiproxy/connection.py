"""Two sockets and the two pipes between them. A pipe without toxics is one read and one write per event, which is what
makes this server faster than one that queues every chunk; with toxics, chunks go from stage to stage.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable

from drillbook.toxiproxy.loop import READABLE, WRITABLE, Loop
from drillbook.toxiproxy.stage import ActiveToxic, Outlet, Stage
from drillbook.toxiproxy.toxics import INFINITY, Chunk

CHUNK_SIZE = 32 * 1024
"""Bytes that a toxic sees at most at once, as in the Go program: what a script paces depends on it."""

LINGER_NOTHING = struct.pack("ii", 1, 0)
"""SO_LINGER's value for a close that sends RST."""


class Endpoint:
    """One socket of a connection: the pipe that reads from it and the pipe that writes to it."""

    __slots__ = ("_loop", "_mask", "_on_close", "_watched", "closed", "fd", "incoming", "outgoing", "socket")

    incoming: Pipe
    """Carries what arrives here."""
    outgoing: Pipe
    """Carries what is sent from here."""

    def __init__(self, loop: Loop, sock: socket.socket, on_close: Callable[[], None]) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self.fd = sock.fileno()
        self.closed = False
        self._loop = loop
        self._on_close = on_close
        self._mask = 0
        self._watched = False

    def want(self, mask: int, wanted: bool) -> None:
        """Ask for, or forgo, events of one kind."""
        changed = self._mask | mask if wanted else self._mask & ~mask
        if self.closed or changed == self._mask:
            return
        self._mask = changed
        if self._watched:
            self._loop.change(self.fd, changed)
        else:
            self._watched = True
            self._loop.watch(self.fd, changed, self.on_events)

    def close(self) -> None:
        """Close the socket: FIN, or RST where a toxic wants that."""
        if not self.closed:
            self._ignore()
            self.closed = True
            self.socket.close()
            self._on_close()

    def on_events(self, events: int) -> None:
        """Pass readiness to the pipes."""
        # The mask may have changed since epoll answered, by an earlier event of the same batch.
        if events == READABLE and self._mask & READABLE:
            self.incoming.pump()
            return
        if events & WRITABLE:
            self.outgoing.flush()
        if events & ~WRITABLE and not self.closed:
            if self._mask & READABLE:
                self.incoming.pump()
            elif self._mask & WRITABLE:
                self.outgoing.flush()
            else:
                # The peer is gone and nobody reads or writes here just now: epoll would report that without end.
                self._ignore()

    def _ignore(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.unwatch(self.fd)


class Pipe:
    """One direction: from a source through the toxics of a chain to a sink. It is the Outlet behind the last stage."""

    __slots__ = (
        "_armed",
        "_finished",
        "_loop",
        "_receive",
        "_send",
        "_sink",
        "_source",
        "_source_ended",
        "_stages",
        "_tail",
    )

    def __init__(self, loop: Loop, source: Endpoint, sink: Endpoint, chain: Iterable[ActiveToxic]) -> None:
        self._loop = loop
        self._source = source
        self._sink = sink
        self._receive = source.socket.recv_into
        self._send = sink.socket.send
        self._stages = [Stage(toxic, loop.now) for toxic in chain]
        self._tail: deque[bytes] = deque()
        self._source_ended = False
        self._finished = False
        self._armed = INFINITY

    def start(self) -> None:
        """Begin to read, and to count the time of toxics that act without data."""
        self._source.want(READABLE, True)
        if self._stages:
            self.advance()

    def pump(self) -> None:
        """Move what has arrived."""
        if self._stages:
            self._pump_chunk()
            return
        buffer = self._loop.buffer
        try:
            size = self._receive(buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self.end_source()
            return
        try:
            sent = self._send(buffer[:size])
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close_sink()
            return
        if sent < size:
            self._keep(bytes(buffer[sent:size]))

    def flush(self) -> None:
        """Send what the sink did not take before."""
        try:
            while self._tail:
                data = self._tail[0]
                sent = self._send(data)
                if sent < len(data):
                    self._tail[0] = data[sent:]
                    return
                self._tail.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._close_sink()
            return
        self._sink.want(WRITABLE, False)
        if self._finished:
            self._close_sink()
        else:
            self.advance()

    def advance(self) -> None:
        """Let the stages work until all of them wait; then read on if there is room, and set the next timer."""
        while not self._sink.closed and any(stage.advance(outlet) for stage, outlet in self._stages_from_last()):
            pass
        if self._sink.closed:
            return
        welcome = self._stages[0].room() if self._stages else not self._tail
        self._source.want(READABLE, welcome and not self._source_ended)
        self._arm()

    def end_source(self) -> None:
        """Learn that the source has closed, or was closed, and let that travel behind the data."""
        if self._source_ended:
            return
        self._source_ended = True
        self._source.want(READABLE, False)
        if self._stages:
            self._stages[0].finish()
            self.advance()
        else:
            self.finish()

    # The Outlet behind the last stage: the sink.

    def room(self) -> bool:
        """Whether the sink has taken all it was given."""
        return not self._tail

    def accept(self, chunk: Chunk) -> None:
        """Send a chunk, and keep what the sink does not take."""
        data = chunk.data
        if self._sink.closed:
            return
        if self._tail:
            self._tail.append(data)
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close_sink()
            return
        if sent < len(data):
            self._keep(data[sent:])

    def finish(self) -> None:
        """Close the sink once it has taken everything."""
        self._finished = True
        if not self._tail:
            self._close_sink()

    # Changes of the chain while the connection lives.

    def add(self, toxic: ActiveToxic) -> None:
        """Put a toxic behind all others; the one before it starts anew."""
        self._stages.append(Stage(toxic, self._loop.now))
        self._restart(len(self._stages) - 2)

    def update(self, toxic: ActiveToxic) -> None:
        """Start a toxic anew whose attributes have changed."""
        self._restart(self._index(toxic))

    def remove(self, toxic: ActiveToxic) -> None:
        """Take a toxic out; what waited in it goes on at once."""
        index = self._index(toxic)
        if index < 0 or self._stages[index].doomed:
            return
        stage = self._stages[index]
        if toxic.attributes.closes_when_removed:
            stage.close(self._outlet(index))
        else:
            stage.dissolve(self._outlet(index))
        if not stage.closed:
            del self._stages[index]
        self._restart(index - 1)

    def _restart(self, index: int) -> None:
        if index >= 0:
            self._stages[index].restart(self._outlet(index))
        self.advance()

    def _index(self, toxic: ActiveToxic) -> int:
        """Where a toxic stands, or -1. Stages of removed toxics may still be there, about to close the connection."""
        return next((i for i, stage in enumerate(self._stages) if stage.toxic is toxic), -1)

    def _outlet(self, index: int) -> Outlet:
        return self._stages[index + 1] if index + 1 < len(self._stages) else self

    def _stages_from_last(self) -> list[tuple[Stage, Outlet]]:
        return [(stage, self._outlet(index)) for index, stage in enumerate(self._stages)][::-1]

    def _pump_chunk(self) -> None:
        try:
            data = self._source.socket.recv(CHUNK_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end_source()
            return
        self._stages[0].accept(Chunk(data, self._loop.now()))
        self.advance()

    def _keep(self, rest: bytes) -> None:
        self._tail.append(rest)
        self._sink.want(WRITABLE, True)
        if not self._stages:
            self._source.want(READABLE, False)

    def _close_sink(self) -> None:
        """Close the sink fully, for there is no half-closing: the other direction's source has ended as well."""
        self._tail.clear()
        self._source.want(READABLE, False)
        if not self._sink.closed:
            self._sink.close()
            self._sink.incoming.end_source()

    def _arm(self) -> None:
        due = min((stage.due for stage in self._stages if not stage.closed), default=INFINITY)
        if due < self._armed:
            self._armed = due
            self._loop.at(due, self._on_timer)

    def _on_timer(self) -> None:
        if self._loop.now() >= self._armed:
            self._armed = INFINITY
        self.advance()


class Connection:
    """A client and an upstream, joined; tells when both are closed."""

    def __init__(
        self,
        loop: Loop,
        client: socket.socket,
        upstream: socket.socket,
        chains: tuple[list[ActiveToxic], list[ActiveToxic]],
        on_closed: Callable[[Connection], None],
    ) -> None:
        to_upstream, to_client = chains
        if any(toxic.attributes.resets for chain in chains for toxic in chain):
            for sock in (client, upstream):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
        self._ends = client_end, upstream_end = (
            Endpoint(loop, client, self._on_end_closed),
            Endpoint(loop, upstream, self._on_end_closed),
        )
        self.upstream_pipe = Pipe(loop, client_end, upstream_end, to_upstream)
        self.downstream_pipe = Pipe(loop, upstream_end, client_end, to_client)
        client_end.incoming = upstream_end.outgoing = self.upstream_pipe
        upstream_end.incoming = client_end.outgoing = self.downstream_pipe
        self._on_closed = on_closed

    def start(self) -> None:
        """Begin to move bytes."""
        self.upstream_pipe.start()
        self.downstream_pipe.start()

    def close(self) -> None:
        """Close both sides at once; what is under way is lost."""
        for end in self._ends:
            end.close()

    def _on_end_closed(self) -> None:
        if all(end.closed for end in self._ends):
            self._on_closed(self)
