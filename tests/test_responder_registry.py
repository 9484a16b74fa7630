"""How the functions in steps/ are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from drillbook.errors import UsageError
from drillbook.responder.registry import Registry, decision, manual
from drillbook.responder.situation import Situation
from drillbook.runbook.model import Step, StepKind


def module(*functions: Callable[..., object]) -> ModuleType:
    made = ModuleType("steps_of_a_test")
    for number, function in enumerate(functions):
        setattr(made, f"f{number}", function)
    return made


def step(title: str, kind: StepKind = StepKind.MANUAL) -> Step:
    return Step(title, kind, 1)


@manual("call primary")
def call(_: Situation) -> str:
    return "called"


@manual("Call   primary on-call")
@manual("wake the first person")
def call_first(_: Situation) -> None: ...


@decision("Call primary")
def whether(_: Situation) -> bool:
    return True


def test_the_longest_text_in_the_title_wins_and_case_and_space_do_not_count() -> None:
    registry = Registry.collect([module(call, call_first, whether)])
    found = registry.find(step("Step 1: CALL primary  On-Call: someone"))
    assert found is not None
    assert found.function is call_first
    other = registry.find(step("Call primary by radio"))
    assert other is not None
    assert other.function is call
    woken = registry.find(step("Then wake the first person"))
    assert woken is not None
    assert woken.function is call_first


def test_manual_steps_and_decisions_are_apart() -> None:
    registry = Registry.collect([module(call, whether)])
    found = registry.find(step("If nobody answers, call primary", StepKind.DECISION))
    assert found is not None
    assert found.function is whether
    assert registry.find(step("Call nobody")) is None


def test_a_performer_knows_where_it_stands() -> None:
    (performer,) = Registry.collect([module(call)]).performers
    assert performer.at.file == Path(__file__)
    assert "@manual" in Path(__file__).read_text().splitlines()[(performer.at.line or 0) - 1]


def test_a_function_seen_in_two_modules_is_one() -> None:
    assert len(Registry.collect([module(call), module(call)]).performers) == 1


def test_equal_texts_are_refused_with_both_places() -> None:
    @manual("Call Primary")
    def again(_: Situation) -> None: ...

    with pytest.raises(UsageError) as refused:
        Registry.collect([module(call, again)])
    assert str(refused.value).count(f"{__file__}:") == 2


def test_two_equally_long_matches_are_refused_for_the_step() -> None:
    @manual("primary call")
    def other(_: Situation) -> None: ...

    registry = Registry.collect([module(call, other)])
    assert registry.find(step("call primary")) is not None
    with pytest.raises(
        UsageError, match=r"match equally well for the step.*call primary.*primary call|primary call.*call"
    ):
        registry.find(step("call primary call"))


def test_async_functions_and_generators_are_refused() -> None:
    async def later(_: Situation) -> None: ...

    def lazily(_: Situation) -> object:
        yield "nothing"

    for function in (later, lazily):
        with pytest.raises(UsageError, match=r"does nothing when called") as refused:
            manual("Page somebody")(function)
        assert refused.value.at is not None


def test_a_mark_without_words_is_refused() -> None:
    with pytest.raises(UsageError, match="needs words"):
        manual("  ")(call)
