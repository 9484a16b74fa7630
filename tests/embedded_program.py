"""Run inside a sandbox by test_embedded.py: start meta_aggregator once, disturb it, reset it, and print what was seen as JSON.

One start and one program for all that is to be seen, for a start costs seconds.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psycopg

from drillbook.backends.embedded.backend import EmbeddedBackend
from drillbook.backends.embedded.environment import EmbeddedEnvironment
from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.faults.certificate_expired import CertificateExpired
from drillbook.faults.dns_gone import DnsGone
from drillbook.sandbox import View, enter
from drillbook.topology.load import load

REPOSITORY = Path(__file__).parents[1]
ENVIRONMENT = REPOSITORY / "environments/meta_aggregator/environment.yaml"
HTTP_PORTS = (80, 443)


class Seen:
    """What was seen, by name; and the environment at which it is looked."""

    def __init__(self, environment: EmbeddedEnvironment) -> None:
        self.environment = environment
        self.facts: dict[str, Any] = {}
        self.http = _client()

    def names(self) -> None:
        """Say what each of production's names answers at each of its ports: a status, or that it connects."""
        answers = {}
        for host, ports in self.environment.topology.names.items():
            for port in ports:
                answers[f"{host}:{port}"] = self._answer(host, port)
        self.facts["names"] = answers

    def _answer(self, host: str, port: int) -> str:
        try:
            if port not in HTTP_PORTS:
                socket.create_connection((host, port), timeout=20).close()
                return "connects"
            scheme = "https" if port != 80 else "http"
            return str(self.http.get(f"{scheme}://{host}/").status_code)
        except (OSError, httpx.HTTPError) as error:
            return f"{type(error).__name__}: {error}"

    def shell(self, command: str) -> str:
        """Run a command as the operator, and give its output."""
        done = subprocess.run(
            ["bash", "-c", command],
            env=dict(self.environment.variables),
            cwd=self.environment.workspace,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return (done.stdout + done.stderr).strip()

    def state(self) -> dict[str, Any]:
        """Say what a reset must bring back."""
        environment = self.environment
        client = environment._chains["chain"][0]  # the very connection that reset uses
        with environment.database() as database:
            rows = database.execute("select (select count(*) from orders), (select count(*) from incidents)").fetchone()
            tables = database.execute(
                "select array_agg(tablename::text order by 1) from pg_tables where schemaname = 'public'"
            ).fetchone()
            names = database.execute("select datname from pg_database order by 1").fetchall()
        links = [environment.links.state(name) for name in environment.links.names()]
        return {
            "rows": rows,
            "tables": tables,
            "databases": [name for (name,) in names],
            "login": self.shell("psql production_db -Atc 'select current_user'"),
            "block": client.block_number(),
            "contract": client.code(environment.contract("Escrow"))[:20],
            "links": [(link.name, link.enabled, len(link.toxics)) for link in links],
            "apps": [(app.name, app.current, app.replicas, len(app.releases)) for app in environment.platform.apps()],
            "unready": [i.name for app in environment.platform.apps() for i in app.instances if i.state != "ready"],
            "inboxes": {channel: len(environment.inbox(channel)) for channel in environment.topology.inboxes},
            "files": [p.name for folder in (environment.workspace, environment.backups) for p in folder.iterdir()],
            "api": self._answer("api.metaaggregator.com", 443),
            "frozen": [pid for pid in environment.processes("zeroex") if _stopped(pid)],
        }

    def disturb(self) -> None:
        """Do all that a drill may do."""
        environment = self.environment
        client = environment._chains["chain"][0]
        for name in ("workspace", "backups"):
            folder = getattr(environment, name)
            (folder / "left").mkdir()
            (folder / "left" / "file").write_text("x")
            (folder / "link").symlink_to("/usr")
        self.facts["said"] = self.shell(
            "createdb extra && psql production_db -v ON_ERROR_STOP=1 -qAtc 'create table extra as select 1;"
            " drop table trades cascade; delete from orders where id % 2 = 0'"
            " && psql production_db -qAtc \"alter role meta_aggregator password 'other'\""
        )
        with environment.database() as database:
            database.execute("alter role meta_aggregator connection limit 0")
        client.call("evm_mine")
        client.call("evm_mine")
        environment.platform.release("frontend", "answers-500")
        environment.platform.scale("orders-api", 1)
        environment.links.disable("api-database")
        environment.links.add_toxic("api-chain", "latency", attributes={"latency": 500})
        self.http.post(
            "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", json={"text": "left over"}
        )
        self.facts["slack"] = len(environment.inbox("slack"))
        self.facts["while disturbed"] = self.state()
        kill(environment, "coingecko", signal.SIGKILL)
        kill(environment, "zeroex", signal.SIGSTOP)
        kill(environment, "orders-api", signal.SIGSTOP)

    def demand(self) -> None:
        """Start what is started on demand, twice over, and see it go with the next reset."""
        environment = self.environment
        names = [
            name
            for name, service in environment.topology.services.items()
            if service.on_demand and name.startswith("staging-")
        ]
        production = [list(environment.processes(name)) for name in ("postgres", "chain", "orders-api")]
        for _ in range(2):
            environment.start_on_demand("staging-frontend")
            said = str(self.http.get("https://api.staging.metaaggregator.com/health").status_code)
            processes = [bool(environment.processes(name)) for name in names]
            same = production == [list(environment.processes(name)) for name in ("postgres", "chain", "orders-api")]
            self.reset("on demand")
            after = [bool(environment.processes(name)) for name in names]
        self.facts["staging"] = {"said": said, "processes": processes, "production": same, "after": after}

    def begin_login(self) -> socket.socket:
        """Begin a login at the database and stop in the middle of it, as a client does that hangs: give its socket."""
        asked = b"user\0meta_aggregator\0database\0production_db\0\0"
        client = socket.create_connection(("db.metaaggregator.com", 5432), timeout=20)
        client.sendall(struct.pack("!ii", 8 + len(asked), 3 << 16) + asked)
        self.facts["login asked for"] = client.recv(1).decode()  # R: the server wants to see a password
        return client

    def unreachable(self, fault: CertificateExpired | DnsGone) -> None:
        """Break the way to a name, and note what its clients say with it and after its healing."""
        active = fault.inject(self.environment)
        self.http.close()
        self.http = _client()  # a connection from better times would go on working
        broken = self._answer(fault.name, 443)
        active.heal()
        self.facts.setdefault(fault.kind, []).append([broken, self._answer(fault.name, 443)])

    def reset(self, name: str) -> None:
        """Reset, and note what it took and said."""
        begun = SYSTEM_CLOCK.now()
        problems = self.environment.reset()
        self.facts[name] = {"problems": problems, "seconds": SYSTEM_CLOCK.now() - begun, "state": self.state()}


def _client() -> httpx.Client:
    return httpx.Client(verify=ssl.create_default_context(), timeout=20, trust_env=False)


def _stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def kill(environment: EmbeddedEnvironment, service: str, number: signal.Signals) -> None:
    """Signal a service's processes; wait for the dead to be gone."""
    pids = list(environment.processes(service))
    for pid in pids:
        os.kill(pid, number)
    if number == signal.SIGKILL and not wait_until(lambda: not set(pids) & set(environment.processes(service)), 10):
        raise EnvironmentFailed(f"{service} survived")


def look(environment: EmbeddedEnvironment) -> dict[str, Any]:
    """Look at everything, in an order in which what spoils the environment comes last."""
    seen = Seen(environment)
    seen.names()
    seen.facts["psql"] = seen.shell("psql production_db -Atc 'select current_database()'")
    seen.facts["start"] = seen.state()
    seen.unreachable(CertificateExpired("status.metaaggregator.com"))
    seen.unreachable(CertificateExpired("metaaggregator.com"))
    seen.unreachable(DnsGone("metaaggregator.com"))
    seen.reset("idle")
    seen.demand()
    with seen.begin_login():
        seen.reset("half a login")
    seen.disturb()
    seen.reset("disturbed")
    for service in ("chain", "postgres", "platform"):
        kill(environment, service, signal.SIGKILL)
        seen.reset(f"killed {service}")
    kill(environment, "chain", signal.SIGKILL)
    environment.restart("chain")
    seen.reset("restarted chain")
    with environment._system.postgres["postgres"].connect("postgres") as server:
        server.execute("drop database production_db_template")
    (environment.workspace / "left").write_text("x")
    problems = environment.reset()
    seen.facts["unreachable"] = {"problems": problems, "files": len(list(environment.workspace.iterdir()))}
    os.kill(environment._system.pids("links")[0], signal.SIGKILL)
    wait_until(lambda: not environment._system.pids("links"), 10)
    seen.facts["no links"] = environment.reset()
    return seen.facts


def main(cache: Path, run: Path) -> int:
    """Enter a sandbox, start, look, print."""
    topology = load(ENVIRONMENT)
    code = enter(View.of_this_process(shown=[REPOSITORY], writable=[cache, run]))
    if code is not None:
        return code
    try:
        with EmbeddedBackend(cache).start(topology, run, progress=lambda _: None) as environment:
            json.dump(look(environment), sys.stdout)
    except psycopg.Error as error:
        print(f"the database: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
