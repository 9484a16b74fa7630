"""Faults of processes, done to real ones; and the stack that heals them whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

from drillbook.backends.base import Environment
from drillbook.clock import wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault, Fault
from drillbook.faults.process_frozen import ProcessFrozen
from drillbook.faults.process_killed import ProcessKilled
from drillbook.faults.processes import Process, family
from drillbook.faults.stack import FaultStack, endings_deferred
from tests.parts_environment import PartsEnvironment

# A service with a child, as a server with workers: it tells its child's pid, then both sleep until killed.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
child.wait()
"""


def start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.fixture
def environment() -> Iterator[PartsEnvironment]:
    environment = PartsEnvironment(starts={"api": start})
    environment.running["api"] = first = start()
    try:
        yield environment
    finally:
        for process in {first, environment.running["api"]}:
            for member in family([process.pid]):
                member.send(signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def states(members: tuple[Process, ...]) -> set[str]:
    return {member.state() for member in members}


def test_killed_takes_the_children_too_and_healing_starts_the_service_again(environment: PartsEnvironment) -> None:
    members = family(environment.processes("api"))
    assert len(members) == 2
    active = ProcessKilled("api").inject(environment)
    assert states(members) == {""}
    assert environment.processes("api") == []
    active.heal()
    assert len(family(environment.processes("api"))) == 2


def test_healing_a_killed_service_that_the_responder_restarted_leaves_it_alone(environment: PartsEnvironment) -> None:
    active = ProcessKilled("api").inject(environment)
    environment.restart("api")
    before = environment.processes("api")
    active.heal()
    assert environment.processes("api") == before
    assert environment.restarts == 1


@pytest.mark.parametrize("fault", [ProcessKilled("api"), ProcessFrozen("api")])
def test_a_service_that_does_not_run_cannot_be_broken(environment: PartsEnvironment, fault: Fault) -> None:
    ProcessKilled("api").inject(environment)
    with pytest.raises(EnvironmentFailed, match="service api has no living process"):
        fault.inject(environment)


def test_frozen_stops_the_whole_family_and_healing_lets_it_run_on(environment: PartsEnvironment) -> None:
    members = family(environment.processes("api"))
    active = ProcessFrozen("api").inject(environment)
    assert states(members) == {"T"}
    active.heal()
    assert wait_until(lambda: "T" not in states(members), 1.0)
    assert "" not in states(members)


def test_healing_a_frozen_service_that_was_killed_and_restarted(environment: PartsEnvironment) -> None:
    active = ProcessFrozen("api").inject(environment)
    ProcessKilled("api").inject(environment)
    environment.restart("api")
    os.kill(environment.processes("api")[0], signal.SIGSTOP)  # somebody else's: not ours to undo
    active.heal()
    (parent, *_) = family(environment.processes("api"))
    assert wait_until(lambda: parent.state() == "T", 1.0)


def test_a_pid_that_came_to_another_process_is_not_signalled() -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (process,) = family([bystander.pid])
        Process(process.pid, process.born - 1).send(signal.SIGKILL)
        assert Process(process.pid, process.born - 1).state() == ""
        assert bystander.poll() is None
        process.send(signal.SIGKILL)
        assert bystander.wait(5) == -signal.SIGKILL
    finally:
        bystander.kill()
        bystander.wait()


# The stack


@dataclass
class Log:
    """What was done, in order."""

    done: list[str]


@dataclass(frozen=True, slots=True)
class Noted:
    """A fault that notes what is done to it; `breaks` raises at that moment, `interrupted` gets SIGINT in its midst."""

    kind: ClassVar[str] = "noted"
    target: str
    log: Log
    breaks: str = ""
    interrupted: str = ""

    def inject(self, environment: Environment) -> ActiveFault:  # noqa: ARG002
        self._do("inject")
        return _NotedActive(self)

    def _do(self, what: str) -> None:
        if self.interrupted == what:
            os.kill(os.getpid(), signal.SIGINT)
        if self.breaks == what:
            raise EnvironmentFailed(f"cannot {what} {self.target}")
        self.log.done.append(f"{what} {self.target}")


@dataclass(frozen=True, slots=True)
class _NotedActive:
    fault: Noted

    def heal(self) -> None:
        self.fault._do("heal")


@pytest.fixture
def log() -> Log:
    return Log([])


@pytest.fixture
def stack() -> FaultStack:
    return FaultStack(PartsEnvironment())


def test_healing_is_last_in_first_out_and_goes_on_past_failures(stack: FaultStack, log: Log) -> None:
    for fault in (Noted("a", log), Noted("b", log, breaks="heal"), Noted("c", log)):
        stack.inject(fault)
    failures = stack.heal_all()
    assert log.done[3:] == ["heal c", "heal a"]
    assert [(failure.fault.target, failure.error) for failure in failures] == [("b", "noted of b: cannot heal b")]
    assert "EnvironmentFailed" in failures[0].traceback
    assert stack.heal_all() == []
    assert log.done[5:] == []


def test_a_fault_that_could_not_be_injected_is_not_in_force(stack: FaultStack, log: Log) -> None:
    with pytest.raises(EnvironmentFailed, match="cannot inject a"):
        stack.inject(Noted("a", log, breaks="inject"))
    assert stack.faults == ()
    assert stack.heal_all() == []


def test_one_fault_can_be_healed_before_the_others(stack: FaultStack, log: Log) -> None:
    first, second = Noted("a", log), Noted("b", log)
    stack.inject(first)
    stack.inject(second)
    assert stack.heal(first) is None
    assert stack.faults == (second,)
    assert stack.heal(first) is None
    stack.heal_all()
    assert log.done == ["inject a", "inject b", "heal a", "heal b"]


def test_ctrl_c_in_the_midst_of_injecting_loses_no_fault(stack: FaultStack, log: Log) -> None:
    with pytest.raises(KeyboardInterrupt):
        stack.inject(Noted("a", log, interrupted="inject"))
    assert [fault.target for fault in stack.faults] == ["a"]
    assert stack.heal_all() == []
    assert log.done == ["inject a", "heal a"]


def test_ctrl_c_in_the_midst_of_healing_does_not_end_it(stack: FaultStack, log: Log) -> None:
    stack.inject(Noted("a", log))
    stack.inject(Noted("b", log, interrupted="heal"))
    with pytest.raises(KeyboardInterrupt):
        stack.heal_all()
    assert log.done[2:] == ["heal b", "heal a"]


def test_sigterm_handler_may_heal_while_a_fault_is_injected(stack: FaultStack, log: Log) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: log.done.append(f"{len(stack.heal_all())} failures"))
    try:
        with endings_deferred():
            stack.inject(Noted("a", log))
            os.kill(os.getpid(), signal.SIGTERM)
        assert wait_until(lambda: len(log.done) == 3, 1.0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert log.done == ["inject a", "heal a", "0 failures"]


def test_sigterm_of_a_process_with_a_frozen_child_thaws_it(environment: PartsEnvironment) -> None:
    pid = environment.processes("api")[0]
    members = family([pid])
    program = f"""
import signal, sys, time
sys.path[:0] = {sys.path!r}
from tests.parts_environment import PartsEnvironment
from drillbook.faults.process_frozen import ProcessFrozen
from drillbook.faults.stack import FaultStack
stack = FaultStack(PartsEnvironment(pids={{"api": [{pid}]}}))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(len(stack.heal_all())))
stack.inject(ProcessFrozen("api"))
print("frozen", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"frozen\n"
        assert states(members) == {"T"}
        harness.terminate()
        assert harness.wait(10) == 0
    assert wait_until(lambda: "T" not in states(members), 1.0)
