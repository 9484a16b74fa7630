"""Faults of a chain, against a real node: dear gas, a stuck transaction, an endpoint that is behind, a reorganisation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from drillbook.chain.client import Baseline, ChainClient, ChainError
from drillbook.errors import EnvironmentFailed, UnsupportedFault
from drillbook.faults.chain_reorg import ChainReorg
from drillbook.faults.gas_price_spike import GasPriceSpike
from drillbook.faults.rpc_lag import RpcLag
from drillbook.faults.stack import FaultStack
from drillbook.faults.stuck_transaction import StuckTransaction
from drillbook.toxiproxy.binary import own_command
from drillbook.toxiproxy.client import LinkControl
from tests.chains import serve_chain
from tests.parts_environment import PartsEnvironment
from tests.toxiproxy_process import running

LINK = "rpc.example.com:8545"


@dataclass
class ChainEnvironment(PartsEnvironment):
    """An environment with a chain."""

    url: str = ""

    def chain_url(self, service: str | None = None) -> str:
        del service  # there is only one
        return self.url


@pytest.fixture(scope="module")
def node() -> Iterator[ChainClient]:
    with serve_chain("") as (client, _):
        yield client


@pytest.fixture
def chain(node: ChainClient) -> Iterator[ChainClient]:
    baseline = Baseline(node)
    yield node
    baseline.restore()


@contextmanager
def faults(client: ChainClient, control: LinkControl | None = None) -> Iterator[FaultStack]:
    stack = FaultStack(ChainEnvironment(url=client.url, link_control=control))
    try:
        yield stack
    finally:
        assert stack.heal_all() == []


def pay(client: ChainClient) -> str:
    payer, payee = client.accounts()[:2]
    return str(client.call("eth_sendTransaction", {"from": payer, "to": payee, "value": "0x1"}))


def mined(client: ChainClient, digest: str) -> bool:
    return client.call("eth_getTransactionReceipt", digest) is not None


def test_a_payment_waits_while_gas_is_dear_and_is_mined_when_it_is_cheap_again(chain: ChainClient) -> None:
    with faults(chain) as stack:
        stack.inject(GasPriceSpike(5))
        digest = pay(chain)
        assert not mined(chain, digest)
    assert mined(chain, digest)


def test_a_stuck_transaction_holds_up_the_accounts_later_ones(chain: ChainClient) -> None:
    with faults(chain) as stack:
        stack.inject(StuckTransaction(0, 5))
        payer, payee = chain.accounts()[:2]
        price = {"maxPriorityFeePerGas": hex(9 * 10**9), "maxFeePerGas": hex(90 * 10**9)}
        later = chain.call("eth_sendTransaction", {"from": payer, "to": payee, **price})
        assert not mined(chain, later)
    assert mined(chain, later)


def test_a_price_that_holds_nothing_up_is_no_fault(chain: ChainClient) -> None:
    with faults(chain) as stack, pytest.raises(UnsupportedFault, match="holds nothing up"):
        stack.inject(StuckTransaction(0, 1))


def test_an_endpoint_that_is_behind_answers_old_blocks_and_passes_transactions_on(chain: ChainClient) -> None:
    with running(own_command()) as api:
        control = LinkControl("127.0.0.1", api.port)
        listen = control.create(LINK, "127.0.0.1:0", chain.url.removeprefix("http://")).listen
        with ChainClient(f"http://{listen}") as endpoint, faults(chain, control) as stack:
            payee, before = chain.accounts()[1], chain.balance(chain.accounts()[1])
            stack.inject(RpcLag(LINK))
            digest = pay(endpoint)
            assert mined(chain, digest)
            assert not mined(endpoint, digest)
            assert (endpoint.block_number(), chain.block_number()) == (0, 1)
            assert (endpoint.balance(payee), chain.balance(payee)) == (before, before + 1)
            assert stack.heal_all() == []
            assert endpoint.block_number() == 1
            assert mined(endpoint, digest)


def test_a_node_without_reorganisations_says_so(chain: ChainClient) -> None:
    pay(chain)
    with faults(chain) as stack, pytest.raises(UnsupportedFault, match="anvil_reorg"):
        stack.inject(ChainReorg())


@pytest.fixture(scope="module")
def anvil() -> Iterator[ChainClient]:
    found = shutil.which("anvil")
    if found is None:
        pytest.skip("anvil is not on PATH")
    with serve_chain(f"{found.rpartition('/')[0]}:/usr/bin:/bin") as (client, _):
        yield client


def test_a_reorganisation_undoes_a_payment(anvil: ChainClient) -> None:
    payee, before = anvil.accounts()[1], anvil.balance(anvil.accounts()[1])
    pay(anvil)
    assert anvil.balance(payee) == before + 1
    with faults(anvil) as stack:
        stack.inject(ChainReorg(1))
    assert anvil.balance(payee) == before


def test_more_blocks_than_there_are_cannot_be_replaced(anvil: ChainClient) -> None:
    with faults(anvil) as stack, pytest.raises(EnvironmentFailed, match="cannot lose"):
        stack.inject(ChainReorg(10_000))


def test_anvils_blocks_have_no_least_tip(anvil: ChainClient) -> None:
    with faults(anvil) as stack, pytest.raises(UnsupportedFault, match="take anvil off PATH"):
        stack.inject(GasPriceSpike())


def test_a_chain_that_does_not_answer_is_no_missing_ability() -> None:
    stack = FaultStack(ChainEnvironment(url="http://127.0.0.1:1"))
    with pytest.raises(ChainError, match="no answer"):
        stack.inject(GasPriceSpike())
