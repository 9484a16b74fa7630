"""The shelf of an app's releases: directories with a copy of the code, so that going back is running what was there."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.clock import SYSTEM_CLOCK, Clock, rfc3339
from drillbook.errors import DrillbookError, EnvironmentFailed

if TYPE_CHECKING:  # a bad release imports this module: without pydantic it starts sooner
    from drillbook.platform.config import AppConfig

DEFECTS_MODULE = "drillbook.platform.defects"
FIRST_RELEASES = 2


class Defect(StrEnum):
    """What is wrong with a bad release."""

    ANSWERS_500 = "answers-500"
    HANGS = "hangs"
    EXITS = "exits"
    STALLS = "stalls"


class BadArtifact(DrillbookError):
    """Report an artifact that is not what its digest says, or holds no such app."""


class UnknownRelease(DrillbookError):
    """Report a release number that the shelf does not hold."""


@dataclass(frozen=True, slots=True)
class Release:
    """One numbered release: where it lies and what it runs."""

    app: str
    number: int
    created: datetime
    module: str
    argv: tuple[str, ...]
    defect: Defect | None
    directory: Path
    settings: tuple[tuple[str, str], ...] = ()
    """Variables that it has otherwise than the releases before it."""
    artifact: str = ""
    """The SHA-256 of the archive that it was unpacked from; "" where it is a copy of the app's source."""

    @property
    def id(self) -> str:
        """Give the deployment id by which vercel knows it."""
        return "dpl_" + self._digest(24)

    @property
    def url(self) -> str:
        """Give the URL by which vercel knows it."""
        return f"https://{self.app}-{self._digest(9).lower()}.vercel.app"

    def _digest(self, length: int) -> str:
        return hashlib.sha256(f"{self.app}/{self.number}".encode()).hexdigest()[:length]


class Shelf:
    """All releases of one app, by number."""

    def __init__(self, app: AppConfig, root: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._app = app
        self._root = root / app.name
        self._clock = clock
        self._releases: dict[int, Release] = {}

    @property
    def releases(self) -> tuple[Release, ...]:
        """Give every release, oldest first."""
        return tuple(self._releases.values())

    def get(self, number: int) -> Release:
        """Give a release; raise UnknownRelease."""
        if number not in self._releases:
            held = ", ".join(map(str, self._releases))
            raise UnknownRelease(f"{self._app.name} has no release {number}", mend=f"choose one of {held}")
        return self._releases[number]

    def keep(self, digest: str, content: bytes) -> None:
        """Keep an artifact, a zip archive, by its SHA-256; raise BadArtifact if it has another."""
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise BadArtifact(f"the artifact's SHA-256 is {found}, not {digest}", mend="upload what was built")
        self._artifacts.mkdir(parents=True, exist_ok=True)
        (self._artifacts / digest).write_bytes(content)

    def create(
        self,
        defect: Defect | None = None,
        settings: Mapping[str, str] | None = None,
        artifact: str = "",
    ) -> Release:
        """Make a new release, one number above the last, of an artifact that is kept or else of the app's own source.

        A defect replaces its command. Raises BadArtifact for one that is not kept or does not hold the app.
        """
        number = max(self._releases, default=0) + 1
        release = Release(
            app=self._app.project or self._app.name,
            number=number,
            created=self._clock.wall(),
            module=DEFECTS_MODULE if defect else self._app.module,
            argv=(defect.value,) if defect else (),
            defect=defect,
            directory=self._root / str(number),
            settings=tuple((settings or {}).items()),
            artifact=artifact,
        )
        if artifact:
            _unpack(self._app, self._artifacts / artifact, release.directory)
        else:
            _copy_code(self._app, release.directory)
        (release.directory / "release.json").write_text(json.dumps(_manifest(release), indent=2) + "\n")
        self._releases[number] = release
        return release

    @property
    def _artifacts(self) -> Path:
        return self._root / "artifacts"

    def forget_after(self, number: int) -> None:
        """Remove every release above `number`, its directory too, and every artifact."""
        shutil.rmtree(self._artifacts, ignore_errors=True)
        for later in [n for n in self._releases if n > number]:
            shutil.rmtree(self._releases.pop(later).directory, ignore_errors=True)


def _copy_code(app: AppConfig, target: Path) -> None:
    """Copy the app's package or module; modification times are kept, so that compiled code stays valid."""
    relative = Path(*app.module.split("."))
    package, module = app.source / relative, app.source / relative.with_suffix(".py")
    shutil.rmtree(target, ignore_errors=True)
    (target / relative).parent.mkdir(parents=True, exist_ok=True)
    if package.is_dir():
        shutil.copytree(package, target / relative)
    elif module.is_file():
        shutil.copy2(module, target / relative.with_suffix(".py"))
    else:
        raise EnvironmentFailed(
            f"app {app.name}: there is neither {package}/ nor {module}", mend="correct the app's module or source"
        )


def _unpack(app: AppConfig, archive: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(target)
    except FileNotFoundError:
        raise BadArtifact(f"no artifact {archive.name} was uploaded for {app.name}", mend="upload it first") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadArtifact(f"the artifact {archive.name} cannot be unpacked: {error}") from error
    relative = Path(*app.module.split("."))
    if not (target / relative).is_dir() and not (target / relative.with_suffix(".py")).is_file():
        shutil.rmtree(target)
        raise BadArtifact(f"the artifact {archive.name} holds no {app.module}: it is none of {app.name}'s")


def _manifest(release: Release) -> Mapping[str, object]:
    return {
        "number": release.number,
        "created": rfc3339(release.created),
        "module": release.module,
        "command": ["python", "-m", release.module, *release.argv],
        "defect": release.defect,
    }
