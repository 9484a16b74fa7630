"""What the people on call look at before they decide. Without a step of its own: the modules beside it share it."""

from __future__ import annotations

from drillbook.responder.situation import Situation


def printed(situation: Situation, step: str) -> str:
    """Give what the commands of a step have printed."""
    return "\n".join(result.stdout + result.stderr for result in situation.result_of(step))
