"""What only our own node promises: health, a quick stop, threads, precompiles; and what starts a chain."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from eth_account import Account

from drillbook.chain.client import Baseline, ChainClient, ChainError
from drillbook.chain.command import MNEMONIC, chain_command
from drillbook.chain.revert import describe_revert
from tests.chains import CHAIN_ID, free_port, serve_chain

PAIRING = "0x" + "08".rjust(40, "0")
FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583
TWISTED = (
    0x198E9393920D483A7260BFB731FB5D25F1AA493335A9E71297E485B7AEF312C2,
    0x1800DEEF121F1E76426A00665E5C4479674322D4F75EDADD46DEBD5CD992F6ED,
    0x090689D0585FF075EC9E99AD690C3395BC4B313370B38EF355ACDADCD122975B,
    0x12C85EA5DB8C6DEB4AAB71808DCB408FE3D1E7690C43D37B4CE6CC0166FA7DAA,
)
"""The generator of alt_bn128's second group, in EIP-197's order of coordinates."""


@pytest.fixture(scope="module")
def chain() -> Iterator[ChainClient]:
    with serve_chain("") as (client, _):
        yield client


def test_health(chain: ChainClient) -> None:
    answer = httpx.get(chain.url + "/health", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert httpx.get(chain.url + "/elsewhere", trust_env=False).status_code == 404


def test_body_without_length_is_refused(chain: ChainClient) -> None:
    answer = httpx.post(chain.url, content=iter([b"{}"]), trust_env=False)
    assert answer.status_code == 411


def test_body_that_is_not_json_is_a_parse_error(chain: ChainClient) -> None:
    answer = httpx.post(chain.url, content=b"{nonsense", trust_env=False).json()
    assert answer == {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}


def test_legacy_transaction_signed_for_another_chain_is_refused(chain: ChainClient) -> None:
    transaction = {"to": PAIRING, "value": 0, "gas": 21_000, "nonce": 0, "gasPrice": 3 * 10**9, "chainId": 1}
    Account.enable_unaudited_hdwallet_features()
    raw = bytes(Account.from_mnemonic(MNEMONIC).sign_transaction(transaction).raw_transaction)
    with pytest.raises(ChainError, match=f"invalid chain id for signer: have 1 want {CHAIN_ID}"):
        chain.call("eth_sendRawTransaction", "0x" + raw.hex())


def test_garbage_is_not_a_transaction(chain: ChainClient) -> None:
    for garbage in ("0x", "0x02", "0x02c0", "0xc0", "0x05" + "00" * 40, "0x" + "ff" * 120):
        with pytest.raises(ChainError, match="cannot be decoded"):
            chain.call("eth_sendRawTransaction", garbage)


def test_notification_gets_no_answer(chain: ChainClient) -> None:
    answer = httpx.post(chain.url, content=b'{"jsonrpc":"2.0","method":"eth_chainId"}', trust_env=False)
    assert answer.content == b""


@pytest.mark.parametrize(("y", "product"), [(FIELD - 2, 1), (2, 0)])
def test_pairing_put_off_at_the_start_is_computed_when_asked(chain: ChainClient, y: int, product: int) -> None:
    words = (1, 2, *TWISTED, 1, y, *TWISTED)
    data = "0x" + b"".join(word.to_bytes(32) for word in words).hex()
    assert int(chain.call("eth_call", {"to": PAIRING, "data": data}, "latest"), 16) == product


def test_threads_that_send_at_once_each_get_a_block(chain: ChainClient) -> None:
    baseline, height = Baseline(chain), chain.block_number()
    target = "0x" + "34" * 20

    def send(sender: str) -> None:
        with ChainClient(chain.url) as client:
            client.transact({"from": sender, "to": target, "value": "0x1"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, chain.accounts()[:8]))
    assert (chain.block_number(), chain.balance(target)) == (height + 8, 8)
    baseline.restore()


def test_connection_kept_open_answers_quickly(chain: ChainClient) -> None:
    started = time.perf_counter()
    for _ in range(200):
        chain.call("eth_blockNumber")
    # A quiet machine of 2 cores did 1,300 to 1,400; the rest is room for a busy one.
    assert 200 / (time.perf_counter() - started) > 250


def test_sigterm_stops_it_within_a_second() -> None:
    with serve_chain("") as (client, process):
        assert client.block_number() == 0  # leaves a connection open
        started = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.perf_counter() - started < 1


def test_taken_port_is_named() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        command = [sys.executable, "-m", "drillbook.chain", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_client_names_the_method_and_where_nobody_answers() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with ChainClient(url, timeout=1) as client, pytest.raises(ChainError, match=f"eth_blockNumber: .*{url}"):
        client.block_number()


def test_anvil_is_preferred_where_it_is_installed(tmp_path: Path) -> None:
    assert chain_command("127.0.0.1", 8545, 1, {"PATH": str(tmp_path)})[:3] == [sys.executable, "-m", "drillbook.chain"]
    anvil = tmp_path / "anvil"
    anvil.touch(mode=0o755)
    command = chain_command("127.0.0.1", 8545, 1, {"PATH": str(tmp_path)})
    assert command[0] == str(anvil)
    assert command[command.index("--chain-id") + 1] == "1"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "execution reverted"),
        ("08c379a0" + f"{32:064x}" + f"{4:064x}" + b"stop".hex().ljust(64, "0"), "execution reverted: stop"),
        ("4e487b71" + f"{0x12:064x}", "execution reverted: panic: division or modulo by zero (0x12)"),
        ("deadbeef", "execution reverted: custom error 0xdeadbeef"),
    ],
)
def test_revert_is_put_into_words(data: str, words: str) -> None:
    assert describe_revert(bytes.fromhex(data)) == words
