"""The chains that `--network NAME` means, as hardhat.networks.json declares them, and Hardhat's own words where one fails.

A script that asks the wrong chain is worse than one that fails: so a network is known by its name, reached at its URL,
and asked for its chain id before anything else. A checkout's own file of that name counts in its folder,
and HARDHAT_NETWORKS, if set, names another one of the same form.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from drillbook.chain.client import ChainClient, ChainError
from drillbook.errors import DrillbookError

FILE = "hardhat.networks.json"
NETWORKS = Path(__file__).parents[1] / FILE
SECONDS = 10.0
"""How long a network may take to answer one call."""
BEHIND = 2
"""By so many blocks a node is behind another; one block is the time that news takes to travel."""


class HardhatError(Exception):
    """What Hardhat refuses, with its number: `Error HH100: Network staging doesn't exist`."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"Error HH{number}: {message}")
        self.number = number


@dataclass(frozen=True, slots=True)
class Network:
    """A chain by its name: the JSON-RPC URL of a node, the id that the chain must have, and another node's URL or ""."""

    name: str
    url: str
    chain_id: int
    fallback: str = ""


def read_networks(file: Path | None = None) -> Mapping[str, Network]:
    """Read every declared network; HardhatError HH8 for a file that is not what it should be."""
    file = file or _declaration()
    try:
        declared = json.loads(file.read_text())
        return {
            name: Network(name, str(one["url"]), int(one["chainId"]), str(one.get("fallback", "")))
            for name, one in declared.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HardhatError(8, f"{file} does not declare networks as NAME: {{url, chainId}}: {error!r}") from None


def _declaration() -> Path:
    named, own = os.environ.get("HARDHAT_NETWORKS"), Path.cwd() / FILE
    return Path(named) if named else own if own.is_file() else NETWORKS


def find_network(name: str, file: Path | None = None) -> Network:
    """Give the network of that name; HardhatError HH100 if none is declared."""
    networks = read_networks(file)
    if name not in networks:
        raise HardhatError(100, f"Network {name} doesn't exist")
    return networks[name]


@contextmanager
def connect(network: Network, seconds: float = SECONDS) -> Iterator[ChainClient]:
    """Lend a client of a network that is known to be the right chain: of its node, or of the fallback, which is then said.

    The fallback is taken where the first node does not answer within `seconds`, or is BEHIND blocks or more behind it.
    HardhatError HH108 if no node answers, HH101 if the node's chain has another id.
    """
    with ExitStack() as opened:
        yield _choose(network, opened, seconds)


def _choose(network: Network, opened: ExitStack, seconds: float) -> ChainClient:
    def client(url: str) -> ChainClient:
        return opened.enter_context(ChainClient(url, timeout=seconds))

    first = client(network.url)
    try:
        _check_chain(network, first)
        height = first.block_number()
    except ChainError as error:
        if not network.fallback:
            raise _no_answer(network, network.url, error) from None
        print(f"{network.url} does not answer: {network.fallback} is asked instead", file=sys.stderr)
        other = client(network.fallback)
        try:
            _check_chain(network, other)
        except ChainError as second:
            raise _no_answer(network, f"{network.url} or {network.fallback}", second) from None
        return other
    if not network.fallback:
        return first
    other = client(network.fallback)
    try:
        _check_chain(network, other)
        ahead = other.block_number() - height
    except (ChainError, HardhatError):
        return first  # the fallback is no better
    if ahead < BEHIND:
        return first
    print(f"{network.url} is {ahead} blocks behind: {network.fallback} is asked instead", file=sys.stderr)
    return other


def _check_chain(network: Network, client: ChainClient) -> None:
    found = client.chain_id()
    if found != network.chain_id:
        message = f"Hardhat was set to use chain id {network.chain_id}, but connected to a chain with id {found}"
        raise HardhatError(101, f"{message} ({network.name}, {client.url})")


def _no_answer(network: Network, where: str, error: ChainError) -> HardhatError:
    return HardhatError(108, f"Cannot connect to the network {network.name} at {where}: {error}")


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Refuse as Hardhat does: exit code 1, not 2."""
        raise HardhatError(305, message)


def named_network(arguments: Sequence[str]) -> Network:
    """Give the network that the arguments of `hardhat run` name; the script and --no-compile may stand among them.

    HardhatError HH100 for one that is not declared, HH305 for arguments that `hardhat run` does not have. Without
    --network Hardhat takes a chain of its own that lasts as long as the script: nothing of ours is there, so it is refused.
    """
    parser = _Arguments(prog="hardhat run", add_help=False)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--network")
    parser.add_argument("script", nargs="?")
    given = parser.parse_args(list(arguments))
    if given.network is None:
        raise HardhatError(100, "no network is named, and nothing of ours is on Hardhat's own: give --network NAME")
    return find_network(given.network)


def run_script(act: Callable[[ChainClient, Network], int], arguments: Sequence[str] | None = None) -> int:
    """Do what a script of `hardhat run` does on the network that its command line names; give its exit code.

    1 with a line on stderr for anything that Hardhat, the node or the contract refuses.
    """
    try:
        network = named_network(sys.argv[1:] if arguments is None else arguments)
        with connect(network) as client:
            return act(client, network)
    except (HardhatError, DrillbookError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
