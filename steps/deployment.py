"""Deployments: the checkout, the approval, what a bad commit or build does, and what runs where afterwards."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pytest_bdd import given, parsers, then, when

from drillbook.backends.base import Environment
from drillbook.chain.client import ChainClient
from drillbook.drill import Drill
from drillbook.errors import EnvironmentFailed, UsageError
from drillbook.faults.base import ActiveFault
from drillbook.faults.file_changed import TextChanged
from drillbook.faults.proof import proven
from drillbook.journal import Note, RequestEnded, TrafficEnded
from drillbook.platform.client import Release
from drillbook.probes.http import tls_context
from drillbook.responder.registry import decision, manual
from drillbook.responder.situation import Situation
from drillbook.topology.services import PostgresService
from drillbook.verdict.timeline import each, first
from ops.deploy import runs
from ops.release_artifact import APPROVAL, DIST, MANIFEST, approve
from steps.data import Look

PARTS = {"orders-api": "backend", "frontend": "frontend", "staging-api": "backend", "staging-frontend": "frontend"}
"""Which part of a release an app runs."""
CHECKED_OUT = ("services", "contracts", "hardhat.networks.json")
ESCROW = Path("contracts/artifacts/Escrow.json")
NETWORKS = Path("hardhat.networks.json")
HEALTH = Path("services/orders_api/application.py")
START = Path("services/orders_api/__main__.py")
MARK = "<!-- built from this checkout -->"
TOGETHER = "release-together"
"""A file whose presence is the release plan: all parts by the one command."""


# Before


@given("the project is checked out, with a new version of every part")
def checked_out(drill: Drill) -> None:
    """Put the project's sources into the workspace: the next escrow, another page; the backend as it is, built anew."""
    workspace, folder = drill.environment.workspace, drill.environment.topology.folder
    for name in CHECKED_OUT:
        source = folder / name
        if source.is_dir():
            shutil.copytree(source, workspace / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, workspace / name)
    shutil.copyfile(folder / "project" / "package.json", workspace / "package.json")
    shutil.copyfile(workspace / ESCROW.parent / "testing" / "EscrowNext.json", workspace / ESCROW)
    page = workspace / "services" / "frontend" / "page.html"
    page.write_text(page.read_text() + MARK + "\n")


@given("all parts are to be released together")
def together(drill: Drill) -> None:
    """Let the release plan say so."""
    (drill.environment.workspace / TOGETHER).touch()


@given("production's data are noted")
def noted(drill: Drill) -> None:
    """Remember every row of production's database and the last block of its chain."""
    drill.note("production's data before", fingerprint=_production(drill.environment))


# What breaks


@dataclass(frozen=True, slots=True)
class FileWritten:
    """A file of the checkout has this content: a bad compile, or something that was left there. Healing puts back what was."""

    kind: ClassVar[str] = "file-written"
    file: str
    content: str

    @property
    def target(self) -> str:
        """The file."""
        return self.file

    def inject(self, environment: Environment) -> ActiveFault:
        """Write it, and see that it is there and is another than before."""
        file = environment.workspace / self.file
        before = file.read_text() if file.exists() else None
        file.parent.mkdir(exist_ok=True)
        file.write_text(self.content)
        return proven(_Written(file, before), lambda: file.read_text() == self.content != before, "it is as it was")


@dataclass(frozen=True, slots=True)
class _Written:
    file: Path
    before: str | None

    def heal(self) -> None:
        """Put the content back, or take the file away."""
        if self.before is None:
            self.file.unlink(missing_ok=True)
        else:
            self.file.write_text(self.before)


@when(
    parsers.re("a commit after which the backend (?P<how>answers 500 to its health check|exits at its start) is merged")
)
def bad_commit(drill: Drill, how: str) -> None:
    """Change the backend's source so that it builds, but is not healthy."""
    if how.startswith("exits"):
        old = 'if __name__ == "__main__":\n'
        drill.inject(TextChanged(str(START), old, old + '    raise SystemExit("a required setting is missing")\n'))
    else:
        old = "        health = await self._health.look()\n"
        drill.inject(TextChanged(str(HEALTH), old, old + '        raise KeyError("a column that no migration made")\n'))


@when("a commit after which the backend does not compile is merged")
def no_compile(drill: Drill) -> None:
    """Leave a conflict's marker in the backend's source."""
    drill.inject(TextChanged(str(HEALTH), "class OrdersApi:", "<<<<<<< HEAD\nclass OrdersApi:"))


@when(parsers.re("the escrow is compiled to (?P<what>code that cannot be created|code that is no escrow)"))
def bad_contract(drill: Drill, what: str) -> None:
    """Put another bytecode in the escrow's artifact: one that reverts at once, or another contract's."""
    workspace = drill.environment.workspace
    artifact: dict[str, Any] = json.loads((workspace / ESCROW).read_text())
    other = artifact | {"bytecode": "0x60006000fd"}  # PUSH1 0, PUSH1 0, REVERT
    if what.endswith("no escrow"):
        watch = json.loads((workspace / ESCROW.with_name("EscrowWatch.json")).read_text())
        other = artifact | {key: watch[key] for key in ("bytecode", "deployedBytecode")}
    drill.inject(FileWritten(str(ESCROW), json.dumps(other)))


@when("the approval of another release was left in the checkout")
def stale_approval(drill: Drill) -> None:
    """Leave what somebody approved yesterday."""
    other = {"release": hashlib.sha256(b"yesterday").hexdigest(), "by": "Joeri van der Klink"}
    drill.inject(FileWritten(str(APPROVAL), json.dumps(other)))


@when("staging's network leads to production's node")
def misdirected(drill: Drill) -> None:
    """Give the project's staging network the URL of mainnet's."""
    networks = json.loads((drill.environment.workspace / NETWORKS).read_text())
    drill.inject(TextChanged(str(NETWORKS), networks["staging"]["url"], networks["mainnet"]["url"]))


# What people do


@manual("to approve the release for production")
def ask_for_approval(situation: Situation) -> str:
    """Ask the development lead, and write down for which release they gave their approval."""
    workspace = situation.environment.workspace
    try:
        digest = str(json.loads((workspace / MANIFEST).read_text())["digest"])
    except FileNotFoundError:
        raise EnvironmentFailed("there is no release to approve: nothing was built") from None
    approval = situation.ask("primary", f"May release {digest[:12]} go to production?")
    if approval.answer == "no-answer":
        raise EnvironmentFailed(str(approval))
    if approval.granted:
        approve(workspace, digest, approval.name)
    return str(approval)


@decision("If staging is healthy and the release is approved")
def part_by_part(situation: Situation) -> tuple[bool, str]:
    """Deploy part by part, unless the plan says together."""
    if (situation.environment.workspace / TOGETHER).exists():
        return False, "all parts are to be released together"
    return _may_go(situation)


@decision("If all parts are to be released together")
def all_together(situation: Situation) -> tuple[bool, str]:
    """Deploy by the one command if the plan says so; staging and the approval are asked of this way as well."""
    if not (situation.environment.workspace / TOGETHER).exists():
        return False, "the parts are released one by one"
    return _may_go(situation)


def _may_go(situation: Situation) -> tuple[bool, str]:
    if not (situation.environment.workspace / APPROVAL).exists():
        return False, "the release is not approved"
    if not situation.succeeded("Deploy to staging") or not situation.succeeded("Check staging"):
        return False, "staging is not healthy"
    return True, "staging is healthy, and the release is approved"


# What came of it


@then(parsers.parse('"{app}" runs the release that was built'))
def runs_built(drill: Drill, app: str) -> None:
    """See that the live release is the very archive in dist/, by its SHA-256, and that every process is of it."""

    def look() -> Look:
        built = json.loads((drill.environment.workspace / MANIFEST).read_text())["parts"][PARTS[app]]
        content = (drill.environment.workspace / DIST / built["file"]).read_bytes()
        found, live = drill.environment.platform.app(app), _live(drill, app)
        served = {instance.release for instance in found.instances}
        same = live.artifact == built["sha256"] == hashlib.sha256(content).hexdigest()
        return same and served == {live.number}, f"release {live.number}, artifact {live.artifact or 'none'}", ()

    drill.check(f"{app} runs the release that was built", look)


@then(parsers.parse('"{app}" still runs the release from before'))
def runs_old(drill: Drill, app: str) -> None:
    """See that nothing that was built is live, and that its processes are those of a healthy release from before."""

    def look() -> Look:
        found, live = drill.environment.platform.app(app), _live(drill, app)
        ready = all(instance.state == "ready" and instance.release == live.number for instance in found.instances)
        return not live.artifact and ready, f"release {live.number}, artifact {live.artifact or 'none'}", ()

    drill.check(f"{app} still runs the release from before", look)


@then("the page that customers get is the one that was built")
def page_is_new(drill: Drill) -> None:
    """See the checkout's own mark in the page of the public name."""

    def look() -> Look:
        text = httpx.get("https://metaaggregator.com/", verify=tls_context(), timeout=5.0).text
        return MARK in text, f"{len(text)} characters, {'with' if MARK in text else 'without'} the mark", ()

    drill.check("the page that customers get is the one that was built", look)


@then(
    parsers.re('the escrow on "(?P<chain>mainnet|staging)" (?P<which>is the one that was built|is the one from before)')
)
def escrow_is(drill: Drill, chain: str, which: str) -> None:
    """See which code the escrow's proxy runs, by comparing it with the artifact of the checkout or of the environment."""
    service = "staging-chain" if chain == "staging" else "chain"

    def look() -> Look:
        environment = drill.environment
        folder = environment.workspace if which.endswith("built") else environment.topology.folder
        code = str(json.loads((folder / ESCROW).read_text())["deployedBytecode"])
        with ChainClient(environment.chain_url(service)) as client:
            return runs(client, code), f"block {client.block_number()}", ()

    drill.check(f"the escrow on {chain} {which}", look)


@then("the traffic loses no request")
def nothing_lost(drill: Drill) -> None:
    """Count every request of the traffic: each was acknowledged, and in its first attempt, so that no retry hid a loss."""

    def look() -> Look:
        drill.measure_loss()  # it stops the traffic, and those under way have ended
        said, ended = first(drill.timeline, TrafficEnded), list(each(drill.timeline, RequestEnded))
        bad = [(r, e) for r, e in ended if e.outcome != "acknowledged" or e.attempts != 1]
        if said is None or not ended:
            raise UsageError("there was no traffic")
        sent, acknowledged = said[1].sent, said[1].acknowledged
        detail = f"{sent} sent, {acknowledged} acknowledged, {len(bad)} failed, refused or sent twice"
        detail += "".join(f"; {e.outcome} in attempt {e.attempts}: {e.error or e.status}" for _, e in bad[:3])
        return not bad and sent == acknowledged == len(ended), detail, tuple(r.seq for r, _ in bad[:3])

    drill.check("the traffic loses no request", look)


@then("production's data are untouched, and staging has its own")
def apart(drill: Drill) -> None:
    """Place an order at staging and see it in staging's database alone, then that nothing of production's has changed."""

    def look() -> Look:
        environment, key = drill.environment, f"staging-{drill.seed}"
        order = {"customer": "0x" + "5" * 40, "sell_token": "ETH", "buy_token": "USDC", "sell_amount": str(10**18)}
        url, headers = "https://api.staging.metaaggregator.com/api/orders", {"Idempotency-Key": key}
        answer = httpx.post(url, json=order, headers=headers, verify=tls_context(), timeout=5.0)
        placed = {name: _orders(environment, name, key) for name in ("staging-postgres", "postgres")}
        with ChainClient(environment.chain_url("staging-chain")) as client:
            block = client.block_number()
        before = [n.details["fingerprint"] for _, n in each(drill.timeline, Note) if "fingerprint" in n.details]
        same = before == [_production(environment)]
        detail = f"order answered {answer.status_code}, in staging {placed['staging-postgres']}, in production"
        detail += (
            f" {placed['postgres']}; staging's chain at block {block}; production {'as it was' if same else 'CHANGED'}"
        )
        return same and placed == {"staging-postgres": 1, "postgres": 0} and block > 0, detail, ()

    drill.check("production's data are untouched, and staging has its own", look)


def _live(drill: Drill, app: str) -> Release:
    found = drill.environment.platform.app(app)
    return next(release for release in found.releases if release.number == found.current)


def _orders(environment: Environment, service: str, key: str) -> int:
    with environment.database(service) as database:
        row = database.execute("select count(*) from orders where idempotency_key = %s", [key]).fetchone()
    return int(row[0]) if row else 0


def _production(environment: Environment) -> str:
    """Give one digest of production's whole database and chain: every row of every table, the last block's hash."""
    digest = hashlib.sha256()
    assert isinstance(environment.topology.services["postgres"], PostgresService)
    with environment.database("postgres") as database:
        tables = database.execute("select tablename from pg_tables where schemaname = 'public' order by 1").fetchall()
        for (table,) in tables:
            query = f"select md5(coalesce(string_agg(t::text, e'\\n' order by t::text), '')) from \"{table}\" t"
            digest.update(f"{table} {database.execute(query.encode()).fetchone()}\n".encode())
    with ChainClient(environment.chain_url("chain")) as client:
        digest.update(str(client.call("eth_getBlockByNumber", "latest", False)["hash"]).encode())
    return digest.hexdigest()
