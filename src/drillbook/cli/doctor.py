"""`drillbook doctor`: what this machine can do, found out by trying, with the command that mends what it cannot."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import click

from drillbook.errors import EnvironmentFailed, SandboxRefused

_PACKAGES = {
    "sandbox": (
        "httpx",
        "psycopg",
        "psycopg_pool",
        "pytest",
        "pytest_bdd",
        "starlette",
        "toxiproxy",
        "trustme",
        "uvicorn",
    ),
    "ethereum": ("web3", "eth_tester", "eth"),
}
_OLDEST_KERNEL = (5, 12)
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for: whether drills need it, what it is for, and what mends its absence."""

    name: str
    ok: bool
    detail: str
    purpose: str
    mend: str = ""
    needed: bool = False


@dataclass(frozen=True, slots=True)
class _Tool:
    """A program that is used where it is there."""

    program: str
    purpose: str
    mend: str


_TOOLS = (
    _Tool("curl", "runbooks that ask a service by HTTP", "sudo apt-get install curl"),
    _Tool(
        "kubectl",
        "runbooks that use it; without it a shim with the same grammar",
        "sudo apt-get install kubernetes-client",
    ),
    _Tool("ab", "runbooks that measure load with Apache's ab", "sudo apt-get install apache2-utils"),
    _Tool("node", "tests that compile contracts again", "sudo apt-get install nodejs npm"),
    _Tool("anvil", "the chain; without it Drillbook's own node", "npm install -g @foundry-rs/anvil"),
    _Tool(
        "toxiproxy-server",
        "the links; without it Drillbook's own server",
        'go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0 && ln -s server "$(go env GOPATH)/bin/toxiproxy-server"',
    ),
    _Tool("pwsh", "runbooks with PowerShell", "dotnet tool install --global PowerShell"),
    _Tool(
        "solc", "tests that compile contracts again", 'npm install -g solc && ln -s solcjs "$(npm prefix -g)/bin/solc"'
    ),
)


@click.command("doctor")
def command() -> int:
    """Say what this machine can do, and how to mend what it cannot.

    Really enters a sandbox, and asks each program. Exit code 0 if drills can run here, else 2.

    \b
    Examples:
      drillbook doctor
      drillbook doctor && drillbook run
    """
    findings = []
    for finding in _look():
        findings.append(finding)
        _print(finding)
    lacking = [finding.name for finding in findings if finding.needed and not finding.ok]
    click.echo(f"\ndrills cannot run here: {', '.join(lacking)}" if lacking else "\ndrills can run here")
    return 2 if lacking else 0


def _look() -> Iterator[Finding]:
    yield _python()
    yield _kernel()
    yield _sandbox()
    yield from map(_packages, _PACKAGES)
    yield _postgres()
    yield _tool(_Tool("bash", "runs the runbook's commands", "sudo apt-get install bash"), needed=True)
    yield _docker()
    yield from map(_tool, _TOOLS)


def _print(finding: Finding) -> None:
    word, colour = ("ok", "green") if finding.ok else ("missing", "red" if finding.needed else "yellow")
    click.echo(f"{click.style(f'{word:<8}', fg=colour)} {finding.name:<17} {finding.detail}".rstrip())
    if not finding.ok:
        need = "needed for" if finding.needed else "for"
        click.echo(f"{'':<9}{need}: {finding.purpose}\n{'':<9}mend: {finding.mend}")


def _python() -> Finding:
    return Finding(
        "python",
        sys.version_info >= (3, 11),
        f"{platform.python_version()} ({sys.executable})",
        "everything",
        "install Python 3.11 or newer",
        needed=True,
    )


def _kernel() -> Finding:
    release = platform.release()
    numbers = tuple(int(number) for number in re.findall(r"\d+", release)[:2])
    good = sys.platform == "linux" and numbers >= _OLDEST_KERNEL
    mend = "use a Linux machine with kernel 5.12 or newer"
    return Finding("kernel", good, f"{platform.system()} {release}", "the sandbox", mend, needed=True)


def _sandbox() -> Finding:
    """Really enter a sandbox and come back."""
    from drillbook.sandbox import View, enter, inside

    try:
        code = enter(View.of_this_process())
    except SandboxRefused as refused:
        return Finding("namespaces", False, refused.message, "the sandbox", refused.mend or "", needed=True)
    if code is None:  # this is the process inside: it has nothing else to do
        os._exit(0 if inside() else 1)
    detail = "a sandbox was entered" if code == 0 else f"the process inside ended with {code}"
    return Finding("namespaces", code == 0, detail, "the sandbox", "look at the kernel's log: dmesg", needed=True)


def _packages(extra: str) -> Finding:
    missing = [name for name in _PACKAGES[extra] if find_spec(name) is None]
    detail = f"missing: {', '.join(missing)}" if missing else "all there"
    mend = f"{sys.executable} -m pip install 'drillbook[{extra}]'"
    return Finding(f"extra [{extra}]", not missing, detail, "the sandbox's services", mend, needed=True)


def _postgres() -> Finding:
    """Ask the Postgres of the wheel, which is the one that drills use."""
    mend = f"{sys.executable} -m pip install 'drillbook[sandbox]'"
    if find_spec("psycopg") is None:
        return Finding("postgres", False, "psycopg is missing", "the sandbox's database", mend, needed=True)
    from drillbook.backends.embedded.postgres import programs

    try:
        version = _answer([str(programs() / "psql"), "--version"])
    except EnvironmentFailed as failed:
        return Finding("postgres", False, failed.message, "the sandbox's database", mend, needed=True)
    return Finding("postgres", version is not None, version or "psql does not start", "the database", mend, needed=True)


def _docker() -> Finding:
    """Ask for the daemon, not only for the program."""
    version = _answer(["docker", "version", "--format", "{{.Server.Version}}"])
    found = shutil.which("docker") is not None
    mend = "sudo systemctl start docker" if found else "sudo apt-get install docker.io"
    said = f"daemon {version}" if version else "no daemon answers" if found else ""
    return Finding("docker", version is not None, said, "the docker backend (not in this version)", mend)


def _tool(tool: _Tool, *, needed: bool = False) -> Finding:
    path = shutil.which(tool.program)
    return Finding(tool.program, path is not None, path or "", tool.purpose, tool.mend, needed)


def _answer(argv: list[str]) -> str | None:
    """Give the first line that a program says; None if it is not there, fails, or does not answer in time."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.strip().splitlines()), None)
