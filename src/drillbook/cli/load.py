"""`drillbook load`: one declared load test, against a running sandbox or a new one, judged by its thresholds and a baseline."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillbook.cli.places import cache_folder, environment_file, run_folder
from drillbook.errors import Location, UsageError

if TYPE_CHECKING:
    from drillbook.load.compare import Baseline
    from drillbook.topology.model import Topology

UNKNOWN = 3


@click.command("load")
@click.argument("name", required=False)
@click.option("--workers", type=click.IntRange(0, 64), default=0, help="Locust's own workers; default 0: one process.")
@click.option(
    "--baseline", metavar="FILE", type=click.Path(path_type=Path), help="Is it slower than this recorded run?"
)
@click.option("--record", metavar="FILE", type=click.Path(path_type=Path), help="Record this run as a baseline.")
@click.option("--seed", type=int, help="Makes the choices of the customers again; default: random.")
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path), help="Default: runs/<UTC time>-load-NAME.")
@click.option(
    "--environment",
    "given",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Default: environments/*/environment.yaml.",
)
def command(
    name: str | None,
    workers: int,
    baseline: Path | None,
    record: Path | None,
    seed: int | None,
    output: Path | None,
    given: Path | None,
) -> int:
    """Run a declared load test, and say whether its thresholds are kept.

    The environment file declares it under `loads`. It runs in the sandbox of `drillbook up` if that is there, else in a new one.
    Every request goes to samples.csv in the run's folder. Without a NAME: which loads there are.

    \b
    Examples:
      drillbook load
      drillbook load browse-and-buy --workers 2
      drillbook load browse-and-buy --record before.json
      drillbook load browse-and-buy --baseline before.json

    \b
    Exit codes: 0 every threshold is kept, and it is no slower than the baseline; 1 one is broken, or it is slower by more than
    noise; 2 usage or configuration; 3 it could not be measured.
    """
    from drillbook.load.compare import read_baseline
    from drillbook.topology.load import load

    file = environment_file(given, Path.cwd())
    topology = load(file)
    if name is None:
        return _list(topology)
    if name not in topology.loads:
        known = ", ".join(topology.loads) or "none is declared"
        raise UsageError(f"there is no load {name!r}", at=Location(file), mend=f"one of: {known}")
    before = read_baseline(baseline, name) if baseline else None
    if record and not record.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {record.absolute().parent}", mend="correct --record")
    return _run(topology, name, workers, seed, (output or run_folder(f"load-{name}")).absolute(), before, record)


def _run(
    topology: Topology,
    name: str,
    workers: int,
    seed: int | None,
    folder: Path,
    before: Baseline | None,
    record: Path | None,
) -> int:
    from drillbook.cli import running
    from drillbook.load import inside
    from drillbook.sandbox import Layout, join

    cache, seed = cache_folder(), secrets.randbelow(2**31) if seed is None else seed
    found = running.find(cache, topology.file)
    if found and found.ready:
        folder = Path(found.folder) / "loads" / folder.name  # the one folder that can be written there
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot make it: {error.strerror}", at=Location(folder), mend="choose --output") from error
    if found and found.ready:
        arguments = [str(topology.file), name, str(workers), str(seed), str(folder)]
        argv = [sys.executable, "-m", "drillbook.load.inside", *arguments]
        code: int | None = join(found.init, argv, cwd=Layout().workspace)
    else:
        from drillbook.cli.environment import enter_sandbox, started

        code = enter_sandbox(topology, cache, folder)
        if code is None:
            with started(topology, folder, cache) as environment:
                return inside.measure(topology, name, workers, seed, folder, environment.variables)
    return code or _report(topology, name, folder, before, record)


def _report(topology: Topology, name: str, folder: Path, before: Baseline | None, record: Path | None) -> int:
    """Print what was measured, judge it, record it; give the exit code."""
    from drillbook.load.compare import Baseline, compare, write_baseline
    from drillbook.load.inside import SAMPLES, read_measured
    from drillbook.load.samples import figures, told
    from drillbook.load.thresholds import Kept, judge

    measured = read_measured(folder)
    found = figures(measured.counted, measured.counted_seconds)
    click.echo(f"{name}: {told(found)}")
    judged = judge(found, topology.loads[name].thresholds.declared)
    for bound in judged:
        click.echo(f"  {bound.kept.value:8}{bound.text}")
    outcomes = {bound.kept for bound in judged}
    served = tuple(sample.seconds for sample in measured.counted if not sample.error)
    times = [sample.effective for sample in measured.counted]
    slower = False
    if before is not None:
        comparison = compare(times, before.seconds)
        click.echo(f"  {comparison}")
        slower = comparison.slower
    if record is not None:
        write_baseline(record, Baseline(name, served))
        click.echo(f"recorded as a baseline: {record}")
    click.echo(f"every request: {folder / SAMPLES}")
    if Kept.BROKEN in outcomes or slower:
        return 1
    return UNKNOWN if Kept.UNKNOWN in outcomes else 0


def _list(topology: Topology) -> int:
    for name, load in topology.loads.items():
        of = "arrivals a second" if load.model == "open" else "users"
        click.echo(f"{name}: {load.model} model, {load.shape}, {load.level:g} {of}, {load.duration:g} s")
    if not topology.loads:
        click.echo("the environment file declares no load", err=True)
    return 0
