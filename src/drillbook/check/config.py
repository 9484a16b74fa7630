"""What a team has settled for its runbooks: `drillbook.toml`, or `[tool.drillbook.check]` in pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from drillbook.errors import Location, UsageError

_LISTS = ("select", "ignore", "exclude", "dead-urls", "grammars")
_SWITCHES = ("strict", "shellcheck")
_KEYS = (*_LISTS, *_SWITCHES, "per-file-ignores", "repo")


@dataclass(frozen=True, slots=True)
class Config:
    """The keys of the file, each empty where it is not given; paths are relative to the file's folder.

    `per_file` pairs a pattern with the codes that are ignored in files that fit it.
    """

    file: Path | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file: tuple[tuple[str, tuple[str, ...]], ...] = ()
    dead_urls: tuple[str, ...] = ()
    grammars: tuple[Path, ...] = ()
    repo: Path | None = None
    strict: bool = False
    shellcheck: bool = True


def find_config(near: Path) -> Config:
    """Read the nearest configuration in `near` or a folder above it; all defaults where there is none."""
    start = near.absolute()
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        own = folder / "drillbook.toml"
        if own.is_file():
            return read_config(own)
        project = folder / "pyproject.toml"
        if project.is_file() and b"tool.drillbook.check" in project.read_bytes():
            return read_config(project)
    return Config()


def read_config(file: Path) -> Config:
    """Read a configuration.

    Raises UsageError, with the line, for what is no TOML, a key that there is none of, or a value of another type.
    """
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        at = Location(file, int(line[1]) if line else None)
        raise UsageError(f"this is no TOML: {error}", at=at, mend="correct the line") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the configuration: {error}", at=Location(file), mend="name a file") from error
    if file.name == "pyproject.toml":
        data = data.get("tool", {}).get("drillbook", {}).get("check", {})
    elif isinstance(data.get("check"), dict):
        data = data["check"]
    _refuse(data, file, text)
    lists = {key: tuple(data.get(key, ())) for key in _LISTS}
    folder = file.parent
    return Config(
        file,
        lists["select"],
        lists["ignore"],
        lists["exclude"],
        tuple((pattern, tuple(codes)) for pattern, codes in data.get("per-file-ignores", {}).items()),
        lists["dead-urls"],
        tuple(folder / name for name in lists["grammars"]),
        folder / data["repo"] if "repo" in data else None,
        data.get("strict", False),
        data.get("shellcheck", True),
    )


def _refuse(data: Mapping[str, object], file: Path, text: str) -> None:
    for key, value in data.items():
        at = Location(file, _line(text, key))
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(_KEYS)}"
            raise UsageError(f"there is no key {key!r}", at=at, mend=mend)
        if key in _LISTS and not _is_list(value):
            raise UsageError(f"{key!r} is no list of strings", at=at, mend=f'write {key} = ["…"]')
        if key in _SWITCHES and not isinstance(value, bool):
            raise UsageError(f"{key!r} is neither true nor false", at=at, mend=f"write {key} = true")
        if key == "repo" and not isinstance(value, str):
            raise UsageError("'repo' is no path", at=at, mend='write repo = "."')
        if key == "per-file-ignores" and not (isinstance(value, dict) and all(map(_is_list, value.values()))):
            raise UsageError(
                "'per-file-ignores' is no table of lists", at=at, mend='write "docs/old/*" = ["NE", "CL101"]'
            )


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _line(text: str, key: str) -> int | None:
    match = re.search(rf"(?m)^[ \t]*(?:\[[\w.]*\.?)?[\"']?{re.escape(key)}[\"']?\s*[\]=]", text)
    return text.count("\n", 0, match.start()) + 1 if match else None
