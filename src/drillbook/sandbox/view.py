"""What of the machine's files a sandbox shows, and what it may write.

The machine stays readable (its programs are wanted) but not writable; its temporary files, its run-time sockets (Docker's,
Postgres', the key agent's: a Unix socket ignores network namespaces) and the user's home (keys, tokens, kubeconfigs)
are replaced by empty ones. What the run needs from below those is put back by name.
"""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from drillbook.sandbox.layout import DATA

HIDDEN = ("/tmp", "/run", "/var/run", "/var/tmp", "/dev/shm", "/dev/mqueue")
TOXIPROXY = "DRILLBOOK_TOXIPROXY"
"""The variable that names a Toxiproxy, wherever it lies (see `toxiproxy.binary`)."""
CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/lib/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
)


@dataclass(frozen=True, slots=True)
class View:
    """Paths shown although they lie below a hidden one (`shown`), and those that may be written (`writable`)."""

    shown: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()

    @classmethod
    def of_this_process(cls, *, shown: Iterable[Path] = (), writable: Iterable[Path] = ()) -> View:
        """Show what this interpreter, its project and the programs on PATH need, beside what is asked for."""
        needed = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parents[2], *shown]
        return cls(tuple(dict.fromkeys([*map(_real, needed), *_program_folders()])), tuple(map(_real, writable)))

    def kept(self) -> list[tuple[Path, bool]]:
        """Give the paths to put back with whether each may be written, outermost first.

        A path that would bring the machine's own folder in the place of the sandbox's data (`/tmp`, `/`) is left out.
        """
        paths = dict.fromkeys(self.shown, False) | dict.fromkeys(self.writable, True)
        kept = [(path, writable) for path, writable in paths.items() if path not in (DATA, *DATA.parents)]
        return sorted(kept, key=lambda item: len(item[0].parts))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _program_folders() -> list[Path]:
    """Give the installations behind PATH that lie deep in a hidden folder (version managers of Node, Python, Go; npm's)."""
    named = [*os.environ.get("PATH", "").split(os.pathsep), str(Path(os.environ.get(TOXIPROXY, "")).parent)]
    hidden, folders = hidden_paths(), []
    for entry in filter(os.path.isabs, named):
        folder = Path(os.path.realpath(entry))
        below = next((path for path in hidden if path in folder.parents), None)
        # Asked first whether it may be entered: PATH may name folders of others, as after `su` or `sudo`.
        if below is None or not os.access(folder, os.X_OK) or not folder.is_dir():
            continue
        # The programs of a bin/ find their libraries beside it; never ~/.x as a whole: it may hold keys.
        whole = folder.name in ("bin", ".bin") and len(folder.relative_to(below).parts) > 2
        folders.append(folder.parent if whole else folder)
    return folders


def hidden_paths() -> list[Path]:
    """Give the folders to replace by empty ones: never `/`, and none in another of them, where it is gone already."""
    found = {_real(Path(name)) for name in (*HIDDEN, str(Path.home())) if Path(name).is_dir()}
    found.discard(Path("/"))
    return sorted(path for path in found if found.isdisjoint(path.parents))


def ca_bundles() -> list[Path]:
    """Give the CA bundles that programs of this machine trust, certifi's in this interpreter among them."""
    packages = Path(sysconfig.get_paths()["purelib"])
    carried = (packages / "certifi/cacert.pem", packages / "pip/_vendor/certifi/cacert.pem")
    files = {_real(Path(name)) for name in (*CA_BUNDLES, *carried)}
    return sorted(path for path in files if path.exists() and stat.S_ISREG(path.stat().st_mode))
