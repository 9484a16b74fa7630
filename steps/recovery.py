"""The decisions of a recovery, made only from what the runbook's checks show."""

from __future__ import annotations

from drillbook.responder.registry import decision
from drillbook.responder.situation import Situation
from steps.people import printed


@decision("If the WAL archive is there")
def wal_archive_is_there(situation: Situation) -> tuple[bool, str]:
    """Prefer the WAL archive, wherever the look found one."""
    found = [line for line in printed(situation, "Look at what there is").splitlines() if "WAL archive: since" in line]
    return bool(found), found[-1] if found else "there is none"


@decision("If there is no WAL archive, or it cannot be used")
def nightly_archive_is_needed(situation: Situation) -> tuple[bool, str]:
    """Take the nightly archive unless the WAL archive has given everything back."""
    if situation.succeeded("restore to the moment before the damage"):
        return False, "the WAL archive has given it back"
    return True, "the nightly archive is what there is"
