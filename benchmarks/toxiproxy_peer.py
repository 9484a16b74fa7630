"""The far end of a measured link, in a process of its own so that it never waits for the measuring one's interpreter.

`python -m benchmarks.toxiproxy_peer ROLE` prints its port and serves until it is killed. Roles: `source` sends as many
bytes as it was asked for (eight bytes, big-endian), `sink` swallows all, `answer` gives a fixed reply to each request.
"""

from __future__ import annotations

import select
import socket
import sys
from threading import Thread

BLOCK = 256 * 1024
REQUEST = b"GET /health HTTP/1.1\r\nHost: api.metaaggregator.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + b'{"status":"ok"}'


def source(connection: socket.socket) -> None:
    """Send what was asked for."""
    left = int.from_bytes(connection.recv(8), "big")
    block = bytes(BLOCK)
    while left > 0:
        connection.sendall(block[:left])
        left -= BLOCK
    connection.recv(1)


def sink(connection: socket.socket) -> None:
    """Swallow everything."""
    buffer = bytearray(BLOCK)
    while connection.recv_into(buffer):
        pass


def answer(listener: socket.socket) -> None:
    """Reply to each packet on each connection."""
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                connection = listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                epoll.register(connection, select.EPOLLIN)
            elif _has_gone(connections[fd]):
                epoll.unregister(fd)
                connections.pop(fd).close()
            else:
                connections[fd].send(REPLY)


def _has_gone(connection: socket.socket) -> bool:
    try:
        return not connection.recv(4096)
    except ConnectionError:
        return True


def _serve(role: str, listener: socket.socket) -> None:
    if role == "answer":
        answer(listener)
    while True:
        connection = listener.accept()[0]
        Thread(target=_one, args=(source if role == "source" else sink, connection), daemon=True).start()


def _one(role: object, connection: socket.socket) -> None:
    assert callable(role)
    with connection:
        try:
            role(connection)
        except ConnectionError:
            return


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        _serve(sys.argv[1], server)
