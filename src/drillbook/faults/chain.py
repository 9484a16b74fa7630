"""What the faults of a chain share: a client past every link, and which nodes can do what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drillbook.backends.base import Environment
from drillbook.chain.client import ChainClient, ChainError
from drillbook.errors import UnsupportedFault

UNKNOWN_METHOD = (-32601, -32602, -32600)
"""JSON-RPC's own codes for a method that a node does not have; anvil answers the second."""
GWEI = 10**9


@contextmanager
def node(environment: Environment, service: str | None) -> Iterator[ChainClient]:
    """Lend a client of a chain's node itself, past every link. UnsupportedFault for an environment without one."""
    with ChainClient(environment.chain_url(service), timeout=5.0) as client:
        yield client


def ask(client: ChainClient, method: str, *params: Any, mend: str) -> Any:
    """Call a method that only some nodes have; UnsupportedFault, with what mends it, where it is missing."""
    try:
        return client.call(method, *params)
    except ChainError as error:
        if error.code in UNKNOWN_METHOD:
            raise UnsupportedFault(f"the chain's node cannot do this: {error}", mend=mend) from error
        raise
