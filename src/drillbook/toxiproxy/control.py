"""HTTP around the API, with the status lines and headers that Go's server writes."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import ClassVar

from drillbook.toxiproxy.addresses import join
from drillbook.toxiproxy.api import TEXT, Api, Reply, Request

IDLE_SECONDS = 60
"""How long a kept-alive connection may stay silent."""


class ControlServer(ThreadingHTTPServer):
    """Serves one Api; a thread for each connection, none of which keeps the process alive."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, api: Api) -> None:
        self.api = api
        self.host = host
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind, without the look-up of the host's full name that HTTPServer does here."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, self.server_address[1]

    @property
    def address(self) -> str:
        """Where it listens, as `host:port`."""
        return join(self.server_address)


class _Handler(BaseHTTPRequestHandler):
    server: ControlServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    without_body: ClassVar[tuple[int, ...]] = (204, 304)

    def _answer(self) -> None:
        # Not self.path, in which http.server has already merged leading slashes.
        request = Request(self.command, self.requestline.split()[1], self.headers.get("User-Agent", ""), self._body())
        self._write(self.server.api.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _write(self, reply: Reply) -> None:
        body = reply.body.encode()
        headers = {
            "Location": reply.location,
            "Content-Type": reply.content_type,
            "X-Content-Type-Options": "nosniff" if reply.content_type == TEXT else "",
            "X-Toxiproxy-Request-Id": secrets.token_hex(10) if reply.routed else "",
            "Date": self.date_time_string(),
            "Content-Length": "" if reply.status in self.without_body or self.command == "HEAD" else str(len(body)),
        }
        status = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"
        lines = [status, *(f"{name}: {value}" for name, value in headers.items() if value), "", ""]
        # One write: two would be two packets, and a delayed ACK between them.
        self.wfile.write("\r\n".join(lines).encode("latin-1") + (b"" if self.command == "HEAD" else body))

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: a drill's own journal says what was asked."""
