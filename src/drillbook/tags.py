"""The tags of a scenario that Drillbook itself reads: @name:words_with_underscores."""

from __future__ import annotations

from collections.abc import Iterable

RECOVERS_BY = "@recovers-by:"
"""Names the step of the runbook without which the drill must go red."""
NO_RECOVERING_STEP = "@no-recovering-step:"
"""Says why there is no such step; --omit-recovering-step leaves the scenario out."""
NO_FAULT = "@no-fault:"
"""Says why a scenario breaks nothing: its checks alone are judged. With --omit-fault it is unknown all the same."""

NEEDS = "@needs:"
"""Names a program without which the scenario cannot run; where it is not installed, it is left out, and that is said."""


def words_of_tag(tags: Iterable[str], name: str) -> str:
    """Give the words of the tag of that name; "" if there is none, or if it has none."""
    return next((tag.removeprefix(name).replace("_", " ").strip() for tag in tags if tag.startswith(name)), "")


def problem_of(tags: Iterable[str]) -> str:
    """Say what is wrong with a scenario's tags by themselves; "" if nothing is."""
    tags = tuple(tags)
    for name in (RECOVERS_BY, NO_RECOVERING_STEP, NO_FAULT, NEEDS):
        found = [tag for tag in tags if tag.startswith(name) or tag == name.removesuffix(":")]
        if len(found) > 1:
            return f"the scenario has {len(found)} tags {name}…; it may have one"
        if found and not words_of_tag(found, name):
            return f"the tag {found[0]} needs words: {name}words_with_underscores"
    if words_of_tag(tags, RECOVERS_BY) and words_of_tag(tags, NO_RECOVERING_STEP):
        return f"a scenario has a tag {RECOVERS_BY}… or {NO_RECOVERING_STEP}…, not both"
    return ""
