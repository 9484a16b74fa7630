"""The memory of a process with all that it started, as the kernel shares it out (proportional set size, proc(5))."""

from __future__ import annotations

from pathlib import Path


def proportional(pid: int) -> float:
    """Give the PSS in bytes of a process and all its descendants; one that may not be read counts nothing."""
    parents = dict(_parents())
    ours = {pid}
    while more := {child for child, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(map(_proportional, ours))


def _parents() -> list[tuple[int, int]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1])))
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
    return found


def _proportional(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
