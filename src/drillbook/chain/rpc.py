"""JSON-RPC 2.0: requests and batches in, results and error objects out, with the error codes that geth uses."""

from __future__ import annotations

import inspect
import json
import threading
from typing import Any

from drillbook.chain.ledger import HaltedError, RefusedError, RevertedError
from drillbook.chain.node import Method, Node, UnknownBlockError
from drillbook.chain.parameters import InvalidParamsError
from drillbook.chain.revert import describe_revert

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000
EXECUTION_REVERTED = 3


class RpcError(Exception):
    """An error object: code, message and, for a revert, the contract's data."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def form(self) -> dict[str, Any]:
        """Write the error object."""
        form: dict[str, Any] = {"code": self.code, "message": self.message}
        return form if self.data is None else form | {"data": self.data}


class Dispatcher:
    """Answers request bodies, one request at a time: py-evm is not thread-safe."""

    def __init__(self, node: Node) -> None:
        self._lock = threading.Lock()
        self._methods = {name: (method, inspect.signature(method)) for name, method in node.methods.items()}

    def answer(self, body: bytes) -> bytes:
        """Answer one request or a batch; empty when nothing but notifications were sent."""
        try:
            message = json.loads(body)
        except ValueError:
            return _encode(_failure(None, RpcError(PARSE_ERROR, "parse error")))
        if not isinstance(message, list):
            reply = self._reply(message)
            return b"" if reply is None else _encode(reply)
        if not message:
            return _encode(_failure(None, RpcError(INVALID_REQUEST, "empty batch")))
        replies = [reply for reply in map(self._reply, message) if reply is not None]
        return _encode(replies) if replies else b""

    def _reply(self, message: Any) -> dict[str, Any] | None:
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return _failure(None, RpcError(INVALID_REQUEST, "invalid request"))
        identity = message.get("id")
        try:
            result = self._call(message["method"], message.get("params", []))
        except RpcError as error:
            reply = _failure(identity, error)
        else:
            reply = {"jsonrpc": "2.0", "id": identity, "result": result}
        return reply if "id" in message else None

    def _call(self, name: str, params: Any) -> Any:
        method, signature = self._methods.get(name, (None, None))
        if method is None or signature is None:
            raise RpcError(METHOD_NOT_FOUND, f"the method {name} does not exist/is not available")
        if not isinstance(params, list):
            raise RpcError(INVALID_PARAMS, "params: expected a list")
        try:
            signature.bind(*params)
        except TypeError as error:
            raise RpcError(INVALID_PARAMS, f"{name}: {error}") from error
        with self._lock:
            return _run(method, params)


def _run(method: Method, params: list[Any]) -> Any:
    try:
        return method(*params)
    except InvalidParamsError as error:
        raise RpcError(INVALID_PARAMS, str(error)) from error
    except RevertedError as error:
        raise RpcError(EXECUTION_REVERTED, describe_revert(error.data), "0x" + error.data.hex()) from error
    except (RefusedError, HaltedError, UnknownBlockError) as error:
        raise RpcError(SERVER_ERROR, str(error)) from error


def _failure(identity: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": error.form()}


def _encode(reply: Any) -> bytes:
    return json.dumps(reply, separators=(",", ":")).encode()
