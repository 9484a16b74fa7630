"""An RPC endpoint is behind: it answers, but with the chain as it was some blocks ago."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.chain import node
from drillbook.faults.links import control_of
from drillbook.faults.proof import proven

if TYPE_CHECKING:
    from drillbook.toxiproxy.client import LinkControl

TAGGED = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getBlockByNumber": 0,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getTransactionCount": 1,
}
"""Which parameter of a method is the block (Ethereum execution API)."""
NEWEST = ("latest", "pending", "safe", "finalized", None)


@dataclass(frozen=True, slots=True)
class RpcLag:
    """Have what answers behind `link` stop at the present block: it knows nothing newer, but passes transactions on.

    Between the link and the node stands an endpoint of the fault's own; healing takes it away again.
    """

    kind: ClassVar[str] = "rpc-lag"
    link: str
    service: str | None = None

    @property
    def target(self) -> str:
        """The link."""
        return self.link

    def inject(self, environment: Environment) -> ActiveFault:
        """Lead the link through an endpoint that stays behind, and see that the link leads there."""
        control = control_of(environment, self.link)
        with node(environment, self.service) as client:
            endpoint = LaggingEndpoint(client.url, client.block_number())
        lagging = _Lagging(control, self.link, control.state(self.link).upstream, endpoint)
        endpoint.start()
        try:
            control.redirect(self.link, endpoint.address)
        except BaseException:
            endpoint.stop()
            raise
        otherwise = f"link {self.link} does not lead to {endpoint.address}"
        return proven(lagging, lambda: control.state(self.link).upstream == endpoint.address, otherwise)


@dataclass(frozen=True, slots=True)
class _Lagging:
    control: LinkControl
    link: str
    upstream: str
    endpoint: LaggingEndpoint

    def heal(self) -> None:
        """Lead the link to the node again."""
        try:
            self.control.redirect(self.link, self.upstream)
        finally:
            self.endpoint.stop()


class LaggingEndpoint:
    """A JSON-RPC endpoint before a node at `url`, for which the chain ends at block `head`."""

    def __init__(self, url: str, head: int) -> None:
        self._url = url
        self._head = head
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        """Where it listens, as `host:port`."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def start(self) -> None:
        """Serve, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, body: bytes) -> bytes:
        """Answer one request or a batch as a node does that has not seen the newer blocks."""
        asked = json.loads(body)
        if isinstance(asked, list):
            return json.dumps([self._reply(one) for one in asked]).encode()
        return json.dumps(self._reply(asked)).encode()

    def _reply(self, request: dict[str, Any]) -> Any:
        method, params = request.get("method"), list(request.get("params", []))
        if method == "eth_blockNumber":
            return {"jsonrpc": "2.0", "id": request.get("id"), "result": hex(self._head)}
        if method in TAGGED:
            place = TAGGED[method]
            params += [None] * (place + 1 - len(params))
            if params[place] in NEWEST:
                params[place] = hex(self._head)
        if method == "eth_getLogs" and params and params[0].get("toBlock") in NEWEST:
            params[0] = params[0] | {"toBlock": hex(self._head)}
        reply = httpx.post(self._url, json={**request, "params": params}, timeout=5.0, trust_env=False).json()
        return reply | {"result": None} if self._is_newer(method, reply.get("result")) else reply

    def _is_newer(self, method: object, result: object) -> bool:
        """Tell whether a receipt or a transaction lies in a block that this node has not seen."""
        if method not in ("eth_getTransactionReceipt", "eth_getTransactionByHash") or not isinstance(result, dict):
            return False
        block = result.get("blockNumber")
        return block is not None and int(block, 16) > self._head


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, endpoint: LaggingEndpoint) -> None:
        self.endpoint = endpoint
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's full name that HTTPServer does: a sandbox has no DNS."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave a client that went away, or a node that does not answer, without an answer."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        """Answer a JSON-RPC body."""
        answer = self.server.endpoint.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
