"""Following a section, on a real shell and the real models of the environment file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed, UsageError
from drillbook.responder.follow import Responder, matching_steps
from drillbook.responder.registry import Registry, decision, manual
from drillbook.responder.report import (
    CommandFinished,
    CommandStarted,
    DecisionTaken,
    Notification,
    Response,
    StepFinished,
    StepOutcome,
    StepStarted,
)
from drillbook.responder.session import ShellSession
from drillbook.responder.situation import Situation
from drillbook.runbook.model import Command, Section, Step, StepKind
from drillbook.shims.install import BindingSpec, install
from drillbook.topology.model import Topology


@dataclass
class World:
    """As much of an Environment as a responder asks for."""

    topology: Topology
    variables: Mapping[str, str]
    workspace: Path


def topology(commands: Mapping[str, object], allowed: Sequence[Mapping[str, str]]) -> Topology:
    return Topology.model_validate_json(
        json.dumps(
            {
                "version": 1,
                "name": "small",
                "runbook": "runbook.md",
                "services": {"chain": {"kind": "chain", "ports": {"rpc": 8545}, "chain_id": 1}},
                "probes": {"chain": {"tcp": {"to": "localhost:8545"}}},
                "steady_state": {"probes": ["chain"]},
                "commands": commands,
                "people": {"allowed": allowed},
            }
        )
    )


@dataclass
class Follower:
    """Follows sections made of `steps` with the functions given."""

    world: World
    session: ShellSession
    heard: list[Notification] = field(default_factory=list)

    def follow(self, *steps: Step, performers: tuple[Callable[..., object], ...] = (), **options: Any) -> Response:
        module = ModuleType("steps_of_a_test")
        for number, function in enumerate(performers):
            setattr(module, f"f{number}", function)
        registry = Registry.collect([module])
        responder = Responder(cast(Environment, self.world), self.session, registry, self.heard.append, **options)
        return responder.follow(Section("Outage", "Top / Outage", "outage", 2, 1, steps=steps))


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower]:
    rules = [
        {"command": "npm outdated", "accept": [0, 1]},
        {"command": "sh -c **", "accept": [0, 4]},
        {"command": "sleep **", "deadline": "300ms"},
    ]
    allowed = [{"step": "Call", "time": "60s"}, {"kind": "decision", "time": "30s"}]
    shims = tmp_path / "shims"
    install(shims, [], Path(sys.executable), os.environ["PATH"])
    variables = {"PATH": f"{shims}:{os.environ['PATH']}", "GREETING": "hello"}
    workspace = tmp_path / "work"
    workspace.mkdir()
    world = World(topology({"deadline": "10s", "rules": rules}, allowed), variables, workspace)
    with ShellSession(variables, workspace) as session:
        yield Follower(world, session)


def commands(title: str, *texts: str, kind: StepKind = StepKind.COMMAND) -> Step:
    return Step(title, kind, 3, tuple(Command(text, 4 + at, "bash") for at, text in enumerate(texts)))


def person(title: str) -> Step:
    return Step(title, StepKind.MANUAL, 9)


def outcomes(response: Response) -> list[str]:
    return [str(step.outcome) for step in response.steps]


def test_everything_is_told_in_order_with_its_times(follower: Follower) -> None:
    @manual("call primary")
    def call(situation: Situation) -> str:
        return f"said {situation.environment.variables['GREETING']}"

    @decision("if down")
    def down(_: Situation) -> tuple[bool, str]:
        return True, "it was"

    first, second = commands("Check", "x=1", "echo $x"), person("Call primary on-call")
    third = commands("If down, roll back", "echo back $x", kind=StepKind.DECISION)
    response = follower.follow(first, second, third, performers=(call, down))
    kinds = [type(one) for one in follower.heard]
    ran = [CommandStarted, CommandFinished]
    assert kinds == [
        *(StepStarted, *ran, *ran, StepFinished),
        *(StepStarted, StepFinished),
        *(StepStarted, DecisionTaken, *ran, StepFinished),
    ]
    assert [one.result.stdout for one in response.commands] == ["", "1\n", "back 1\n"]
    assert outcomes(response) == ["done", "done", "done"]
    assert [step.detail for step in response.steps] == ["", "said hello", "it was"]
    assert [step.allowed for step in response.steps] == [0, 60, 30]
    assert response.allowed == 90
    moments = [moment for step in response.steps for moment in (step.started, step.at)]
    assert moments == sorted(moments)


def test_a_failure_does_not_stop_a_responder(follower: Follower) -> None:
    response = follower.follow(commands("Check", "false", "echo on"), commands("Next", "echo further"))
    assert [one.accepted for one in response.commands] == [False, True, True]
    assert outcomes(response) == ["failed", "done"]
    assert "false: exit code 1" in response.steps[0].detail


def test_fail_fast_stops_at_the_first_failure(follower: Follower) -> None:
    response = follower.follow(commands("Check", "false", "echo on"), commands("Next", "touch ran"), fail_fast=True)
    assert len(response.commands) == 1
    assert outcomes(response) == ["failed", "skipped"]
    assert not (follower.world.workspace / "ran").exists()


def test_exit_codes_and_deadlines_come_from_the_environment_file(follower: Follower) -> None:
    response = follower.follow(commands("Odd", "sh -c 'exit 4'"), commands("Long", "sleep 300"))
    assert outcomes(response) == ["done", "failed"]
    assert response.commands[1].result.timed_out
    assert "hit its deadline" in response.steps[1].detail


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("no-such-program", "no-such-program"),
        ("no-such-program x | cat || true", "no-such-program x"),
        ("./no-such-script", "./no-such-script"),
        ("node scripts/none.js || true", "node scripts/none.js"),
        ("sh -c 'node scripts/none.js; exit 0'", "node scripts/none.js"),
    ],
)
def test_what_nothing_performs_is_unbound_even_if_its_code_is_swallowed(
    follower: Follower, text: str, named: str
) -> None:
    response = follower.follow(commands("Run it", text), commands("Next", "true"))
    assert outcomes(response) == ["unbound", "done"]
    assert named in response.steps[0].detail
    assert not response.commands[0].accepted


def test_another_language_is_unbound(follower: Follower) -> None:
    step = Step("Query", StepKind.COMMAND, 1, (Command("select 1", 2, "sql"),))
    response = follower.follow(step)
    assert outcomes(response) == ["unbound"]
    assert response.commands[0].result.exit_code is None
    assert "sql" in response.commands[0].result.note


def test_steps_without_a_function_are_unbound_and_their_commands_not_run(follower: Follower) -> None:
    response = follower.follow(person("Call somebody"), commands("If down", "touch ran", kind=StepKind.DECISION))
    assert outcomes(response) == ["unbound", "unbound"]
    assert '@decision("If down")' in response.steps[1].detail
    assert not (follower.world.workspace / "ran").exists()


def test_a_decision_not_taken_skips_its_commands_and_says_why(follower: Follower) -> None:
    @decision("if the frontend is down")
    def down(situation: Situation) -> tuple[bool, str]:
        return not situation.succeeded("Check our services"), "both checks were good"

    check = commands("Step 3: check our services", "true", "echo fine")
    response = follower.follow(
        check, commands("If the frontend is down", "touch ran", kind=StepKind.DECISION), performers=(down,)
    )
    assert outcomes(response) == ["done", "skipped"]
    assert response.steps[1].detail == "both checks were good"
    assert not (follower.world.workspace / "ran").exists()
    (taken,) = [one for one in follower.heard if isinstance(one, DecisionTaken)]
    assert (taken.taken, taken.reason) == (False, "both checks were good")


def test_a_situation_gives_results_and_runs_more(follower: Follower) -> None:
    seen: list[object] = []

    @manual("look around")
    def look(situation: Situation) -> None:
        seen.append([one.exit_code for one in situation.result_of("check")])
        seen.append([one.stdout for one in situation.result_of("ECHO two")])
        seen.append((situation.succeeded("check"), situation.succeeded("echo two"), situation.succeeded("later")))
        seen.append(situation.run("echo $kept; false").stdout)
        seen.append((situation.section.title, situation.step.title))
        with pytest.raises(UsageError, match="nearest title is 'Check'"):
            situation.succeeded("chekc")

    steps = (commands("Check", "kept=5; false", "echo two"), person("Look around"), commands("Later", "true"))
    response = follower.follow(*steps, performers=(look,))
    assert seen == [[1, 0], ["two\n"], (False, True, False), "5\n", ("Outage", "Look around")]
    assert outcomes(response) == ["failed", "done", "done"]


def test_a_person_who_cannot_fails_the_step_and_goes_on(follower: Follower) -> None:
    @manual("call")
    def call(_: Situation) -> None:
        raise EnvironmentFailed("nobody answered")

    response = follower.follow(person("Call primary"), commands("Next", "true"), performers=(call,))
    assert outcomes(response) == ["failed", "done"]
    assert "nobody answered" in response.steps[0].detail


def test_a_defect_of_a_step_function_is_told_and_raised(follower: Follower) -> None:
    @manual("call")
    def call(_: Situation) -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        follower.follow(person("Call primary"), performers=(call,))
    last = follower.heard[-1]
    assert isinstance(last, StepFinished)
    assert last.outcome is StepOutcome.FAILED


def test_what_a_function_gives_must_be_what_its_step_needs(follower: Follower) -> None:
    @decision("if")
    def vague(_: Situation) -> object:
        return "yes"

    @manual("call")
    def numeric(_: Situation) -> object:
        return 3

    with pytest.raises(UsageError, match="must give True or False"):
        follower.follow(commands("If down", "true", kind=StepKind.DECISION), performers=(vague,))
    with pytest.raises(UsageError, match="gives 3"):
        follower.follow(person("Call"), performers=(numeric,))


def test_omit_leaves_out_by_title_or_command_whatever_the_case(follower: Follower) -> None:
    steps = (
        commands("Roll back", "touch rolled"),
        commands("Fix", "touch one", "touch TWO"),
        person("Call primary"),
        commands("Check", "touch checked"),
    )
    response = follower.follow(*steps, omit=("roll", "touch two", "CALL"))
    assert outcomes(response) == ["omitted", "omitted", "omitted", "done"]
    assert [path.name for path in follower.world.workspace.iterdir()] == ["checked"]
    assert response.allowed == 0


def test_a_text_to_omit_that_matches_nothing_can_be_found_out() -> None:
    section = Section("A", "A", "a", 1, 1, steps=(commands("Fix", "npm run Repair"), person("Call")))
    assert [step.title for step in matching_steps([section], "repair")] == ["Fix"]
    assert matching_steps([section], "nowhere") == []
    assert matching_steps([section], " ") == []


def test_only_the_steps_asked_for_are_followed(follower: Follower) -> None:
    first, second = commands("One", "echo 1"), commands("Two", "echo 2")
    world = cast(Environment, follower.world)
    responder = Responder(world, follower.session, Registry(), follower.heard.append)
    response = responder.follow(Section("S", "S", "s", 1, 1, steps=(first, second)), [second])
    assert [one.result.stdout for one in response.commands] == ["2\n"]


def test_a_bound_command_runs_its_procedure(follower: Follower, tmp_path: Path) -> None:
    (tmp_path / "ops_of_a_test.py").write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    bindings = [BindingSpec("node scripts/fix.js **", "ops_of_a_test")]
    install(tmp_path / "shims", bindings, Path(sys.executable), os.environ["PATH"], module_path=[tmp_path])
    response = follower.follow(commands("Fix", "node ./scripts/fix.js --all 'a b'"))
    assert outcomes(response) == ["done"]
    assert json.loads(response.commands[0].result.stdout) == ["--all", "a b"]
