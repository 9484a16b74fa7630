"""The contract probe against a real chain with a tiny contract."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from drillbook.chain.client import ChainClient
from drillbook.probes.contract import ContractProbe
from tests.chains import serve_chain

# Init code that leaves `PUSH1 1, PUSH1 0, MSTORE, PUSH1 32, PUSH1 0, RETURN` behind: whatever is asked, 1 is the answer.
ALWAYS_ONE = "0x600a600c600039600a6000f3" + "600160005260206000f3"
NOBODY = "0x" + "00" * 19 + "77"


@pytest.fixture(scope="module")
def client() -> Iterator[ChainClient]:
    with serve_chain("") as (client, _):
        yield client


@pytest.fixture(scope="module")
def contract(client: ChainClient) -> str:
    receipt = client.transact({"from": client.accounts()[0], "data": ALWAYS_ONE, "gas": "0x30d40"})
    return str(receipt["contractAddress"])


def look(*probes: ContractProbe) -> list[str]:
    async def all_of_them() -> list[str]:
        said = [await probe.look() for probe in probes]
        for probe in probes:
            await probe.close()
        return said

    return asyncio.run(all_of_them())


def test_the_contract_is_asked(client: ChainClient, contract: str) -> None:
    paused = ContractProbe("escrow", client.url, contract, "paused()(bool)", expect=True)
    running = ContractProbe("escrow", client.url, contract, "paused()(bool)", expect=False)
    count = ContractProbe("escrow", client.url, contract, "count(address)(uint256)", 1, arguments=(NOBODY,))
    assert look(paused, running, count) == ["", "paused()(bool) is True, expected False", ""]
    assert look(paused) == [""], "closed, a probe looks again in another event loop"


def test_an_address_without_a_contract_is_not_good(client: ChainClient) -> None:
    (said,) = look(ContractProbe("escrow", client.url, NOBODY, "paused()(bool)", expect=False))
    assert said.startswith("paused()(bool): ")


def test_no_node_and_a_silent_node(contract: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        probe = ContractProbe("escrow", url, contract, "paused()(bool)", expect=False, timeout=0.3)
        assert look(probe) == ["timed out after 0.3 s"]
    (said,) = look(probe)
    assert said == f"connection refused by {url.removeprefix('http://')}"
