"""Given and When: the state a drill begins in, and what the responder does."""

from __future__ import annotations

from pytest_bdd import given, parsers, when

from drillbook.clock import wait_until
from drillbook.drill import Drill
from drillbook.drill.words import listed, quoted
from drillbook.errors import EnvironmentFailed

_READY_SECONDS = 10.0

FOLLOWS = 'the responder follows "{section}"'
TAKES = r'the responder takes the steps? (?P<steps>"[^"]+"(?:, "[^"]+")*) of "(?P<section>[^"]+)"'


@given("the system is in its steady state")
def steady_state(drill: Drill) -> None:
    """See that every probe of the steady state holds, and watch them all through the drill. Without it: unknown."""
    drill.check_steady_state()


@given("traffic is flowing")
def traffic(drill: Drill) -> None:
    """Start the workload of the environment file; go on when its first request is acknowledged."""
    drill.start_traffic()


@when(parsers.parse(FOLLOWS))
def follow(drill: Drill, section: str) -> None:
    """Follow a section of the runbook, step by step: its own commands, its people's steps, its decisions."""
    drill.follow(section)


@given(parsers.parse('the probes "{probes}" are watched too'))
def watched_too(drill: Drill, probes: str) -> None:
    """Take further probes of the environment file, with commas between them, into this drill's steady state."""
    drill.watch(listed(probes))


@when(parsers.re(TAKES))
def take_steps(drill: Drill, steps: str, section: str) -> None:
    """Follow only the steps of a section that contain these words, in the runbook's order."""
    drill.follow(section, quoted(steps))


@given(parsers.parse('"{service}" has been started'))
def started(drill: Drill, service: str) -> None:
    """Start a service that the environment file declares on demand, and what it depends on; the next reset stops them."""
    drill.environment.start_on_demand(service)


@when(parsers.parse('"{app}" is scaled to {replicas:d} processes'))
@given(parsers.parse('"{app}" has been scaled to {replicas:d} processes'))
def scaled(drill: Drill, app: str, replicas: int) -> None:
    """Scale an app past the runbook, and wait until every process is ready."""
    platform = drill.environment.platform
    platform.scale(app, replicas)

    def ready() -> bool:
        return sum(instance.state == "ready" for instance in platform.app(app).instances) == replicas

    if not wait_until(ready, _READY_SECONDS, interval=0.05, clock=drill.clock):
        raise EnvironmentFailed(f"{app} did not have {replicas} ready processes within {_READY_SECONDS:g} s")
