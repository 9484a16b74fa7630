"""Networks by name: each is its own chain, and a script never acts on one that is not the one meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.chain.client import ChainClient
from ops.networks import HardhatError, Network, connect, find_network, named_network, read_networks, run_script
from tests.chains import CHAIN_ID, free_port, serve_chain


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_chain("") as (client, _):
        yield client.url


def test_mainnet_and_localhost_are_different_chains() -> None:
    networks = read_networks()
    fallback = "http://rpc-fallback.metaaggregator.com:8545"
    assert networks["mainnet"] == Network("mainnet", "http://rpc.metaaggregator.com:8545", 1, fallback)
    assert networks["localhost"] == Network("localhost", "http://127.0.0.1:8545", 31337)


def test_a_network_that_is_not_declared_is_refused_in_hardhats_words() -> None:
    with pytest.raises(HardhatError) as refused:
        find_network("goerli")
    assert str(refused.value) == "Error HH100: Network goerli doesn't exist"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--network", "localhost"],
        ["--network=localhost"],
        ["scripts/a.js", "--network", "localhost"],
        ["--no-compile", "scripts/a.js", "--network", "localhost"],
    ],
)
def test_the_network_is_found_among_the_arguments_of_run(arguments: list[str]) -> None:
    assert named_network(arguments).name == "localhost"


@pytest.mark.parametrize(
    ("arguments", "number"), [(["--netwrok", "x"], 305), (["--network"], 305), ([], 100), (["a.js", "b.js"], 305)]
)
def test_other_arguments_are_refused(arguments: list[str], number: int) -> None:
    with pytest.raises(HardhatError) as refused:
        named_network(arguments)
    assert refused.value.number == number


@pytest.mark.parametrize("text", ["{", "[]", '{"a": {}}', '{"a": {"url": "x", "chainId": "y"}}'])
def test_a_broken_declaration_names_its_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "networks.json"
    file.write_text(text)
    with pytest.raises(HardhatError, match=r"HH8: .*networks\.json"):
        read_networks(file)


def test_a_node_of_the_right_chain_is_lent(url: str) -> None:
    with connect(Network("here", url, CHAIN_ID)) as client:
        assert client.chain_id() == CHAIN_ID


def test_a_node_of_another_chain_is_refused(url: str) -> None:
    with pytest.raises(HardhatError, match=f"HH101: .*chain id 1, but connected to a chain with id {CHAIN_ID}"):  # noqa: SIM117
        with connect(Network("mainnet", url, 1)):
            pytest.fail("nothing may be done on another chain")


def test_a_node_that_is_away_is_named() -> None:
    with pytest.raises(HardhatError, match="HH108: Cannot connect to the network here"):  # noqa: SIM117
        with connect(Network("here", f"http://127.0.0.1:{free_port()}", 1)):
            pytest.fail("there is no node")


def test_a_script_tells_what_is_refused_and_ends_with_1(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "networks.json"
    file.write_text(json.dumps({"here": {"url": url, "chainId": CHAIN_ID}}))
    monkeypatch.setenv("HARDHAT_NETWORKS", str(file))

    def act(client: ChainClient, _: Network) -> int:
        client.call("no_such_method")
        return 0

    assert run_script(act, ["--network", "here"]) == 1
    assert "no_such_method" in capsys.readouterr().err
    assert run_script(lambda client, network: client.chain_id() - network.chain_id, ["--network", "here"]) == 0
    assert run_script(act, ["--network", "nowhere"]) == 1
    assert capsys.readouterr().err == "Error HH100: Network nowhere doesn't exist\n"
