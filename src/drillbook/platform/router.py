"""The router in front of an app's instances: bytes in, bytes out (TLS is the app's own affair), one instance a connection.

To drain an instance the router closes each of its connections in a pause between a response and the next request: the
one moment at which no request can be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from drillbook.platform.config import Endpoint

if TYPE_CHECKING:
    from drillbook.platform.instance import Instance

QUIET = 0.03
"""Seconds without a byte after a response, after which a connection is taken to be between two requests."""
Choose = Callable[[frozenset["Instance"]], "Instance | None"]


class Listener:
    """Listens at one public port and relays each connection to an instance that `choose` names."""

    def __init__(self, endpoint: Endpoint, port: str, choose: Choose) -> None:
        self._endpoint = endpoint
        self._port = port
        self._choose = choose
        self._server: asyncio.Server | None = None
        self._relays: set[Relay] = set()

    async def open(self) -> None:
        """Start to accept; raise OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, self._endpoint.host, self._endpoint.port, backlog=512)

    def close(self) -> None:
        """Stop to accept, and reset what is connected."""
        if self._server:
            self._server.close()
        for relay in list(self._relays):
            relay.reset()

    def _accept(self) -> _End:
        relay = Relay(self._port, self._choose, self._relays.discard)
        self._relays.add(relay)
        return relay.client


class Relay:
    """One client's connection and the instance's end of it."""

    def __init__(self, port: str, choose: Choose, ended: Callable[[Relay], None]) -> None:
        self.client = _End(self)
        self.server = _End(self)
        self.client.peer, self.server.peer = self.server, self.client
        self.instance: Instance | None = None
        self._port = port
        self._choose = choose
        self._ended = ended
        self._touched = 0.0
        self._last: _End = self.client
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Find an instance for the client that has just connected."""
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        tried: frozenset[Instance] = frozenset()
        while instance := self._choose(tried):
            tried |= {instance}
            self.instance = instance
            instance.relays.add(self)
            target = instance.ports[self._port]
            try:
                await loop.create_connection(lambda: self.server, target.host, target.port)
            except OSError:  # it died a moment ago: try the next
                instance.relays.discard(self)
                continue
            self.client.resume_writing_to_peer()
            return
        self.reset()

    def touch(self, end: _End) -> None:
        """Note that bytes have come from one end."""
        self._touched = asyncio.get_running_loop().time()
        self._last = end

    def is_quiet(self) -> bool:
        """Tell whether the last bytes were a response, all delivered, and a pause has followed them."""
        silent = asyncio.get_running_loop().time() - self._touched
        return self._last is self.server and silent >= QUIET and not self.client.backlog() and not self.server.backlog()

    def close(self) -> None:
        """Close both ends once what is buffered has been sent."""
        for end in (self.client, self.server):
            if end.transport:
                end.transport.close()

    def reset(self) -> None:
        """Reset the client's connection (RST), as a port does at which nothing listens."""
        transport = self.client.transport
        if transport and not transport.is_closing():
            sock = cast(socket.socket, transport.get_extra_info("socket"))
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        self._forget()

    def lost(self, end: _End, error: Exception | None) -> None:
        """React to the loss of one end: pass an error on as a reset, an ordinary end as an end."""
        if error and end is self.server:
            self.reset()
        else:
            self.close()
        self._forget()

    def _forget(self) -> None:
        if self._task and self.server.transport is None:
            self._task.cancel()
        if self.instance:
            self.instance.relays.discard(self)
        self._ended(self)


class _End(asyncio.Protocol):
    """One end of a relay: what it receives goes out at its peer, no faster than the peer takes it."""

    peer: _End

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.transport: asyncio.Transport | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._relay.client is self:
            # Not at once: asyncio of Python 3.11.2 (Debian 12's) would start to read after this all the same, and what came
            # before the instance is connected would be lost.
            asyncio.get_running_loop().call_soon(self.transport.pause_reading)
            self._relay.begin()

    def resume_writing_to_peer(self) -> None:
        """Start to read: the peer is connected."""
        if self.transport and not self.transport.is_closing():
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._relay.touch(self)
        if self.peer.transport:
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        if self.peer.transport and not self.peer.transport.is_closing():
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        self.peer.resume_writing_to_peer()

    def eof_received(self) -> bool:
        self._ended = True
        peer = self.peer.transport
        if self.peer._ended or peer is None:
            self._relay.close()
        elif not peer.is_closing():
            peer.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.lost(self, exc)

    def backlog(self) -> int:
        """Give the bytes that wait to be sent at this end."""
        return self.transport.get_write_buffer_size() if self.transport else 0
