"""Given and Then of the developer's sections: a fresh checkout, and what stands on the local chain once it is set up."""

from __future__ import annotations

import json
import shutil

from pytest_bdd import given, parsers, then

from drillbook.chain.client import ChainClient, ChainError
from drillbook.drill import Drill
from drillbook.errors import EnvironmentFailed
from ops.networks import read_networks
from steps.data import Look

FOLDERS = ("services", "contracts", "database", "suites")
LOCAL = "localhost"


@given("a fresh checkout of the project is in the workspace")
def checkout(drill: Drill) -> None:
    """Put the project's sources into the workspace, without anything that has to be installed or built there."""
    workspace, source = drill.environment.workspace, drill.environment.topology.folder
    for folder in FOLDERS:
        shutil.copytree(source / folder, workspace / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*(source / "project").iterdir(), source / "hardhat.networks.json"):
        shutil.copyfile(file, workspace / file.name)


@given("its dependencies are installed")
def installed(drill: Drill) -> None:
    """Do what `npm install` does, before anything breaks."""
    from ops.development.npm_install import lay_out

    workspace = drill.environment.workspace
    lay_out(workspace, json.loads((workspace / "package-lock.json").read_text())["packages"])


def local_chain() -> ChainClient:
    """Connect to the developer's own chain, as everybody in the sandbox can."""
    return ChainClient(read_networks()[LOCAL].url, timeout=3.0)


def deployed(drill: Drill) -> str:
    """Give where the deployment says that the local escrow is; EnvironmentFailed if it says nothing."""
    file = drill.environment.workspace / "deployments" / f"{LOCAL}.json"
    if not file.is_file():
        raise EnvironmentFailed(f"{file.name} was not written: nothing has been deployed")
    return str(json.loads(file.read_text())["escrow"])


@then(parsers.parse("the local escrow's arbiter is the declared one, with {ether:d} ETH or more"))
def arbiter_is_right(drill: Drill, ether: int) -> None:
    """Ask the local chain itself: the contract for its arbiter, the chain for that account's balance."""

    def look() -> Look:
        declared = json.loads((drill.environment.topology.folder / "project" / "arbiters.json").read_text())[LOCAL]
        try:
            with local_chain() as client:
                found = str(client.read(deployed(drill), "arbiter()(address)"))
                balance = client.balance(found)
        except (ChainError, EnvironmentFailed) as error:
            return False, str(error), ()
        held = found.lower() == declared.lower() and balance >= ether * 10**18
        return held, f"arbiter {found} (declared: {declared}), {balance / 10**18:g} ETH", ()

    drill.check(f"the local escrow's arbiter is the declared one, with {ether} ETH or more", look)


@then(parsers.parse("the local escrow holds {count:d} open deposit"))
@then(parsers.parse("the local escrow holds {count:d} open deposits"))
def deposits(drill: Drill, count: int) -> None:
    """Ask the local chain: so many open deposits, and exactly their money."""

    def look() -> Look:
        try:
            with local_chain() as client:
                escrow = deployed(drill)
                number = client.read(escrow, "openCount()(uint256)")
                promised, balance = client.read(escrow, "openTotal()(uint256)"), client.balance(escrow)
        except (ChainError, EnvironmentFailed) as error:
            return False, str(error), ()
        held = number == count and promised == balance and (balance > 0) == (count > 0)
        return held, f"{number} open, {promised} wei promised, {balance} wei held", ()

    drill.check(f"the local escrow holds {count} open deposits", look)


@then("nothing was deployed for use on the local chain")
def nothing_deployed(drill: Drill) -> None:
    """See that no escrow is offered to the next step: none is written down in deployments/."""

    def look() -> Look:
        file = drill.environment.workspace / "deployments" / f"{LOCAL}.json"
        return not file.exists(), file.read_text() if file.exists() else "", ()

    drill.check("nothing was deployed for use on the local chain", look)
