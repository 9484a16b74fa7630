"""The platform as a whole: every app, brought up in parallel as far as their dependencies allow, and reset together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping

from drillbook.errors import DrillbookError
from drillbook.platform.app import App
from drillbook.platform.config import AppConfig, PlatformConfig
from drillbook.platform.launcher import Launcher
from drillbook.platform.places import Places
from drillbook.platform.releases import Shelf


class UnknownApp(DrillbookError):
    """Report an app that the platform does not run."""


class Platform:
    """Holds the apps by name."""

    def __init__(self, config: PlatformConfig, launcher: Launcher) -> None:
        self.config = config
        self.places = Places(config.capacity)
        self.on_reset: list[Callable[[], None]] = []
        self.apps: dict[str, App] = {
            app.name: App(app, Shelf(app, config.releases_dir), launcher, _environment(app, config), self.places)
            for app in config.apps
        }

    def app(self, name: str) -> App:
        """Give an app; raise UnknownApp."""
        if name not in self.apps:
            raise UnknownApp(f"there is no app {name}", mend=f"choose one of {', '.join(self.apps)}")
        return self.apps[name]

    async def start(self) -> None:
        """Start every app; raise EnvironmentFailed for the first that does not become ready."""
        started = {name: asyncio.Event() for name in self.apps}

        async def start_one(app: App) -> None:
            for name in app.config.depends_on:
                await started[name].wait()
            await app.start()
            started[app.config.name].set()

        async with asyncio.TaskGroup() as group:
            for app in self.apps.values():
                group.create_task(start_one(app))

    async def reset(self) -> None:
        """Reset every app, and what others keep beside the apps."""
        self.places.resize(self.config.capacity)
        for forget in self.on_reset:
            forget()
        await asyncio.gather(*(app.reset() for app in self.apps.values()))

    async def close(self) -> None:
        """Stop every app."""
        await asyncio.gather(*(app.close() for app in self.apps.values()))


def _environment(app: AppConfig, config: PlatformConfig) -> Mapping[str, str]:
    """Give what every instance of an app finds in its environment; the app's own settings win."""
    state = config.releases_dir / app.name / "state"
    state.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PLATFORM_", "PORT_"))}
    return {
        **inherited,
        "SERVICE_NAME": app.name,
        "STATE_DIR": str(state),
        "TLS_CERT_FILE": str(config.tls.cert_file),
        "TLS_KEY_FILE": str(config.tls.key_file),
        **app.environment,
    }
