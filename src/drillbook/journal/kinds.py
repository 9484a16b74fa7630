"""What each event is called in a journal, and the way back: derived from the classes, so that no table can go stale."""

from __future__ import annotations

import re
from typing import get_args

from drillbook.journal.events import Event


def kind_of(event: type) -> str:
    """Give an event's name: `FaultInjected` is `fault-injected`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", event.__name__).lower()


KINDS: dict[str, type] = {kind_of(kind): kind for kind in get_args(Event)}
