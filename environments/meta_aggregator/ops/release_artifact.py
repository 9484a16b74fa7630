"""A release of Meta Aggregator as files: made of a checkout by `npm run build`, read again by whatever deploys it.

`dist/release.json` names the three parts (contracts, backend, frontend), each with its file and the SHA-256 of that; the
release's own digest is that of its parts. The archives are made the same way each time, so that one checkout gives one
digest. `dist/approval.json` holds whoever approved which digest for production.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIST = Path("dist")
MANIFEST = DIST / "release.json"
APPROVAL = DIST / "approval.json"
PARTS = ("contracts", "backend", "frontend")
"""In the order in which they are deployed."""
SOURCES: Mapping[str, tuple[str, ...]] = {
    "backend": ("services/orders_api", "services/serving.py", "services/escrow.py", "contracts/addresses.json"),
    "frontend": ("services/frontend", "services/serving.py"),
}
CONTRACTS = ("Escrow",)
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that an archive can hold: the files' own would make each build another."""


class ReleaseError(Exception):
    """What keeps a release from being built or deployed, in one line."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a release: its file in dist/ and the SHA-256 of that."""

    file: str
    sha256: str

    def content(self) -> bytes:
        """Read the file; ReleaseError if it is not what was built."""
        try:
            content = (DIST / self.file).read_bytes()
        except OSError as error:
            raise ReleaseError(f"{DIST / self.file} cannot be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ReleaseError(f"{DIST / self.file} is not what was built: its SHA-256 is not that of {MANIFEST}")
        return content


@dataclass(frozen=True, slots=True)
class Release:
    """A built release: the project's version, and its parts by name."""

    version: str
    parts: Mapping[str, Part]

    @property
    def digest(self) -> str:
        """The release's own SHA-256."""
        return hashlib.sha256("".join(self.parts[name].sha256 for name in PARTS).encode()).hexdigest()

    @property
    def name(self) -> str:
        """What people call it: its version and the beginning of its digest."""
        return f"{self.version}-{self.digest[:12]}"


def build(checkout: Path) -> Release:
    """Make dist/ of the checkout, whole or not at all; ReleaseError for what it lacks or what does not compile."""
    version = _version(checkout)
    contents = {"contracts": ("contracts.json", _contracts(checkout))}
    for name, sources in SOURCES.items():
        contents[name] = (f"{name}.zip", _archive(checkout, sources))
    parts = {name: Part(file, hashlib.sha256(content).hexdigest()) for name, (file, content) in contents.items()}
    release = Release(version, parts)
    folder = checkout / DIST
    folder.mkdir(exist_ok=True)
    for file, content in contents.values():
        (folder / file).write_bytes(content)
    listed = {name: {"file": part.file, "sha256": part.sha256} for name, part in parts.items()}
    manifest = {"version": version, "digest": release.digest, "parts": listed}
    (checkout / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return release


def read_release() -> Release:
    """Read the release in dist/; ReleaseError if none was built, or its manifest does not agree with itself."""
    try:
        read: Mapping[str, Any] = json.loads(MANIFEST.read_text())
        parts = {name: Part(str(read["parts"][name]["file"]), str(read["parts"][name]["sha256"])) for name in PARTS}
        release, digest = Release(str(read["version"]), parts), read["digest"]
    except FileNotFoundError:
        raise ReleaseError("there is no release to deploy: npm run build makes one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{MANIFEST} cannot be read: {error!r}") from None
    if release.digest != digest:
        raise ReleaseError(f"{MANIFEST} was changed since the build: its digest is not that of its parts")
    return release


def approver_of(release: Release) -> str:
    """Give who approved exactly this release for production; ReleaseError if nobody has."""
    try:
        read: Mapping[str, Any] = json.loads(APPROVAL.read_text())
    except FileNotFoundError:
        raise ReleaseError(f"release {release.name} is not approved for production") from None
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{APPROVAL} cannot be read: {error}") from None
    if read.get("release") != release.digest:
        raise ReleaseError(f"release {release.name} is not approved for production: the approval is of another one")
    return str(read.get("by"))


def approve(folder: Path, release: str, by: str) -> None:
    """Write down, below a checkout, who approved the release of that digest for production."""
    (folder / APPROVAL).write_text(json.dumps({"release": release, "by": by}, indent=2) + "\n")


def _version(checkout: Path) -> str:
    try:
        return str(json.loads((checkout / "package.json").read_text())["version"])
    except FileNotFoundError:
        raise ReleaseError(f"there is no package.json in {checkout}: this is no checkout of the project") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"package.json names no version: {error!r}") from None


def _contracts(checkout: Path) -> bytes:
    built = {}
    for name in CONTRACTS:
        try:
            artifact = json.loads((checkout / "contracts" / "artifacts" / f"{name}.json").read_text())
            built[name] = {key: artifact[key] for key in ("bytecode", "deployedBytecode")}
        except (OSError, ValueError, KeyError) as error:
            raise ReleaseError(f"the contract {name} has not been compiled: {error!r}") from None
    return json.dumps(built, indent=1, sort_keys=True).encode()


def _archive(checkout: Path, sources: Iterable[str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for source in sources for file in _files(checkout / source)):
            content, name = file.read_bytes(), file.relative_to(checkout).as_posix()
            if file.suffix == ".py":
                _compile(content, name)
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
    return packed.getvalue()


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = [file for file in source.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    if not found:
        raise ReleaseError(f"{source} is missing: this is no whole checkout of the project")
    return found


def _compile(content: bytes, name: str) -> None:
    try:
        compile(content, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise ReleaseError(f"{name} does not compile: {error}") from None
