"""Where a command finds and keeps things on this machine: the cache, the environment file, the folder of a run."""

from __future__ import annotations

import os
from pathlib import Path

from drillbook.clock import SYSTEM_CLOCK, Clock
from drillbook.errors import Location, UsageError

CACHE = "DRILLBOOK_CACHE"
ENVIRONMENTS = "environments"
RUNS = Path("runs")


def cache_folder() -> Path:
    """Give the folder of what may be kept between runs, made if it is not there, and name it to all that follows.

    $DRILLBOOK_CACHE, else $XDG_CACHE_HOME/drillbook, else ~/.cache/drillbook. A sandbox has another home, hence the variable.
    """
    chosen = os.environ.get(CACHE)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(chosen) if chosen else Path(base) / "drillbook"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the cache folder {folder}: {error.strerror}", mend=f"set {CACHE} to a folder of yours"
        ) from error
    os.environ[CACHE] = str(folder.absolute())
    return folder.absolute()


def environment_file(given: Path | None, project: Path) -> Path:
    """Give the environment file: the one that is named, else the only one below environments/; UsageError otherwise."""
    if given is not None:
        if not given.is_file():
            raise UsageError("there is no such environment file", at=Location(given), mend="correct --environment")
        return given
    found = sorted((project / ENVIRONMENTS).glob("*/environment.yaml"))
    if len(found) == 1:
        return found[0].relative_to(project) if project == Path.cwd() else found[0]
    if found:
        names = ", ".join(str(file.relative_to(project)) for file in found)
        raise UsageError(f"there are several environment files: {names}", mend="name one: --environment FILE")
    raise UsageError(
        f"there is no {ENVIRONMENTS}/*/environment.yaml in {project}",
        mend="go to the project's folder, or name the file: --environment FILE",
    )


def run_folder(suffix: object, clock: Clock = SYSTEM_CLOCK) -> Path:
    """Give a new run's folder, not made yet: `runs/20260131T120000Z-42`."""
    return RUNS / f"{clock.wall():%Y%m%dT%H%M%SZ}-{suffix}"
