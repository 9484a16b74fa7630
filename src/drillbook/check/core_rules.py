"""The rules that are no function over a document alone: the core reports them itself, and this says what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from drillbook.check.finding import Severity
from drillbook.check.rule import Found, Rule

if TYPE_CHECKING:
    from drillbook.check.document import Document


def _by_the_core(_: Document) -> Iterator[Found]:
    return iter(())


_FENCE = "```bash\n{}\n```\n"
_LOOP = "while true; do date; sleep 5; done"

UNUSED_IGNORE = Rule(
    code="IG101",
    name="unused-ignore",
    severity=Severity.WARNING,
    summary="A comment ignores a rule that finds nothing there.",
    explanation="What it once excused is gone or has moved. Left in place, it will hide the next finding of that rule.",
    silent="The rule that it names is not selected in this check, or its tool is not installed.",
    check=_by_the_core,
    bad=(
        "# Clocks\n\n⟦<!-- drillbook: ignore NE101 the kiosk shows the time all day -->⟧\n\n" + _FENCE.format("date"),
    ),
    good=("# Clocks\n\n<!-- drillbook: ignore NE101 the kiosk shows the time all day -->\n\n" + _FENCE.format(_LOOP),),
)
IGNORE_WITHOUT_REASON = Rule(
    code="IG102",
    name="ignore-without-reason",
    severity=Severity.ERROR,
    summary="A comment ignores a rule without saying why; it ignores nothing.",
    explanation="Whoever reads the runbook next year cannot tell a considered exception from a silenced alarm.",
    silent="Never: write the reason behind the code.",
    check=_by_the_core,
    bad=("# Clocks\n\n⟦<!-- drillbook: ignore NE101 -->⟧\n\n" + _FENCE.format(_LOOP),),
    good=("# Clocks\n\n<!-- drillbook: ignore NE101 the kiosk shows the time all day -->\n\n" + _FENCE.format(_LOOP),),
)
UNKNOWN_IGNORE = Rule(
    code="IG103",
    name="unknown-ignore",
    severity=Severity.ERROR,
    summary="A comment ignores a rule that does not exist, or is not written as Drillbook reads it.",
    explanation="The form is `<!-- drillbook: ignore CODE reason -->`. What is written otherwise has no effect.",
    silent="The comment does not begin with `drillbook:`.",
    check=_by_the_core,
    bad=(
        "# Clocks\n\n⟦<!-- drillbook: ignore NE999 the kiosk shows the time all day -->⟧\n\n" + _FENCE.format("date"),
        "# Clocks\n\n⟦<!-- drillbook: disable -->⟧\n\n" + _FENCE.format("date"),
    ),
    good=("# Clocks\n\n<!-- drillbook: ignore NE101 the kiosk shows the time all day -->\n\n" + _FENCE.format(_LOOP),),
)

_WITHOUT = "Neither `--features` nor, for runs, `--runs` is given; the section has no commands."


def _drift(code: str, name: str, severity: Severity, summary: str, explanation: str) -> Rule:
    return Rule(code, name, severity, summary, explanation, _WITHOUT, _by_the_core, (), ())


DRIFT = (
    _drift(
        "CO101",
        "unrehearsed-section",
        Severity.WARNING,
        "No scenario follows a section that has commands.",
        "Nobody knows whether its commands still work: they are tried for the first time in an incident.",
    ),
    _drift(
        "CO102",
        "unrehearsed-step",
        Severity.HINT,
        "Scenarios follow a section, but none takes this step.",
        "`When the responder takes the steps …` leaves the others out, and no scenario follows the whole section.",
    ),
    _drift(
        "CO103",
        "section-is-gone",
        Severity.ERROR,
        "A scenario follows a section or takes a step that the runbook does not have.",
        "The section was renamed or removed and the drill was not. The mend names the nearest title.",
    ),
    _drift(
        "CO104",
        "never-passed",
        Severity.WARNING,
        "No drill that followed the section has passed.",
        "A scenario follows it, but in the runs at hand none came to a pass: its recovery is not proved.",
    ),
    _drift(
        "CO105",
        "changed-since-drill",
        Severity.WARNING,
        "A section's commands changed after the last drill that passed.",
        "What was proved is not what is written now. Only commands count: prose may change without a drill.",
    ),
    _drift(
        "CO106",
        "stale",
        Severity.WARNING,
        "The last drill that passed is too long ago (`--stale-days`, 30 by default).",
        "Systems change below a runbook that does not. A drill that passed in spring proves little in autumn.",
    ),
)
CORE = (*DRIFT, UNUSED_IGNORE, IGNORE_WITHOUT_REASON, UNKNOWN_IGNORE)
