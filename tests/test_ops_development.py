"""The developer's procedures on a real checkout and a real chain: what they lay out, deploy, fund and test, and refuse."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drillbook.chain.client import ChainClient
from ops.development.chain import fresh_chain
from ops.development.project import Project, ProjectError, checksummed
from tests.postgres import ENVIRONMENT_FOLDER
from tests.running import REPOSITORY

FOLDERS = ("services", "contracts", "suites")
ARBITER, OTHER = "0xBcd4042DE499D14e55001CcbB24a551F3b954096", "0x71bE63f3384f5fb98995898A86B02Fb2426c5788"


def run(module: str, checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a procedure as its binding does."""
    environ = {**os.environ, "PYTHONPATH": f"{ENVIRONMENT_FOLDER}:{REPOSITORY}"}
    command = [sys.executable, "-P", "-m", f"ops.development.{module}", *arguments]
    return subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        shutil.copytree(ENVIRONMENT_FOLDER / folder, tmp_path / folder)
    for file in (*(ENVIRONMENT_FOLDER / "project").iterdir(), ENVIRONMENT_FOLDER / "hardhat.networks.json"):
        shutil.copyfile(file, tmp_path / file.name)
    return tmp_path


@pytest.fixture
def installed(checkout: Path) -> Path:
    done = run("npm_install", checkout)
    assert done.returncode == 0, done.stderr
    return checkout


@pytest.fixture(scope="module")
def chain() -> Iterator[str]:
    with fresh_chain() as url:
        yield url


@pytest.fixture
def local(installed: Path, chain: str) -> Path:
    networks = {"localhost": {"url": chain, "chainId": 31337}, "other": {"url": chain, "chainId": 1}}
    (installed / "hardhat.networks.json").write_text(json.dumps(networks))
    return installed


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


# npm install


def test_installing_lays_out_what_the_lock_file_has(installed: Path) -> None:
    locked = json.loads((installed / "package-lock.json").read_text())["packages"]
    for path, found in locked.items():
        if path:
            assert json.loads((installed / path / "package.json").read_text())["version"] == found["version"]
    assert {file.name for file in (installed / "node_modules/.bin").iterdir()} == {"hardhat", "next", "cypress"}
    assert run("npm_install", installed).returncode == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("package.json", "^2.22.17", "^3.0.0", "hardhat@2.22.17 does not satisfy hardhat@^3.0.0"),
        (
            "package-lock.json",
            "node_modules/cypress",
            "node_modules/cypres",
            "Missing: cypress@^13.17.0 from lock file",
        ),
        ("package.json", '"ws"', '"wss"', "Missing: wss@^8.18.0 from lock file"),
        ("package.json", "{", "", "EJSONPARSE"),
    ],
)
def test_a_lock_file_that_does_not_fit_is_refused(checkout: Path, file: str, old: str, new: str, said: str) -> None:
    change(checkout / file, old, new)
    done = run("npm_install", checkout)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (checkout / "node_modules").exists()


def test_without_a_checkout_nothing_is_installed(tmp_path: Path) -> None:
    done = run("npm_install", tmp_path)
    assert (done.returncode, "ENOENT" in done.stderr) == (1, True)


@pytest.mark.parametrize("module", ["hardhat_node", "dev_server", "unit_tests", "hardhat_test", "cypress_run"])
def test_what_is_not_installed_does_not_run(checkout: Path, module: str) -> None:
    done = run(module, checkout)
    assert done.returncode == 1
    assert "missing packages" in done.stderr


# The local escrow


@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    ],
)
def test_checksums_are_those_of_eip_55(address: str) -> None:
    assert checksummed(address.lower()) == address
    assert checksummed(address[:-1]) == checksummed("x" * 42) == ""


def test_deploying_funding_and_depositing(local: Path, chain: str) -> None:
    for module, said in (
        ("deploy_with_correct_arbiter", f"arbiter {ARBITER} as declared"),
        ("fund_arbiter", "10 ETH now"),
        ("fund_arbiter", "10 ETH before, 10 ETH now"),
        ("test_deposit", "0.01 ETH from"),
    ):
        arguments = ("--network", "localhost") if module.startswith("deploy") else ()
        done = run(module, local, *arguments)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    escrow = json.loads((local / "deployments/localhost.json").read_text())["escrow"]
    with ChainClient(chain) as client:
        assert client.read(escrow, "arbiter()(address)").lower() == ARBITER.lower()
        assert client.balance(ARBITER) == 10 * 10**18
        assert client.balance(escrow) == client.read(escrow, "openTotal()(uint256)") == 10**16
    change(local / "arbiters.json", ARBITER, OTHER)
    for module in ("fund_arbiter", "test_deposit"):
        done = run(module, local)
        assert done.returncode == 1
        assert f"has the arbiter {ARBITER}, but arbiters.json declares {OTHER}" in done.stderr
    with ChainClient(chain) as client:
        assert client.balance(OTHER) == 0


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "is the owner itself"),
        (ARBITER.lower(), "checksum"),
        ("0x" + "00" * 20, "is no address"),
        ("nobody", "is no address"),
    ],
)
def test_a_wrong_arbiter_is_refused_before_anything_is_deployed(
    local: Path, chain: str, declared: str, said: str
) -> None:
    change(local / "arbiters.json", ARBITER, declared)
    with ChainClient(chain) as client:
        height = client.block_number()
        done = run("deploy_with_correct_arbiter", local, "--network", "localhost")
        assert (done.returncode, client.block_number()) == (1, height)
    assert said in done.stderr
    assert not (local / "deployments").exists()


@pytest.mark.parametrize(("network", "said"), [("other", "HH101"), ("staging", "HH100: Network staging doesn't exist")])
def test_other_networks_are_left_alone(local: Path, network: str, said: str) -> None:
    done = run("deploy_with_correct_arbiter", local, "--network", network)
    assert (done.returncode, said in done.stderr) == (1, True)


@pytest.mark.parametrize("module", ["fund_arbiter", "test_deposit"])
def test_without_a_deployment_the_next_steps_say_so(local: Path, module: str) -> None:
    done = run(module, local)
    assert done.returncode == 1
    assert "nothing has been deployed on localhost" in done.stderr


def test_a_network_without_a_declared_arbiter(checkout: Path) -> None:
    with pytest.raises(ProjectError, match="no arbiter for sepolia"):
        Project(checkout).arbiter("sepolia")


# Test suites


def test_the_checkouts_own_code_is_tested_and_no_other(installed: Path) -> None:
    assert run("unit_tests", installed).returncode == 0
    change(installed / "services/orders_api/orders.py", "FEE_BPS = 15", "FEE_BPS = 16")
    broken = run("unit_tests", installed)
    assert broken.returncode == 1
    assert "FAIL: test_the_fee" in broken.stdout
    # What the checkout lacks is not taken from where the procedure itself comes from.
    (installed / "services/orders_api/orders.py").unlink()
    missing = run("unit_tests", installed)
    assert missing.returncode == 1
    assert "services.orders_api.orders" in missing.stdout


def test_a_suite_without_tests_has_not_passed(installed: Path) -> None:
    (installed / "suites/unit.py").write_text("")
    done = run("unit_tests", installed)
    assert (done.returncode, "no tests in suites.unit" in done.stderr) == (1, True)


def test_contract_tests_take_files_and_fail_with_a_wrong_artifact(installed: Path) -> None:
    assert run("hardhat_test", installed, "test/Nothing.test.js").returncode == 1
    good = run("hardhat_test", installed, "test/Escrow.test.js")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "suites.escrow_integration" not in good.stdout
    artifacts = installed / "contracts/artifacts"
    shutil.copyfile(artifacts / "testing/EscrowNext.json", artifacts / "Escrow.json")
    assert run("hardhat_test", installed, "./test/Escrow.test.js").returncode == 1


# What the drills change


FEATURES = (REPOSITORY / "features" / "development").glob("*.feature")
CHANGES = [
    found
    for feature in FEATURES
    for found in re.findall(r'workspace file "(.+?)" the text "(.+)" becomes "', feature.read_text())
]


@pytest.mark.parametrize(("file", "old"), sorted(set(CHANGES)))
def test_what_a_drill_changes_in_a_checkout_is_there_to_be_changed(checkout: Path, file: str, old: str) -> None:
    assert old in (checkout / file).read_text(), "the code has changed: let features/development/ break it another way"
