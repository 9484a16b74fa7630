"""Wires Drillbook into pytest: options, the sandbox, the .feature files, one drill for each scenario, the exit code.

`drillbook run` is pytest with this plugin and its own display; plain `pytest features` works as well. Every decision is made
elsewhere: this module only says when.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drillbook.errors import DrillbookError, UsageError
from drillbook.verdict.model import Outcome

if TYPE_CHECKING:
    from drillbook.backends.base import Environment
    from drillbook.drill import Drill
    from drillbook.drill.run import Run
    from drillbook.gherkin.feature import Scenario

RUN = pytest.StashKey["Run"]()
DRILL = pytest.StashKey["Drill"]()
INTERRUPTED = pytest.StashKey[int | None]()
OUTCOME = "drillbook-outcome"
SIGTERM_CODE, CTRL_C_CODE = 128 + signal.SIGTERM, 128 + signal.SIGINT
REFUSALS = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)
PHRASES = tuple(f"drillbook.gherkin.{name}" for name in ("situation", "faults", "loads", "people", "outcomes"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run; `drillbook run --help` explains them."""
    group = parser.getgroup("drillbook", "runbook drills")
    group.addoption("--drillbook-run", action="store_true", help="show Drillbook's own progress and report")
    group.addoption("--environment", metavar="FILE", help="the environment file (environments/*/environment.yaml)")
    group.addoption("--backend", default="embedded", help="where the environment runs: embedded")
    group.addoption("--seed", type=int, help="makes the workload's choices again (random)")
    group.addoption("--output", metavar="DIR", help="the run's folder (runs/<UTC time>-<seed>)")
    group.addoption("--omit-step", action="append", default=[], metavar="TEXT", help="self-test: leave out such steps")
    group.addoption("--omit-recovering-step", action="store_true", help="self-test: each leaves out its own")
    group.addoption("--omit-fault", action="store_true", help="self-test: leave out the faults")
    group.addoption("--tags", default="", metavar="EXPR", help='only such scenarios: "@smoke and not @slow"')


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Enter the sandbox before any thread starts and any of the suite's code is imported."""
    given = early_config.known_args_namespace
    if given.help or given.version or not _features(early_config, given.file_or_dir):
        return
    try:
        _enter(early_config, given)
    except DrillbookError as error:
        _refuse(error)


def _enter(config: pytest.Config, given: Any) -> None:
    from drillbook.cli.places import cache_folder, environment_file, run_folder
    from drillbook.drill.run import check_omitted
    from drillbook.sandbox import View, enter, inside
    from drillbook.sandbox.interpreter import describe
    from drillbook.sandbox.variables import admit
    from drillbook.topology.load import load

    if inside():
        return
    file = environment_file(Path(given.environment) if given.environment else None, _project(config))
    topology = load(file)
    check_omitted(topology, given.omit_step)
    seed = given.seed if given.seed is not None else secrets.randbelow(2**31)
    folder = Path(given.output) if given.output else run_folder(seed)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {"DRILLBOOK_SEED": str(seed), "DRILLBOOK_OUTPUT": str(folder.resolve())}
    os.environ |= {"DRILLBOOK_ENVIRONMENT": str(file.resolve())}
    admit(secret.env for secret in topology.secrets.values() if secret.env)
    cached = config.rootpath / ".pytest_cache"
    if config.rootpath == _project(config):
        cached.mkdir(exist_ok=True)  # the rest of the project cannot be written
    writable = [folder, cache_folder(), *([cached] if cached.is_dir() else [])]
    features = [path.parent if path.is_file() else path for path in _features(config, given.file_or_dir)]
    view = View.of_this_process(shown=[_project(config), file.parent, *features], writable=writable)
    if getattr(given, "numprocesses", None):
        describe(view)  # each worker enters a sandbox of its own
        return
    code = enter(view)
    if code is not None:
        _forget_empty(folder)
        raise SystemExit(code)


def _forget_empty(folder: Path) -> None:
    """Leave nothing of a run that was refused before anything started."""
    if not any(folder.iterdir()):
        folder.rmdir()


def _project(config: pytest.Config) -> Path:
    """Give the folder that holds environments/: pytest's root, else where it was started."""
    return config.rootpath if (config.rootpath / "environments").is_dir() else config.invocation_params.dir


def _features(config: pytest.Config, given: list[str]) -> list[Path]:
    """Give the files and folders of this run in which there are features."""
    named = [
        (config.invocation_params.dir / name.partition("::")[0]).resolve()
        for name in given or config.getini("testpaths")
    ]
    return [path for path in named if path.suffix == ".feature" or (path.is_dir() and any(path.rglob("*.feature")))]


def _refuse(error: DrillbookError) -> None:
    print(f"error: {error}", file=sys.__stderr__)
    raise SystemExit(2)


def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let every worker of pytest-xdist start in a sandbox of its own."""
    if "DRILLBOOK_OUTPUT" in os.environ and getattr(config.option, "tx", None):
        python = f"popen//python={sys.executable} -m drillbook.sandbox.interpreter"
        config.option.tx = [python if spec == "popen" else spec for spec in config.option.tx]


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Open the run, and let Drillbook's own display stand in for pytest's."""
    if "DRILLBOOK_OUTPUT" not in os.environ or config.option.help:
        return
    for name in PHRASES:
        config.pluginmanager.import_plugin(name)
    run = config.stash[RUN] = _open(config)
    _CONFIGS.append(config)
    if hasattr(config, "workerinput"):
        return
    run.announce(list(config.invocation_params.args))
    signal.signal(signal.SIGTERM, _terminated)
    if config.option.drillbook_run:
        from drillbook.reports.display import Display

        config.pluginmanager.unregister(name="terminalreporter")
        config.pluginmanager.register(Display(run.folder, run.journal, following=_controls_workers(config)))


def _open(config: pytest.Config) -> Run:
    from drillbook.cli.places import cache_folder
    from drillbook.drill import Options
    from drillbook.drill.run import Run
    from drillbook.topology.load import load

    option = config.option
    options = Options(
        int(os.environ["DRILLBOOK_SEED"]), tuple(option.omit_step), option.omit_fault, option.omit_recovering_step
    )
    worker = str(getattr(config, "workerinput", {}).get("workerid", "main"))
    topology = load(Path(os.environ["DRILLBOOK_ENVIRONMENT"]))
    return Run.open(topology, Path(os.environ["DRILLBOOK_OUTPUT"]), cache_folder(), options, option.backend, worker)


def _controls_workers(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")


class Terminated(KeyboardInterrupt):
    """SIGTERM: an end like Ctrl-C's, which nothing on the way takes for a step's failure."""


def _terminated(_number: int, _frame: object) -> None:
    raise Terminated


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect every .feature file."""
    if file_path.suffix != ".feature" or RUN not in parent.config.stash:
        return None
    from drillbook.gherkin.feature import FeatureFile

    made: pytest.Collector = FeatureFile.from_parent(parent, path=file_path)
    return made


def pytest_bdd_apply_tag(tag: str, function: object) -> object:
    """Keep tags tags: they choose drills by --tags and are no pytest marks."""
    return function if tag else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose by tags, and refuse scenarios whose steps are undefined, async or name what is not there."""
    if RUN not in config.stash:
        return
    from drillbook.gherkin.feature import Scenario, check_steps

    found = [(item, Scenario.of(item)) for item in items]
    problems: dict[str, None] = {}
    names: set[tuple[Path, str]] = set()
    for item, scenario in found:
        if scenario is not None and isinstance(item, pytest.Function):
            if (scenario.feature, scenario.name) in names:
                two = f"two examples are called {scenario.name!r}"
                problems[f"{scenario.feature}:{scenario.line}: {two}; the outline's name must tell them apart"] = None
            names.add((scenario.feature, scenario.name))
            problems |= {str(problem): None for problem in check_steps(item, scenario, config.stash[RUN].knows)}
            wrong = config.stash[RUN].check_tags(scenario.tags)
            problems |= {f"{scenario.feature}:{scenario.line}: {wrong}": None} if wrong else {}
    if problems:
        _leave(problems)
    chosen = [
        item
        for item, scenario in found
        if scenario is None
        or (_tagged(config.option.tags, scenario) and not config.stash[RUN].leaves_out(scenario.tags))
    ]
    chosen = [item for item in chosen if not _lacking(config, item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _lacking(config: pytest.Config, item: pytest.Item) -> bool:
    """Leave a scenario out whose program this machine does not have; say so, once a run."""
    from drillbook.gherkin.feature import Scenario

    scenario = Scenario.of(item)
    reason = config.stash[RUN].missing_program(scenario.tags) if scenario else ""
    if reason and getattr(config, "workerinput", {}).get("workerid", "gw0") == "gw0":
        config.stash[RUN].leave_out(_started(item), reason)
    return bool(reason)


def _leave(problems: dict[str, None]) -> None:
    for problem in problems:
        print(f"error: {problem}", file=sys.__stderr__)
    pytest.exit(f"{len(problems)} errors in the features", returncode=2)


def _tagged(expression: str, scenario: Scenario) -> bool:
    if not expression:
        return True
    from cucumber_tag_expressions import TagExpressionError, parse  # type: ignore[import-untyped]

    try:
        return bool(parse(expression).evaluate(scenario.tags))
    except TagExpressionError as error:
        _leave({f"--tags {expression!r}: {str(error).splitlines()[0]}": None})
        return False


def pytest_keyboard_interrupt(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Tell Ctrl-C and SIGTERM from an end that we asked for ourselves."""
    # pytest's own subclass of KeyboardInterrupt, which is neither, stands for errors in the features.
    codes: dict[type[BaseException], int] = {KeyboardInterrupt: CTRL_C_CODE, Terminated: SIGTERM_CODE}
    for config in _CONFIGS:
        config.stash[INTERRUPTED] = codes.get(excinfo.type)


_CONFIGS: list[pytest.Config] = []


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Iterator[Environment]:
    """The running environment, started once for each process."""
    with request.config.stash[RUN].environment() as running:
        yield running


@pytest.fixture
def drill(request: pytest.FixtureRequest, environment: Environment) -> Iterator[Drill]:
    """The scenario's drill."""
    from drillbook.gherkin.feature import Scenario

    scenario = Scenario.of(request.node)
    felt_by_step = scenario is not None and any(step.name.endswith("notices the fault") for step in scenario.steps)
    begun = request.config.stash[RUN].drill(environment, _started(request.node), felt_by_step=felt_by_step)
    request.node.stash[DRILL] = begun
    yield begun
    begun.abandon()


def _started(item: pytest.Item) -> Any:
    from drillbook.gherkin.feature import Scenario
    from drillbook.journal import DrillStarted

    scenario = Scenario.of(item)
    if scenario is None:
        raise UsageError("the fixture `drill` is for scenarios of .feature files")
    root = item.config.rootpath
    feature = scenario.feature.relative_to(root) if scenario.feature.is_relative_to(root) else scenario.feature
    return DrillStarted(scenario.name, str(feature), scenario.line, tuple(sorted(scenario.tags)))


class DrillFailed(Exception):
    """Carry a verdict that is not pass to pytest."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Judge a drill when its steps are through, or when one of them raised."""
    drill = item.stash.get(DRILL, None)
    if drill is None:
        return (yield)
    try:
        yield
    except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # pytest's own are no Exceptions
        drill.broke_off(error)
    verdict = drill.finish()
    item.user_properties.append((OUTCOME, str(verdict.outcome)))
    if verdict.outcome is not Outcome.PASS:
        text = "\n".join(f"{r.outcome}: {r.text}" for r in verdict.reasons if r.outcome is not Outcome.PASS)
        raise DrillFailed(f"{verdict.outcome}\n{text}")
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Record a drill for which the environment did not start: unknown."""
    try:
        return (yield)
    except Exception as error:
        if RUN in item.config.stash and "drill" in getattr(item, "fixturenames", ()):
            if DRILL in item.stash:
                item.stash[DRILL].broke_off(error)
                item.stash[DRILL].finish()
            else:
                told = str(error) if isinstance(error, DrillbookError) else "".join(traceback.format_exception(error))
                item.config.stash[RUN].never_began(_started(item), told)
            item.user_properties.append((OUTCOME, str(Outcome.UNKNOWN)))
        raise


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather outcomes, a worker's as well as our own; what failed without one (a worker that died) is not left out."""
    outcome = dict(report.user_properties).get(OUTCOME)
    if report.failed and (outcome is None or report.when == "teardown"):
        _OUTCOMES.append(Outcome.UNKNOWN if ".feature" in report.nodeid else Outcome.FAIL)
    elif outcome and (report.when == "call" or report.failed):
        _OUTCOMES.append(Outcome(str(outcome)))


_OUTCOMES: list[Outcome] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Give the run's exit code: 0, 1, 3, or what ended it; write the reports once everything has stopped."""
    result = yield
    run = session.config.stash.get(RUN, None)
    if run is None or hasattr(session.config, "workerinput"):
        return result
    from drillbook.journal import RunFinished
    from drillbook.reports import code_of, write_all

    code, interrupted = int(session.exitstatus), session.config.stash.get(INTERRUPTED, None)
    if interrupted is not None:
        code = interrupted
    elif code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and _OUTCOMES:
        code = code_of(_OUTCOMES)
    session.exitstatus = code
    if code in REFUSALS:  # nothing has started
        run.journal.file.unlink()
    else:
        run.journal.write(RunFinished(code, interrupted is not None))
        write_all(run.folder)
    return result
