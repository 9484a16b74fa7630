"""A run in the form that CI servers read: a test suite for each feature, a test case for each drill.

Unknown is an error, never a skip: most servers show a skipped test as green. A run that did not come to its end, or ran
no drill, gets a test case that says so, for a file without failures would look like success.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from xml.etree import ElementTree

from drillbook.journal.read import JournalFile
from drillbook.reports.account import INTERRUPTED, Account, accounts, run_seconds
from drillbook.reports.telling import moment, output_of, plain, tell

_MEASURES = ("detect", "act", "recover", "allowed", "target", "total", "margin")


def junit(journal: JournalFile) -> str:
    """Give junit.xml as text; times in seconds."""
    told = accounts(journal)
    root = ElementTree.Element("testsuites", name="drillbook")
    for feature in dict.fromkeys(account.started.feature for account in told):
        _suite(root, feature, [a for a in told if a.started.feature == feature], journal)
    if journal.interrupted or not told:
        _add_unfinished(root, "the run was interrupted" if journal.interrupted else "no drill ran")
    _count(root, run_seconds(journal))
    ElementTree.indent(root)
    return "<?xml version='1.0' encoding='utf-8'?>\n" + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(root: ElementTree.Element, feature: str, told: list[Account], journal: JournalFile) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=plain(feature), timestamp=told[0].timeline[0].time[:19])
    run = journal.started
    if run:
        given = {"seed": run.seed, "backend": run.backend, "environment": run.environment, "version": run.version}
        omitted = {f"omitted-step-{n}": step for n, step in enumerate(run.omitted_steps, 1)}
        _properties(suite, given | omitted | ({"omitted-fault": "true"} if run.omitted_fault else {}))
    for account in told:
        _case(suite, account, run.seed if run else None)
    _count(suite, sum(account.seconds for account in told))


def _case(suite: ElementTree.Element, account: Account, seed: int | None) -> None:
    start = account.started
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=plain(".".join(PurePosixPath(start.feature).with_suffix("").parts)),
        name=plain(start.name),
        file=plain(start.feature),
        line=str(start.line),
        time=f"{account.seconds:.3f}",
    )
    figures = {name: getattr(account.measures, name) for name in _MEASURES} if account.finished else {}
    _properties(case, {"seed": seed, **figures, "tags": " ".join(start.tags) or None})
    if account.word == "pass":
        return
    kind = "failure" if account.word == "fail" else "error"
    message = next((reason.text for reason in account.reasons), account.word)
    told = ElementTree.SubElement(case, kind, type="fail" if kind == "failure" else "unknown", message=plain(message))
    told.text = "\n".join(_evidence(account))


def _evidence(account: Account) -> list[str]:
    lines = []
    for reason in account.reasons:
        lines.append(f"{reason.outcome.value}: {plain(reason.text)}")
        for record in account.cited(reason.events):
            when = record.time if account.zero is None else f"{moment(record) - account.zero:+.3f} s"
            lines.append(f"  {when}  {plain(tell(record.event))}")
            lines += [f"    | {line}" for line in output_of(record.event)]
    return lines


def _add_unfinished(root: ElementTree.Element, why: str) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name="run")
    case = ElementTree.SubElement(suite, "testcase", classname="run", name="comes to its end with drills", time="0.000")
    ElementTree.SubElement(
        case, "error", type="unknown", message=why
    ).text = f"{why}: {INTERRUPTED} or empty runs prove nothing"
    _count(suite, 0.0)


def _properties(parent: ElementTree.Element, given: dict[str, object]) -> None:
    known = {name: value for name, value in given.items() if value is not None}
    if known:
        holder = ElementTree.SubElement(parent, "properties")
        for name, value in known.items():
            text = f"{value:.3f}" if isinstance(value, float) else str(value)
            ElementTree.SubElement(holder, "property", name=name, value=plain(text))


def _count(element: ElementTree.Element, seconds: float) -> None:
    """Write the totals that readers check: tests, failures, errors, skipped (none ever), time."""
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        element.set(name, str(len(list(element.iter(tag)))))
    element.set("skipped", "0")
    element.set("time", f"{seconds:.3f}")
