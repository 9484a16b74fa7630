"""Which files a check is about: Markdown below the paths that were given, each once, without what tools put there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from drillbook.errors import Location, UsageError

SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".mkd"})
_LEFT_OUT = frozenset({"node_modules", "venv", "__pycache__", "site-packages"})


def find_files(paths: Iterable[Path], exclude: Sequence[str] = ()) -> tuple[Path, ...]:
    """Give the runbooks at and below `paths`, in order and once each; `exclude` holds patterns of paths or names.

    A file that is named is taken whatever its suffix. Links to directories are not followed, hidden directories not read.
    Raises UsageError for a path that is not there and for a directory without Markdown.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            below = [file for file in _below(path) if not matches(file, exclude)]
            if not below:
                raise UsageError(
                    "no Markdown below this directory", at=Location(path), mend="name one that has *.md files"
                )
            found.update(dict.fromkeys(below))
        elif os.path.lexists(path):
            found[path] = None
        else:
            raise UsageError("there is no such file or directory", at=Location(path), mend="name one that exists")
    return tuple(found)


def matches(file: Path, patterns: Iterable[str]) -> bool:
    """Tell whether a file's path, its end, a folder above it, or its name fits one of `patterns`."""
    path = file.as_posix()
    parts = file.parts
    return any(
        fnmatch(path, pattern) or fnmatch(path, f"*/{pattern}") or fnmatch(path, f"*/{pattern}/*")
        or fnmatch(path, f"{pattern.rstrip('/')}/*") or pattern in parts
        for pattern in patterns
    )  # fmt: skip


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _LEFT_OUT)
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in SUFFIXES:  # noqa: PTH122 - a Path per file is slow
                yield Path(place, name)
