"""A name has gone out of the DNS: its registration lapsed, or somebody deleted the record. What is connected stays so."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven


@dataclass(frozen=True, slots=True)
class DnsGone:
    """Have `name` resolve no longer, for every process of the sandbox. Healing brings its record back."""

    kind: ClassVar[str] = "dns-gone"
    name: str

    @property
    def target(self) -> str:
        """The name."""
        return self.name

    def inject(self, environment: Environment) -> ActiveFault:
        """Turn the name's line of the hosts file into a comment, and see that it does not resolve."""
        gone = _Gone(environment.hosts, *_record(environment.hosts, self.name))
        gone.write(b"#")
        return proven(gone, lambda: not _resolves(self.name), f"{self.name} still resolves")


@dataclass(frozen=True, slots=True)
class _Gone:
    file: Path
    place: int
    was: bytes

    def heal(self) -> None:
        """Write the line's first character again."""
        self.write(self.was)

    def write(self, one: bytes) -> None:
        """Write one byte in place: nobody reads half a file, and a file that is mounted over another cannot be replaced."""
        descriptor = os.open(self.file, os.O_WRONLY)
        try:
            os.pwrite(descriptor, one, self.place)
        finally:
            os.close(descriptor)


def _record(hosts: Path, name: str) -> tuple[int, bytes]:
    """Give where the line of a name begins, and its first byte; EnvironmentFailed if no line names it."""
    place = 0
    for line in hosts.read_bytes().splitlines(keepends=True):
        if not line.startswith(b"#") and name.encode() in line.split()[1:]:
            return place, line[:1]
        place += len(line)
    raise EnvironmentFailed(f"{name} has no record, so none can be taken away", mend="name one of the file's `names`")


def _resolves(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, None))
    except socket.gaierror:
        return False
