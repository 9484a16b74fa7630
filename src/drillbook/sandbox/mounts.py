"""Lay a sandbox's files over the machine's: called once, by the sandbox's first process, in its own mount namespace."""

from __future__ import annotations

import os
from pathlib import Path

from drillbook.sandbox.layout import Layout
from drillbook.sandbox.syscalls import MS_BIND, MS_NODEV, MS_NOSUID, MS_PRIVATE, MS_REC, mount, set_read_only
from drillbook.sandbox.view import View, ca_bundles, hidden_paths

NO_NAME_SERVER = "# no packet leaves this sandbox\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
TMPFS_SIZE = "size=2g"
VOLUME_SIZE = "size=160m"
"""Small, for a drill fills it up with memory; room for two copies of a small database cluster."""


def lay(view: View, layout: Layout) -> None:
    """Mount everything: private /proc, empty folders, what is put back, read-only rest, hosts, resolver and CA bundle."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV)
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")  # capabilities are lost at exec
    bundles, kept = ca_bundles(), _open(view)
    hidden = hidden_paths()
    for folder in hidden:
        mount("tmpfs", str(folder), "tmpfs", MS_NOSUID | MS_NODEV, f"{TMPFS_SIZE},mode=1777")
    for path, descriptor, _ in kept:
        _put_back(path, descriptor)
    for folder in layout.folders():
        folder.mkdir(exist_ok=True)
    for folder in layout.volumes():
        mount("tmpfs", str(folder), "tmpfs", MS_NOSUID | MS_NODEV, f"{VOLUME_SIZE},mode=0755")
    _replace(layout, bundles)
    set_read_only("/", True, recursive=True)
    for path in [*hidden, *layout.volumes(), *(path for path, _, writable in kept if writable)]:
        set_read_only(str(path), False, recursive=False)


def _open(view: View) -> list[tuple[Path, int, bool]]:
    """Hold each path to be put back by a descriptor: it is about to be hidden."""
    return [(path, os.open(path, os.O_PATH), writable) for path, writable in view.kept() if path.is_dir()]


def _put_back(path: Path, descriptor: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    mount(f"/proc/self/fd/{descriptor}", str(path), None, MS_BIND | MS_REC)
    os.close(descriptor)


def _replace(layout: Layout, bundles: list[Path]) -> None:
    """Stand the run's own hosts, resolver and CA files over the machine's; their contents may still be written."""
    layout.hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")
    layout.resolver.write_text(NO_NAME_SERVER)
    layout.authority.touch()
    for ours, theirs in [(layout.hosts, Path("/etc/hosts")), (layout.resolver, Path("/etc/resolv.conf"))]:
        _over(ours, theirs)
    for bundle in bundles:
        _over(layout.authority, bundle)


def _over(ours: Path, theirs: Path) -> None:
    target = Path(os.path.realpath(theirs))
    if not target.exists():  # a link into /run, which is empty now
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(str(ours), str(target), None, MS_BIND)
