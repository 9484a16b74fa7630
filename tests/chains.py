"""Start a chain as a process of its own, for the tests that ask one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drillbook.chain.client import ChainClient, ChainError
from drillbook.chain.command import chain_command
from drillbook.clock import wait_until

CHAIN_ID = 31_415
ROOT = Path(__file__).parents[1]
META_AGGREGATOR = ROOT / "environments" / "meta_aggregator"


def free_port() -> int:
    """Find a loopback port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(client: ChainClient) -> bool:
    """Tell whether the chain is ready."""
    try:
        return client.chain_id() == CHAIN_ID
    except ChainError:
        return False


@contextmanager
def serve_chain(search_path: str) -> Iterator[tuple[ChainClient, subprocess.Popen[bytes]]]:
    """Serve a chain on a free port; anvil if `search_path` (as PATH) has it, else our own."""
    port = free_port()
    command = chain_command("127.0.0.1", port, CHAIN_ID, {"PATH": search_path})
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=dict(os.environ), start_new_session=True)
    try:
        with ChainClient(f"http://127.0.0.1:{port}") as client:
            assert wait_until(lambda: answers(client) or process.poll() is not None, 20.0), "no answer in 20 s"
            assert process.poll() is None, f"{command} ended with {process.returncode}"
            yield client, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # npm's anvil is a wrapper, with the node as its child
        process.wait(10)
