"""What a probe is: one observation of one thing, at one moment, from outside the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Observation:
    """What one probe saw once. Times are monotonic seconds; `error` is "" when `ok`.

    `crashed` marks a defect of the probe itself, its traceback in `error`: such an observation is neither good nor bad.
    """

    probe: str
    ok: bool
    started: float
    finished: float
    error: str = ""
    crashed: bool = False

    @property
    def latency(self) -> float:
        """Seconds from start to answer."""
        return self.finished - self.started


class Probe(Protocol):
    """Looks once. Runs inside one asyncio loop beside every other probe, so it must never block."""

    name: str
    timeout: float
    """Seconds after which a look is given up; the sampler enforces it too."""

    async def look(self) -> str:
        """Give "" if what was seen is good, else what is wrong in one line; raise only for a defect of the probe."""
        ...

    async def close(self) -> None:
        """Let go of connections; a later look, perhaps in another event loop, opens its own again."""
        ...
