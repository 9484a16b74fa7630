"""Bad input: one clear error with file and line, exit code 2, nothing started, nothing left behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command_line import ENVIRONMENT, drillbook

STEADY = "    Given the system is in its steady state\n"
RESTORED = '    Then service is restored within the target of "Database Recovery"\n'
FEATURES = {
    "an undefined step": (
        "Feature: f\n  Scenario: s\n    Given the system is in its steady stat\n" + RESTORED,
        r"x\.feature:3: no step is defined for.*\n.*did you mean: the system is in its steady state\?",
    ),
    "no Then": ("Feature: f\n  Scenario: s\n" + STEADY, r"x\.feature:2: the scenario 's' has no Then"),
    "two scenarios of one name": (
        "Feature: f\n" + ("  Scenario: s\n" + STEADY + RESTORED) * 2,
        r"x\.feature:5: two scenarios are called 's'; the other is at line 2",
    ),
    "two examples of one name": (
        "Feature: f\n  Scenario Outline: <part> breaks\n"
        + STEADY
        + RESTORED
        + "    Examples:\n      | part | other |\n      | api | 1 |\n      | api | 2 |\n",
        r"x\.feature:2: two examples are called 'api breaks'",
    ),
    "no scenario": ("Feature: f\n", r"x\.feature:1: this feature has no scenario"),
    "an empty file": ("", r"x\.feature:1: there is no feature in this file"),
    "no Gherkin": ("Feature: f\n  Scenario: s\n  nonsense: [\n", r"x\.feature:\d+: "),
    "a link that is not there": (
        "Feature: f\n  Scenario: s\n" + STEADY + '    When the link "api-databse" is cut\n' + RESTORED,
        r"x\.feature:4: there is no link 'api-databse'; did you mean 'api-database'\?",
    ),
    "an app that is not there": (
        "Feature: f\n  Scenario: s\n" + STEADY + '    When a release of "frontent" that hangs goes live\n' + RESTORED,
        r"x\.feature:4: there is no app 'frontent'; did you mean 'frontend'\?",
    ),
    "a section that is not there": (
        "Feature: f\n  Scenario: s\n" + STEADY + '    When the responder follows "Database Recovry"\n' + RESTORED,
        r"x\.feature:4: no section 'Database Recovry'; did you mean 'Database Recovery'",
    ),
    "a recovering step that is not there": (
        "Feature: f\n  @recovers-by:turn_it_off\n  Scenario: s\n" + STEADY + RESTORED,
        r"x\.feature:\d: no step of the runbook contains 'turn it off'",
    ),
    "a tag without its words": (
        "Feature: f\n  @no-fault\n  Scenario: s\n" + STEADY + RESTORED,
        r"x\.feature:\d: the tag @no-fault needs words: @no-fault:words_with_underscores",
    ),
    "steps of the runbook that are not there": (
        "Feature: f\n  Scenario: s\n"
        + STEADY
        + '    When the responder takes the steps "Build", "Pray" of "Deployment Commands"\n'
        + RESTORED,
        r"x\.feature:4: no step of the runbook contains 'Pray'",
    ),
    "a probe that is not there": (
        "Feature: f\n  Scenario: s\n" + STEADY + '    Given the probes "api, apo" are watched too\n' + RESTORED,
        r"x\.feature:4: there is no probe 'apo'",
    ),
}
ARGUMENTS = {
    "a feature that is not there": (["nowhere.feature"], r"nowhere\.feature: there is no such feature"),
    "an environment file that is not there": (["--environment", "no.yaml"], r"no\.yaml: there is no such environment"),
    "a backend of another version": (["--backend", "docker"], "the docker backend is not in this version"),
    "a seed that is no number": (["--seed", "x"], "--seed"),
    "no workers": (["-n", "0"], "-n"),
    "an option that is not there": (["--omit-faults"], "--omit-fault"),
    "a step that the runbook does not have": (["--omit-step", "pray"], r"runbook\.md: --omit-step 'pray'"),
    "half a tag expression": (["--tags", "@a and"], "--tags '@a and'"),
    "half a name expression": (["-k", "a and"], "Wrong expression passed to '-k'"),
    "no scenario chosen": (["-k", "nothing_is_called_so"], "no scenario was chosen"),
}
GOOD = "Feature: f\n  Scenario: s\n" + STEADY + '    When the link "api-database" is cut\n' + RESTORED


def refused(run: Path, *arguments: str | Path) -> str:
    """Run `drillbook run` and see that it refuses: exit 2, nothing started, no folder left. Give what it said."""
    done = drillbook("run", *arguments, "--output", run)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert "ready" not in done.stdout, "a part of the environment was started"
    assert not run.exists() or not any(run.iterdir())
    return done.stderr


@pytest.mark.parametrize("case", FEATURES)
def test_a_broken_feature_is_refused_with_its_line(case: str, tmp_path: Path) -> None:
    text, said = FEATURES[case]
    feature = tmp_path / "x.feature"
    feature.write_text(text)

    assert re.search(said, refused(tmp_path / "run", feature))


def test_a_feature_that_is_not_text_is_refused(tmp_path: Path) -> None:
    feature = tmp_path / "x.feature"
    feature.write_bytes(b"\xff\xfeF\x00")

    assert "x.feature: cannot read the feature" in refused(tmp_path / "run", feature)


@pytest.mark.parametrize("case", ARGUMENTS)
def test_broken_arguments_are_refused(case: str, tmp_path: Path) -> None:
    arguments, said = ARGUMENTS[case]
    feature = tmp_path / "good.feature"
    feature.write_text(GOOD)

    assert re.search(said, refused(tmp_path / "run", feature, *arguments))


def test_an_async_step_is_refused_with_the_place_of_its_function(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from pytest_bdd import then\n\n@then('nothing is awaited')\nasync def _() -> None:\n    assert False\n"
    )
    feature = tmp_path / "x.feature"
    feature.write_text("Feature: f\n  Scenario: s\n" + STEADY + "    Then nothing is awaited\n")

    said = refused(tmp_path / "run", feature)

    assert re.search(r"x\.feature:4: the step 'nothing is awaited' is an async function \(.*conftest\.py:\d", said)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("kind: platform", "kind: platfrom", r"services\.platform"),
        ("replicas: 2", "replicas: two", r"services\.orders-api\.replicas"),
        ("api-database: {from: orders-api", "api-database: {from: orders-ap", r"links\.api-database\.from"),
        ("steady_state:\n  probes: [frontend,", "steady_state:\n  probes: [frontent,", r"steady_state\.probes"),
    ],
)
def test_a_broken_environment_file_is_refused_with_line_and_key(
    before: str, after: str, said: str, tmp_path: Path
) -> None:
    text = ENVIRONMENT.read_text()
    assert before in text
    folder = tmp_path / "environments/broken"
    folder.parent.mkdir()
    folder.symlink_to(ENVIRONMENT.parent)
    broken = tmp_path / "environment.yaml"
    broken.write_text(text.replace(before, after, 1))
    feature = tmp_path / "good.feature"
    feature.write_text(GOOD)

    told = refused(tmp_path / "run", feature, "--environment", broken)

    line = text[: text.index(before)].count("\n") + 1
    assert re.search(rf"environment\.yaml:{line + before.count(chr(10))}:\d+: .*{said}", told)


def test_a_runbook_that_is_no_text_is_refused(tmp_path: Path) -> None:
    runbook = tmp_path / "runbook.md"
    runbook.write_bytes(b"\xff\xfe")

    done = drillbook("outline", runbook)

    assert done.returncode == 2
    assert "runbook.md" in done.stderr
    assert "Traceback" not in done.stderr
