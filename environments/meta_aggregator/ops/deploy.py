"""Put the release in dist/ into production or staging, part by part: contracts, backend, frontend.

A part is deployed only after those before it are there, for the backend calls the contracts and the frontend the backend;
what fails stops the rest. The platform gets exactly what was built, starts it beside the old release and switches only
if it is healthy. Production takes only what somebody approved (`ops.release_artifact`).
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException, HTTPSConnection
from typing import Any, TypeVar
from urllib.parse import urlsplit

from drillbook.chain.client import ChainClient
from drillbook.clock import wait_until
from drillbook.errors import DrillbookError
from ops.deploy_contracts import deploy, open_trades
from ops.escrow import escrow_address
from ops.networks import HardhatError, connect, find_network
from ops.release_artifact import PARTS, Part, Release, ReleaseError, approver_of, read_release

T = TypeVar("T")
PLATFORM = os.environ.get("PLATFORM_URL", "https://api.vercel.com")
SECONDS = 30.0
"""How long the platform may take to bring a release live, or to give it up."""
SHOWN_SECONDS = 3.0
"""How long the public name may take to show a release that is live."""
IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
"""EIP-1967: keccak256("eip1967.proxy.implementation") - 1."""


@dataclass(frozen=True, slots=True)
class App:
    """What runs a part: the platform's name of it, and the URL at which the public sees its health."""

    name: str
    health: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where a release goes."""

    name: str
    network: str
    backend: App
    frontend: App
    approved: bool
    """Whether it takes only what was approved."""


PRODUCTION = Target(
    "production",
    "mainnet",
    App("orders-api", "https://api.metaaggregator.com/health"),
    App("frontend", "https://metaaggregator.com/api/health"),
    approved=True,
)
STAGING = Target(
    "staging",
    "staging",
    App("staging-api", "https://api.staging.metaaggregator.com/health"),
    App("staging-frontend", "https://staging.metaaggregator.com/api/health"),
    approved=False,
)


def deploy_release(target: Target, wanted: tuple[str, ...] = PARTS) -> int:
    """Deploy parts of the release in dist/ in their order; give the exit code: 1 once one fails, and the rest is left."""
    left = list(wanted)
    try:
        release = read_release()
        _admit(release, target)
        while left:
            print(f"{target.name}: {left[0]}: {_deploy_part(left[0], release, target)}", flush=True)
            del left[0]
    except (ReleaseError, HardhatError, DrillbookError, OSError) as error:
        print(f"{target.name}: {left[0]}: FAILED: {' '.join(str(error).split())}", file=sys.stderr)
        print(f"{target.name}: NOT deployed: {', '.join(left)}", file=sys.stderr)
        return 1
    print(f"{target.name}: release {release.name}: {', '.join(wanted)} deployed")
    return 0


def _admit(release: Release, target: Target) -> None:
    for part in release.parts.values():
        part.content()
    if target.approved:
        print(f"release {release.name} was approved for {target.name} by {approver_of(release)}")


def _deploy_part(name: str, release: Release, target: Target) -> str:
    """Deploy one part after those before it are seen to be there; give what was done."""
    if name == "contracts":
        return _on_chain(target, lambda client: deploy_contracts(client, release.parts[name]))
    if not _on_chain(target, lambda client: _is_there(client, release.parts["contracts"])):
        raise ReleaseError(f"the contracts of this release are not on {target.network}: deploy them first")
    if name == "backend":
        return _deploy_app(target.backend, release.parts[name])
    if _live(target.backend)["artifact"] != release.parts["backend"].sha256:
        raise ReleaseError(f"{target.backend.name} does not run this release's backend: deploy it first")
    return _deploy_app(target.frontend, release.parts[name])


# Contracts


def _on_chain(target: Target, act: Callable[[ChainClient], T]) -> T:
    with connect(find_network(target.network)) as client:
        return act(client)


def deploy_contracts(client: ChainClient, part: Part) -> str:
    """Bring the escrow's code to that of the release: nothing, an upgrade of the proxy, or all of it on an empty chain.

    Raises ChainError where the chain or the contract refuses, ReleaseError where the escrow is not as it was afterwards.
    """
    escrow = escrow_address()
    made = "already there" if client.code(escrow) != "0x" else ""
    if not made:
        open_trades(client, deploy(client).address)
        made = "escrow created"
    if _is_there(client, part):
        return f"{made}, {escrow} runs {implementation(client)}"
    before, owner = _state(client), str(client.read(escrow, "owner()(address)"))
    receipt = client.transact({"from": owner, "data": _built(part)["bytecode"]})
    code = str(receipt["contractAddress"])
    client.invoke(owner, escrow, "upgradeToAndCall(address,bytes)", code, b"")
    if not _is_there(client, part):
        raise ReleaseError(f"the upgrade was mined, but {escrow} runs {implementation(client)}, not {code}")
    if _state(client) != before:
        raise ReleaseError(f"the upgrade changed the escrow's books: {before} before, {_state(client)} after")
    return f"{escrow} upgraded to {code}, its books unchanged"


def implementation(client: ChainClient) -> str:
    """Give the address of the code that the escrow's proxy runs."""
    return "0x" + str(client.call("eth_getStorageAt", escrow_address(), IMPLEMENTATION_SLOT, "latest"))[-40:]


def runs(client: ChainClient, code: str) -> bool:
    """Tell whether the escrow's proxy runs this deployed code; its own address in it, an immutable, is left blank there."""
    address = implementation(client)
    return client.code(address).replace(address.removeprefix("0x").lower(), "0" * 40) == code


def _is_there(client: ChainClient, part: Part) -> bool:
    return runs(client, _built(part)["deployedBytecode"])


def _built(part: Part) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(part.content())["Escrow"]
    return found


def _state(client: ChainClient) -> tuple[object, ...]:
    names = ("owner()(address)", "arbiter()(address)", "paused()(bool)", "openCount()(uint256)", "openTotal()(uint256)")
    return tuple(client.read(escrow_address(), name) for name in names)


# Apps


def _deploy_app(app: App, part: Part) -> str:
    """Upload what was built, have it released past the health gate, and see that the public gets it."""
    before = _live(app)["number"]
    _ask("PUT", f"/apps/{app.name}/artifacts/{part.sha256}", part.content())
    wish = {"artifact": part.sha256, "gate": True}
    try:
        _ask("POST", f"/apps/{app.name}/releases", json.dumps(wish).encode())
    except ReleaseError as error:
        raise ReleaseError(f"{error}; {app.name} still runs release {_live(app)['number']}") from None
    live = _live(app)
    if live["artifact"] != part.sha256:
        raise ReleaseError(f"{app.name} runs release {live['number']}, which is not what was deployed")
    seen = wait_until(lambda: _shown(app) == str(live["number"]), SHOWN_SECONDS, interval=0.05)
    if not seen:
        raise ReleaseError(f"{app.health} shows release {_shown(app)!r}, not {live['number']}")
    return f"release {live['number']} of {app.name} is live, after release {before}"


def _live(app: App) -> Mapping[str, Any]:
    described = _ask("GET", f"/apps/{app.name}")
    return next(release for release in described["releases"] if release["number"] == described["current"])


def _shown(app: App) -> str:
    try:
        return str(_request("GET", app.health, None, SHOWN_SECONDS)[1].get("release"))
    except (OSError, HTTPException, ValueError):
        return ""


def _ask(method: str, path: str, content: bytes | None = None) -> Mapping[str, Any]:
    """Ask the platform; ReleaseError with its own words for what it refuses."""
    try:
        status, answer = _request(method, PLATFORM + path, content, SECONDS)
    except (OSError, HTTPException, ValueError) as error:
        raise ReleaseError(f"the platform does not answer {method} {PLATFORM}{path}: {error!r}") from None
    if status >= 400:
        raise ReleaseError(f"the platform refused it: {answer.get('error')}")
    return answer


def _request(method: str, url: str, content: bytes | None, seconds: float) -> tuple[int, Mapping[str, Any]]:
    parts = urlsplit(url)
    connection = HTTPSConnection(parts.hostname or "", parts.port, timeout=seconds, context=_trust())
    try:
        connection.request(method, parts.path, content)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
