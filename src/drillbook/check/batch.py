"""Many runbooks checked: over all processors where there are many, and ShellCheck once over all of them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.check import shellcheck
from drillbook.check.document import read_document
from drillbook.check.engine import Checked, conclude, read_text, run_rules
from drillbook.check.files import matches
from drillbook.check.finding import Finding
from drillbook.check.options import Options
from drillbook.check.registry import is_selected, selected
from drillbook.check.shellcheck import Snippet
from drillbook.errors import UsageError
from drillbook.runbook import parse

if TYPE_CHECKING:
    from drillbook.check.drift import Drills

_WORTH_PROCESSES = 48
_CHUNK = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What is checked, and how; `per_file` pairs a pattern of files with codes that are ignored in them."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file: tuple[tuple[str, tuple[str, ...]], ...] = ()
    options: Options = field(default_factory=Options)
    shellcheck: bool = True

    @property
    def wants_shellcheck(self) -> bool:
        """Tell whether any of ShellCheck's codes is selected."""
        return self.shellcheck and (not self.select or any(one.upper()[:2] in ("S", "SC") for one in self.select))

    def ignores(self, code: str, file: Path) -> bool:
        """Tell whether a code is ignored in a file."""
        codes = [one for pattern, given in self.per_file if matches(file, (pattern,)) for one in given]
        return any(code.startswith(one.upper()) for one in codes)


@dataclass(frozen=True, slots=True)
class Result:
    """All findings, in the order of the files and their lines; `errors` tell of files that could not be checked."""

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]
    errors: tuple[UsageError, ...] = ()


def check_files(files: Sequence[Path], plan: Plan, drills: Drills | None = None) -> Result:
    """Check files, and the runbooks in them beside their drills. Raises UsageError for a selector that names no rule."""
    rules = selected(plan.select, plan.ignore)
    with_shellcheck = plan.wants_shellcheck and shellcheck.program() is not None
    errors: list[UsageError] = []
    done: list[tuple[Checked, tuple[Snippet, ...]]] = []
    for answer in _each(files, plan, with_shellcheck=with_shellcheck):
        if isinstance(answer, UsageError):
            errors.append(answer)
        else:
            done.append(answer)
    more: dict[Path, list[Finding]] = {}
    others = shellcheck.run(tuple(chain.from_iterable(snippets for _, snippets in done)))
    beside_drills = drills.findings([parse(one.file) for one, _ in done]) if drills else ()
    for finding in chain(others, beside_drills):
        if is_selected(finding.code, plan.select, plan.ignore):
            more.setdefault(finding.file, []).append(finding)
    beside = (*(["SC"] if with_shellcheck else []), *(["CO"] if drills else []))
    own = [finding for one, _ in done for finding in conclude(one, more.pop(one.file, ()), rules, beside=beside)]
    kept = (finding for finding in chain(own, *more.values()) if not plan.ignores(finding.code, finding.file))
    return Result(tuple(files), tuple(kept), tuple(errors))


Answer = tuple[Checked, tuple[Snippet, ...]] | UsageError


def _each(files: Sequence[Path], plan: Plan, *, with_shellcheck: bool) -> Iterator[Answer]:
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(files) < _WORTH_PROCESSES or workers < 2:
        yield from (_one(file, plan, with_shellcheck=with_shellcheck) for file in files)
        return
    method = "fork" if "fork" in get_all_start_methods() and os.name == "posix" and _is_linux() else "spawn"
    chunks = [files[at : at + _CHUNK] for at in range(0, len(files), _CHUNK)]
    with ProcessPoolExecutor(min(workers, len(chunks)), get_context(method), initializer=_seldom_collect) as pool:
        for answers in pool.map(_some, chunks, [plan] * len(chunks), [with_shellcheck] * len(chunks)):
            yield from answers


def _seldom_collect() -> None:
    """Let the collector of cycles rest: a worker lives for seconds, and what it makes lives for one file."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def _is_linux() -> bool:
    return os.uname().sysname == "Linux"


def _some(files: Sequence[Path], plan: Plan, with_shellcheck: bool) -> list[Answer]:
    return [_one(file, plan, with_shellcheck=with_shellcheck) for file in files]


def _one(file: Path, plan: Plan, *, with_shellcheck: bool) -> Answer:
    try:
        document = read_document(read_text(file), file, plan.options)
    except UsageError as error:
        return error
    checked = run_rules(document, selected(plan.select, plan.ignore))
    return checked, tuple(shellcheck.snippets(document)) if with_shellcheck else ()
