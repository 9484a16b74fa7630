"""A listener, the connections made through it, and the chain of toxics that all of them pass."""

from __future__ import annotations

import socket
import threading
from errno import EINPROGRESS

from drillbook.toxiproxy.addresses import AddressError, Candidate, is_literal, join, listen, port_number, resolve, split
from drillbook.toxiproxy.connection import Connection, Pipe
from drillbook.toxiproxy.loop import READABLE, WRITABLE, Loop
from drillbook.toxiproxy.stage import ActiveToxic

PAUSE_AFTER_REFUSED_ACCEPT = 0.05
"""Seconds without accepting when the process has no file descriptor left."""


class Proxy:
    """One link. Everything here but the plain fields belongs to the loop's thread."""

    def __init__(self, loop: Loop, name: str, listen_on: str, upstream: str) -> None:
        self.name = name
        self.listen = listen_on
        """As the caller wrote it; once started, the address in use, which stays when it is stopped."""
        self.upstream = upstream
        self.enabled = False
        self.upstream_toxics: list[ActiveToxic] = []
        self.downstream_toxics: list[ActiveToxic] = []
        self._loop = loop
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._dials: set[Dial] = set()

    @property
    def toxics(self) -> list[ActiveToxic]:
        """All toxics in the API's order: upstream ones first."""
        return [*self.upstream_toxics, *self.downstream_toxics]

    def start(self, where: Candidate) -> None:
        """Listen, and accept from now on. Raises AddressError."""
        self._listener = listen(where)
        self.listen = join(self._listener.getsockname())
        self.enabled = True
        self._loop.watch(self._listener.fileno(), READABLE, self._accept)

    def stop(self) -> None:
        """Listen no more and close every connection; the toxics stay."""
        self.enabled = False
        if self._listener:
            self._loop.unwatch(self._listener.fileno())
            self._listener.close()
            self._listener = None
        for dial in list(self._dials):
            dial.cancel()
        for connection in list(self._connections):
            connection.close()

    def add(self, toxic: ActiveToxic) -> None:
        """Put a toxic at the end of its stream's chain, on live connections too."""
        self._chain(toxic).append(toxic)
        for pipe in self._pipes(toxic):
            pipe.add(toxic)

    def update(self, toxic: ActiveToxic) -> None:
        """Apply a toxic's changed attributes to live connections."""
        for pipe in self._pipes(toxic):
            pipe.update(toxic)

    def remove(self, toxic: ActiveToxic) -> None:
        """Take a toxic out of its chain and out of live connections."""
        self._chain(toxic).remove(toxic)
        for pipe in self._pipes(toxic):
            pipe.remove(toxic)

    def _chain(self, toxic: ActiveToxic) -> list[ActiveToxic]:
        return self.upstream_toxics if toxic.upstream else self.downstream_toxics

    def _pipes(self, toxic: ActiveToxic) -> list[Pipe]:
        return [one.upstream_pipe if toxic.upstream else one.downstream_pipe for one in self._connections]

    def _accept(self, _events: int) -> None:
        if not self._listener:
            return
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:
            self._pause_accepting(self._listener)
            return
        dial = Dial(self, self._loop, client)
        self._dials.add(dial)
        dial.start(self.upstream)

    def _pause_accepting(self, listener: socket.socket) -> None:
        """Look away for a moment: the waiting client would be reported again at once, and the loop would spin."""
        self._loop.change(listener.fileno(), 0)

        def resume() -> None:
            if self._listener is listener:
                self._loop.change(listener.fileno(), READABLE)

        self._loop.at(self._loop.now() + PAUSE_AFTER_REFUSED_ACCEPT, resume)

    def on_dialled(self, dial: Dial, upstream: socket.socket | None) -> None:
        """Join client and upstream, or close the client where no upstream answered."""
        self._dials.discard(dial)
        if upstream is None:
            dial.client.close()
            return
        chains = self.upstream_toxics, self.downstream_toxics
        connection = Connection(self._loop, dial.client, upstream, chains, self._connections.discard)
        self._connections.add(connection)
        connection.start()


class Dial:
    """An accepted client whose upstream is being reached: each address of the upstream in turn, without blocking."""

    def __init__(self, proxy: Proxy, loop: Loop, client: socket.socket) -> None:
        self.client = client
        self._proxy = proxy
        self._loop = loop
        self._candidates: list[Candidate] = []
        self._socket: socket.socket | None = None
        self._over = False

    def start(self, upstream: str) -> None:
        """Look the upstream up, in a thread of its own where that may block, and connect."""
        try:
            host, port = split(upstream)
            number = port_number(port)
        except AddressError:
            self._finish(None)
            return
        if is_literal(host):
            self._connect(resolve(host, number))
        else:
            threading.Thread(target=self._look_up, args=(host, number), daemon=True).start()

    def cancel(self) -> None:
        """Give up and close the client."""
        if self._socket:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
        self._finish(None)

    def _look_up(self, host: str, port: int) -> None:
        try:
            found = resolve(host, port)
        except AddressError:
            found = []
        self._loop.soon(lambda: self._connect(found))

    def _connect(self, candidates: list[Candidate]) -> None:
        if self._over:
            return
        if not candidates:
            self._finish(None)
            return
        (family, sockaddr), *self._candidates = candidates
        self._socket = sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        error = sock.connect_ex(sockaddr)
        if error == EINPROGRESS:
            self._loop.watch(sock.fileno(), WRITABLE, self._on_answer)
        else:
            self._conclude(error)

    def _on_answer(self, _events: int) -> None:
        assert self._socket is not None, "watched only while connecting"
        self._loop.unwatch(self._socket.fileno())
        self._conclude(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _conclude(self, error: int) -> None:
        sock, self._socket = self._socket, None
        assert sock is not None, "concluded only after connecting"
        if error:
            sock.close()
            self._connect(self._candidates)
        else:
            self._finish(sock)

    def _finish(self, upstream: socket.socket | None) -> None:
        self._over = True
        self._proxy.on_dialled(self, upstream)
