"""When: what breaks. Each phrase is one fault; all are healed at the drill's end, last in, first out."""

from __future__ import annotations

from pytest_bdd import parsers, when

from drillbook.drill import Drill
from drillbook.faults.bad_release import BadRelease
from drillbook.faults.certificate_expired import CertificateExpired
from drillbook.faults.chain_reorg import ChainReorg
from drillbook.faults.changed_release import ChangedRelease
from drillbook.faults.cluster_full import ClusterFull
from drillbook.faults.disk_full import DiskFull
from drillbook.faults.dns_gone import DnsGone
from drillbook.faults.external_api import ExternalApi
from drillbook.faults.file_changed import FileSwapped, TextChanged
from drillbook.faults.gas_price_spike import GasPriceSpike
from drillbook.faults.index_dropped import IndexDropped
from drillbook.faults.link_bandwidth import LinkBandwidth
from drillbook.faults.link_down import LinkDown
from drillbook.faults.link_flapping import LinkFlapping
from drillbook.faults.link_latency import LinkLatency
from drillbook.faults.link_reset import LinkReset
from drillbook.faults.link_timeout import LinkTimeout
from drillbook.faults.pool_exhausted import PoolExhausted
from drillbook.faults.process_frozen import ProcessFrozen
from drillbook.faults.process_killed import ProcessKilled
from drillbook.faults.rollback_hangs import RollbackHangs
from drillbook.faults.rows_deleted import RowsDeleted
from drillbook.faults.rpc_lag import RpcLag
from drillbook.faults.stuck_transaction import StuckTransaction
from drillbook.faults.table_dropped import TableDropped
from drillbook.faults.table_locked import TableLocked

DEFECTS = {"answers 500": "answers-500", "hangs": "hangs", "exits": "exits"}


@when(parsers.re(r'a release of "(?P<app>[^"]+)" that (?P<defect>answers 500|hangs|exits) goes live'))
def bad_release(drill: Drill, app: str, defect: str) -> None:
    """Make a defective release live, whatever its health: it answers 500, hangs, or exits."""
    drill.inject(BadRelease(app, DEFECTS[defect]))


@when(parsers.re(r'two releases of "(?P<app>[^"]+)" in a row that (?P<defect>answer 500|hang|exit) go live'))
def two_bad_releases(drill: Drill, app: str, defect: str) -> None:
    """Make two defective releases live one after the other, so that the one before is broken too."""
    plural = {"answer 500": "answers-500", "hang": "hangs", "exit": "exits"}
    drill.inject(BadRelease(app, plural[defect], previous_too=True))


@when(parsers.re(r'a release of "(?P<app>[^"]+)" with (?P<setting>[A-Z_][A-Z0-9_]*)=(?P<value>\S*) goes live'))
def changed_release(drill: Drill, app: str, setting: str, value: str) -> None:
    """Release an app's same code with another value of one of its variables."""
    drill.inject(ChangedRelease(app, setting, value))


@when(parsers.parse("the cluster has room for {room:d} processes only"))
def cluster_full(drill: Drill, room: int) -> None:
    """Leave the cluster so little room; who runs stays, further processes are Pending."""
    drill.inject(ClusterFull(room))


@when(
    parsers.re(
        r'a release of "(?P<app>[^"]+)" that (?P<defect>answers 500|hangs|exits) goes live after one that never starts'
    )
)
def rollback_hangs(drill: Drill, app: str, defect: str) -> None:
    """Make a defective release live, so that a rollback to the one before it never ends."""
    drill.inject(RollbackHangs(app, DEFECTS[defect]))


@when(parsers.parse('the certificate of "{name}" has expired'))
def certificate_expired(drill: Drill, name: str) -> None:
    """Have the server behind a name present a certificate whose time is past."""
    drill.inject(CertificateExpired(name))


@when(parsers.parse('the certificate of "{name}" is renewed'))
def certificate_renewed(drill: Drill, name: str) -> None:
    """Renew a name's certificate once its end was felt, as whoever holds it would."""
    drill.wait_for_alarm()
    drill.heal(CertificateExpired(name))


@when(parsers.parse('the name "{name}" no longer resolves'))
def dns_gone(drill: Drill, name: str) -> None:
    """Take a name's record out of the sandbox's hosts file."""
    drill.inject(DnsGone(name))


@when(parsers.parse('the name "{name}" resolves again'))
def dns_back(drill: Drill, name: str) -> None:
    """Bring a name's record back once its absence was felt, as its registrar would."""
    drill.wait_for_alarm()
    drill.heal(DnsGone(name))


@when(parsers.parse('every process of "{service}" is killed'))
def killed(drill: Drill, service: str) -> None:
    """Kill a service's processes with SIGKILL."""
    drill.inject(ProcessKilled(service))


@when(parsers.parse('every process of "{service}" is frozen'))
def frozen(drill: Drill, service: str) -> None:
    """Stop a service's processes with SIGSTOP: they hold their connections and answer nothing."""
    drill.inject(ProcessFrozen(service))


@when(parsers.parse('the link "{link}" is cut'))
def link_cut(drill: Drill, link: str) -> None:
    """Close a link's connections and refuse new ones."""
    drill.inject(LinkDown(link))


@when(parsers.parse('the link "{link}" comes back'))
def link_back(drill: Drill, link: str) -> None:
    """End the cut of a link once it was felt, as its provider would: the runbook's own steps could not."""
    drill.wait_for_alarm()
    drill.heal(LinkDown(link))


@when(
    parsers.parse('the link "{link}" flaps, {down:d} ms down and {up:d} ms up, for at most {seconds:d} s'),
)
def link_flaps(drill: Drill, link: str, down: int, up: int, seconds: int) -> None:
    """Cut a link and let it be, again and again, by itself."""
    drill.inject(LinkFlapping(link, up, down, seconds))


@when(parsers.parse('the link "{link}" holds again'))
def link_holds(drill: Drill, link: str) -> None:
    """End the faults of a link, its flapping for one, once they were felt, as its provider would."""
    drill.wait_for_alarm()
    drill.heal_service(link)


@when(parsers.parse('the link "{link}" gains {latency:d} ms of latency with {jitter:d} ms of jitter'))
def link_slow(drill: Drill, link: str, latency: int, jitter: int) -> None:
    """Delay what flows down a link."""
    drill.inject(LinkLatency(link, latency, jitter))


@when(parsers.parse('the link "{link}" is limited to {rate:d} KB/s'))
def link_narrow(drill: Drill, link: str, rate: int) -> None:
    """Limit what flows down a link; a KB is 1,000 bytes."""
    drill.inject(LinkBandwidth(link, rate))


@when(parsers.parse('the link "{link}" resets its connections'))
def link_reset(drill: Drill, link: str) -> None:
    """Answer every connection over a link with a TCP reset."""
    drill.inject(LinkReset(link))


@when(parsers.parse('the link "{link}" swallows everything'))
def link_timeout(drill: Drill, link: str) -> None:
    """Drop all data on a link without closing it: whoever waits, waits for ever."""
    drill.inject(LinkTimeout(link))


@when(parsers.parse('the outside API "{service}" answers {status:d}'))
def outside_error(drill: Drill, service: str, status: int) -> None:
    """Let an outside API answer everything with an HTTP error; 429 is its rate limit."""
    mode = "rate-limited" if status == 429 else "error"
    drill.inject(ExternalApi(service, mode, status))


@when(parsers.parse('the outside API "{service}" recovers'))
def outside_back(drill: Drill, service: str) -> None:
    """End an outside API's fault once it was felt, as its owner would."""
    drill.wait_for_alarm()
    drill.heal_service(service)


@when(parsers.parse('the outside API "{service}" answers garbage'))
def outside_garbage(drill: Drill, service: str) -> None:
    """Let an outside API answer 200 with a body that is not what was asked for."""
    drill.inject(ExternalApi(service, "garbage"))


@when(parsers.parse('the outside API "{service}" takes {delay:d} ms to answer'))
def outside_slow(drill: Drill, service: str, delay: int) -> None:
    """Let an outside API answer rightly, but late."""
    drill.inject(ExternalApi(service, "slow", delay=delay / 1000))


@when(parsers.parse('the outside API "{service}" hangs'))
def outside_hangs(drill: Drill, service: str) -> None:
    """Let an outside API take requests and never answer."""
    drill.inject(ExternalApi(service, "hang"))


@when(parsers.parse('in the workspace file "{file}" the text "{old}" becomes "{new}"'))
def text_changed(drill: Drill, file: str, old: str, new: str) -> None:
    """Change a text in a file of the responder's workspace, as a bad commit or a typing error does."""
    drill.inject(TextChanged(file, old, new))


@when(parsers.parse('the workspace file "{file}" holds what "{other}" holds'))
def file_swapped(drill: Drill, file: str, other: str) -> None:
    """Put another file's content in place of a file of the responder's workspace, as a wrong build does."""
    drill.inject(FileSwapped(file, other))


@when(parsers.parse('the table "{table}" is dropped'))
def table_dropped(drill: Drill, table: str) -> None:
    """Drop a table with all that depends on it."""
    drill.inject(TableDropped(table))


@when(parsers.parse('the index "{index}" is dropped'))
def index_dropped(drill: Drill, index: str) -> None:
    """Drop an index: what it made quick is slow, and every answer stays right."""
    drill.inject(IndexDropped(index))


@when(parsers.parse('the rows of "{table}" where "{where}" are deleted'))
def rows_deleted(drill: Drill, table: str, where: str) -> None:
    """Delete rows by a condition in SQL."""
    drill.inject(RowsDeleted(table, where))


@when(parsers.parse('the table "{table}" is locked'))
def table_locked(drill: Drill, table: str) -> None:
    """Hold an exclusive lock on a table in an open transaction."""
    drill.inject(TableLocked(table))


@when(parsers.parse('the lock on "{table}" is released'))
def table_released(drill: Drill, table: str) -> None:
    """End the transaction that holds a table's lock, as its owner would."""
    drill.wait_for_alarm()
    drill.heal(TableLocked(table))


@when("the database's connections are exhausted")
def pool_exhausted(drill: Drill) -> None:
    """Take every connection of the app's role with sessions that are idle in a transaction."""
    drill.inject(PoolExhausted())


@when(parsers.parse('the RPC endpoint behind "{link}" falls behind the chain'))
def rpc_lags(drill: Drill, link: str) -> None:
    """Let an RPC endpoint answer with the chain as it is now, whatever blocks come after."""
    drill.inject(RpcLag(link))


@when(parsers.parse("the price of gas rises to a tip of {gwei:d} gwei"))
def gas_is_dear(drill: Drill, gwei: int) -> None:
    """Let blocks take only transactions that tip so much; cheaper ones wait in the pool. Not on anvil."""
    drill.inject(GasPriceSpike(gwei))


@when(parsers.parse("a transaction of account {account:d} is stuck below a tip of {gwei:d} gwei"))
def transaction_stuck(drill: Drill, account: int, gwei: int) -> None:
    """Leave a cheap transaction of one of the node's accounts in the pool, before all its later ones. Not on anvil."""
    drill.inject(StuckTransaction(account, gwei))


@when(parsers.re(r"the chain replaces its newest (?P<depth>\d+ )?blocks?"), converters={"depth": lambda n: int(n or 1)})
def chain_reorganised(drill: Drill, depth: int) -> None:
    """Replace the newest blocks by empty ones. Only on anvil."""
    drill.inject(ChainReorg(depth))


@when(parsers.parse('the disk of the "{folder}" is full'))
def disk_full(drill: Drill, folder: str) -> None:
    """Fill the disk of the "workspace", where the runbook's commands run, or of the "backups": nothing more is written."""
    drill.inject(DiskFull(folder))


@when(parsers.parse('the disk of the "{folder}" has room again'))
def disk_has_room(drill: Drill, folder: str) -> None:
    """Free the disk, as somebody does who removes what is not needed."""
    drill.heal(DiskFull(folder))
