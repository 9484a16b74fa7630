"""A section found by what people call it, so that a feature can say "Database Recovery" and never a line number."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from drillbook.errors import Location, UsageError
from drillbook.runbook.model import Runbook, Section

_NUMBER = re.compile(r"^(?:\d+(?:\.\d+)*[.):]?|[A-Z][.)]|step\s+\d+:)\s+", re.IGNORECASE)


def find_section(runbook: Runbook, words: str) -> Section:
    """Find the one section that `words` name: by path, `#anchor`, end of path or title, anchor, title without number.

    Case does not count. The first of these ways that finds a section decides.
    Raises UsageError, with the candidates or the nearest names, when it finds several, or when none finds any.
    """
    wanted = _folded(words)
    for matches in _ways(wanted):
        found = [section for section in runbook.sections if matches(section)]
        if len(found) == 1:
            return found[0]
        if found:
            names = "; ".join(f"{section.path!r} (#{section.anchor}, line {section.line})" for section in found)
            mend = "name it by its path or its anchor"
            raise UsageError(f"{words!r} names {len(found)} sections: {names}", at=Location(runbook.file), mend=mend)
    raise UsageError(f"no section {words!r}", at=Location(runbook.file), mend=_nearest(runbook, wanted))


def _ways(wanted: str) -> tuple[Callable[[Section], bool], ...]:
    return (
        lambda section: _folded(section.path) == wanted,
        lambda section: wanted.startswith("#") and section.anchor.casefold() == wanted[1:],
        lambda section: _folded(section.path).endswith(f" / {wanted}") or _folded(section.title) == wanted,
        lambda section: bool(wanted) and section.anchor.casefold() == wanted,
        lambda section: bool(wanted) and _bare(section.title) == _NUMBER.sub("", wanted),
    )


def _nearest(runbook: Runbook, wanted: str) -> str:
    names: dict[str, str] = {}
    for section in runbook.sections:
        names.setdefault(_folded(section.title), section.title)
        names.setdefault(_bare(section.title), section.title)
    near = dict.fromkeys(names[name] for name in difflib.get_close_matches(wanted, names, n=4, cutoff=0.4))
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    return "its sections are: " + ("; ".join(repr(section.title) for section in runbook.sections) or "none at all")


def _bare(title: str) -> str:
    return _NUMBER.sub("", _folded(title))


def _folded(words: str) -> str:
    return " ".join(words.split()).casefold()
