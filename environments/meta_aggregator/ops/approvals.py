"""The Security Team's word for a release, and how a script sees that it was really given.

An approval is a file that names the release's code and the phone call in which it was approved; the phone network is asked
whether that call was made, to the Security Team, about this code, and taken. A file alone approves nothing.
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from ops.releases import Release

APPROVAL = Path("approvals/emergency-fix.json")
PHONE = "https://phone.metaaggregator.com"
SECURITY_TEAM = "+1-555-0911"
SECONDS = 5.0


class NotApproved(Exception):
    """Why a release may not be deployed."""


@dataclass(frozen=True, slots=True)
class Approval:
    """That the code `code_hash` was approved in the phone call `call`."""

    code_hash: str
    call: str

    def write(self, folder: Path) -> None:
        """Keep it where the scripts look for it: below the folder in which they are run."""
        (folder / APPROVAL.parent).mkdir(exist_ok=True)
        (folder / APPROVAL).write_text(json.dumps(asdict(self)) + "\n")


def check_approval(release: Release) -> Approval:
    """Give the approval of a release. Raises NotApproved."""
    try:
        read = json.loads(APPROVAL.read_text())
        approval = Approval(str(read["code_hash"]), str(read["call"]))
    except FileNotFoundError:
        raise NotApproved("the Security Team has not approved it") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotApproved(f"{APPROVAL} is not an approval: {error!r}") from None
    if approval.code_hash != release.code_hash:
        raise NotApproved(f"the approval is of other code, {approval.code_hash}")
    _check_call(approval)
    return approval


def _check_call(approval: Approval) -> None:
    try:
        with urllib.request.urlopen(f"{PHONE}/calls/{approval.call}", timeout=SECONDS) as answer:
            call = json.load(answer)
    except (OSError, ValueError) as error:
        raise NotApproved(f"the phone network does not confirm the call {approval.call}: {error}") from None
    if call.get("to") != SECURITY_TEAM or call.get("status") != "acknowledged":
        raise NotApproved(f"{approval.call} to {call.get('to')} is {call.get('status')}: nobody approved in it")
    if approval.code_hash not in str(call.get("message")):
        raise NotApproved(f"{approval.call} was not about this code")
