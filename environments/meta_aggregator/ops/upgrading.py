"""Replace the code behind the escrow's proxy, and prove that every balance is what it was."""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.chain.client import ChainClient, ChainError
from ops.escrow_state import Deposit, ether, in_words, open_deposits, read_state
from ops.releases import Release, layout_problems
from ops.transactions import OWNER, account, call_contract, create


class Refused(Exception):
    """Why a release does not go live, in words for the operator."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an upgrade must leave as it is."""

    owner: str
    paused: bool
    deposits: tuple[Deposit, ...]
    open_total: int


def check_layout(release: Release) -> None:
    """Refuse a release whose storage does not fit. Raises Refused."""
    problems = layout_problems(release)
    if problems:
        raise Refused(f"release {release.name} does not fit the escrow's storage: " + "; ".join(problems))
    print(f"storage layout: {release.name} has every variable where the escrow keeps it")


def upgrade(client: ChainClient, address: str, release: Release, *, cover: int = 0) -> None:
    """Create the release's code and put it behind the proxy; `cover` wei of the treasury go with it.

    Raises Refused where the contract refuses, ChainError where the chain does. Sends nothing of the treasury to code that
    cannot be upgraded: one transaction does both.
    """
    owner = account(client, OWNER)
    implementation = create(client, owner, release.bytecode)
    try:
        call_contract(client, owner, address, "upgradeToAndCall(address,bytes)", implementation, "0x", value=cover)
    except ChainError as error:
        raise Refused(f"the contract does not take it: {in_words(error)}") from error
    state = read_state(client, address)
    if state.implementation.lower() != implementation.lower():
        raise Refused(f"the proxy points to {state.implementation} rather than {implementation}")
    print(f"release {state.version} at {implementation} is live behind {address} since block {state.block}")


def kept(client: ChainClient, address: str) -> Kept:
    """Read what an upgrade must not change. Raises ChainError."""
    state = read_state(client, address)
    return Kept(state.owner, state.paused, tuple(open_deposits(client, address)), state.open_total)


def check_kept(client: ChainClient, address: str, before: Kept) -> None:
    """See that every open deposit, the totals, the owner and the pause are as they were. Raises Refused, ChainError."""
    after = kept(client, address)
    if after != before:
        raise Refused(f"the upgrade changed what it must keep: before {before}, after {after}")
    _check_sum(after)
    print(f"kept: {len(after.deposits)} open deposits, {ether(after.open_total)}")


def _check_sum(found: Kept) -> None:
    total = sum(one.amount for one in found.deposits)
    if total != found.open_total:
        raise Refused(f"the open deposits add up to {total} wei, the contract says {found.open_total}")
