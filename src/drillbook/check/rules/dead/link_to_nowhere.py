"""DE102: a link to a heading that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from drillbook.check import Document, Found, Rule, Severity

_ANCHOR = re.compile(r"(?:\bid|\bname)=[\"']([^\"']+)[\"']")


def _check(document: Document) -> Iterator[Found]:
    links = [link for link in document.links if link.target.startswith("#") and len(link.target) > 1]
    if not links:
        return
    anchors = {section.anchor for section in document.sections} | set(_ANCHOR.findall(document.text))
    for link in links:
        name = unquote(link.target[1:])
        if name not in anchors and name.lower() not in anchors and not name.startswith(("L", "user-content-")):
            yield Found(link.span, f"there is no heading {link.target}", "name a heading's anchor as it is now")


RULE = Rule(
    code="DE102",
    name="link-to-nowhere",
    severity=Severity.WARNING,
    summary="A link leads to a heading that the runbook does not have.",
    explanation=(
        "The table of contents of a long runbook is how people find the section at night. A heading that was "
        "renamed leaves its links behind, and a browser then simply stays where it is."
    ),
    silent=("The anchor is given by an `id` or `name` in HTML, or the link leads to another file."),
    check=_check,
    bad=(("# Shop\n\nSee [the restore](⟦#restore-database⟧).\n\n## Restore the database\n"),),
    good=(("# Shop\n\nSee [the restore](#restore-the-database).\n\n## Restore the database\n"),),
)
