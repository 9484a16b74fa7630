"""What must agree between a load, its locustfile and production's names: found before anything starts.

The locustfile is only parsed: importing it would bring Locust, and gevent's patches with it, into this process.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from drillbook.topology.problem import Problem, nearest

if TYPE_CHECKING:
    from drillbook.topology.model import Topology

_PORTS = {"http": 80, "https": 443}


class FindModule(Protocol):
    """Finds a module's file without importing it."""

    def __call__(self, topology: Topology, module: str, *, beside_environments: bool = False) -> Path | None: ...


def check_loads(topology: Topology, find: FindModule) -> Iterator[Problem]:
    """Give everything in the loads that leads nowhere: hosts, tasks, and locustfiles that are no Python."""
    for name, load in topology.loads.items():
        yield from _host(topology, name, load.host)
        file = find(topology, load.locustfile, beside_environments=True)
        if file is not None:
            yield from _locustfile(name, file, list(load.mix))


def _host(topology: Topology, name: str, host: str) -> Iterator[Problem]:
    path, url = ("loads", name, "host"), urlsplit(host)
    try:
        port = url.port or _PORTS.get(url.scheme, 0)
    except ValueError:
        port = 0
    if url.scheme not in _PORTS or not url.hostname or url.path.strip("/") or not port:
        yield Problem(path, f"{host} is no host", "write https://NAME or http://NAME:PORT")
    elif url.hostname not in topology.names:
        yield Problem(path, f"no name `{url.hostname}`", nearest(url.hostname, topology.names, "expected one of these"))
    elif port not in topology.names[url.hostname]:
        answered = ", ".join(map(str, topology.names[url.hostname]))
        yield Problem(path, f"nothing answers at {url.hostname}:{port}", f"{url.hostname} answers at: {answered}")


def _locustfile(name: str, file: Path, mix: list[str]) -> Iterator[Problem]:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    except (SyntaxError, ValueError) as error:
        at = f"{file.name}:{getattr(error, 'lineno', None) or 1}"
        said = getattr(error, "msg", None) or str(error)
        yield Problem(("loads", name, "locustfile"), f"{at}: this is no Python: {said}", "correct the file")
        return
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    known = {each.name for found in classes for each in found.body if isinstance(each, ast.FunctionDef)}
    tasks = sorted(task for task in known if not task.startswith(("_", "on_")))
    for task in mix:
        if task not in known:
            message = f"no class of {file.name} has a task `{task}`"
            yield Problem(("loads", name, "mix", task), message, nearest(task, tasks, "its tasks"), key=True)
