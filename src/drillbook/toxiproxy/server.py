"""Toxiproxy as a process: the loop in the main thread, the control API in a second one, and a clean end on a signal."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from pathlib import Path

from drillbook.errors import EnvironmentFailed, Location, UsageError
from drillbook.toxiproxy.api import Api, RefusalError
from drillbook.toxiproxy.control import ControlServer
from drillbook.toxiproxy.gojson import BodyError
from drillbook.toxiproxy.loop import Loop

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8474


def serve(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, *, config: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; call it from the main thread. Port 0 is any; the line it prints names it.

    `config` is a JSON list of proxies, as POST /populate takes it. Raises UsageError for a bad one, EnvironmentFailed
    where `host` and `port` cannot be bound.
    """
    loop = Loop()
    api = Api(loop)
    try:
        control = ControlServer(host, port, api)
    except OSError as error:
        raise EnvironmentFailed(
            f"Toxiproxy cannot listen on {host}:{port}: {error.strerror}", mend="choose another --host or --port"
        ) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: loop.stop())
    failures: list[UsageError] = []
    threading.Thread(target=_control, args=(control, api, config, failures, loop), daemon=True).start()
    gc.freeze()
    loop.run()
    control.server_close()
    if failures:
        raise failures[0]


def run(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, config: Path | None = None) -> None:
    """Perform `drillbook toxiproxy`: serve until a signal."""
    serve(host, port, config=config)


def _control(control: ControlServer, api: Api, config: Path | None, failures: list[UsageError], loop: Loop) -> None:
    try:
        if config:
            _populate(api, config)
    except UsageError as error:
        failures.append(error)
        loop.stop()
        return
    print(f"Toxiproxy listens on {control.address}", file=sys.stderr, flush=True)
    control.serve_forever()


def _populate(api: Api, config: Path) -> None:
    try:
        api.populate(config.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read the proxies: {error.strerror}", at=Location(config)) from error
    except (BodyError, RefusalError) as error:
        raise UsageError(
            f"cannot create the proxies: {error.message}",
            at=Location(config),
            mend='write a JSON list such as [{"name": "db", "listen": "127.0.0.1:5433", "upstream": "127.0.0.1:5432"}]',
        ) from error
