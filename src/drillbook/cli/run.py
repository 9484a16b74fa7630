"""`drillbook run`: checks what it is asked, then lets pytest run the drills; the plugin enters the sandbox and records."""

from __future__ import annotations

import secrets
from importlib.util import find_spec
from pathlib import Path

import click

from drillbook.cli.places import cache_folder, environment_file, run_folder
from drillbook.errors import Location, UsageError

FEATURES = "features"
# pytest finds us imported already, and a project may turn warnings into errors.
_IMPORTED = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
_PYTEST_USAGE, _PYTEST_NOTHING = 4, 5
_MOST_SEEDS = 2**31


@click.command("run")
@click.argument("features", nargs=-1)
@click.option(
    "-k", "expression", metavar="EXPR", help='Only scenarios whose name matches, such as "rolled and not API".'
)
@click.option("--tags", metavar="EXPR", help='Only scenarios with these tags, such as "@smoke and not @slow".')
@click.option(
    "-n", "workers", metavar="N", type=click.IntRange(min=1), help="Drills at a time, each in a sandbox of its own."
)
@click.option("--backend", type=click.Choice(["embedded", "docker"]), default="embedded", show_default=True)
@click.option(
    "--seed", type=click.IntRange(0, _MOST_SEEDS - 1), help="Makes the workload's choices again; default: random."
)
@click.option("--output", metavar="DIR", type=click.Path(path_type=Path), help="Default: runs/<UTC time>-<seed>.")
@click.option(
    "--omit-step", "omitted", metavar="TEXT", multiple=True, help="Self-test: leave out steps with this text."
)
@click.option(
    "--omit-recovering-step",
    "omit_recovering",
    is_flag=True,
    help="Self-test: each drill leaves out the step that its tag @recovers-by:… names, and must go red.",
)
@click.option("--omit-fault", is_flag=True, help="Self-test: leave out the fault; every drill must be unknown.")
@click.option(
    "--coverage", "covered", is_flag=True, help="Tell at the end what of the runbook was rehearsed, and what was not."
)
@click.option(
    "--environment", metavar="FILE", type=click.Path(path_type=Path), help="Default: environments/*/environment.yaml."
)
def command(
    *,
    features: tuple[str, ...],
    expression: str | None,
    tags: str | None,
    workers: int | None,
    backend: str,
    seed: int | None,
    output: Path | None,
    omitted: tuple[str, ...],
    omit_recovering: bool,
    omit_fault: bool,
    covered: bool,
    environment: Path | None,
) -> int:
    """Run drills: break the sandbox, follow the runbook, prove the recovery time.

    FEATURES are .feature files or folders (default: features). The evidence is written to runs/ while it happens; see
    `drillbook report`. Nothing of a runbook is ever run outside a sandbox. With --coverage the exit code of a run that passed
    is 3 where something of the runbook was not rehearsed and environment.yaml does not say why.

    \b
    Examples:
      drillbook run
      drillbook run features/emergency -k "rolled back"
      drillbook run --tags "@smoke and not @slow" -n 2
      drillbook run --omit-step "roll back"    must go red
      drillbook run --omit-fault               must be unknown
    """
    _check(features, backend, output)
    file = environment_file(environment, Path.cwd())
    chosen = secrets.randbelow(_MOST_SEEDS) if seed is None else seed
    folder = output or run_folder(chosen)
    cache_folder()
    arguments = [
        "-p",
        "no:cacheprovider",
        "--capture=sys",
        *_IMPORTED,
        "--drillbook-run",
        f"--environment={file}",
        f"--backend={backend}",
    ]
    arguments += [f"--seed={chosen}", f"--output={folder}", *(f"--omit-step={text}" for text in omitted)]
    arguments += ["--omit-fault"] if omit_fault else []
    arguments += ["--omit-recovering-step"] if omit_recovering else []
    arguments += [f"--tags={tags}"] if tags else []
    arguments += ["-k", expression] if expression else []
    arguments += ["-n", str(workers)] if workers else []
    click.echo(f"seed {chosen}, evidence in {folder}", err=True)
    arguments += features or [FEATURES]
    return _with_coverage(arguments, folder) if covered else _pytest(arguments)


def _with_coverage(arguments: list[str], folder: Path) -> int:
    """Run, then tell what of the runbook that rehearsed; nothing of a run that was refused."""
    from drillbook.cli.report import tell_coverage
    from drillbook.journal.read import NAME, read

    try:
        code = _pytest(arguments)
    except SystemExit as ended:  # the run was a child process of this one, in its sandbox
        code = ended.code if isinstance(ended.code, int) else 1
    if not (folder / NAME).exists():
        return code
    gaps = tell_coverage(read(folder))
    return code or gaps


def _check(features: tuple[str, ...], backend: str, output: Path | None) -> None:
    """Refuse what cannot be run, before anything has started."""
    if backend == "docker":
        raise UsageError("the docker backend is not in this version", mend="leave out --backend")
    for feature in features or (FEATURES,):
        file = Path(feature.partition("::")[0])
        if not file.exists():
            raise UsageError("there is no such feature file or folder", at=Location(file), mend="correct the path")
    if output is not None and (output / "journal.jsonl").exists():
        raise UsageError("this folder holds a run already", at=Location(output), mend="choose another --output")
    if output is not None and output.exists() and not output.is_dir():
        raise UsageError("this is no folder", at=Location(output), mend="choose another --output")
    if find_spec("pytest") is None:
        raise UsageError("pytest, which runs the drills, is missing", mend="pip install 'drillbook[sandbox,ethereum]'")


def _pytest(arguments: list[str]) -> int:
    """Run pytest in this process; give the run's exit code."""
    import pytest

    code = int(pytest.main(arguments))
    if code == _PYTEST_NOTHING:
        raise UsageError("no scenario was chosen", mend="loosen FEATURES, -k or --tags")
    return 2 if code == _PYTEST_USAGE else code
