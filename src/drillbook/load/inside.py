"""The part of `drillbook load` that is done inside a sandbox: run the load, leave every request and its times in a folder.

`python -m drillbook.load.inside ENVIRONMENT LOAD WORKERS SEED FOLDER` in the sandbox of `drillbook up`; in a sandbox of its own
it is called directly.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from drillbook.errors import EnvironmentFailed
from drillbook.load.run import LoadRun, Measured
from drillbook.load.samples import read_samples, write_samples

if TYPE_CHECKING:
    from drillbook.topology.model import Topology

SAMPLES = "samples.csv"
TIMES = "times.json"
UNKNOWN = 3


class Spawned:
    """A module in an interpreter of its own, with its output piped: see `drillbook.backends.base.RunningModule`."""

    def __init__(self, argv: Sequence[str], variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            argv,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def stdout(self) -> IO[str]:
        """Both its outputs."""
        assert self._process.stdout is not None  # it is piped
        return self._process.stdout

    def poll(self) -> int | None:
        """Give its exit code, None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        """Ask it to end."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts Python modules in these variables; `folders` come first on their path."""

    folders: Sequence[Path]
    variables: Mapping[str, str]

    def __call__(self, module: str, arguments: Sequence[str] = ()) -> Spawned:
        """Run a module."""
        path = os.pathsep.join(map(str, self.folders))
        return Spawned([sys.executable, "-m", module, *arguments], {**self.variables, "PYTHONPATH": path})


def module_folders(topology: Topology) -> Sequence[Path]:
    """Give where a topology's modules are looked for."""
    folder = topology.folder
    return (folder, folder.parent.parent) if folder.parent.name == "environments" else (folder,)


def measure(topology: Topology, name: str, workers: int, seed: int, folder: Path, variables: Mapping[str, str]) -> int:
    """Run a load, and write samples and times to a folder; exit code 3 where nothing could be measured."""
    try:
        starter = Starter(module_folders(topology), variables)
        measured = LoadRun(starter, topology.loads[name], folder, seed=seed, workers=workers).finish()
    except EnvironmentFailed as error:
        print(f"unknown: the load {name!r} could not be measured: {error}", file=sys.stderr)
        return UNKNOWN
    write_samples(folder / SAMPLES, measured.samples)
    times = {name: getattr(measured, name) for name in ("started", "counted_from", "counted_until", "ended")}
    (folder / TIMES).write_text(json.dumps(times) + "\n")
    return 0


def read_measured(folder: Path) -> Measured:
    """Read what `measure` has written."""
    times = {name: float(value) for name, value in json.loads((folder / TIMES).read_text()).items()}
    return Measured(tuple(read_samples([folder / SAMPLES])), **times)


def main() -> int:
    """Measure in the sandbox that this process is in."""
    from drillbook.topology.load import load

    environment, name, workers, seed, folder = sys.argv[1:]
    return measure(load(Path(environment)), name, int(workers), int(seed), Path(folder), os.environ)


if __name__ == "__main__":
    sys.exit(main())
