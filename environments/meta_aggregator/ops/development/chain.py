"""The development chain: at Hardhat's own address and id, or a fresh one that lasts as long as a test run."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from drillbook.chain.client import ChainClient, ChainError
from drillbook.chain.command import chain_command
from drillbook.clock import wait_until
from drillbook.errors import EnvironmentFailed

CHAIN_ID = 31337
HOST = "127.0.0.1"
PORT = 8545
STARTS_WITHIN = 20.0
"""Seconds that a chain may take to answer."""


def command(port: int = PORT) -> list[str]:
    """Give the command line of a development chain: anvil where it is installed, else our own node."""
    return chain_command(HOST, port, CHAIN_ID, os.environ)


@contextmanager
def fresh_chain() -> Iterator[str]:
    """Serve a chain of its own on a free port; give its URL. EnvironmentFailed if it does not answer in time."""
    port = _free_port()
    url = f"http://{HOST}:{port}"
    process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL)
    try:
        with ChainClient(url) as client:
            if not wait_until(lambda: process.poll() is not None or _answers(client), STARTS_WITHIN):
                raise EnvironmentFailed(f"the test chain does not answer at {url}")
        if process.poll() is not None:
            raise EnvironmentFailed(f"the test chain ended at its start with {process.returncode}")
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(client: ChainClient) -> bool:
    try:
        return client.chain_id() == CHAIN_ID
    except ChainError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
