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

CORE = (UNUSED_IGNORE, IGNORE_WITHOUT_REASON, UNKNOWN_IGNORE)
