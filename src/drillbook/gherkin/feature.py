"""Collects .feature files by itself, so that none is silently unrun, and refuses what pytest-bdd would let pass.

Seen with pytest-bdd: a feature that no test binds never runs; two scenarios of one name collapse to one; an undefined step is
found only when it is reached; an `async def` step that asserts False passes. Each is an error here, before anything starts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from _pytest._code.code import TerminalRepr, TracebackStyle
from gherkin.parser import Parser
from pytest_bdd.exceptions import FeatureError
from pytest_bdd.feature import get_feature
from pytest_bdd.parser import Feature, ScenarioTemplate, Step
from pytest_bdd.scenario import find_fixturedefs_for_step, scenario
from pytest_bdd.scenario import scenario_wrapper_template_registry as templates
from pytest_bdd.steps import StepFunctionContext, step_function_context_registry

from drillbook.errors import DrillbookError, Location, UsageError
from drillbook.gherkin.phrases import nearest


class FeatureFile(pytest.Module):
    """A .feature file as pytest collects it: one test for each scenario, each with the fixture `drill`."""

    def _getobj(self) -> ModuleType:
        feature = read_feature(self.path)
        module = ModuleType(self.path.stem)
        module.__file__ = str(self.path)
        for number, name in enumerate(feature.scenarios):
            decorate = scenario(self.path.name, name, features_base_dir=str(self.path.parent))
            setattr(
                module, f"test_{number:02}_{_identifier(name)}", pytest.mark.usefixtures("drill")(decorate(_nothing))
            )
        return module

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: TracebackStyle | None = None,  # noqa: ARG002 - ours has no traceback
    ) -> str | TerminalRepr:
        """Show what is wrong with a feature in its own words, without our traceback."""
        return str(excinfo.value) if isinstance(excinfo.value, UsageError) else super().repr_failure(excinfo)


def _nothing() -> None:
    """The body of a scenario's test: its steps have done everything."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One drill as collected: its `name`, where it stands, its tags with their @, its steps.

    An outline's drill is told by its example: where the outline's name has no placeholder, the whole row stands behind it.
    Tags have placeholders too.
    """

    name: str
    feature: Path
    line: int
    tags: frozenset[str]
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, item: pytest.Item) -> Scenario | None:
        """Give the scenario behind a test, None if it is no drill."""
        template = templates.get(item.function) if isinstance(item, pytest.Function) else None
        if template is None:
            return None
        callspec = getattr(item, "callspec", None)
        example = dict(callspec.params.get("_pytest_bdd_example", {})) if callspec else {}
        rendered, feature = template.render(example), template.feature
        rule = template.rule.tags if template.rule else set()
        tags = frozenset(f"@{filled(tag, example)}" for tag in {*template.tags, *feature.tags, *rule})
        name = filled(template.name, example)
        if callspec and name == template.name:
            name += f" [{callspec.id}]"
        return cls(name, Path(feature.filename), template.line_number, tags, tuple(rendered.steps))


def read_feature(path: Path) -> Feature:
    """Parse a feature file; UsageError with its line for what is no Gherkin, or what pytest-bdd would run wrongly."""
    try:
        document = Parser().parse(path.read_text(encoding="utf-8"))
        if "feature" not in document:
            raise UsageError(
                "there is no feature in this file", at=Location(path, 1), mend="begin it with `Feature: …`"
            )
        feature = get_feature(str(path.parent), path.name)
    except FeatureError as error:
        raise UsageError(str(error.message), at=Location(path, error.line)) from error
    except UsageError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the feature: {error}", at=Location(path)) from error
    except Exception as error:  # the parser's own errors share no public root
        line = next((e.location["line"] for e in getattr(error, "errors", [])), None)
        raise UsageError(f"this is no Gherkin: {_first_line(error)}", at=Location(path, line)) from error
    problems = [*_problems(cast(dict[str, Any], document), path, feature)]
    if problems:
        raise UsageError("\n".join(map(str, problems)))
    return feature


def _problems(document: dict[str, Any], path: Path, feature: Feature) -> Iterator[UsageError]:
    seen: dict[str, int] = {}
    for found in _scenarios((document.get("feature") or {}).get("children", [])):
        name, line = found["name"], found["location"]["line"]
        if name in seen:
            message = f"two scenarios are called {name!r}; the other is at line {seen[name]}, and only one would run"
            yield UsageError(message, at=Location(path, line), mend="give each its own name")
        seen.setdefault(name, line)
    if not seen:
        line = document["feature"]["location"]["line"]
        yield UsageError("this feature has no scenario", at=Location(path, line), mend="add one, or remove the file")
    for template in feature.scenarios.values():
        yield from _checks_nothing(template, path)


def _scenarios(children: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for child in children:
        if "scenario" in child:
            yield child["scenario"]
        if "rule" in child:
            yield from _scenarios(child["rule"]["children"])


def _checks_nothing(template: ScenarioTemplate, path: Path) -> Iterator[UsageError]:
    if not any(step.type == "then" for step in template.steps):
        message = f"the scenario {template.name!r} has no Then, so it could only be green"
        yield UsageError(message, at=Location(path, template.line_number), mend="say what must have come of it")


def check_steps(item: pytest.Function, drill: Scenario, known: Callable[[str, str], str]) -> Iterator[UsageError]:
    """Give what is wrong with a scenario's steps: undefined, ambiguous, async, or an argument that names nothing.

    `known(parameter, value)` gives "" or what is wrong with the value of a phrase's parameter.
    """
    for step in drill.steps:
        at = Location(drill.feature, step.line_number)
        found = list(find_fixturedefs_for_step(step, item.session._fixturemanager, item))
        contexts = [step_function_context_registry[definition.func] for definition in found]
        if not contexts:
            close = nearest(step.name, step.type)
            mend = f"did you mean: {close}?" if close else "`drillbook steps` lists every phrase"
            yield UsageError(f"no step is defined for: {step.type.capitalize()} {step.name}", at=at, mend=mend)
            continue
        yield from _check_function(contexts[-1], step, at)
        try:
            arguments = contexts[-1].parser.parse_arguments(step.name) or {}
            problems = [known(name, str(value)) for name, value in arguments.items()]
        except DrillbookError as error:
            problems = [error.message]
        for problem in filter(None, problems):
            yield UsageError(problem, at=at)


def _check_function(context: StepFunctionContext, step: Step, at: Location) -> Iterator[UsageError]:
    function = inspect.unwrap(context.step_func)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        where = Location(Path(function.__code__.co_filename), function.__code__.co_firstlineno)
        message = (
            f"the step {step.name!r} is an async function ({where}): nobody would await it, and it would always pass"
        )
        yield UsageError(message, at=at, mend="make it an ordinary function")


def filled(text: str, example: Mapping[str, str]) -> str:
    """Put an example's values in the place of an outline's <placeholders>."""
    for name, value in example.items():
        text = text.replace(f"<{name}>", value)
    return text


def _identifier(name: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _first_line(error: Exception) -> str:
    return (
        str(error).strip().replace("Parser errors:", "").strip().splitlines()[0]
        if str(error).strip()
        else type(error).__name__
    )
