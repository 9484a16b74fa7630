"""The escrow's procedures against a real chain: what they do, and what they refuse and why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drillbook.chain.client import Baseline, ChainClient
from drillbook.faults.rpc_lag import LaggingEndpoint
from ops.approvals import APPROVAL, Approval, NotApproved, check_approval
from ops.escrow import CONTRACTS, escrow_address, seed_trades, watch_address
from ops.escrow_state import DoublePayment, double_payments, ether, open_deposits, pause_block, read_state
from ops.networks import HardhatError, Network, connect
from ops.releases import audited, audited_version, layout_problems, load_release
from ops.transactions import call_contract, create, send
from tests.chains import CHAIN_ID, META_AGGREGATOR, free_port, serve_chain

GWEI = 10**9
DRAIN = "drain(bytes32,uint256)"
UPGRADE = "upgradeToAndCall(address,bytes)"
OWED = sum(trade.amount for trade in seed_trades())


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainClient]:
    """A chain on which the escrow is deployed, with its seeded trades."""
    with serve_chain("") as (client, _):
        run("deploy_contracts", tmp_path_factory.mktemp("deployed"), client, CHAIN_URL=client.url)
        yield client


@pytest.fixture
def chain(deployed: ChainClient) -> Iterator[ChainClient]:
    baseline = Baseline(deployed)
    yield deployed
    deployed.call("miner_setGasPrice", "0x0")
    baseline.restore()


@pytest.fixture(autouse=True)
def confirm_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.transactions.CONFIRM_SECONDS", 0.1)


def run(script: str, folder: Path, client: ChainClient, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a procedure as its binding does, in a folder, on a network whose node is the chain's."""
    networks = folder / "networks.json"
    networks.write_text(json.dumps({"mainnet": {"url": client.url, "chainId": CHAIN_ID}}))
    environ = {**os.environ, "HARDHAT_NETWORKS": str(networks), "CONFIRM_SECONDS": "0.2", **variables}
    path = [str(META_AGGREGATOR), str(META_AGGREGATOR.parents[1] / "src")]
    command = [sys.executable, "-m", f"ops.{script}"]
    if script != "deploy_contracts":
        command += [f"scripts/{script}.js", "--network", "mainnet"]
    return subprocess.run(
        command,
        cwd=folder,
        env=environ | {"PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def put(client: ChainClient, release: str) -> None:
    """Put a release behind the escrow's proxy, as its owner."""
    owner = client.accounts()[0]
    code = create(client, owner, load_release(release).bytecode)
    call_contract(client, owner, escrow_address(), UPGRADE, code, b"")


def rob(client: ChainClient, blows: int = 1) -> int:
    """Drain the escrow so many times; give the wei that were stolen."""
    put(client, "drills/EscrowUnguarded")
    thief = client.accounts()[9]
    code = json.loads((CONTRACTS / "artifacts/drills/Drainer.json").read_text())["bytecode"]
    drainer = create(client, thief, code + escrow_address()[2:].rjust(64, "0"))
    for number in range(blows):
        call_contract(client, thief, drainer, DRAIN, number.to_bytes(32), 3, value=10**17)
    return blows * 2 * 10**17


def test_a_healthy_escrow_is_told_so(chain: ChainClient, tmp_path: Path) -> None:
    done = run("check_escrow_status", tmp_path, chain)
    assert done.returncode == 0
    assert f"owes {ether(OWED)} in 6 open deposits and holds {ether(OWED)}" in done.stdout
    assert chain.read(watch_address(), "safe()(bool)") is True


def test_a_robbed_escrow_is_suspected_and_counted_to_the_wei(chain: ChainClient, tmp_path: Path) -> None:
    stolen = rob(chain, 2)
    done = run("check_escrow_status", tmp_path, chain)
    assert done.returncode == 1
    assert f"SHORT BY {ether(stolen)} ({stolen} wei)" in done.stdout
    assert "EXPLOIT SUSPECTED" in done.stdout
    assert read_state(chain, escrow_address()).short == stolen
    payments = double_payments(chain, escrow_address())
    assert [(one.times, one.amount) for one in payments] == [(3, 10**17)] * 2
    assert sum(one.stolen for one in payments) == stolen
    assert len(open_deposits(chain, escrow_address())) == 6
    assert chain.read(watch_address(), "safe()(bool)") is False


def test_the_guarded_release_cannot_be_robbed(chain: ChainClient) -> None:
    thief = chain.accounts()[9]
    code = json.loads((CONTRACTS / "artifacts/drills/Drainer.json").read_text())["bytecode"]
    drainer = create(chain, thief, code + escrow_address()[2:].rjust(64, "0"))
    with pytest.raises(Exception, match="execution reverted"):
        call_contract(chain, thief, drainer, DRAIN, bytes(32), 3, value=10**17)
    assert double_payments(chain, escrow_address()) == []


def test_a_pause_stops_the_thief_and_can_be_given_once_by_the_owner(chain: ChainClient, tmp_path: Path) -> None:
    rob(chain)
    stranger = run("pause_contract", tmp_path, chain, HARDHAT_ACCOUNT="5")
    assert (stranger.returncode, "the account is not its owner: NotOwner(" in stranger.stderr) == (1, True)
    done = run("pause_contract", tmp_path, chain)
    assert (done.returncode, done.stdout.split(": ")[-1]) == (0, "PAUSED\n")
    assert pause_block(chain, escrow_address()) == chain.block_number()
    again = run("pause_contract", tmp_path, chain)
    assert (again.returncode, again.stderr) == (1, "NOT PAUSED by this: it is paused already: IsPaused()\n")
    assert chain.read(watch_address(), "safe()(bool)") is True
    assert run("check_escrow_status", tmp_path, chain).returncode == 0
    refused = run("unpause_contract", tmp_path, chain)
    assert (refused.returncode, "more than it holds" in refused.stderr) == (1, True)


def test_a_release_that_cannot_be_paused_says_so(chain: ChainClient, tmp_path: Path) -> None:
    put(chain, "drills/EscrowUnpausable")
    done = run("pause_contract", tmp_path, chain)
    assert (done.returncode, "this release cannot be paused" in done.stderr) == (1, True)
    stuck = run("check_upgradeable", tmp_path, chain)
    assert (stuck.returncode, "NotUpgradeable()" in stuck.stdout) == (1, True)


def test_an_unaudited_release_is_not_opened_again(chain: ChainClient, tmp_path: Path) -> None:
    put(chain, "drills/EscrowUnguarded")
    run("pause_contract", tmp_path, chain)
    done = run("unpause_contract", tmp_path, chain)
    assert (done.returncode, "which nobody has audited" in done.stderr) == (1, True)


def test_a_broken_release_is_replaced_and_an_unfit_one_refused(chain: ChainClient, tmp_path: Path) -> None:
    put(chain, "drills/EscrowMute")
    assert "CANNOT BE READ: this release cannot say what it owes" in run("check_escrow_status", tmp_path, chain).stdout
    (tmp_path / "release.json").write_text('{"release": "drills/EscrowShifted"}')
    refused = run("upgrade_contract", tmp_path, chain)
    assert (refused.returncode, "_paused is kept in slot 0 offset 21" in refused.stderr) == (1, True)
    (tmp_path / "release.json").unlink()
    done = run("upgrade_contract", tmp_path, chain)
    assert (done.returncode, f"6 open deposits of {OWED} wei" in done.stdout) == (0, True), done.stderr
    assert read_state(chain, escrow_address()).version == "1.0.0"


def test_gas_is_within_its_bounds_until_a_release_costs_more(chain: ChainClient, tmp_path: Path) -> None:
    assert run("analyze_gas_usage", tmp_path, chain).returncode == 0
    put(chain, "drills/EscrowCostly")
    done = run("analyze_gas_usage", tmp_path, chain)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "BEYOND ITS BOUND: depositFor")


def test_a_fix_without_an_approval_of_its_own_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chain: ChainClient
) -> None:
    done = run("deploy_emergency_fix", tmp_path, chain)
    assert (done.returncode, "the Security Team has not approved it" in done.stderr) == (1, True)
    monkeypatch.chdir(tmp_path)
    Approval("0xother", "call-1").write(tmp_path)
    with pytest.raises(NotApproved, match="is of other code"):
        check_approval(load_release("Escrow"))
    APPROVAL.write_text("yes")
    with pytest.raises(NotApproved, match="is not an approval"):
        check_approval(load_release("Escrow"))


def test_only_audited_code_is_audited() -> None:
    assert audited(load_release("Escrow")), "contracts/audited.json is not of the compiled artifacts"
    assert audited(load_release("testing/EscrowNext"))
    assert not audited(load_release("drills/EscrowUnguarded"))
    assert audited_version("1.0.0")
    assert not audited_version("1.1.0")


@pytest.mark.parametrize("name", ["Escrow", "testing/EscrowNext", "drills/EscrowCostly", "drills/EscrowUnguarded"])
def test_a_release_that_only_appends_fits(name: str) -> None:
    assert layout_problems(load_release(name)) == []


def test_a_transaction_that_waits_is_replaced_under_its_nonce(
    chain: ChainClient, capsys: pytest.CaptureFixture[str]
) -> None:
    payer, payee = chain.accounts()[:2]
    before = int(chain.call("eth_getTransactionCount", payer, "latest"), 16)
    chain.call("miner_setGasPrice", hex(3 * GWEI))
    receipt = send(chain, {"from": payer, "to": payee, "value": "0x1"})
    assert (receipt["status"], int(chain.call("eth_getTransactionCount", payer, "pending"), 16)) == ("0x1", before + 1)
    assert capsys.readouterr().out.count(f"replaced under the same nonce {before}") == 2


def test_a_stuck_transaction_of_the_account_is_replaced_too(chain: ChainClient) -> None:
    payer, payee = chain.accounts()[:2]
    chain.call("miner_setGasPrice", hex(3 * GWEI))
    price = {"maxPriorityFeePerGas": hex(GWEI), "maxFeePerGas": hex(100 * GWEI)}
    stuck = chain.call("eth_sendTransaction", {"from": payer, "to": payer, "gas": "0x5208", **price})
    assert send(chain, {"from": payer, "to": payee, "value": "0x1"})["status"] == "0x1"
    assert chain.call("eth_getTransactionByHash", stuck) is None


def test_the_fallback_is_asked_where_the_first_node_is_down_or_behind(
    chain: ChainClient, capsys: pytest.CaptureFixture[str]
) -> None:
    down = f"http://127.0.0.1:{free_port()}"
    with connect(Network("mainnet", down, CHAIN_ID, chain.url)) as client:
        assert client.url == chain.url
    assert "does not answer" in capsys.readouterr().err
    with behind(chain) as old:
        with connect(Network("mainnet", old, CHAIN_ID, chain.url)) as client:
            assert client.url == chain.url
        assert "3 blocks behind" in capsys.readouterr().err
        with connect(Network("mainnet", chain.url, CHAIN_ID, old)) as client:
            assert client.url == chain.url
    with pytest.raises(HardhatError, match="HH108"), connect(Network("mainnet", down, CHAIN_ID, down)):
        pass


@contextmanager
def behind(client: ChainClient) -> Iterator[str]:
    """Serve the chain as it was three blocks ago."""
    for _ in range(3):
        client.call("evm_mine")
    endpoint = LaggingEndpoint(client.url, client.block_number() - 3)
    endpoint.start()
    try:
        yield f"http://{endpoint.address}"
    finally:
        endpoint.stop()


def test_what_was_paid_once_was_not_stolen() -> None:
    assert DoublePayment("0x01", "0x02", 1, 5, 1).stolen == 0
    assert ether(18_015 * 10**15) == "18.015 ETH"
    assert ether(0) == "0 ETH"
