"""Everything that is promised in numbers, measured in one run: `python -m benchmarks [PART...]`, or `make bench`.

Prints a table and writes runs/bench.json, {name: {"value", "unit", "peer", "ratio"}}. Ratios are to something measured beside
it in the same run, for on a machine that others use as well a bare number says little. A part that is measured alone
leaves the other figures in the file as they were.
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import check, environment, load, recovery_clock, scenario, startup, suite, toxiproxy
from benchmarks.figure import Figure

OUTPUT = Path("runs/bench.json")
WIDTH = 130
"""The table's longest line, on a terminal or not."""
PARTS: dict[str, Callable[[], list[Figure]]] = {
    "startup": startup.measure,
    "check": check.measure,
    "environment": environment.measure,
    "scenario": scenario.measure,
    "suite": suite.measure,
    "recovery": recovery_clock.measure,
    "load": load.measure,
    "toxiproxy": lambda: toxiproxy.measure(_go_toxiproxy(), rounds=5),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure is held to: its value or, for `ratio`, its ratio, at most (or `at_least`) `limit`."""

    limit: float
    unit: str = ""
    ratio: bool = False
    at_least: bool = False

    def kept_by(self, figure: Figure) -> bool | None:
        """Say whether a figure keeps it; None if that was not measured."""
        found = figure.ratio if self.ratio else figure.value
        compare = operator.ge if self.at_least else operator.le
        return None if found is None else bool(compare(found, self.limit))

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{'×' if self.ratio else ' ' + self.unit}"


BARS = {
    "--help": Bar(0.3, "s"),
    "check, 1,000 files of 200 lines": Bar(4, "s"),
    "check, 1,000 files, peak memory (PSS)": Bar(200, "MB"),
    "check, one file": Bar(0.35, "s"),
    "cold start to steady state": Bar(3, "s"),
    "reset between drills": Bar(0.3, "s"),
    "memory of the environment (PSS)": Bar(600, "MB"),
    "one scenario, start to exit": Bar(6, "s"),
    "default suite": Bar(60, "s"),
    f"whole suite, {suite.WORKERS} workers": Bar(120, "s"),
    "whole suite, peak memory (PSS)": Bar(900, "MB"),
    "recovery clock, worst error": Bar(50, "ms"),
    "load requests of one generator": Bar(0.8, ratio=True, at_least=True),
    "toxiproxy bulk down": Bar(1.5, ratio=True, at_least=True),
    "toxiproxy bulk up": Bar(1.5, ratio=True, at_least=True),
    "toxiproxy HTTP requests": Bar(1, ratio=True, at_least=True),
    "toxiproxy added latency p50": Bar(1, ratio=True),
    "toxiproxy error of a 100 ms latency p50": Bar(1, "ms"),
}


def main() -> None:
    """Measure the parts that are asked for, all by default."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure what Drillbook promises in numbers.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of: {', '.join(PARTS)} (default: all)")
    asked = parser.parse_args().parts or list(PARTS)
    for part in asked:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}; there are: {', '.join(PARTS)}")
    figures: list[Figure] = []
    for part in asked:
        print(f"measuring: {part}", flush=True)
        figures += PARTS[part]()
    Console(width=WIDTH).print(table(figures))
    write(figures, OUTPUT)
    print(f"load average of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; written to {OUTPUT}")


def table(figures: list[Figure]) -> Table:
    """Give the figures with their peers, ratios and bars."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("Figure", "Value", "Peer", "Ratio", "Bar", ""):
        drawn.add_column(heading, justify="right" if heading in ("Value", "Peer", "Ratio") else "left", no_wrap=True)
    for figure in figures:
        bar = BARS.get(figure.name)
        kept = bar.kept_by(figure) if bar else None
        drawn.add_row(
            figure.name,
            f"{figure.value:.3g} {figure.unit}" if figure.value < 1000 else f"{figure.value:,.0f} {figure.unit}",
            "" if figure.peer is None else f"{figure.peer:.3g}" if figure.peer < 1000 else f"{figure.peer:,.0f}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}×",
            str(bar) if bar else "",
            {True: "kept", False: "[red]MISSED[/red]", None: "not measured" if bar else ""}[kept],
        )
    return drawn


def write(figures: list[Figure], file: Path) -> None:
    """Put the figures into the file, beside those that it holds of other parts."""
    known = json.loads(file.read_text()) if file.exists() else {}
    for figure in figures:
        fields = asdict(figure)
        known[fields.pop("name")] = fields
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(known, indent=2) + "\n")


def _go_toxiproxy() -> Path | None:
    """Give Go's Toxiproxy, where there is one: DRILLBOOK_TOXIPROXY_GO names it, else PATH."""
    found = shutil.which(os.environ.get("DRILLBOOK_TOXIPROXY_GO", "toxiproxy-server"))
    if found is None:
        print("  (no toxiproxy-server on PATH, and DRILLBOOK_TOXIPROXY_GO names none: without a peer)")
    return Path(found) if found else None


if __name__ == "__main__":
    main()
