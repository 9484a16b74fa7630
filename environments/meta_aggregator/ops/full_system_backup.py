"""Back up the whole system and prove the backup: restore it into an empty database and onto an empty chain, and compare.

What is kept, in BACKUP_DIR/full_<UTC time>: the database (pg_dump, of one snapshot), the escrow contract's state (code,
storage, deposits, balance), the configuration (environment, schema, addresses, compiled contracts, what is deployed), and
manifest.json with the SHA-256 of each file. Before that, the newest full backup that is there already is read again: bits rot.
A backup that is not proved is not kept. Exit 1 where an old backup is damaged or the new one differs from the system, 2 where
none could be made; what is wrong is named.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from drillbook.chain.client import ChainClient, ChainError
from drillbook.chain.command import chain_command
from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.errors import DrillbookError, EnvironmentFailed
from ops import production, verify_data_integrity
from ops.deploy_contracts import ARBITER, deploy
from ops.escrow import escrow_address

ENVIRONMENT = Path(__file__).parents[1]
CONFIGURATION = ("environment.yaml", "runbook.md", "database", "contracts/addresses.json", "contracts/artifacts")
IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
"""EIP-1967: keccak256("eip1967.proxy.implementation") - 1."""
SLOTS = ("0x0", "0x1", "0x2", "0x3", IMPLEMENTATION_SLOT)
"""Owner and flags, arbiter, number of open deposits, their total; then the proxy's."""
NONE, OPEN, CONFIRMED, REFUNDED = range(4)
DEPOSIT = "deposit(bytes32)(address,address,uint256,uint8)"
SECONDS = 60.0
CHAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Contract:
    """The escrow's state at one block: code and storage as hex, `deposits` as (buyer, seller, wei, state) by order id."""

    address: str
    code: str
    implementation_code: str
    storage: Mapping[str, str]
    balance: int
    deposits: Mapping[str, tuple[str, str, int, int]]


@dataclass(frozen=True, slots=True)
class EmptyChain:
    """A chain of this procedure's own."""

    process: subprocess.Popen[bytes]
    url: str


def run(*command: str) -> str:
    """Run a program; give its output, or raise EnvironmentFailed with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).partition("\n")[0]
        raise EnvironmentFailed(f"{command[0]} ended with {done.returncode}: {said}")
    return done.stdout


# What is kept


def dump_database(file: Path) -> dict[str, verify_data_integrity.TableRecord]:
    """Dump the database, and count and seal its rows in the very snapshot that is dumped. Raises psycopg.Error too."""
    waits = f"--lock-wait-timeout={os.environ.get('LOCK_SECONDS', '10')}s"
    with production.database(seconds=SECONDS) as link, link.transaction():
        link.execute("set transaction isolation level repeatable read, read only")
        link.execute(
            sql.SQL("set local lock_timeout = {}").format(sql.Literal(os.environ.get("LOCK_SECONDS", "10") + "s"))
        )
        snapshot = link.execute("select pg_export_snapshot()").fetchall()[0][0]
        run("pg_dump", "-Fc", waits, f"--snapshot={snapshot}", "-f", str(file), production.DATABASE)
        return {table: verify_data_integrity.record(link, table) for table in verify_data_integrity.TABLES}


def order_ids() -> list[str]:
    """Give the escrow's key of every trade that the database knows."""
    with production.database() as link:
        return [row[0] for row in link.execute("select escrow_order_id from trades order by id").fetchall()]


def read_contract(chain: ChainClient, orders: Sequence[str]) -> Contract:
    """Read the escrow: its code, its own words of storage, the deposit of each order, its balance."""
    address = escrow_address()
    storage = {slot: str(chain.call("eth_getStorageAt", address, slot, "latest")) for slot in SLOTS}
    deposits = {order: tuple(chain.read(address, DEPOSIT, order)) for order in orders}
    implementation = "0x" + storage[IMPLEMENTATION_SLOT][-40:]
    return Contract(address, chain.code(address), chain.code(implementation), storage, chain.balance(address), deposits)


def keep_configuration(folder: Path) -> None:
    """Copy what the system is made from, and ask the cluster what is deployed."""
    for name in CONFIGURATION:
        source, target = ENVIRONMENT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
    context = ("--context", "production", "-n", "default")
    deployed = run("kubectl", *context, "get", "deployment", production.DEPLOYMENT, "-o", "json")
    (folder / "deployment.json").write_text(deployed)


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of each file below a folder, but the manifest."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "manifest.json")
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


# Its proof


@contextmanager
def empty_database() -> Iterator[str]:
    """Give the name of a new database, which is dropped afterwards."""
    name = f"backup_check_{os.getpid()}"
    with production.database("postgres", SECONDS) as server:
        server.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextmanager
def empty_chain(chain_id: int) -> Iterator[EmptyChain]:
    """Start a chain on a free loopback port; it need not answer yet. It is ended afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    argv = chain_command("127.0.0.1", port, chain_id, os.environ)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        yield EmptyChain(process, f"http://127.0.0.1:{port}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # npm's anvil is a wrapper with the node as its child
        process.wait()


def compare_database(folder: Path, expected: Mapping[str, verify_data_integrity.TableRecord]) -> list[str]:
    """Restore the archive into an empty database; say how that differs from what was dumped."""
    with empty_database() as name:
        run("pg_restore", "--exit-on-error", "--no-owner", "-d", name, str(folder / "database.dump"))
        with production.database(name, SECONDS) as restored:
            findings = verify_data_integrity.verify(restored, expected, "")
            counts = [(table, verify_data_integrity.record(restored, table).rows) for table in expected]
    problems = [f"restored database, {one.check}: {problem}" for one in findings for problem in one.problems]
    extra = [f"restored {table} has {rows} rows, {expected[table].rows} were dumped" for table, rows in counts
             if rows != expected[table].rows]  # fmt: skip
    return [*problems, *extra]


def replay(chain: ChainClient, kept: Contract) -> None:
    """Bring the escrow onto an empty chain: deploy it, and make every deposit again, to the state that it was in."""
    deploy(chain)
    accounts = chain.accounts()
    for order, (buyer, seller, amount, state) in kept.deposits.items():
        if state == NONE:
            continue
        chain.invoke(buyer, kept.address, "depositFor(bytes32,address)", order, seller, value=amount)
        if state in (CONFIRMED, REFUNDED):
            action = "confirm(bytes32)" if state == CONFIRMED else "refund(bytes32)"
            chain.invoke(accounts[ARBITER], kept.address, action, order)
    if chain.call("eth_getStorageAt", kept.address, "0x0", "latest") != kept.storage["0x0"]:
        chain.invoke(accounts[0], kept.address, "pause()")  # the only other flag of that word that lasts


def compare_contract(folder: Path, empty: EmptyChain) -> list[str]:
    """Replay what the file says on the empty chain; say which field differs from the file."""
    content = json.loads((folder / "contract.json").read_text())
    kept = Contract(**{**content, "deposits": {k: tuple(v) for k, v in content["deposits"].items()}})
    with ChainClient(empty.url, timeout=5.0) as chain:
        wait_until(lambda: empty.process.poll() is not None or _answers(chain), CHAIN_SECONDS)
        if not _answers(chain):
            raise EnvironmentFailed("the empty chain for the restored contract did not start")
        try:
            replay(chain, kept)
        except ChainError as error:
            return [f"restored contract: {error}"]
        found = read_contract(chain, list(kept.deposits))
    before, after = asdict(kept), asdict(found)
    return [f"restored contract: {name} is {_short(after[name])}, the system's is {_short(value)}"
            for name, value in before.items() if value != after[name]]  # fmt: skip


def compare_configuration(folder: Path) -> list[str]:
    """Say which file of the configuration differs from what is in use."""
    problems = []
    for file in sorted((folder / "configuration").rglob("*")):
        source = ENVIRONMENT / file.relative_to(folder / "configuration")
        if file.is_file() and file.name != "deployment.json" and file.read_bytes() != source.read_bytes():
            problems.append(f"configuration: {source.name} is not what is in use")
    return problems


def check_kept(folder: Path) -> list[str]:
    """Read a full backup of before again; say what of it is damaged, missing or was never there."""
    try:
        expected: Mapping[str, str] = json.loads((folder / "manifest.json").read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{folder.name}: manifest.json is missing or cannot be read"]
    found = digests(folder)
    missing = [f"{folder.name}: {name} is missing" for name in expected if name not in found]
    changed = [f"{folder.name}: {name} is not what was written: its SHA-256 differs" for name in expected
               if name in found and found[name] != expected[name]]  # fmt: skip
    return missing + changed


# The procedure


def back_up(folder: Path) -> list[str]:
    """Make the backup in a folder and prove it; give what is wrong with it."""
    with ChainClient(os.environ["CHAIN_URL"], timeout=5.0) as chain, empty_chain(chain.chain_id()) as empty:
        # The empty chain starts while the database is dumped.
        tables = dump_database(folder / "database.dump")
        contract = read_contract(chain, order_ids())
        (folder / "contract.json").write_text(json.dumps(asdict(contract), indent=1) + "\n")
        keep_configuration(folder / "configuration")
        known = {name: asdict(record) for name, record in tables.items()}
        manifest = {"tables": known, "sha256": digests(folder)}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        problems = check_kept(folder) + compare_database(folder, tables) + compare_contract(folder, empty)
    rows = ", ".join(f"{record.rows} {name}" for name, record in tables.items())
    print(f"database: {rows}; contract: {len(contract.deposits)} deposits, {contract.balance} wei; "
          f"configuration: {len(digests(folder / 'configuration'))} files")  # fmt: skip
    return problems + compare_configuration(folder)


def main() -> int:
    """Check the newest backup, make the next one, tell what is wrong."""
    backups = Path(os.environ["BACKUP_DIR"])
    kept = sorted(folder for folder in backups.glob("full_*") if folder.is_dir() and folder.suffix != ".incomplete")
    problems = check_kept(kept[-1]) if kept else []
    folder = backups / f"full_{SYSTEM_CLOCK.wall():%Y%m%d_%H%M%S_%f}"
    unfinished = folder.with_suffix(".incomplete")
    try:
        unfinished.mkdir(parents=True)
        wrong = back_up(unfinished)
        if not wrong:
            unfinished.rename(folder)
    except (DrillbookError, psycopg.Error, OSError, subprocess.TimeoutExpired) as error:
        print(f"no full backup was made: {production.one_line(error)}", file=sys.stderr)
        for problem in problems:
            print(f"DAMAGED: {problem}")
        return 2
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(unfinished)
    for problem in problems:
        print(f"DAMAGED: {problem}")
    for problem in wrong:
        print(f"DIFFERS: {problem}")
    if not wrong:
        print(f"full backup: {folder}, restored into an empty database and onto an empty chain, and identical")
    return 1 if problems or wrong else 0


def _answers(chain: ChainClient) -> bool:
    try:
        return chain.block_number() >= 0
    except ChainError:
        return False


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


if __name__ == "__main__":
    sys.exit(main())
