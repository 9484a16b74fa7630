"""HTTP for the node: the standard library's threading server, whose import costs half of uvicorn's."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from drillbook.chain.rpc import Dispatcher

LONGEST_BODY = 16 * 2**20
IDLE_SECONDS = 300


class Handler(BaseHTTPRequestHandler):
    """POST answers JSON-RPC on any path; GET /health tells that the chain is ready. Connections stay open."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    # One buffered write for head and body: otherwise each answer is two packets.
    wbufsize = -1
    server: ChainServer

    def do_POST(self) -> None:
        """Answer a JSON-RPC body."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LONGEST_BODY:
            self.close_connection = True
            self._send(411 if not length else 413, b'{"error":"Content-Length missing, malformed or beyond 16 MiB"}')
            return
        self._send(200, self.server.dispatcher.answer(self.rfile.read(int(length))))

    def do_GET(self) -> None:
        """Answer GET /health."""
        if self.path == "/health":
            self._send(200, b'{"status":"ok"}')
        else:
            self._send(404, b'{"error":"POST JSON-RPC here, or GET /health"}')

    def _send(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing for each request: probes alone ask 20 times a second."""


class ChainServer(ThreadingHTTPServer):
    """A listening socket and a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)

    def server_bind(self) -> None:
        """Bind without the reverse look-up of the address that HTTPServer does: a sandbox has no DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a client that went away in the middle of an answer; print anything else."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
