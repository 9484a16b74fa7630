"""Ask a chain questions without web3, whose import alone costs more than most drills' faults last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from drillbook.chain.abi import Signature, parse_signature
from drillbook.clock import wait_until
from drillbook.errors import EnvironmentFailed

RECEIPT_SECONDS = 5.0
RESOURCE_NOT_FOUND = -32001
"""EIP-1474; what anvil says to an unknown snapshot."""


class ChainError(EnvironmentFailed):
    """Report a call that the chain refused, or that never reached it (`code` None). `data` is a revert's, as hex."""

    def __init__(self, method: str, message: str, *, code: int | None = None, data: str | None = None) -> None:
        super().__init__(f"{method}: {message}")
        self.method = method
        self.code = code
        self.data = data


class ChainClient:
    """JSON-RPC over one kept-alive connection. `timeout` in seconds for each call. Close it, or use it in `with`."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self.url = url
        # Plain HTTP needs no CA bundle, and loading one costs 20 ms. Proxies of the outer environment are not asked.
        self._http = httpx.Client(timeout=timeout, trust_env=False, verify=url.startswith("https:"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, method: str, *params: Any) -> Any:
        """Call a method and give its result. Raises ChainError."""
        try:
            response = self._http.post(self.url, json=_envelope(method, params))
        except httpx.HTTPError as error:
            raise _unreachable(method, self.url, error) from error
        return _result(method, response.status_code, response.content, self.url)

    def chain_id(self) -> int:
        """Give the chain's id."""
        return int(self.call("eth_chainId"), 16)

    def block_number(self) -> int:
        """Give the newest block's number."""
        return int(self.call("eth_blockNumber"), 16)

    def balance(self, address: str) -> int:
        """Give an account's balance in wei."""
        return int(self.call("eth_getBalance", address, "latest"), 16)

    def code(self, address: str) -> str:
        """Give a contract's code as hex: `0x` where there is none."""
        return str(self.call("eth_getCode", address, "latest"))

    def accounts(self) -> list[str]:
        """Give the addresses for which the node signs."""
        return list(self.call("eth_accounts"))

    def read(self, address: str, signature: str, *arguments: Any) -> Any:
        """Ask a contract: `read(escrow, "deposit(bytes32)(address,address,uint256,uint8)", order_id)`.

        Gives one value, or a tuple where the signature gives several. Raises ChainError, AbiError.
        """
        function = parse_signature(signature)
        answer = self.call("eth_call", {"to": address, "data": "0x" + function.encode(arguments).hex()}, "latest")
        return function.decode(bytes.fromhex(answer[2:]))

    def invoke(self, sender: str, address: str, signature: str, *arguments: Any, value: int = 0) -> dict[str, Any]:
        """Call a contract in a transaction of one of the node's accounts; `value` in wei. Gives the receipt.

        Raises ChainError: with the revert's data where the contract refused.
        """
        data = "0x" + parse_signature(signature).encode(arguments).hex()
        return self.transact({"from": sender, "to": address, "data": data, "value": hex(value)})

    def transact(self, transaction: Mapping[str, Any]) -> dict[str, Any]:
        """Send a transaction (JSON-RPC's form), wait until it is mined, give its receipt. Raises ChainError."""
        digest = self.call("eth_sendTransaction", dict(transaction))
        receipt: dict[str, Any] | None = wait_until(
            lambda: self.call("eth_getTransactionReceipt", digest), RECEIPT_SECONDS
        )
        if receipt is None:
            raise ChainError("eth_getTransactionReceipt", f"{digest} is not mined after {RECEIPT_SECONDS:g} s")
        if receipt["status"] != "0x1":
            block = int(receipt["blockNumber"], 16)
            # A receipt does not say why: execute it again on the state before it, which raises with the reason.
            self.call("eth_call", dict(transaction), hex(block - 1))
            raise ChainError("eth_sendTransaction", f"{digest} failed in block {block}")
        return receipt

    def snapshot(self) -> str:
        """Remember the chain's state and give the snapshot's id. See Baseline for one that lasts."""
        return str(self.call("evm_snapshot"))

    def revert(self, snapshot: str) -> bool:
        """Go back to a snapshot, which uses it up; False where there is none of this id."""
        try:
            return bool(self.call("evm_revert", snapshot))
        except ChainError as error:
            if error.code == RESOURCE_NOT_FOUND:
                return False
            raise


class Baseline:
    """A state to which a chain returns as often as wanted: a revert uses its snapshot up, so each takes a new one."""

    def __init__(self, client: ChainClient) -> None:
        self._client = client
        self._snapshot = client.snapshot()

    def restore(self) -> None:
        """Go back. Raises ChainError when the snapshot is gone: the chain was restarted, or reverted past it."""
        if not self._client.revert(self._snapshot):
            raise ChainError("evm_revert", f"snapshot {self._snapshot} is gone: was the chain restarted?")
        self._snapshot = self._client.snapshot()


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a contract without its transport: what to post to a node, and what the answer means."""

    address: str
    function: Signature
    arguments: Sequence[Any] = ()

    def body(self) -> bytes:
        """Give the JSON-RPC request. Raises AbiError for arguments that do not fit."""
        call = {"to": self.address, "data": "0x" + self.function.encode(self.arguments).hex()}
        return json.dumps(_envelope("eth_call", [call, "latest"])).encode()

    def read(self, status: int, body: bytes, url: str) -> Any:
        """Give what the contract says, as ChainClient.read does. Raises ChainError, AbiError."""
        return self.function.decode(bytes.fromhex(_result("eth_call", status, body, url)[2:]))


def _envelope(method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}


def _unreachable(method: str, url: str, error: httpx.HTTPError) -> ChainError:
    return ChainError(method, f"no answer from {url}: {str(error) or type(error).__name__}")


def _result(method: str, status: int, body: bytes, url: str) -> Any:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ChainError(method, f"HTTP {status} without a JSON-RPC answer from {url}")
    error = answer.get("error")
    if error:
        data = error.get("data")
        raise ChainError(
            method, str(error.get("message")), code=error.get("code"), data=data if isinstance(data, str) else None
        )
    return answer.get("result")
