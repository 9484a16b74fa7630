"""The escrow contract: what breaks it, what the people on call do about it, and what must be true of the money afterwards."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pytest_bdd import given, parsers, then, when

from drillbook.backends.base import Environment
from drillbook.chain.abi import keccak
from drillbook.chain.client import ChainClient, ChainError
from drillbook.clock import SYSTEM_CLOCK, rfc3339
from drillbook.drill import Drill
from drillbook.errors import EnvironmentFailed
from drillbook.faults.attack import Attack
from drillbook.faults.base import ActiveFault, NothingToHeal
from drillbook.journal import CommandEnded
from drillbook.responder.registry import decision, manual
from drillbook.responder.situation import Situation
from drillbook.verdict.timeline import each
from ops.approvals import SECURITY_TEAM, Approval
from ops.deploy_emergency_fix import HANDOVER as FIX
from ops.escrow import seed_trades
from ops.escrow_state import IMPLEMENTATION_SLOT, in_words, open_deposits, pause_block, read_at, read_state
from ops.releases import audited, load_release
from ops.upgrade_contract import HANDOVER as RELEASE
from steps._looking import printed
from steps._reaching import call, send_mail

AUDITORS = "auditors@chainreview.example"
TIMELINE = "disclosure-timeline.md"
INCIDENT = "Smart contract exploit"
SITE = "https://metaaggregator.com/api/escrow"
THIEF = 9
"""The node's account that attacks.reentrancy uses."""
Look = tuple[bool, str, tuple[int, ...]]


@contextmanager
def chain(drill: Drill) -> Iterator[tuple[ChainClient, str]]:
    """Lend a client of the chain's node itself, and the address of the escrow that the drill began with."""
    with ChainClient(drill.environment.chain_url(), timeout=5.0) as client:
        yield client, drill.environment.contract("Escrow")


# What breaks


def replace_code(environment: Environment, release: str) -> None:
    """Put a release behind the proxy as its owner; EnvironmentFailed unless the proxy points to it then."""
    address = environment.contract("Escrow")
    with ChainClient(environment.chain_url(), timeout=5.0) as client:
        owner = client.accounts()[0]
        code = client.transact({"from": owner, "data": load_release(release).bytecode})["contractAddress"]
        client.invoke(owner, address, "upgradeToAndCall(address,bytes)", code, b"")
        found = "0x" + str(client.call("eth_getStorageAt", address, IMPLEMENTATION_SLOT, "latest"))[-40:]
    if found.lower() != str(code).lower():
        raise EnvironmentFailed(f"the fault did not take: the proxy points to {found}, not to {code}")


@dataclass(frozen=True, slots=True)
class EscrowRelease:
    """Make a release of contracts/drills the escrow's code. Undone by the environment's reset."""

    kind: ClassVar[str] = "contract-release"
    release: str

    @property
    def target(self) -> str:
        """The contract."""
        return "Escrow"

    def inject(self, environment: Environment) -> ActiveFault:
        """Upgrade, and see that it is the live code."""
        replace_code(environment, f"drills/{self.release}")
        return NothingToHeal()


@dataclass(frozen=True, slots=True)
class WrongAddress:
    """Let the services use an address where no contract is. Undone by the database's reset."""

    kind: ClassVar[str] = "wrong-contract-address"
    address: str = "0x000000000000000000000000000000000000dEaD"

    @property
    def target(self) -> str:
        """The contract."""
        return "Escrow"

    def inject(self, environment: Environment) -> ActiveFault:
        """Register it as the newest deployment, and make it live."""
        with environment.database() as database:
            database.execute("update contracts set live = false where name = 'Escrow' and live")
            database.execute("insert into contracts (name, address, live) values ('Escrow', %s, true)", [self.address])
        return NothingToHeal()


@given(parsers.parse('the escrow runs the release "{release}"'))
def escrow_runs(drill: Drill, release: str) -> None:
    """Put a release of contracts/drills behind the escrow's proxy, before anything is broken by it."""
    replace_code(drill.environment, f"drills/{release}")


@when(parsers.parse('the release "{release}" of the escrow goes live'))
def release_goes_live(drill: Drill, release: str) -> None:
    """Break the escrow by a release of contracts/drills."""
    drill.inject(EscrowRelease(release))


@when("an attacker drains the escrow by reentrancy")
def attacked(drill: Drill) -> None:
    """Have a thief's contract take money out of the escrow, transaction by transaction, until the drill ends."""
    url, address = drill.environment.chain_url(), drill.environment.contract("Escrow")
    drill.inject(Attack("attacks.reentrancy", ("--url", url, "--escrow", address)))


@when("the services are given a wrong contract address")
def wrong_address(drill: Drill) -> None:
    """Register an address without a contract as the live escrow."""
    drill.inject(WrongAddress())


@given(parsers.parse('the developers hand over "{release}" as the emergency fix'))
def fix_handed_over(drill: Drill, release: str) -> None:
    """Write which release deployEmergencyFix.js is to deploy."""
    (drill.environment.workspace / FIX).write_text(json.dumps({"release": release}))


@given(parsers.parse('the developers hand over "{release}" as the next release'))
@when(parsers.parse('the developers hand over "{release}" as the next release'))
def release_handed_over(drill: Drill, release: str) -> None:
    """Write which release upgradeContract.js is to deploy."""
    (drill.environment.workspace / RELEASE).write_text(json.dumps({"release": release}))


# What the people on call do


@decision("If exploit suspected")
def exploit_suspected(situation: Situation) -> tuple[bool, str]:
    """Pause when the status check says that money is missing from a contract that runs."""
    suspected = "EXPLOIT SUSPECTED" in printed(situation, "Check contract status")
    return suspected, "money is missing, and the contract runs" if suspected else "nothing is missing"


@decision("If the contract cannot be paused")
def cannot_be_paused(situation: Situation) -> tuple[bool, str]:
    """Withdraw when a pause was tried and the contract still runs."""
    tried = situation.result_of("pauseContract")
    if not tried:
        return False, "no pause was needed"
    if situation.succeeded("pauseContract"):
        return False, "it is paused"
    return True, " ".join(tried[-1].stderr.split())


@manual("Ask the Security Team to approve")
def ask_for_approval(situation: Situation) -> str:
    """Call the Security Team about the fix. They approve the code that they have audited, and no other."""
    handed = situation.environment.workspace / FIX
    release = load_release(json.loads(handed.read_text())["release"] if handed.exists() else "Escrow")
    said = call(situation, "security", f"Do you approve {release.name}, code {release.code_hash}, as emergency fix?")
    if not audited(release):
        raise EnvironmentFailed(
            f"the Security Team refuses {release.name}: nobody has audited code {release.code_hash}"
        )
    calls = [one for one in situation.environment.inbox("phone") if release.code_hash in one.text]
    Approval(release.code_hash, str(calls[-1].details["call"])).write(situation.environment.workspace)
    return f"approved {release.name}; {said}"


@decision("If the Security Team approved it")
def security_approved(situation: Situation) -> tuple[bool, str]:
    """Deploy the fix only with the Security Team's word, and only into a contract that is paused."""
    if not situation.done("Ask the Security Team to approve"):
        return False, "the Security Team has not approved it"
    if not situation.succeeded("pauseContract"):
        return False, "the contract is not paused"
    return True, "approved"


@decision("If the contract is safe again")
def safe_again(situation: Situation) -> tuple[bool, str]:
    """Unpause once the fix is deployed."""
    fixed = situation.succeeded("deployEmergencyFix")
    return fixed, "the fix is live, and every deposit is backed" if fixed else "no fix is live"


@manual("Coordinate with external security auditors")
def tell_auditors(situation: Situation) -> str:
    """Write to the auditors what the assessment found."""
    return send_mail(AUDITORS, "Exploit of our escrow contract", printed(situation, "Assess impact and funds at risk"))


@manual("Prepare public disclosure timeline")
def write_timeline(situation: Situation) -> str:
    """Write the times of the commands as they were run, and what the assessment found, for publication."""
    assessed = printed(situation, "Assess impact and funds at risk")
    found = [line for line in assessed.splitlines() if line.startswith(("stolen", "paused since"))]
    lines = ["# Exploit of the escrow contract", "", *found, "", *_actions(situation)]
    (situation.environment.workspace / TIMELINE).write_text("\n".join(lines) + "\n")
    return f"{TIMELINE}: {len(lines)} lines"


@manual("Document all actions taken")
def document_actions(situation: Situation) -> str:
    """Put every command that was run, with its time and its end, into the incident log."""
    log = Path("actions.txt")
    (situation.environment.workspace / log).write_text("\n".join(_actions(situation)) + "\n")
    command = f'node scripts/recordIncident.js --title "{INCIDENT}" --severity critical --actions "$(cat {log})"'
    done = situation.run(command)
    if done.exit_code != 0:
        raise EnvironmentFailed(f"the incident log does not take it: {done.stderr.strip()}")
    return f"recorded {done.stdout.strip()}"


def _actions(situation: Situation) -> list[str]:
    """Give a line for each command so far: when it began, how it ended, what it was."""
    now, wall = situation.clock.now(), SYSTEM_CLOCK.wall()
    return [
        f"- {rfc3339(wall - timedelta(seconds=now - one.result.started))} exit {one.result.exit_code}: {one.command.text}"
        for one in situation.finished
    ]


@decision("If the contract is upgradeable")
def upgradeable(situation: Situation) -> tuple[bool, str]:
    """Upgrade a contract that is broken, where its code can be replaced."""
    if situation.succeeded("Check contract status"):
        return False, "the contract is well"
    can = situation.succeeded("checkUpgradeable")
    return can, "it is broken, and its code can be replaced" if can else "its code cannot be replaced"


@decision("If the contract is not upgradeable")
def not_upgradeable(situation: Situation) -> tuple[bool, str]:
    """Deploy a new one where a broken contract cannot be mended."""
    if situation.succeeded("Check contract status"):
        return False, "the contract is well"
    stuck = not situation.succeeded("checkUpgradeable")
    return stuck, "it is broken, and its code cannot be replaced" if stuck else "its code can be replaced"


@decision("If the frontend serves a wrong address")
def serves_wrong_address(situation: Situation) -> tuple[bool, str]:
    """Correct the address when the check found another contract, or none, behind it."""
    wrong = "WRONG" in printed(situation, "Check which contract the frontend serves")
    return wrong, "there is no escrow of ours at the address" if wrong else "the address is right"


# What must be true afterwards


@then("not one wei leaves the escrow after the pause")
def nothing_leaves(drill: Drill) -> None:
    """See that no block since the pause's has less in the escrow than the one before, although the thief went on trying."""

    def look() -> Look:
        with chain(drill) as (client, address):
            paused, head = pause_block(client, address), client.block_number()
            if paused is None:
                return False, "it was never paused", ()
            start = _deposited_by(client, address)
            held = [int(client.call("eth_getBalance", address, hex(n)), 16) for n in range(start, head + 1)]
            thief = client.accounts()[THIEF].lower()
            failed = sum(_failed_blows(client, number, thief) for number in range(paused + 1, head + 1))
        before, after = held[: paused - start + 1], held[paused - start :]
        blocks = [start + n for n in range(1, len(before)) if before[n] < before[n - 1]]
        left = sum(max(0, sooner - later) for sooner, later in itertools.pairwise(after))
        lost = (
            f"{before[0] - before[-1]} wei were lost in blocks {blocks[0]} to {blocks[-1]}"
            if blocks
            else "none were lost"
        )
        detail = f"paused in block {paused}; {lost}; after it {left} wei left, {failed} blows failed"
        return left == 0 and failed > 0 and bool(blocks), detail, ()

    drill.check("not one wei leaves the escrow after the pause", look)


def _failed_blows(client: ChainClient, number: int, thief: str) -> int:
    receipts = client.call("eth_getBlockReceipts", hex(number))
    return sum(one["from"].lower() == thief and one["status"] == "0x0" for one in receipts)


@then("the risk assessment's figures are the chain's own")
def figures_agree(drill: Drill) -> None:
    """Compare what assessContractRisk printed with the contract's state at the block that it named."""

    def look() -> Look:
        ran = [(r, c) for r, c in each(drill.timeline, CommandEnded) if "assessContractRisk" in c.text]
        if not ran:
            return False, "no risk was assessed", ()
        record, said = ran[-1]
        names = {
            "block": r"^block (\d+)",
            "owed": r"^owed: (\d+)",
            "held": r"^held: (\d+)",
            "stolen": r"^stolen: (\d+)",
        }
        matches = {name: re.search(pattern, said.stdout, re.MULTILINE) for name, pattern in names.items()}
        if not all(matches.values()):
            return False, f"figures are missing: {said.stdout[-300:]}", (record.seq,)
        told = {name: int(match[1]) for name, match in matches.items() if match}
        with chain(drill) as (client, address):
            owed = int(read_at(client, address, told["block"], "openTotal()(uint256)"))
            held = int(client.call("eth_getBalance", address, hex(told["block"])), 16)
        chains = {"owed": owed, "held": held, "stolen": owed - held}
        agree = all(told[name] == value for name, value in chains.items()) and chains["stolen"] > 0
        return agree, f"it said {told}, the chain says {chains}", (record.seq,)

    drill.check("the risk assessment's figures are the chain's own", look)


@then("the escrow holds every seeded deposit, and runs")
def deposits_are_there(drill: Drill) -> None:
    """See that the open deposits are the seeded trades, to the wei, that they are backed, and that it is not paused."""

    def look() -> Look:
        wanted = {trade.order_id: trade.amount for trade in seed_trades()}
        with chain(drill) as (client, address):
            found = {one.order_id: one.amount for one in open_deposits(client, address)}
            state = read_state(client, address)
        backed = state.balance == state.open_total == sum(wanted.values())
        detail = f"{len(found)} deposits, {state.balance} of {state.open_total} wei, release {state.version}"
        detail += ", paused" if state.paused else ""
        return found == wanted and backed and not state.paused, detail, ()

    drill.check("the escrow holds every seeded deposit, and runs", look)


@then("the escrow is still paused")
def still_paused(drill: Drill) -> None:
    """See that nobody has opened the contract."""

    def look() -> Look:
        with chain(drill) as (client, address):
            return bool(client.read(address, "paused()(bool)")), "", ()

    drill.check("the escrow is still paused", look)


@then(parsers.parse('running "{script}" of the escrow as {who} fails with "{text}"'))
def script_fails(drill: Drill, script: str, who: str, text: str) -> None:
    """Run one of the contract's scripts outside the runbook, as the owner or as a stranger, and see what it says."""

    def look() -> Look:
        account = {} if who == "the owner" else {"HARDHAT_ACCOUNT": str(THIEF)}
        done = subprocess.run(
            ["npx", "--no-install", "hardhat", "run", "--no-compile", f"scripts/{script}.js", "--network", "mainnet"],
            env={**drill.environment.variables, **account},
            cwd=drill.environment.workspace,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        said = (done.stdout + done.stderr).strip()
        return done.returncode == 1 and text in said, f"exit {done.returncode}: {said[-300:]}", ()

    drill.check(f"{script} as {who} fails with {text!r}", look)


@then("every buyer has the deposit back")
def buyers_are_paid(drill: Drill) -> None:
    """See that each seeded deposit went to its buyer, from the escrow or the treasury, and that no trade is open."""

    def look() -> Look:
        wanted: dict[str, int] = {}
        for trade in seed_trades():
            wanted[trade.buyer.lower()] = wanted.get(trade.buyer.lower(), 0) + trade.amount
        with chain(drill) as (client, _):
            start = _deposited_by(client, drill.environment.contract("Escrow"))
            gained = {
                buyer: client.balance(buyer) - int(client.call("eth_getBalance", buyer, hex(start)), 16)
                for buyer in wanted
            }
        with drill.environment.database() as database:
            row = database.execute("select count(*) from trades where status = 'open'").fetchone()
        still_open = int(row[0]) if row else -1
        return gained == wanted and still_open == 0, f"paid back {gained} wei, {still_open} trades open", ()

    drill.check("every buyer has the deposit back", look)


def _deposited_by(client: ChainClient, address: str) -> int:
    """Give the block of the last seeded deposit."""
    orders = {trade.order_id for trade in seed_trades()}
    topic = "0x" + keccak(b"Deposited(bytes32,address,address,uint256)").hex()
    logs: list[dict[str, Any]] = client.call(
        "eth_getLogs", {"address": address, "fromBlock": "0x0", "toBlock": "latest", "topics": [topic]}
    )
    return max(int(log["blockNumber"], 16) for log in logs if log["topics"][1] in orders)


@then("the frontend serves a new escrow that works")
def new_escrow_served(drill: Drill) -> None:
    """See that the site names another address than at first, with a contract that takes deposits."""

    def look() -> Look:
        old, served = drill.environment.contract("Escrow"), httpx.get(SITE, timeout=5.0).json()
        address = str(served.get("address"))
        with ChainClient(drill.environment.chain_url()) as client:
            problem = _refusal(client, address)
        works = bool(served.get("usable")) and address != old and not problem
        return works, f"{address}, at first {old}" + (f"; {problem}" if problem else ""), ()

    drill.check("the frontend serves a new escrow that works", look)


@then("the old address refuses deposits")
def old_refuses(drill: Drill) -> None:
    """See that a deposit at the address of the drill's beginning would be reverted."""

    def look() -> Look:
        with chain(drill) as (client, address):
            problem = _refusal(client, address)
        return bool(problem), problem or f"{address} takes deposits", ()

    drill.check("the old address refuses deposits", look)


def _refusal(client: ChainClient, address: str) -> str:
    """Say why a deposit at an address would be refused, executed on the newest state and thrown away; "" if it is taken."""
    data = "0x" + keccak(b"depositFor(bytes32,address)")[:4].hex() + "7e" * 32 + "00" * 12 + "5e" * 20
    try:
        client.call("eth_call", {"from": client.accounts()[2], "to": address, "data": data, "value": "0x1"}, "latest")
    except ChainError as error:
        return in_words(error)
    return "" if client.code(address) != "0x" else f"there is no contract at {address}"


@then("the incident's action log names every command of the response")
def actions_logged(drill: Drill) -> None:
    """Compare the incident log with the journal: each command that ran before, in its order."""

    def look() -> Look:
        ran = [c.text for _, c in each(drill.timeline, CommandEnded) if "recordIncident" not in c.text]
        with drill.environment.database() as database:
            row = database.execute("select actions from incidents where title = %s", [INCIDENT]).fetchone()
        logged = [line.partition(": ")[2] for line in str(row[0]).splitlines()] if row else []
        return bool(ran) and logged == ran, f"{len(logged)} of {len(ran)} commands", ()

    drill.check("the incident's action log names every command of the response", look)


@then("the disclosure timeline tells the pause's block and what was lost")
def timeline_written(drill: Drill) -> None:
    """Compare the file with the chain: the block of the pause and the wei that were stolen."""

    def look() -> Look:
        text = (drill.environment.workspace / TIMELINE).read_text()
        with chain(drill) as (client, address):
            paused = pause_block(client, address)
            if paused is None:
                return False, "it was never paused", ()
            owed = int(read_at(client, address, paused, "openTotal()(uint256)"))
            stolen = owed - int(client.call("eth_getBalance", address, hex(paused)), 16)
        told = f"paused since block: {paused}," in text and f"stolen: {stolen} wei" in text
        return told, " ".join(text.split())[:300], ()

    drill.check("the disclosure timeline tells the pause's block and what was lost", look)


@then("the Security Team was asked by phone")
def security_was_asked(drill: Drill) -> None:
    """See that the fix's code was read out to the Security Team."""

    def look() -> Look:
        calls = [
            one for one in drill.environment.inbox("phone") if one.recipient == SECURITY_TEAM and "code 0x" in one.text
        ]
        return bool(calls), calls[-1].text if calls else "nobody asked", ()

    drill.check("the Security Team was asked by phone", look)
