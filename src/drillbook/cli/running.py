"""Which sandboxes of `drillbook up` run now: a small file each in the cache, by which `drillbook shell` finds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = "running"
READY = "ready"


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox: its init's pid with that process's start (clock ticks after boot), its environment file, its run folder."""

    init: int
    born: int
    environment: str
    folder: str

    @property
    def ready(self) -> bool:
        """Whether its environment is up: its harness then leaves a mark in the run's folder."""
        return (Path(self.folder) / READY).exists()


def record(cache: Path, init: int, environment: Path, folder: Path) -> Path:
    """Write down a sandbox that has just started; give the file, to be removed at its end."""
    file = cache / FOLDER / f"{init}.json"
    file.parent.mkdir(exist_ok=True)
    told = Running(init, born(init), str(environment.resolve()), str(folder.absolute()))
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps(asdict(told)))
    unfinished.replace(file)
    return file


def find(cache: Path, environment: Path) -> Running | None:
    """Give a sandbox that runs with this environment file; files that killed ones have left are removed."""
    wanted = str(environment.resolve())
    return next((running for running in _alive(cache) if running.environment == wanted), None)


def _alive(cache: Path) -> Iterator[Running]:
    for file in sorted((cache / FOLDER).glob("*.json")):
        try:
            running = Running(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):  # gone, or not ours
            continue
        if born(running.init) == running.born:
            yield running
        else:
            file.unlink(missing_ok=True)


def born(pid: int) -> int:
    """Give when a process started, in clock ticks after boot (proc(5), field 22); 0 if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])
