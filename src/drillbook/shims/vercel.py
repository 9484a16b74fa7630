"""`vercel` for the sandbox: the real command's grammar, with the release platform behind it.

As in the real one (43.1.0), the first word decides the command, and an option before it that is not a global one
(`--prod`) makes the whole line a deployment: `vercel --prod rollback` deploys a folder called rollback. A bare
`vercel rollback` asks for the status. Words go to stderr, URLs to stdout.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from drillbook.clock import SYSTEM_CLOCK, wait_until
from drillbook.shims.https import Answer, JsonServer

VERSION = "43.1.0"
GLOBAL_VALUES = {
    "--token": "-t",
    "--scope": "-S",
    "--team": "-T",
    "--cwd": "",
    "--local-config": "-A",
    "--global-config": "-Q",
}
GLOBAL_FLAGS = {"--help": "-h", "--version": "-v", "--debug": "-d", "--no-color": ""}
VALUES = {**GLOBAL_VALUES, "--project": "", "--timeout": "", "--target": "", "--environment": ""}
FLAGS = {**GLOBAL_FLAGS, "--yes": "-y", "--prod": "", "--wait": "", "--json": "", "--force": "-f", "--confirm": "-c"}
COMMANDS = ("rollback", "promote", "redeploy", "list", "ls", "inspect")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_UNITS = {"": 0.001, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DEADLINE = "3m"
"""How long a rollback is waited for unless --timeout says otherwise."""
Json = dict[str, Any]


class Failed(Exception):
    """End with status 1 and this message."""


@dataclass(slots=True)
class Line:
    """A parsed command line."""

    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    deploys: bool = False


def main(arguments: list[str]) -> int:
    """Perform one command line; give the exit status."""
    try:
        line = parse(arguments)
        if "--version" in line.options:
            print(VERSION)
            return 0
        say(f"Vercel CLI {VERSION}")
        return perform(line)
    except Failed as failure:
        say(f"Error: {failure}")
    except OSError as error:
        say(f"Error: An unexpected error occurred while reaching the API: {error}")
    return 1


def parse(arguments: list[str]) -> Line:
    """Tell words from options; raise Failed for an unknown option."""
    line, rest = Line(), list(arguments)
    shorts = {short: name for name, short in {**VALUES, **FLAGS}.items() if short}
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            line.words.append(word)
            continue
        name, given, value = word.partition("=")
        name = shorts.get(name, name)
        line.deploys |= not line.words and name not in GLOBAL_VALUES and name not in GLOBAL_FLAGS
        if name in VALUES and not given:
            if not rest:
                raise Failed(f"option requires argument: {name}")
            value = rest.pop(0)
        elif name not in VALUES and name not in FLAGS:
            raise Failed(f"unknown or unexpected option: {name}")
        line.options[name] = value
    return line


def perform(line: Line) -> int:
    """Dispatch as the real command does."""
    folder = Path.cwd() / line.options.get("--cwd", "")
    if not folder.is_dir():
        raise Failed(f'The directory "{folder}" does not exist')
    if "--help" in line.options:
        say("  Usage: vercel rollback|promote|redeploy|list|inspect [deployment-id or url] [options]")
        return 2
    command = line.words[0] if line.words else "deploy"
    if line.deploys or command not in COMMANDS:
        words = line.words[1:] if command == "deploy" and line.words else line.words
        return deploy(folder, words)
    timeout = line.options.get("--timeout")
    if timeout is not None and not _DURATION.fullmatch(timeout):
        raise Failed(f'Invalid timeout "{timeout}"')
    platform = Platform.of(line)
    if command in ("list", "ls"):
        return platform.list()
    if command == "inspect":
        return platform.inspect(platform.find(_wanted(line)))
    if command == "redeploy":
        return platform.redeploy(platform.find(_wanted(line)))
    return switch(platform, line, command)


def deploy(folder: Path, words: list[str]) -> int:
    """Fail as a deployment of a path does that is not there; the sandbox builds nothing."""
    path = folder / words[0] if words else folder
    if not path.exists():
        raise Failed(f'Could not find "{path}"')
    raise Failed(f'Cannot deploy "{path}": the sandbox only holds releases that are built already')


def switch(platform: Platform, line: Line, command: str) -> int:
    """Roll back or promote; without a deployment: tell the status."""
    wanted, seconds = (
        line.words[1] if len(line.words) > 1 else "status",
        _seconds(line.options.get("--timeout", DEADLINE)),
    )
    if wanted == "status":
        return platform.status(command, seconds)
    release = platform.find(wanted)
    if "--yes" not in line.options and not confirmed(command, release):
        return 1
    return platform.switch(command, release, seconds)


def confirmed(command: str, release: Json) -> bool:
    """Ask a person; refuse where there is none."""
    if not sys.stdin.isatty():
        raise Failed(f'Command `vercel {command}` requires confirmation. Use option "--yes" to confirm.')
    print(f"? Do you want to {command} to {host(release)}? (y/N) ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class Platform:
    """One project at the platform's API."""

    def __init__(self, server: JsonServer, app: Json) -> None:
        self._server = server
        self._app = app

    @classmethod
    def of(cls, line: Line) -> Platform:
        """Find the project: `--project`, VERCEL_PROJECT, or the only one there is."""
        server = JsonServer(os.environ.get("DRILLBOOK_VERCEL_URL", "https://api.vercel.com"))
        apps = [app for app in _expect(server.call("GET", "/apps")) if app["project"]]
        name = line.options.get("--project") or os.environ.get("VERCEL_PROJECT")
        if name is None and line.words[0] in ("ls", "list") and len(line.words) > 1:
            name = line.words[1]
        found = [app for app in apps if name in (None, app["project"])]
        if not found:
            raise Failed(f'Project "{name}" was not found' if name else "There is no project")
        if len(found) > 1:
            raise Failed("Your codebase isn’t linked to a project on Vercel. Use `--project` to name one.")
        return cls(server, found[0])

    def find(self, wanted: str) -> Json:
        """Find a release by id, URL or host name."""
        bare = wanted.removeprefix("https://").removeprefix("http://").rstrip("/")
        for release in self._app["releases"]:
            if bare in (release["id"], host(release)):
                return dict(release)
        raise Failed(f'Can\'t find the deployment "{wanted}" under the context "{self._app["project"]}"')

    def status(self, command: str, seconds: float) -> int:
        """Tell whether the live release is one that was rolled back to; wait `seconds` for a rollback under way."""
        say(f"> Checking {command} status of {self._app['project']}…")
        if not wait_until(self._still, seconds, interval=0.1):
            raise Failed(f"The {command} exceeded its deadline")
        newest = max(release["number"] for release in self._app["releases"])
        if command == "promote" or self._app["current"] == newest:
            deed = "rollback" if command == "rollback" else "promotion"
            say(f"> No deployment {deed} in progress")
            return 0
        live = next(r for r in self._app["releases"] if r["number"] == self._app["current"])
        say(f"> Success! {self._app['project']} was rolled back to {host(live)} ({live['id']})")
        return 0

    def _still(self) -> bool:
        self._app = _expect(self._server.call("GET", f"/apps/{self._app['name']}"))
        return self._app["rolling"] is None

    def switch(self, command: str, release: Json, seconds: float) -> int:
        """Make a release live. As with the real one, success says that traffic goes there, not that it is healthy.

        After `seconds` it gives up waiting, with status 1, though the platform goes on trying.
        """
        say("> Rollback in progress…" if command == "rollback" else "> Promote in progress…")
        began = SYSTEM_CLOCK.now()
        self._server.timeout = seconds
        path = f"/apps/{self._app['name']}/rollback"
        try:
            _expect(self._server.call("POST", path, {"release": release["number"]}))
        except TimeoutError:
            again = f"rerun vercel {command} {release['id']} to try again"
            raise Failed(f"The {command} exceeded its deadline - {again}") from None
        deed = "rolled back" if command == "rollback" else "promoted"
        seconds = max(1, round(SYSTEM_CLOCK.now() - began))
        say(f"> Success! {self._app['project']} was {deed} to {host(release)} ({release['id']}) [{seconds}s]")
        return 0

    def redeploy(self, release: Json) -> int:
        """Release the same once more, its defect too."""
        wish = {"defect": release["defect"], "gate": False}
        number = _expect(self._server.call("POST", f"/apps/{self._app['name']}/releases", wish))["number"]
        fresh = _expect(self._server.call("GET", f"/apps/{self._app['name']}"))
        made = next(r for r in fresh["releases"] if r["number"] == number)
        say(f"> Production: {made['url']}")
        print(made["url"])
        return 0

    def list(self) -> int:
        """Print the releases, newest first: a table to stderr, the URLs to stdout (unless both are a terminal)."""
        releases = sorted(self._app["releases"], key=lambda release: -release["number"])
        say(f"> Deployments for {self._app['project']}\n")
        say(f"  {'Age':<6}{'Deployment':<{len(releases[0]['url']) + 4}}{'Status':<12}Environment")
        for release in releases:
            say(f"  {_age(release):<6}{release['url']}    {'● Ready':<12}Production")
        if not sys.stdout.isatty():
            print("\n".join(release["url"] for release in releases))
        return 0

    def inspect(self, release: Json) -> int:
        """Print what is known of a release."""
        say(f'> Fetched deployment "{host(release)}"\n\n  General\n')
        live = release["number"] == self._app["current"]
        facts = {"id": release["id"], "name": self._app["project"], "target": "production", "status": "● Ready"}
        for name, value in {**facts, "url": release["url"], "created": release["created"]}.items():
            say(f"    {name:<10}{value}")
        say(f"\n  Aliases\n\n    {self._app['project']}\n" if live else "")
        return 0


def host(release: Json) -> str:
    """Give a release's host name."""
    return str(release["url"]).removeprefix("https://")


def say(text: str) -> None:
    """Print to stderr, as the real one does with all but its result."""
    print(text, file=sys.stderr)


def _seconds(duration: str) -> float:
    """Read a duration as `ms` of npm does: a bare number is milliseconds."""
    found = _DURATION.fullmatch(duration)
    if not found:
        raise Failed(f'Invalid timeout "{duration}"')
    return float(found[1]) * _UNITS[found[2] or ""]


def _wanted(line: Line) -> str:
    if len(line.words) < 2:
        raise Failed(f"`vercel {line.words[0]}` expects one argument: a deployment id or url")
    return line.words[1]


def _expect(answer: Answer) -> Any:
    if not answer.ok:
        raise Failed(f"{answer.body['error']} ({answer.status})")
    return answer.body


def _age(release: Json) -> str:
    seconds = int((SYSTEM_CLOCK.wall() - datetime.fromisoformat(release["created"])).total_seconds())
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}m" if seconds < 3600 else f"{seconds // 3600}h"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
