"""`drillbook check`: what would fail an operator, told from the runbooks alone; nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drillbook.errors import UsageError, UsageErrors

if TYPE_CHECKING:
    from drillbook.check.batch import Plan, Result
    from drillbook.check.config import Config
    from drillbook.check.drift import Drills
    from drillbook.check.options import Options

FORMATS = ("text", "json", "sarif", "github", "junit", "markdown")
_ROUNDS = 5
"""A mend may allow another; more rounds than these would be two rules at odds."""


@click.command("check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--select", multiple=True, metavar="CODES", help="Only rules whose code begins so: NE,CL101.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Without rules whose code begins so.")
@click.option("--strict", is_flag=True, help="Warnings and hints fail the check, too.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there, not to the terminal.")
@click.option("--fix", is_flag=True, help="Make the mends that cannot be wrong in the files.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option(
    "--repo",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The repository that the runbooks speak of: scripts and files that it lacks are found.",
)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Read this configuration.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out files or folders of these names.")
@click.option(
    "--shellcheck/--no-shellcheck", default=None, help="Give fences to ShellCheck (default: where it is installed)."
)
@click.option(
    "--features",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Features: what no scenario rehearses, and which scenario follows a section that is gone.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of runs: sections that changed since a drill passed, or that none has rehearsed for long.",
)
@click.option(
    "--stale-days", type=click.FloatRange(min=0), default=30, show_default=True, help="How long a pass counts."
)
@click.option("--badge", type=click.Path(path_type=Path, dir_okay=False), help="Write an SVG: how much is rehearsed.")
def command(
    paths: tuple[Path, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    form: str,
    output: Path | None,
    fix: bool,
    diff: bool,
    repo: Path | None,
    config: Path | None,
    exclude: tuple[str, ...],
    shellcheck: bool | None,
    features: tuple[Path, ...],
    runs: Path | None,
    stale_days: float,
    badge: Path | None,
) -> int:
    """Check runbooks without running them.

    PATHS are Markdown files, or folders that are searched for them. Each finding has a code, a place, a reason and a mend.
    The keys of `drillbook.toml` or `[tool.drillbook.check]` in pyproject.toml apply; what is given here is added to them.

    \b
    Examples:
      drillbook check docs/runbooks/
      drillbook check runbook.md --repo . --strict
      drillbook check docs --format sarif --output check.sarif
      drillbook check docs --select NE,CL --diff
      drillbook check runbook.md --features features --runs runs --badge rehearsed.svg

    \b
    In a runbook: <!-- drillbook: ignore CODE reason --> above what it speaks of.

    \b
    Exit codes: 0 no error was found (--strict: nothing), 1 there are findings, 2 usage, or a file that cannot be checked.
    """
    from drillbook.check.batch import Plan, check_files
    from drillbook.check.config import find_config, read_config
    from drillbook.check.files import find_files

    settled = read_config(config) if config else find_config(paths[0])
    plan = Plan(
        _codes(select) or settled.select,
        (*_codes(ignore), *settled.ignore),
        settled.per_file,
        _options(settled, repo),
        settled.shellcheck if shellcheck is None else shellcheck,
    )
    files = find_files(paths, (*exclude, *settled.exclude))
    if runs or badge:
        _refuse_without_features(features)
    drills = _read_drills(features, runs, stale_days) if features else None
    result = check_files(files, plan, drills)
    if badge and drills:
        _write_badge(badge, drills, result)
    if diff:
        return _show_diff(result)
    if fix:
        result = _fix(result, plan, drills)
    _show(result, form, output)
    _tell_what_was_left_out(plan)
    if result.errors:
        raise UsageErrors(result.errors)
    return int(_fails(result, strict=strict or settled.strict))


def _codes(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(code.strip() for one in given for code in one.split(","))


def _options(config: Config, repo: Path | None) -> Options:
    from drillbook.check.options import Options, Repository

    top = repo or config.repo
    if top is not None and not top.is_dir():
        raise UsageError(f"there is no folder {top}", mend="name the repository's top by --repo or `repo`")
    return Options(Repository.at(top) if top else None, config.dead_urls, config.grammars)


def _show(result: Result, form: str, output: Path | None) -> None:
    from drillbook.check.outputs import renderer

    text = renderer(form)(result)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(click.unstyle(text) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {output}: {error.strerror}", mend="name a file in a folder that exists"
        ) from error


def _show_diff(result: Result) -> int:
    from drillbook.check.fixing import diff, fixed_texts

    changed = fixed_texts(result.findings)
    for file, (before, after) in changed.items():
        click.echo(diff(file, before, after), nl=False)
    if result.errors:
        raise UsageErrors(result.errors)
    return int(bool(changed))


def _fix(result: Result, plan: Plan, drills: Drills | None) -> Result:
    from drillbook.check.batch import check_files
    from drillbook.check.fixing import fixed_texts, write

    files: set[Path] = set()
    for _ in range(_ROUNDS):
        changed = fixed_texts(result.findings)
        if not changed:
            break
        for file, (_, after) in changed.items():
            write(file, after)
        files.update(changed)
        result = check_files(result.files, plan, drills)
    if files:
        click.echo(f"mended {len(files)} file{'' if len(files) == 1 else 's'}", err=True)
    return result


def _refuse_without_features(features: tuple[Path, ...]) -> None:
    if not features:
        raise UsageError("--runs and --badge tell of drills", mend="name the features, too: --features features/")


def _read_drills(features: tuple[Path, ...], runs: Path | None, days: float) -> Drills:
    from drillbook.check.drift import Drills, now, read_features, read_runs

    return Drills(read_features(features), read_runs(runs) if runs else None, days, now())


def _write_badge(file: Path, drills: Drills, result: Result) -> None:
    from drillbook.check.badge import badge
    from drillbook.runbook import parse

    unread = {error.at.file for error in result.errors if error.at}
    _write(file, badge(*drills.share(parse(file) for file in result.files if file not in unread)))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {file}: {error.strerror}", mend="name a file in a folder that exists"
        ) from error


def _tell_what_was_left_out(plan: Plan) -> None:
    from drillbook.check import shellcheck

    if plan.wants_shellcheck and shellcheck.program() is None:
        click.echo(
            "note: ShellCheck is not installed, so it did not look at the fences: pip install 'drillbook[shellcheck]'",
            err=True,
        )


def _fails(result: Result, *, strict: bool) -> bool:
    from drillbook.check.finding import Severity

    return any(strict or finding.severity is Severity.ERROR for finding in result.findings)
