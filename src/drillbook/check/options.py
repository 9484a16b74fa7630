"""What a check is told beside the runbooks: the repository they belong to, and what a team adds to the rules' data."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_LEFT_OUT = frozenset({".git", "node_modules", ".venv", "venv", "__pycache__", ".tox", "dist", "build"})
_MOST_FILES = 200_000


@dataclass(frozen=True, eq=False)
class Repository:
    """The files of the repository that runbooks speak of, by their path from its top with `/`."""

    top: Path
    names: frozenset[str]

    @classmethod
    def at(cls, top: Path) -> Repository:
        """List a directory, without what tools put there; links to directories are not followed."""
        names: set[str] = set()
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
            base = Path(folder).relative_to(top).as_posix()
            names.update(name if base == "." else f"{base}/{name}" for name in files)
            if len(names) > _MOST_FILES:
                break
        return cls(top, frozenset(names))

    def has(self, path: str) -> bool:
        """Tell whether there is such a file or folder; `path` is relative to the repository's top."""
        name = os.path.normpath(path).replace(os.sep, "/")
        return name in self.names or name in self.folders or name == "."

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that holds a file."""
        found: set[str] = set()
        for name in self.names:
            while (name := name.rpartition("/")[0]) and name not in found:
                found.add(name)
        return frozenset(found)

    def text(self, path: str) -> str | None:
        """Give a file's text, None where there is no such file or it is not text."""
        try:
            return (self.top / path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Options:
    """What rules may ask for: `repository` is None unless a check was told of one (then rules about files keep silent)."""

    repository: Repository | None = None
    dead_urls: tuple[str, ...] = field(default=())
    grammars: tuple[Path, ...] = field(default=())
