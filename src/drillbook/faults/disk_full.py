"""A disk is full: whoever writes to it gets ENOSPC, in the middle of a file if need be."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import UnsupportedFault
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven

FOLDERS = ("workspace", "backups")
BALLAST, TRIAL = ".disk-full", ".disk-full-trial"
LARGEST = 1 << 30
PAGE = b"\0" * 4096


@dataclass(frozen=True, slots=True)
class DiskFull:
    """Fill the disk under `folder`: "workspace", in which the runbook's commands start, or "backups".

    What is written there already stays, and can be removed to make room. Healing takes the ballast away. A folder that
    shares its disk with others is not filled: UnsupportedFault.
    """

    kind: ClassVar[str] = "disk-full"
    folder: str

    @property
    def target(self) -> str:
        """The folder."""
        return self.folder

    def inject(self, environment: Environment) -> ActiveFault:
        """Fill it, and see that a new file can't take a byte."""
        folders = {"workspace": environment.workspace, "backups": environment.backups}
        if self.folder not in folders:
            raise UnsupportedFault(f"there is no folder {self.folder!r}", mend=f"one of: {', '.join(FOLDERS)}")
        folder = folders[self.folder]
        if folder.stat().st_dev == folder.parent.stat().st_dev:
            raise UnsupportedFault(f"{folder} is no disk of its own: filling it would fill others")
        room = os.statvfs(folder)
        if room.f_bavail * room.f_frsize > LARGEST:
            raise UnsupportedFault(f"{folder} has more than {LARGEST >> 20} MiB left: too much to fill")
        filled = _Filled(folder)
        filled.fill(room.f_bavail * room.f_frsize)
        return proven(filled, lambda: not _takes_a_byte(folder / TRIAL), f"{folder} still takes what is written")


@dataclass(frozen=True, slots=True)
class _Filled:
    folder: Path

    def fill(self, size: int) -> None:
        """Take what is free at once, then page by page what a neighbour has freed meanwhile, to the last."""
        with (self.folder / BALLAST).open("wb", buffering=0) as ballast:
            try:
                os.posix_fallocate(ballast.fileno(), 0, max(1, size))
                ballast.seek(0, os.SEEK_END)
                while ballast.write(PAGE):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    self.heal()
                    raise

    def heal(self) -> None:
        """Take the ballast away; a responder may have done so already."""
        (self.folder / BALLAST).unlink(missing_ok=True)


def _takes_a_byte(file: Path) -> bool:
    try:
        file.write_bytes(b"x")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    finally:
        file.unlink(missing_ok=True)
    return True
