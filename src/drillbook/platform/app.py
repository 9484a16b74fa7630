"""An app as the platform runs it: which release is live, how many instances it has, and how one release follows another.

A change of release is a rollout: start the new fleet, wait, switch the router in one step, drain the old fleet. What
the wait is for depends on who asks (`Until`). One rollout at a time: a new one supersedes the one under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Protocol

from drillbook.clock import SYSTEM_CLOCK, rfc3339
from drillbook.errors import DrillbookError, EnvironmentFailed
from drillbook.platform.config import AppConfig
from drillbook.platform.health import Health
from drillbook.platform.instance import Instance, State
from drillbook.platform.launcher import Launcher
from drillbook.platform.places import Places
from drillbook.platform.releases import FIRST_RELEASES, Defect, Release, Shelf, UnknownRelease
from drillbook.platform.router import Listener

START_LIMIT = 20.0
GATE_LIMIT = 3.0
"""Seconds that a gated release may be listening without being healthy."""
RESET_PROBE = 0.3
RESET_PATIENCE = 2.0
RESET_GRACE = 0.03
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class Until(Enum):
    """What a rollout waits for before it switches."""

    SHOWN = "each instance has shown what it is, good or bad"
    HEALTHY = "each instance is ready; given up when one will not be"
    PATIENT = "each instance is ready, however long that takes (a Kubernetes rollout)"


class NotHealthy(DrillbookError):
    """Report a gated release that was not healthy: nothing was switched."""


class Superseded(DrillbookError):
    """Report a rollout that a later one replaced."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a fleet is made from: an image whose tag is a release's number, and the pods' annotations."""

    image: str
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Fleet:
    """The instances of one template; `release` is None where the image is none that the shelf holds."""

    template: Template
    release: Release | None
    created: datetime
    instances: list[Instance] = field(default_factory=list)


class Listening(Protocol):
    """Hears of every change of an app."""

    def __call__(self) -> None: ...


class App:
    """One app: shelf, fleets, router."""

    def __init__(
        self, config: AppConfig, shelf: Shelf, launcher: Launcher, environment: Mapping[str, str], places: Places
    ) -> None:
        self.config = config
        self._places = places
        self.shelf = shelf
        self.replicas = config.replicas
        self.rolling: Fleet | None = None
        self.retiring: dict[Instance, Template] = {}
        self.revisions: dict[Template, int] = {}
        self._launcher = launcher
        self._environment = environment
        self._line: list[int] = []
        self._hearers: list[Listening] = []
        self._rollout: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._used: dict[Instance, int] = {}
        self._listeners = [Listener(public, name, self.choose) for name, public in config.ports.items()]
        for _ in range(FIRST_RELEASES):
            self._go(self.shelf.create().number)
        self.live = Fleet(self.template(self.current), self.shelf.get(self.current), SYSTEM_CLOCK.wall())

    # What is there

    @property
    def current(self) -> int:
        """Give the number of the live release."""
        return self._line[-1]

    @property
    def previous(self) -> int | None:
        """Give the release that was live before the current one, None at the first."""
        return self._line[-2] if len(self._line) > 1 else None

    @property
    def desired(self) -> Template:
        """Give the template that the app has or is being brought to."""
        return (self.rolling or self.live).template

    @property
    def instances(self) -> list[Instance]:
        """Give the instances in service or coming into it."""
        return [*self.live.instances, *(self.rolling.instances if self.rolling else [])]

    def image(self, number: int) -> str:
        """Give the image by which kubectl knows a release."""
        return f"{self.config.deployment or self.config.name}:{number}"

    def template(self, number: int, annotations: tuple[tuple[str, str], ...] = ()) -> Template:
        """Give the template of a release."""
        return Template(self.image(number), annotations)

    def release_of(self, template: Template) -> Release | None:
        """Give the release that an image stands for, None if the shelf holds none such."""
        return next((r for r in self.shelf.releases if self.image(r.number) == template.image), None)

    def subscribe(self, hearer: Listening) -> None:
        """Have `hearer` called after every change."""
        self._hearers.append(hearer)

    # Routing

    def choose(self, tried: frozenset[Instance]) -> Instance | None:
        """Choose an instance for a connection: least connections, in turn among equals; None: refuse it.

        Ready instances come first. Where there is none: those that answer although unhealthy (a health check that
        names a broken dependency must stay readable) or were made live before they were ever ready (a hung release
        hangs its clients). A frozen instance that was found unready gets nothing.
        """
        groups = (
            [i for i in self.live.instances if i.state is State.READY],
            [i for i in self.rolling.instances if i.state is State.READY] if self.rolling else [],
            [i for i in self.live.instances if i.state not in (State.PENDING, State.EXITED) and _answers(i)],
        )
        for group in groups:
            if fresh := [instance for instance in group if instance not in tried]:
                chosen = min(fresh, key=lambda i: (len(i.relays), self._used.get(i, 0)))
                self._turn += 1
                self._used[chosen] = self._turn
                return chosen
        return None

    # Operations

    async def start(self) -> None:
        """Open the ports and start the current release; raise EnvironmentFailed if it does not become ready."""
        for number in self._line:
            self._record(self.template(number))
        for listener in self._listeners:
            await listener.open()
        self.live = self._fleet(self.template(self.current))
        try:
            async with asyncio.timeout(START_LIMIT):
                await self._all_ready(self.live)
        except (TimeoutError, NotHealthy) as error:
            logs = ", ".join(str(i.log) for i in self.live.instances if i.state is not State.READY)
            raise EnvironmentFailed(f"{self.config.name} did not become ready", mend=f"read {logs}") from error

    async def release(
        self,
        defect: Defect | None,
        *,
        gate: bool,
        settings: Mapping[str, str] | None = None,
        artifact: str = "",
    ) -> int:
        """Make a new release and bring it live; give its number. Raises NotHealthy when the gate holds it back.

        `settings` are variables that this release has otherwise than those before; `artifact` is the SHA-256 of an
        uploaded archive that it is made of, instead of the app's own source. Raises BadArtifact.
        """
        release = self.shelf.create(defect, settings, artifact)
        await self.roll(self.template(release.number), Until.HEALTHY if gate else Until.SHOWN)
        return release.number

    def build(self, defect: Defect | None) -> int:
        """Make a new release and leave it on the shelf; give its number."""
        return self.shelf.create(defect).number

    async def rollback(self, number: int | None = None) -> None:
        """Go back to a release, by default the previous one, whatever its health. Raises UnknownRelease."""
        target = self.previous if number is None else self.shelf.get(number).number
        if target is None:
            raise UnknownRelease(f"{self.config.name} has no release before {self.current}", mend="name a release")
        await self.roll(self.template(target), Until.SHOWN)

    async def restart(self) -> None:
        """Replace every instance by a fresh process of the current release."""
        stamp = (RESTARTED_AT, rfc3339(SYSTEM_CLOCK.wall()))
        await self.roll(self.template(self.current, (stamp,)), Until.SHOWN)

    def scale(self, replicas: int) -> None:
        """Bring each fleet to `replicas` instances; exited ones are replaced."""
        self.replicas = replicas
        for fleet in filter(None, (self.live, self.rolling)):
            self._fill(fleet)
        self._notify()

    def replace(self, instance: Instance) -> None:
        """Retire one instance and start another in its place."""
        for fleet in filter(None, (self.live, self.rolling)):
            if instance in fleet.instances:
                self._retire(fleet, [instance])
                self._fill(fleet)
        self._notify()

    async def settle(self) -> None:
        """Wait until every instance that has a place in the cluster has shown what it is."""
        placed = [instance for instance in self.instances if instance.state is not State.PENDING]
        await asyncio.gather(*(instance.evidence.wait() for instance in placed))

    async def roll(self, template: Template, until: Until) -> None:
        """Bring a template live. Raises NotHealthy, or Superseded by a later call."""
        task = self.begin(template, until)
        await asyncio.wait({task})
        if task.cancelled():
            raise Superseded(f"another change of {self.config.name} came in between")
        task.result()

    def adopt(self, template: Template) -> None:
        """Bring a template live as a Kubernetes deployment does: in the background, once its instances are ready."""
        if template == self.live.template:
            self._supersede()
            self._record(template)
            self._notify()
        elif template != self.desired:
            self.begin(template, Until.PATIENT)

    def begin(self, template: Template, until: Until) -> asyncio.Task[None]:
        """Start a rollout in the background; what was under way is given up."""
        self._supersede()
        if until is not Until.HEALTHY:
            self._record(template)
        self.rolling = self._fleet(template)
        self._rollout = self._spawn(self._bring(self.rolling, until))
        self._notify()
        return self._rollout

    async def reset(self) -> None:
        """Return to the release, the number of instances and the history of the start; healthy processes stay."""
        self._supersede()
        self.replicas = self.config.replicas
        first = self.template(FIRST_RELEASES)
        if self.live.release is None or self.live.release.number != FIRST_RELEASES:
            await self.roll(first, Until.SHOWN)
        self.live.template = first
        await self._mend(self.live)
        await asyncio.gather(*(self._stop_now(instance) for instance in list(self.retiring)))
        self.shelf.forget_after(FIRST_RELEASES)
        self._line = list(range(1, FIRST_RELEASES + 1))
        self.revisions = {self.template(number): number for number in self._line}
        self._notify()

    async def close(self) -> None:
        """Stop everything."""
        self._supersede()
        for listener in self._listeners:
            listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(instance.stop() for instance in [*self.live.instances, *self.retiring]))

    # How

    async def _bring(self, fleet: Fleet, until: Until) -> None:
        if fleet.release is None:
            await asyncio.Event().wait()  # an image that nobody can pull: until it is superseded
        try:
            await {Until.SHOWN: self._all_shown, Until.HEALTHY: self._all_healthy, Until.PATIENT: self._all_forever}[
                until
            ](fleet)
        except NotHealthy:
            self.rolling = None
            self._retire(fleet, list(fleet.instances))
            self._notify()
            raise
        self._switch(fleet)

    async def _all_shown(self, fleet: Fleet) -> None:
        waits = [asyncio.ensure_future(instance.evidence.wait()) for instance in fleet.instances]
        if waits:
            await asyncio.wait(waits, timeout=START_LIMIT)

    async def _all_healthy(self, fleet: Fleet) -> None:
        await self._all_shown(fleet)
        try:
            async with asyncio.timeout(GATE_LIMIT):
                await self._all_ready(fleet)
        except TimeoutError:
            raise self._not_healthy(fleet) from None

    async def _all_ready(self, fleet: Fleet) -> None:
        while any(instance.state is not State.READY for instance in fleet.instances):
            if any(instance.state is State.EXITED for instance in fleet.instances):
                raise self._not_healthy(fleet)
            await asyncio.sleep(0.005)

    async def _all_forever(self, fleet: Fleet) -> None:
        while any(instance.state is not State.READY for instance in fleet.instances):
            await asyncio.sleep(0.01)

    def _not_healthy(self, fleet: Fleet) -> NotHealthy:
        states = ", ".join(f"{instance.name} is {instance.state}" for instance in fleet.instances)
        return NotHealthy(f"{fleet.template.image} is not healthy: {states}", mend="read the instances' logs")

    def _switch(self, fleet: Fleet) -> None:
        old, self.live, self.rolling = self.live, fleet, None
        if fleet.release:
            self._go(fleet.release.number)
        self._record(fleet.template)
        self._retire(old, list(old.instances))
        self._notify()

    def _go(self, number: int) -> None:
        known = self._line[: self._line.index(number)] if number in self._line else self._line
        self._line = [*known, number]

    def _record(self, template: Template) -> None:
        newest = max(self.revisions.values(), default=0)
        if self.revisions.get(template) != newest or not newest:
            self.revisions[template] = newest + 1

    def _supersede(self) -> None:
        if self._rollout:
            self._rollout.cancel()
        if self.rolling:
            fleet, self.rolling = self.rolling, None
            self._retire(fleet, list(fleet.instances))

    def _fleet(self, template: Template) -> Fleet:
        fleet = Fleet(template, self.release_of(template), SYSTEM_CLOCK.wall())
        self._fill(fleet)
        return fleet

    def _fill(self, fleet: Fleet) -> None:
        """Bring a fleet to the number of replicas; the exited leave, then the unready, then the youngest."""
        self._retire(fleet, [i for i in fleet.instances if i.state is State.EXITED])
        surplus = len(fleet.instances) - self.replicas
        order = sorted(fleet.instances, key=lambda i: (i.state is State.READY, -i.created.timestamp()))
        self._retire(fleet, order[: max(0, surplus)])
        for _ in range(-surplus if fleet.release else 0):
            assert fleet.release
            instance = Instance(self.config, fleet.release, self._environment)
            fleet.instances.append(instance)
            self._places.ask(instance, partial(self._start, instance))
            if instance.state is State.PENDING:
                self._note(f"{instance.name} finds no room in the cluster and waits")

    def _start(self, instance: Instance) -> None:
        instance.start(self._launcher, partial(self._changed, instance))
        self._note(f"{instance.name} starts; its output is in {instance.log.name}")
        self._notify()

    def _changed(self, instance: Instance) -> None:
        if instance.state is State.EXITED:
            self._places.leave(instance)
        self._notify()

    def _retire(self, fleet: Fleet, instances: list[Instance]) -> None:
        for instance in instances:
            fleet.instances.remove(instance)
            self.retiring[instance] = fleet.template
            self._spawn(self._drain(instance))

    async def _drain(self, instance: Instance) -> None:
        await instance.retire()
        self._places.leave(instance)
        self.retiring.pop(instance, None)
        self._used.pop(instance, None)
        self._note(f"{instance.name} has ended with status {instance.exit_status}")
        self._notify()

    async def _mend(self, fleet: Fleet) -> None:
        """Keep what answers, replace what does not, wait until all are ready."""
        await asyncio.gather(*(instance.probe(RESET_PROBE) for instance in fleet.instances))
        silent = [i for i in fleet.instances if i.health in (Health.SILENT, Health.REFUSED)]
        await self._replace_now(fleet, silent)
        try:
            async with asyncio.timeout(RESET_PATIENCE):
                await self._probe_until_ready(fleet)
        except TimeoutError:
            broken = [i for i in fleet.instances if i.health is not Health.READY and i.evidence.is_set()]
            await self._replace_now(fleet, broken)
            async with asyncio.timeout(START_LIMIT):
                await self._all_ready(fleet)

    async def _probe_until_ready(self, fleet: Fleet) -> None:
        while waiting := [i for i in fleet.instances if i.health is not Health.READY]:
            await asyncio.gather(*(instance.probe(RESET_PROBE) for instance in waiting))
            await asyncio.sleep(0.02)

    async def _replace_now(self, fleet: Fleet, instances: list[Instance]) -> None:
        for instance in instances:
            fleet.instances.remove(instance)
        self._fill(fleet)
        await asyncio.gather(*(instance.stop() for instance in instances))
        for instance in instances:
            self._places.leave(instance)

    async def _stop_now(self, instance: Instance) -> None:
        await instance.stop(RESET_GRACE)
        self._places.leave(instance)
        self.retiring.pop(instance, None)

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _note(self, line: str) -> None:
        with self.config.log.open("a") as log:
            log.write(f"{rfc3339(SYSTEM_CLOCK.wall())} platform: {line}\n")

    def _notify(self) -> None:
        for hearer in self._hearers:
            hearer()


def _answers(instance: Instance) -> bool:
    return instance.health is Health.UNHEALTHY or not instance.been_ready
