"""What waits in the node's pool: underpriced transactions, their replacement, and the nonces behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from drillbook.chain.client import Baseline, ChainClient, ChainError
from tests.chains import serve_chain

GWEI = 10**9


@pytest.fixture(scope="module")
def node() -> Iterator[ChainClient]:
    with serve_chain("") as (client, _):
        yield client


@pytest.fixture
def chain(node: ChainClient) -> Iterator[ChainClient]:
    """A chain whose blocks want a tip of 5 gwei."""
    baseline = Baseline(node)
    node.call("miner_setGasPrice", hex(5 * GWEI))
    yield node
    node.call("miner_setGasPrice", "0x0")
    baseline.restore()


def transfer(client: ChainClient, tip: int, nonce: int | None = None, most: int = 50) -> str:
    payer, payee = client.accounts()[:2]
    sent: dict[str, Any] = {"from": payer, "to": payee, "value": "0x1", "gas": hex(21_000)}
    sent |= {"maxPriorityFeePerGas": hex(tip * GWEI), "maxFeePerGas": hex(most * GWEI)}
    return str(client.call("eth_sendTransaction", sent | ({} if nonce is None else {"nonce": hex(nonce)})))


def mined(client: ChainClient, digest: str) -> bool:
    return client.call("eth_getTransactionReceipt", digest) is not None


def nonces(client: ChainClient) -> tuple[int, int]:
    payer = client.accounts()[0]
    mined_, waiting = (int(client.call("eth_getTransactionCount", payer, tag), 16) for tag in ("latest", "pending"))
    return mined_, waiting


def test_what_tips_enough_is_mined_and_what_does_not_waits(chain: ChainClient) -> None:
    assert mined(chain, transfer(chain, 5))
    cheap = transfer(chain, 4)
    assert not mined(chain, cheap)
    found = chain.call("eth_getTransactionByHash", cheap)
    assert (found["hash"], found["blockNumber"], found["nonce"]) == (cheap, None, "0x1")
    assert nonces(chain) == (1, 2)
    assert chain.call("txpool_status") == {"pending": "0x1", "queued": "0x0"}
    waiting = chain.call("txpool_content")["pending"][chain.accounts()[0].lower()]
    assert waiting["1"]["hash"] == cheap


def test_a_later_transaction_of_the_sender_waits_behind_a_cheap_one(chain: ChainClient) -> None:
    cheap, dear = transfer(chain, 1), transfer(chain, 9)
    assert not mined(chain, cheap)
    assert not mined(chain, dear)
    chain.call("miner_setGasPrice", hex(GWEI))
    assert mined(chain, cheap)
    assert mined(chain, dear)


def test_a_replacement_needs_ten_percent_more_of_both_prices(chain: ChainClient) -> None:
    first = transfer(chain, 1, nonce=0, most=50)
    for tip, most in ((1, 50), (9, 54), (1, 60)):
        with pytest.raises(ChainError, match="replacement transaction underpriced"):
            transfer(chain, tip, nonce=0, most=most)
    second = transfer(chain, 9, nonce=0, most=55)
    assert mined(chain, second)
    assert chain.call("eth_getTransactionByHash", first) is None
    assert nonces(chain) == (1, 1)


def test_a_nonce_that_is_used_or_leaves_a_gap_is_refused(chain: ChainClient) -> None:
    transfer(chain, 9)
    with pytest.raises(ChainError, match="nonce too low"):
        transfer(chain, 9, nonce=0)
    with pytest.raises(ChainError, match="nonce too high"):
        transfer(chain, 9, nonce=2)


def test_going_back_forgets_what_waits(chain: ChainClient) -> None:
    snapshot = chain.snapshot()
    transfer(chain, 1)
    assert chain.revert(snapshot)
    assert chain.call("txpool_status")["pending"] == "0x0"
    assert nonces(chain) == (0, 0)
