"""One thing wrong with an environment file, by the key's path: where in the file that is, the document knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from drillbook.errors import UsageError
from drillbook.topology.document import Document, Step, keyed


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at `path`, and what to do. Points to the value there, to its key, or to `raw` in the value."""

    path: tuple[Step, ...]
    message: str
    mend: str | None = None
    key: bool = False
    raw: str = ""
    nth: int = 0

    def error(self, document: Document) -> UsageError:
        """Make the error that says it, with its place in the file."""
        at = document.key(self.path) if self.key else document.value(self.path)
        if self.raw:
            at = document.inside(self.path, self.raw, self.nth)
        return UsageError(f"{keyed(self.path)}: {self.message}", at=at, mend=self.mend)


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """Say which name was probably meant, else which there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"{what}: {', '.join(names)}" if names else f"{what}: none is declared"
