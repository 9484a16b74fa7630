"""A file of the responder's workspace is not what it was: a bad commit, a wrong build, a setting that somebody mistyped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven


@dataclass(frozen=True, slots=True)
class TextChanged:
    """In `file`, a path relative to the workspace, put `new` in every place where `old` stands."""

    kind: ClassVar[str] = "text-changed"
    file: str
    old: str
    new: str

    @property
    def target(self) -> str:
        """The file."""
        return self.file

    def inject(self, environment: Environment) -> ActiveFault:
        """Change the text, and see that `old` is gone; EnvironmentFailed if it was not there."""
        file = workspace_file(environment, self.file)
        before = file.read_text()
        if self.old not in before:
            raise EnvironmentFailed(f"the fault did not take: {self.file} does not hold {self.old!r}")
        return _written(file, before, before.replace(self.old, self.new))


@dataclass(frozen=True, slots=True)
class FileSwapped:
    """Put the content of the workspace's file `other` into `file`."""

    kind: ClassVar[str] = "file-swapped"
    file: str
    other: str

    @property
    def target(self) -> str:
        """The file."""
        return self.file

    def inject(self, environment: Environment) -> ActiveFault:
        """Change the content; EnvironmentFailed if the two were the same."""
        file = workspace_file(environment, self.file)
        before, after = file.read_text(), workspace_file(environment, self.other).read_text()
        if before == after:
            raise EnvironmentFailed(f"the fault did not take: {self.file} is the same as {self.other}")
        return _written(file, before, after)


@dataclass(frozen=True, slots=True)
class _Changed:
    file: Path
    before: str

    def heal(self) -> None:
        """Write what was there."""
        self.file.write_text(self.before)


def workspace_file(environment: Environment, name: str) -> Path:
    """Give a file of the workspace; EnvironmentFailed if there is none of that name in it."""
    root = environment.workspace.resolve()
    file = (root / name).resolve()
    if not file.is_file() or not file.is_relative_to(root):
        raise EnvironmentFailed(f"there is no file {name} in the workspace")
    return file


def _written(file: Path, before: str, after: str) -> ActiveFault:
    file.write_text(after)
    return proven(_Changed(file, before), lambda: file.read_text() == after != before, f"{file.name} is as it was")
