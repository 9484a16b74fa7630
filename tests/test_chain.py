"""What every chain that a drill runs on must do: one suite for our own node and for anvil."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from eth_account import Account

from drillbook.chain.abi import AbiError, encode, keccak, parse_signature
from drillbook.chain.client import Baseline, ChainClient, ChainError, Question
from drillbook.chain.command import MNEMONIC
from tests.chains import CHAIN_ID, META_AGGREGATOR, serve_chain

ETHER = 10**18
NOBODY = "0x" + "12" * 20
IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
NOT_OWNER = keccak(b"NotOwner(address)")[:4].hex()
DEPOSITED = "0x" + keccak(b"Deposited(bytes32,address,address,uint256)").hex()
ORDER = keccak(b"an order")


@pytest.fixture(scope="module", params=["drillbook", "anvil"])
def served(request: pytest.FixtureRequest) -> Iterator[ChainClient]:
    search_path = "" if request.param == "drillbook" else os.environ.get("PATH", "")
    if request.param == "anvil" and not shutil.which("anvil"):
        pytest.skip("anvil is not on PATH")
    with serve_chain(search_path) as (client, _):
        yield client


@pytest.fixture(scope="module")
def escrow(served: ChainClient) -> str:
    owner, arbiter = served.accounts()[:2]
    implementation = create(served, owner, "Escrow")
    initialize = keccak(b"initialize(address,address)")[:4] + encode(("address", "address"), (owner, arbiter))
    return create(served, owner, "ERC1967Proxy", encode(("address", "bytes"), (implementation, initialize)))


@pytest.fixture
def chain(served: ChainClient, escrow: str) -> Iterator[ChainClient]:
    """A chain with an escrow on it, as new for each test."""
    assert escrow
    baseline = Baseline(served)
    yield served
    baseline.restore()


def create(client: ChainClient, sender: str, name: str, arguments: bytes = b"") -> str:
    code = json.loads((META_AGGREGATOR / "contracts" / "artifacts" / f"{name}.json").read_text())["bytecode"]
    return str(client.transact({"from": sender, "data": code + arguments.hex()})["contractAddress"])


def post(client: ChainClient, body: str) -> Any:
    return httpx.post(client.url, content=body, headers={"Content-Type": "application/json"}, trust_env=False).json()


def signed(transaction: dict[str, Any]) -> str:
    Account.enable_unaudited_hdwallet_features()
    raw: bytes = Account.from_mnemonic(MNEMONIC).sign_transaction(transaction).raw_transaction
    return "0x" + bytes(raw).hex()


def test_chain_id_is_the_one_asked_for(chain: ChainClient) -> None:
    assert chain.chain_id() == CHAIN_ID
    assert chain.call("net_version") == str(CHAIN_ID)


def test_accounts_are_those_of_the_mnemonic_and_hold_their_balance(chain: ChainClient) -> None:
    accounts = chain.accounts()
    assert len(accounts) == len(set(accounts)) == 10
    Account.enable_unaudited_hdwallet_features()
    for index in (0, 9):
        wanted = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}").address
        assert accounts[index].lower() == wanted.lower()
    assert chain.balance(accounts[9]) == 10_000 * ETHER


def test_transfer_moves_value_and_counts_the_nonce(chain: ChainClient) -> None:
    sender = chain.accounts()[3]
    height = chain.block_number()
    receipt = chain.transact({"from": sender, "to": NOBODY, "value": hex(ETHER)})
    assert chain.balance(NOBODY) == ETHER
    assert chain.block_number() == int(receipt["blockNumber"], 16) == height + 1
    assert chain.call("eth_getTransactionCount", sender, "latest") == "0x1"
    paid = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert chain.balance(sender) == 10_000 * ETHER - ETHER - paid
    assert int(chain.call("eth_getBalance", sender, hex(height)), 16) == 10_000 * ETHER


@pytest.mark.parametrize("kind", ["legacy", "fees"])
def test_raw_transaction_signed_for_this_chain_is_mined(chain: ChainClient, kind: str) -> None:
    nonce = int(chain.call("eth_getTransactionCount", chain.accounts()[0], "latest"), 16)
    fees = {"gasPrice": 3 * 10**9} if kind == "legacy" else {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9}
    raw = signed({"to": NOBODY, "value": 7, "gas": 21_000, "nonce": nonce, "chainId": CHAIN_ID, **fees})
    digest = chain.call("eth_sendRawTransaction", raw)
    assert digest == "0x" + keccak(bytes.fromhex(raw[2:])).hex()
    transaction = chain.call("eth_getTransactionByHash", digest)
    assert transaction["from"].lower() == chain.accounts()[0].lower()
    assert int(transaction["chainId"], 16) == CHAIN_ID
    assert int(transaction["type"], 16) == (0 if kind == "legacy" else 2)
    assert chain.call("eth_getTransactionReceipt", digest)["status"] == "0x1"
    assert chain.balance(NOBODY) == 7


def test_raw_transaction_signed_for_another_chain_is_refused(chain: ChainClient) -> None:
    nonce = int(chain.call("eth_getTransactionCount", chain.accounts()[0], "latest"), 16)
    fees = {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 1}
    raw = signed({"to": NOBODY, "value": 7, "gas": 21_000, "nonce": nonce, "chainId": CHAIN_ID + 1, **fees})
    with pytest.raises(ChainError, match="chain id"):
        chain.call("eth_sendRawTransaction", raw)
    assert chain.balance(NOBODY) == 0


def test_transaction_that_cannot_be_paid_or_was_sent_before_is_refused(chain: ChainClient) -> None:
    with pytest.raises(ChainError, match=r"(?i)insufficient funds"):
        chain.call("eth_sendTransaction", {"from": chain.accounts()[4], "to": NOBODY, "value": hex(10_001 * ETHER)})
    with pytest.raises(ChainError, match="nonce too low"):
        chain.transact({"from": chain.accounts()[0], "to": NOBODY, "nonce": "0x0", "gas": "0x5208"})


def test_contract_is_read_by_human_signatures(chain: ChainClient, escrow: str) -> None:
    assert chain.read(escrow, "paused()(bool)") is False
    assert chain.read(escrow, "version()(string)") == "1.0.0"
    assert chain.read(escrow, "arbiter()(address)").lower() == chain.accounts()[1].lower()
    buyer, _, amount, state = chain.read(escrow, "deposit(bytes32)(address,address,uint256,uint8)", ORDER)
    assert (buyer, amount, state) == ("0x" + "00" * 20, 0, 0)


def test_reading_where_no_contract_is_says_so(chain: ChainClient) -> None:
    with pytest.raises(AbiError, match="is there a contract"):
        chain.read(NOBODY, "paused()(bool)")


def test_contract_is_read_over_any_transport(chain: ChainClient, escrow: str) -> None:
    question = Question(escrow, parse_signature("openCount()(uint256)"))
    kind = {"Content-Type": "application/json"}
    answer = httpx.post(chain.url, content=question.body(), headers=kind, trust_env=False)
    assert question.read(answer.status_code, answer.content, chain.url) == 0


@pytest.mark.parametrize("method", ["eth_call", "eth_estimateGas"])
def test_revert_carries_the_contracts_own_error(chain: ChainClient, escrow: str, method: str) -> None:
    stranger = chain.accounts()[5]
    pause = {"from": stranger, "to": escrow, "data": "0x" + keccak(b"pause()")[:4].hex()}
    with pytest.raises(ChainError, match=f"{method}: execution reverted") as caught:
        chain.call(method, pause)
    assert caught.value.code == 3
    assert caught.value.data == "0x" + NOT_OWNER + stranger[2:].lower().rjust(64, "0")


def test_refused_transaction_raises_with_the_contracts_error(chain: ChainClient, escrow: str) -> None:
    with pytest.raises(ChainError) as caught:
        chain.invoke(chain.accounts()[5], escrow, "pause()")
    assert str(caught.value.data).startswith("0x" + NOT_OWNER)
    assert chain.read(escrow, "paused()(bool)") is False


def test_estimate_is_enough_and_not_wasteful(chain: ChainClient, escrow: str) -> None:
    data = keccak(b"depositFor(bytes32,address)")[:4] + encode(("bytes32", "address"), (ORDER, NOBODY))
    transaction = {"from": chain.accounts()[2], "to": escrow, "data": "0x" + data.hex(), "value": "0x5"}
    estimate = chain.call("eth_estimateGas", transaction)
    receipt = chain.transact({**transaction, "gas": estimate})
    assert int(receipt["gasUsed"], 16) <= int(estimate, 16) <= 1.1 * int(receipt["gasUsed"], 16)
    assert chain.call("eth_estimateGas", {"from": chain.accounts()[2], "to": NOBODY, "value": "0x1"}) == "0x5208"


def test_failed_transaction_is_mined_with_status_zero(chain: ChainClient, escrow: str) -> None:
    pause = {"from": chain.accounts()[5], "to": escrow, "data": "0x" + keccak(b"pause()")[:4].hex(), "gas": "0x186a0"}
    nonce = chain.call("eth_getTransactionCount", chain.accounts()[5], "latest")
    with pytest.raises(ChainError, match="execution reverted"):
        chain.transact(pause)
    assert int(chain.call("eth_getTransactionCount", chain.accounts()[5], "latest"), 16) == int(nonce, 16) + 1
    assert chain.read(escrow, "paused()(bool)") is False


def test_logs_are_found_by_address_and_topics(chain: ChainClient, escrow: str) -> None:
    buyer, seller = chain.accounts()[2:4]
    receipt = chain.invoke(buyer, escrow, "depositFor(bytes32,address)", ORDER, seller, value=5)
    everywhere = {"fromBlock": "earliest", "toBlock": "latest", "address": escrow}
    (log,) = chain.call("eth_getLogs", {**everywhere, "topics": [DEPOSITED]})
    assert log["transactionHash"] == receipt["transactionHash"]
    assert log["topics"][1] == "0x" + ORDER.hex()
    assert int(log["data"], 16) == 5
    by_seller = [DEPOSITED, None, None, ["0x" + seller[2:].lower().rjust(64, "0"), "0x" + "ab" * 32]]
    assert chain.call("eth_getLogs", {"blockHash": receipt["blockHash"], "topics": by_seller})[0]["logIndex"] == "0x0"
    assert chain.call("eth_getLogs", {**everywhere, "topics": [None, "0x" + "ab" * 32]}) == []
    assert chain.call("eth_getLogs", {**everywhere, "address": [NOBODY]}) == []
    assert chain.call("eth_getLogs", {"address": escrow, "fromBlock": receipt["blockNumber"]})[0]["removed"] is False


def test_filters_give_only_what_is_new(chain: ChainClient, escrow: str) -> None:
    logs = chain.call("eth_newFilter", {"address": escrow, "topics": [DEPOSITED]})
    blocks = chain.call("eth_newBlockFilter")
    chain.invoke(chain.accounts()[2], escrow, "depositFor(bytes32,address)", ORDER, NOBODY, value=5)
    assert len(chain.call("eth_getFilterChanges", logs)) == 1
    assert chain.call("eth_getFilterChanges", logs) == []
    newest = chain.call("eth_getBlockByNumber", "latest", False)["hash"]
    assert chain.call("eth_getFilterChanges", blocks) == [newest]
    assert len(chain.call("eth_getFilterLogs", logs)) == 1
    assert chain.call("eth_uninstallFilter", logs) is True
    assert chain.call("eth_uninstallFilter", logs) is False


def test_blocks_link_to_their_parents_and_hold_their_transactions(chain: ChainClient) -> None:
    receipt = chain.transact({"from": chain.accounts()[0], "to": NOBODY, "value": "0x1"})
    block = chain.call("eth_getBlockByNumber", receipt["blockNumber"], True)
    parent = chain.call("eth_getBlockByHash", block["parentHash"], False)
    assert int(parent["number"], 16) == int(block["number"], 16) - 1
    assert [item["hash"] for item in block["transactions"]] == [receipt["transactionHash"]]
    assert int(block["timestamp"], 16) > int(parent["timestamp"], 16) - 1
    assert len(block["logsBloom"]) == 2 + 512
    assert len(block["nonce"]) == 2 + 16
    assert chain.call("eth_getBlockByNumber", hex(10**6), False) is None
    assert chain.call("eth_getTransactionByHash", "0x" + "ab" * 32) is None
    assert chain.call("eth_getTransactionReceipt", "0x" + "ab" * 32) is None


def test_storage_and_code_of_a_proxy(chain: ChainClient, escrow: str) -> None:
    slot = chain.call("eth_getStorageAt", escrow, IMPLEMENTATION_SLOT, "latest")
    assert len(chain.code("0x" + slot[-40:])) > len(chain.code(escrow)) > 2
    assert chain.code(NOBODY) == "0x"


def test_fee_history_suffices_for_clients(chain: ChainClient) -> None:
    chain.call("evm_mine")
    history = chain.call("eth_feeHistory", "0x2", "latest", [20])
    assert len(history["baseFeePerGas"]) == len(history["gasUsedRatio"]) + 1 == 3
    assert len(history["reward"]) == 2
    assert int(history["oldestBlock"], 16) == chain.block_number() - 1
    assert int(chain.call("eth_gasPrice"), 16) >= int(history["baseFeePerGas"][-1], 16)
    assert int(chain.call("eth_maxPriorityFeePerGas"), 16) > 0


def test_mine_adds_a_block(chain: ChainClient) -> None:
    height = chain.block_number()
    chain.call("evm_mine")
    assert chain.block_number() == height + 1


def test_snapshot_is_used_up_by_its_revert(chain: ChainClient) -> None:
    height = chain.block_number()
    snapshot = chain.snapshot()
    digest = chain.transact({"from": chain.accounts()[0], "to": NOBODY, "value": "0x5"})["transactionHash"]
    later = chain.snapshot()
    assert chain.revert(snapshot) is True
    assert (chain.block_number(), chain.balance(NOBODY)) == (height, 0)
    assert chain.call("eth_getTransactionReceipt", digest) is None
    assert chain.revert(snapshot) is False
    assert chain.revert(later) is False


def test_baseline_restores_again_and_again(chain: ChainClient, escrow: str) -> None:
    baseline = Baseline(chain)
    before = chain.call("eth_getBlockByNumber", "latest", False)["hash"]
    for round_number in range(3):
        chain.invoke(chain.accounts()[2], escrow, "depositFor(bytes32,address)", ORDER, NOBODY, value=1 + round_number)
        assert chain.read(escrow, "openTotal()(uint256)") == 1 + round_number
        baseline.restore()
        assert chain.read(escrow, "openTotal()(uint256)") == 0
        assert chain.call("eth_getBlockByNumber", "latest", False)["hash"] == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"jsonrpc":"2.0","id":1}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":"eth_nothingOfTheKind","params":[]}', -32601),
        ('{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[]}', -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x12","latest"]}', -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0xzz"},"latest"]}', -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["soon",false]}', -32602),
    ],
)
def test_bad_requests_get_json_rpcs_error_codes(chain: ChainClient, body: str, code: int) -> None:
    answer = post(chain, body)
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]


def test_batch_is_answered_in_order_with_its_ids(chain: ChainClient) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": []},
        {"jsonrpc": "2.0", "id": "b", "method": "eth_nothingOfTheKind", "params": []},
        {"jsonrpc": "2.0", "id": 9, "method": "eth_blockNumber"},
    ]
    first, second, third = post(chain, json.dumps(batch))
    assert (first["id"], first["result"]) == (7, hex(CHAIN_ID))
    assert (second["id"], second["error"]["code"]) == ("b", -32601)
    assert (third["id"], third["result"]) == (9, hex(chain.block_number()))


WEB3_SESSION = """
import json, sys
from web3 import Web3
url, address, artifact = sys.argv[1:]
w3 = Web3(Web3.HTTPProvider(url))
escrow = w3.eth.contract(address=Web3.to_checksum_address(address), abi=json.load(open(artifact))["abi"])
buyer, seller = w3.eth.accounts[2:4]
order = w3.keccak(text="by web3")
sent = escrow.functions.depositFor(order, seller).transact({"from": buyer, "value": 11})
receipt = w3.eth.wait_for_transaction_receipt(sent)
event = escrow.events.Deposited().process_receipt(receipt)[0]["args"]
found = escrow.events.Deposited().get_logs(from_block=0)
try:
    escrow.functions.pause().call({"from": buyer})
    error = None
except Exception as raised:
    error = [type(raised).__name__, raised.data]
print(json.dumps({
    "connected": w3.is_connected(), "status": receipt.status, "amount": event["amount"], "logs": len(found),
    "total": escrow.functions.openTotal().call(), "error": error, "chain": w3.eth.chain_id,
    "block": w3.eth.get_block("latest", True).transactions[0]["hash"] == sent,
}))
"""


def test_web3_can_work_with_it(chain: ChainClient, escrow: str) -> None:
    artifact = META_AGGREGATOR / "contracts" / "artifacts" / "Escrow.json"
    command = [sys.executable, "-c", WEB3_SESSION, chain.url, escrow, str(artifact)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    kind, data = told.pop("error")
    assert kind == "ContractCustomError"
    assert data.startswith("0x" + NOT_OWNER)
    assert told == {
        "connected": True, "status": 1, "amount": 11, "logs": 1, "total": 11, "chain": CHAIN_ID, "block": True
    }  # fmt: skip
