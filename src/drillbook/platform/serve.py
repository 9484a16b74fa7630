"""The platform's process: apps first, then the two HTTP APIs, then wait for SIGTERM.

The apps' processes are started before the web framework is imported, so that both happen at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.errors import DrillbookError, EnvironmentFailed, UsageError
from drillbook.platform.config import PlatformConfig, load_config
from drillbook.platform.launcher import Launcher, SubprocessLauncher
from drillbook.platform.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Sequence

    import uvicorn


async def run(file: Path) -> int:
    """Serve until SIGTERM or SIGINT; give the exit status: 0, 1 when an app did not start, 2 for a bad configuration."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    platform: Platform | None = None
    status = 0
    try:
        config = load_config(file)
        platform = Platform(config, await _launcher())
        await _serve(platform, config, stop)
    except* UsageError as errors:
        status = _say(errors, 2)
    except* (DrillbookError, OSError) as errors:
        status = _say(errors, 1)
    finally:
        if platform:
            await platform.close()
    return status


async def _launcher() -> Launcher:
    """Have instances forked where a backend runs a fork server, for they start in a tenth of the time."""
    zygote = os.environ.get("DRILLBOOK_ZYGOTE")
    if zygote:
        from drillbook.backends.embedded.zygote import ZygoteLauncher

        return ZygoteLauncher(Path(zygote))
    return SubprocessLauncher()


async def _serve(platform: Platform, config: PlatformConfig, stop: asyncio.Event) -> None:
    starting = asyncio.get_running_loop().create_task(platform.start())
    await asyncio.sleep(0)  # the apps' processes start here
    await asyncio.sleep(0)
    servers = _servers(platform, config)
    stopping = asyncio.get_running_loop().create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        starting.cancel()
        return
    await starting
    async with asyncio.TaskGroup() as group:
        for server, sock in servers:
            group.create_task(server.serve(sockets=[sock]))
        await stopping
        for server, _ in servers:
            server.should_exit = True
        await platform.close()


def _servers(platform: Platform, config: PlatformConfig) -> Sequence[tuple[uvicorn.Server, socket.socket]]:
    import uvicorn

    from drillbook.platform.admin import admin_api
    from drillbook.platform.kubernetes.api import kubernetes_api
    from drillbook.platform.kubernetes.cluster import Cluster

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            yield  # one process, two servers: the signals are ours

    def server(application: Any, host: str, port: int) -> tuple[uvicorn.Server, socket.socket]:
        settings = uvicorn.Config(
            application,
            ssl_certfile=config.tls.cert_file,
            ssl_keyfile=config.tls.key_file,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        return Server(settings), _bind(host, port)

    cluster = Cluster([app for app in platform.apps.values() if app.config.deployment])
    platform.on_reset.append(cluster.reset)
    token = config.kubernetes.token or os.environ.get("PLATFORM_KUBERNETES_TOKEN")
    return (
        server(admin_api(platform), config.admin.host, config.admin.port),
        server(kubernetes_api(cluster, token), config.kubernetes.host, config.kubernetes.port),
    )


def _bind(host: str, port: int) -> socket.socket:
    try:
        sock = socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise EnvironmentFailed(f"cannot listen at {host}:{port}: {error.strerror}", mend="free that port") from error
    return sock


def _say(errors: BaseExceptionGroup[Exception], status: int) -> int:
    for error in errors.exceptions:
        print(f"error: {error}", file=sys.stderr, flush=True)
    return status
