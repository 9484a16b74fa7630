"""Where things stand inside a sandbox, and the proof that this process is in one.

Every path here lies on a tmpfs that only the sandbox's own processes can see: it is gone with the last of them.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from drillbook.errors import SandboxRefused

DATA = Path("/tmp/drillbook")
MARKER = "DRILLBOOK_SANDBOX"


@dataclass(frozen=True, slots=True)
class Layout:
    """The files and folders of a sandbox, all below its data folder."""

    root: Path = DATA

    @property
    def hosts(self) -> Path:
        """The file that stands over /etc/hosts."""
        return self.root / "hosts"

    @property
    def resolver(self) -> Path:
        """The file that stands over /etc/resolv.conf: no name server answers."""
        return self.root / "resolv.conf"

    @property
    def authority(self) -> Path:
        """The CA bundle that stands over the system's: the run's throw-away CA and nothing else (PEM)."""
        return self.root / "ca.pem"

    @property
    def home(self) -> Path:
        """HOME of everything that runs inside."""
        return self.root / "home"

    @property
    def shims(self) -> Path:
        """The folder that is first on PATH."""
        return self.root / "bin"

    @property
    def workspace(self) -> Path:
        """Where the runbook's commands start."""
        return self.root / "workspace"

    @property
    def backups(self) -> Path:
        """Where backups are kept."""
        return self.root / "backups"

    @property
    def state(self) -> Path:
        """One private folder for each service."""
        return self.root / "state"

    @property
    def zygote(self) -> Path:
        """The Unix socket of the fork server."""
        return self.root / "zygote.sock"

    @property
    def variables(self) -> Path:
        """The environment of the runbook's commands, as JSON, for those who join later."""
        return self.root / "variables.json"

    def volumes(self) -> tuple[Path, ...]:
        """Give the folders that are small disks of their own, so that one of them can be full and nothing else is."""
        return (self.workspace, self.backups)

    def folders(self) -> tuple[Path, ...]:
        """Give every folder, in the order in which they can be made."""
        return (self.root, self.home, self.shims, self.workspace, self.backups, self.state)


def inside() -> bool:
    """Say whether this process is in a sandbox: marked as such, with no network interface but loopback."""
    return os.environ.get(MARKER) == "1" and DATA.is_dir() and [name for _, name in socket.if_nameindex()] == ["lo"]


def require_inside() -> None:
    """Refuse to go on outside a sandbox, whatever the caller believes."""
    if not inside():
        raise SandboxRefused(
            "not in a sandbox: nothing of a runbook is ever run outside one",
            mend="start it with `drillbook run`, `drillbook shell` or `pytest`, which enter one first",
        )
