"""How many requests a second one generator makes: ours, which keeps every request, beside plain Locust and `ab -k`.

All ask the same small server over kept connections, as many users at a time, in turn, round by round. Whatever we cost beside
plain Locust is what keeping each request costs; `ab` shows how far any Python is from C.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure
from drillbook.clock import SYSTEM_CLOCK
from drillbook.load.inside import Starter
from drillbook.load.run import LoadRun
from drillbook.topology.loads import Load

USERS = 16
SECONDS = 3
SERVER = """
import asyncio, sys
class Answer(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
        self.transport.write(answer * data.count(b"\\r\\n\\r\\n"))
async def main():
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
LOCUSTFILE = """
from locust import FastHttpUser, constant, task
class Visitor(FastHttpUser):
    wait_time = constant(0)
    @task
    def page(self):
        self.client.get("/", name="page")
"""


def measure(*, rounds: int = 3) -> list[Figure]:
    """Give requests a second of ours with plain Locust as its peer, and again with ab, where that is installed."""
    with tempfile.TemporaryDirectory() as folder, serving() as url:
        place = Path(folder)
        (place / "visitors.py").write_text(LOCUSTFILE)
        found = [(ours(url, place, number), plain(url, place), ab(url)) for number in range(rounds)]
    mine, locust, apache = zip(*found, strict=True)
    name = "load requests of one generator"
    figures = [Figure(name, median(mine), "1/s", median(locust), median(m / p for m, p, _ in found))]
    if all(apache):
        ratio = median(m / a for m, _, a in found if a)
        figures.append(Figure(f"{name}, beside ab -k", median(mine), "1/s", median(filter(None, apache)), ratio))
    return figures


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve answers of two bytes; give the URL."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # it is piped
        with process.stdout:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def ours(url: str, folder: Path, number: int) -> float:
    """Run a closed load; give the requests a second that it kept."""
    declared = {
        "locustfile": "visitors", "host": url, "users": USERS, "mix": {"page": 1}, "duration": SECONDS + 0.5,
        "warm_up": 0.5, "thresholds": {"errors": "0%"},
    }  # fmt: skip
    samples = folder / str(number)
    samples.mkdir()
    load = Load.model_validate_json(json.dumps(declared))
    measured = LoadRun(Starter([folder], os.environ), load, samples).finish()
    return len(measured.counted) / measured.counted_seconds


def plain(url: str, folder: Path) -> float:
    """Run the same users by Locust's own command; give its requests a second."""
    argv = [sys.executable, "-m", "locust", "-f", "visitors.py", "--headless", "-H", url, "--json", "--skip-log"]
    argv += ["-u", str(USERS), "-r", "100", "-t", f"{SECONDS}s"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True)
    [stats] = json.loads(done.stdout[done.stdout.index("[") :])
    return float(stats["num_requests"] / (stats["last_request_timestamp"] - stats["start_time"]))


def ab(url: str) -> float | None:
    """Run ab with as many kept connections; give its requests a second, None where it is not installed."""
    if shutil.which("ab") is None:
        return None
    argv = ["ab", "-k", "-q", "-c", str(USERS), "-t", str(SECONDS), "-n", "1000000", f"{url}/"]
    began = SYSTEM_CLOCK.now()
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = re.search(r"^Complete requests: +(\d+)", done.stdout, re.MULTILINE)
    return int(found[1]) / min(SECONDS, SYSTEM_CLOCK.now() - began) if found else None
