"""A run for the person who started it: what passed, how far from the target, and for the rest why, with the evidence.

Verdicts are words as well as colours, so nothing is lost on a terminal without colours or in a log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from drillbook.journal.events import InvariantChecked, LoadMeasured, Note, Record, ScenarioLeftOut
from drillbook.journal.read import JournalFile
from drillbook.reports.account import INTERRUPTED, Account, accounts, run_seconds
from drillbook.reports.telling import moment, output_of, plain, seconds, sum_of_target, tell
from drillbook.verdict.model import Outcome, Reason

WIDE = 110
"""From this many columns on every figure has a column of its own."""

_STYLES = {"pass": "bold green", "fail": "bold red", "unknown": "bold yellow", INTERRUPTED: "bold magenta"}


def render(journal: JournalFile, console: Console) -> None:
    """Print a run: warnings, summary table, evidence for what did not pass, invariants, notes, one closing line."""
    told = accounts(journal)
    for line in _head(journal):
        console.print(line)
    if told:
        console.print()
        console.print(_table(told) if console.width >= WIDE else _stack(told))
    for account in told:
        if account.word != "pass":
            _print_evidence(account, console)
    for line in (*_invariants(told), *_loads(told), *_notes(told)):
        console.print(line)
    console.print()
    console.print(_closing(journal, told))


def verdict(word: str) -> Text:
    """Give a verdict as word and colour."""
    return Text(word.upper(), style=_STYLES[word])


def _head(journal: JournalFile) -> Iterator[Text]:
    run = journal.started
    if journal.interrupted:
        how = "Ctrl-C or SIGTERM ended it" if journal.finished else "it was killed, or is still running"
        yield Text(
            f"INTERRUPTED: this run did not come to its end ({how}). Below is what the evidence still tells.",
            style=_STYLES[INTERRUPTED],
        )
    if run and (run.omitted_fault or run.omitted_steps):
        omitted = [f'step "{step}"' for step in run.omitted_steps] + ["the fault"] * run.omitted_fault
        yield Text(
            f"SELF-TEST: run without {', '.join(map(plain, omitted))}. Its verdicts test the drills, not the runbook.",
            style="bold reverse",
        )
    if run:
        yield Text(plain(tell(run)), style="bold")
    for record in journal.records:
        if isinstance(record.event, ScenarioLeftOut):
            yield Text(plain(tell(record.event)), style=_STYLES["unknown"])


def _table(told: tuple[Account, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Scenario", ratio=1, overflow="fold")
    table.add_column("Verdict", no_wrap=True)
    for heading in ("Detect", "Act", "Recover"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Measured + allowed", justify="right", no_wrap=True)
    table.add_column("Margin", justify="right", no_wrap=True)
    for account in told:
        m = account.measures
        times = [Text(seconds(value)) for value in (m.detect, m.act, m.recover)]
        table.add_row(
            Text(plain(account.started.name)),
            verdict(account.word),
            *times,
            Text(sum_of_target(m) if account.finished else "-"),
            _margin(account),
        )
    return table


def _stack(told: tuple[Account, ...]) -> Table:
    """The same figures for a narrow terminal: below the scenario's name, which so gets a whole line."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for account in told:
        m = account.measures
        table.add_row(verdict(account.word), Text(plain(account.started.name)))
        if account.finished:
            times = ", ".join(
                f"{what} -" if value is None else f"{what} {seconds(value)} s"
                for what, value in (("detect", m.detect), ("act", m.act), ("recover", m.recover))
            )
            table.add_row("", Text(times))
            table.add_row("", Text.assemble(f"measured + allowed: {sum_of_target(m)}, margin ", _margin(account)))
    return table


def _margin(account: Account) -> Text:
    margin = account.measures.margin
    late = margin is not None and margin < 0
    return Text("-" if margin is None else f"{seconds(margin)} s", style="bold red" if late else "")


def _print_evidence(account: Account, console: Console) -> None:
    place = f"  {account.started.feature}:{account.started.line}"
    console.print()
    console.print(Text.assemble(verdict(account.word), f" {plain(account.started.name)}", (plain(place), "dim")))
    reasons = [reason for reason in account.reasons if reason.outcome is not Outcome.PASS]
    for reason in reasons or account.reasons:
        console.print(Padding(_reason(reason), (0, 0, 0, 2)))
        for record in account.cited(reason.events):
            console.print(_event(record, account.zero))


def _reason(reason: Reason) -> Text:
    return Text.assemble((reason.outcome.value, _STYLES[reason.outcome.value]), f": {plain(reason.text)}")


def _event(record: Record, zero: float | None) -> Table:
    """One event: seconds since the fault, what happened, the last lines of its output."""
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=4)
    row.add_column(justify="right", no_wrap=True, min_width=9)
    row.add_column(ratio=1, overflow="fold")
    row.add_row("", since(record, zero), Text(plain(tell(record.event))))
    for line in output_of(record.event):
        row.add_row("", "", Text(f"| {line}", style="dim"))
    return row


def since(record: Record, zero: float | None) -> str:
    """Give when an event happened: seconds since the fault, or the time of day where there was none."""
    return record.time[11:19] if zero is None else f"{moment(record) - zero:+.2f} s"


def _invariants(told: tuple[Account, ...]) -> Iterator[Text]:
    """One line for each invariant, and one for each drill in which it did not hold."""
    checked: dict[str, list[tuple[Account, InvariantChecked]]] = defaultdict(list)
    for account in told:
        for invariant in account.of(InvariantChecked):
            checked[invariant.name].append((account, invariant))
    if checked:
        yield Text("\nInvariants", style="bold")
    for name, all_of_it in checked.items():
        held = sum(invariant.outcome is Outcome.PASS for _, invariant in all_of_it)
        yield Text(f"  {plain(name)}: held in {held} of {len(all_of_it)}")
        for account, invariant in all_of_it:
            if invariant.outcome is not Outcome.PASS:
                said = f": {plain(invariant.detail)}" if invariant.detail else ""
                yield Text.assemble(
                    "    ", verdict(invariant.outcome.value), f" in {plain(account.started.name)}{said}"
                )


def _loads(told: tuple[Account, ...]) -> Iterator[Text]:
    """One line for each load, or each part of one, that was measured."""
    measured = [(account, account.of(LoadMeasured)) for account in told]
    if any(loads for _, loads in measured):
        yield Text("\nLoads", style="bold")
    for account, loads in measured:
        if loads:
            yield Text(f"  {plain(account.started.name)}")
        for load in loads:
            yield Text(f"    {plain(tell(load))}")


def _notes(told: tuple[Account, ...]) -> Iterator[Text]:
    noted = [(account, account.of(Note)) for account in told]
    if any(notes for _, notes in noted):
        yield Text("\nNotes", style="bold")
    for account, notes in noted:
        if notes:
            yield Text(f"  {plain(account.started.name)}")
        for note in notes:
            figures = ", ".join(f"{name} {value}" for name, value in note.details.items())
            yield Text(plain(f"    {note.text}" + (f" ({figures})" if figures else "")))


def _closing(journal: JournalFile, told: tuple[Account, ...]) -> Text:
    """`3 passed, 1 failed, 0 unknown in 12.3 s · runs/…`: no drill at all is no success."""
    words = [account.word for account in told]
    counts = [("passed", "pass"), ("failed", "fail"), ("unknown", "unknown")]
    if INTERRUPTED in words:
        counts.append((INTERRUPTED, INTERRUPTED))
    parts = [(f"{words.count(word)} {label}", _STYLES[word] if word in words else "") for label, word in counts]
    line = (
        Text(", ").join(Text(part, style=style) for part, style in parts) if told else Text("no drill ran", "bold red")
    )
    return Text.assemble(line, f" in {seconds(run_seconds(journal))} s · {journal.file.parent}")
