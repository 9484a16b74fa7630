"""The load generator: Locust in a process of its own. `python -m drillbook.load.generator JSON`; nothing else imports it.

Writes every request to a CSV file as it ends, and says on stdout, one JSON object a line, when it began and how it ended:
`{"event": "started", "at": …}`, `{"event": "ended", "at": …}`. SIGTERM ends the load early: nobody new comes, who is there is
served. Exit 0: the load was made as declared; 1: it was not, and the last line says why.

Closed model: Locust's own users, one request after another. Open model: customers arrive when they are due, whatever becomes
of those before them, each with one task on a connection of its own; their time counts from the moment they were due, so that a
generator that falls behind makes the system look slow, never fast (no coordinated omission).
"""

from __future__ import annotations

import locust  # first: it patches the standard library, before anything else imports that

# isort: split
import csv
import importlib
import inspect
import json
import random
import signal
import ssl
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
from gevent.event import Event  # type: ignore[import-untyped]
from gevent.local import local  # type: ignore[import-untyped]
from gevent.pool import Pool  # type: ignore[import-untyped]
from locust.env import Environment as LocustEnvironment
from locust.user.users import User
from locust.user.wait_time import constant

from drillbook.load.plan import Stage, arrivals
from drillbook.load.samples import FIELDS

Environment = Any
"""Locust's Environment: its runner and events are hardly typed."""
IN_FLIGHT = 1000
"""Customers of the open model that one generator serves at a time; a later one fails at once, and is counted."""
WORKERS_SECONDS = 10.0
FLUSH_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: see `drillbook.load.run`, which writes it. `role` is local, master or worker."""

    module: str
    host: str
    mix: dict[str, int]
    model: str
    stages: tuple[Stage, ...]
    think: float
    timeout: float
    seed: int
    samples: Path
    role: str = "local"
    workers: int = 1
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Order:
        """Read the JSON form."""
        given = json.loads(text)
        given["stages"] = tuple(Stage(*pair) for pair in given["stages"])
        return cls(**{**given, "samples": Path(given["samples"])})


class Broken(Exception):
    """The load cannot be made as declared."""


class Recorder:
    """Writes requests to a file. A task that raises is a defect of the locustfile, not of the system: it ends the load."""

    def __init__(self, file: Path, environment: Environment) -> None:
        self.defect = ""
        self.due = local()
        """When the customer that the present greenlet serves was due."""
        self.on_defect: Callable[[], None] = lambda: None
        self._lines = file.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._lines)
        self._writer.writerow(FIELDS)
        self._flushing = gevent.spawn(self._flush)
        environment.events.request.add_listener(self._request)
        environment.events.user_error.add_listener(self._user_error)

    def close(self) -> None:
        """Write what is left."""
        self._flushing.kill()
        self._lines.close()

    def write(self, started: float, seconds: float, task: str, status: int, error: str) -> None:
        """Write one request."""
        self._writer.writerow((f"{started:.6f}", f"{seconds:.6f}", task, status, error[:200]))

    def _request(
        self, name: str, response_time: float, exception: object = None, response: Any = None, **_: object
    ) -> None:
        now = time.monotonic()
        due = getattr(self.due, "moment", None)
        started = now - response_time / 1000 if due is None else due
        self.due.moment = None  # a task's further requests begin when they are made
        status = int(getattr(response, "status_code", 0) or 0)
        said = f"HTTP {status}" if status >= 400 else _one_line(exception)
        self.write(started, now - started, name, status, said if exception else "")

    def _user_error(self, exception: BaseException, tb: Any, **_: object) -> None:
        if not self.defect:
            self.defect = "".join(traceback.format_exception(type(exception), exception, tb)).strip()
            self.on_defect()

    def _flush(self) -> None:
        while True:
            gevent.sleep(FLUSH_SECONDS)
            self._lines.flush()


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def user_class(order: Order) -> type[locust.FastHttpUser]:
    """Import the locustfile and give its user class with the declared mix; Broken if it has not exactly one."""
    module = importlib.import_module(order.module)
    found = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, User) and kind.__module__ == module.__name__ and not kind.abstract
    ]
    if len(found) != 1 or not issubclass(found[0], locust.FastHttpUser):
        raise Broken(f"{order.module} has {len(found)} user classes; it must have one, a locust.FastHttpUser")
    chosen = found[0]
    chosen.host, chosen.insecure = order.host, False
    context = ssl.create_default_context()  # one for all: making one reads every authority's certificate
    chosen.ssl_context_factory = staticmethod(lambda: context)
    chosen.network_timeout = chosen.connection_timeout = order.timeout
    chosen.wait_time = constant(order.think)
    chosen.tasks = [getattr(chosen, name) for name, weight in order.mix.items() for _ in range(weight)]
    return chosen


def arriving(order: Order, customer: type[locust.FastHttpUser], recorder: Recorder, stopping: Event) -> type[User]:
    """Make the Locust user of the open model: one in each generator, the door through which customers come."""
    choice = random.Random(f"{order.seed} {order.samples.name}")
    served = Event()

    def serve(environment: Environment, due: float, task: Callable[[Any], None]) -> None:
        recorder.due.moment = due
        one = customer(environment)
        try:
            task(one)
        except Exception as error:
            environment.events.user_error.fire(user_instance=one, exception=error, tb=error.__traceback__)
        finally:
            one.client.client.close()

    class Door(User):
        wait_time = constant(0.05)
        finished = served

        @locust.task
        def admit(self) -> None:
            """Let customers in when they are due, and see the last one served."""
            if served.is_set():
                return
            begun, pool = time.monotonic(), Pool(IN_FLIGHT)
            for moment in arrivals(order.stages, order.workers):
                due = begun + moment
                if stopping.wait(max(0.0, due - time.monotonic())):
                    break
                task: Any = choice.choice(customer.tasks)
                if pool.full():
                    recorder.write(due, 0.0, task.__name__, 0, f"{IN_FLIGHT} customers are waiting already")
                else:
                    pool.spawn(serve, self.environment, due, task)
            pool.join(order.timeout + 1)
            served.set()

    return Door


def drive(order: Order, environment: Environment, stopping: Event, door: type[User] | None) -> None:
    """Run the stages to their end, or until `stopping`."""
    runner = environment.runner
    if door is not None:
        runner.start(order.workers, 100)
        whole = sum(stage.seconds for stage in order.stages)
        if not stopping.wait(whole) or order.role == "local":
            door.finished.wait(order.timeout + 2 if order.role == "local" else 0)  # type: ignore[attr-defined]
        return
    for stage in order.stages:
        runner.start(round(stage.level), 100)
        if stopping.wait(stage.seconds):
            break


def wait_for_workers(environment: Environment, count: int) -> None:
    """Wait until every worker has come; Broken if one does not."""
    with gevent.Timeout(WORKERS_SECONDS, False):
        while len(environment.runner.clients.ready) < count:
            gevent.sleep(0.02)
        return
    raise Broken(f"{len(environment.runner.clients.ready)} of {count} workers came within {WORKERS_SECONDS:g} s")


def generate(order: Order) -> None:
    """Make the load."""
    stopping = Event()
    environment: Environment = LocustEnvironment(host=order.host)
    environment.stop_timeout = order.timeout
    recorder = Recorder(order.samples, environment)
    recorder.on_defect = stopping.set
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    customer = user_class(order)
    door = arriving(order, customer, recorder, stopping) if order.model == "open" else None
    environment.user_classes = [door or customer]
    try:
        if order.role == "worker":
            environment.create_worker_runner("127.0.0.1", order.port).greenlet.join()
        else:
            if order.role == "master":
                environment.create_master_runner("127.0.0.1", order.port)
                say("listening")
                wait_for_workers(environment, order.workers)
            else:
                environment.create_local_runner()
            say("started")
            drive(order, environment, stopping, door)
            environment.runner.quit()
    finally:
        recorder.close()
    if recorder.defect:
        raise Broken(f"a task of {order.module} raised:\n{recorder.defect}")
    say("ended")


def say(event: str) -> None:
    """Tell the harness what happens."""
    print(json.dumps({"event": event, "at": time.monotonic()}), flush=True)


def main() -> int:
    """Make the load that the command line asks for."""
    try:
        generate(Order.parse(sys.argv[1]))
    except Broken as error:
        print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
