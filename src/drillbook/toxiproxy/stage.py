"""One toxic at work on one direction of one connection: runs the toxic's script as far as it can go without waiting."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from drillbook.toxiproxy.toxics import INFINITY, Chunk, Doom, Give, Noop, Step, Take, Toxic, Wait


@dataclass(slots=True, eq=False)
class ActiveToxic:
    """A toxic as one proxy carries it: named, on a stream, on a share (`toxicity`, 0 to 1) of the connections."""

    name: str
    stream: str
    """As the caller wrote it: `UPSTREAM` is upstream too."""
    toxicity: float
    attributes: Toxic

    @property
    def upstream(self) -> bool:
        """Whether it works on what the client sends."""
        return self.stream.lower() == "upstream"


class Outlet(Protocol):
    """What lies behind a stage: the next stage, or the socket."""

    def room(self) -> bool:
        """Whether a chunk is welcome; one that comes all the same is kept."""
        ...

    def accept(self, chunk: Chunk) -> None: ...

    def finish(self) -> None:
        """Learn that no further chunk comes."""
        ...


class Stage:
    """Takes chunks from its predecessor, as an Outlet, and gives them to its successor when its script says so."""

    __slots__ = ("_held", "_inbox", "_script", "_step", "_taken_at", "closed", "ended", "now", "passed", "toxic")

    def __init__(self, toxic: ActiveToxic, now: Callable[[], float]) -> None:
        self.toxic = toxic
        self.now = now
        self.passed = 0
        self.ended = False
        self.closed = False
        self._inbox: deque[Chunk] = deque()
        self._held: Chunk | None = None
        self._roll()

    def room(self) -> bool:
        """Whether the predecessor may go on."""
        return not self.closed and len(self._inbox) < self.toxic.attributes.capacity

    def accept(self, chunk: Chunk) -> None:
        """Queue a chunk."""
        self._inbox.append(chunk)

    def finish(self) -> None:
        """End the stream after what is queued."""
        self.ended = True

    @property
    def due(self) -> float:
        """When this stage has something to do even if nothing arrives; infinity if never."""
        match self._step:
            case Wait(until):
                return until
            case Doom(at):
                return at
            case Take(patience):
                return self._taken_at + patience
        return INFINITY

    @property
    def doomed(self) -> bool:
        """Whether the toxic has already decided to end the connection."""
        return isinstance(self._step, Doom)

    def advance(self, outlet: Outlet) -> bool:
        """Run the script until it must wait; say whether anything happened."""
        moved = False
        while not self.closed and self._take_step(outlet):
            moved = True
        return moved

    def release(self, outlet: Outlet) -> None:
        """Give on, at once and whether there is room or not, what the script has taken and not given."""
        while isinstance(self._step, Give) and not self.closed:
            self._give(self._step.chunk, outlet)
            self._resume(None, outlet)
        if self._held and not self.closed:
            outlet.accept(self._held)
            self._held = None

    def restart(self, outlet: Outlet) -> None:
        """Begin the script anew, after the toxic or a neighbour changed; whether it applies is rolled anew as well."""
        if not self.closed and not self.doomed:
            self.release(outlet)
        if not self.closed and not self.doomed:
            self._roll()

    def dissolve(self, outlet: Outlet) -> None:
        """Give on all that is here and what is known of the end, before this stage is taken out."""
        self.release(outlet)
        while self._inbox:
            outlet.accept(self._inbox.popleft())
        if self.ended:
            outlet.finish()

    def close(self, outlet: Outlet) -> None:
        """End the direction here; what is still queued is lost."""
        self.closed = True
        self._inbox.clear()
        outlet.finish()

    def _roll(self) -> None:
        applies = random.random() < self.toxic.toxicity
        self._script = (self.toxic.attributes if applies else Noop()).script(self)
        self._step: Step = next(self._script)
        self._taken_at = self.now()

    def _take_step(self, outlet: Outlet) -> bool:
        """Do what the script asked for last, if that is possible now, and let it ask for the next thing."""
        reply: Chunk | None = None
        match self._step:
            case Take():
                if self._inbox:
                    reply = self._held = self._inbox.popleft()
                elif self.now() >= self.due:
                    self.close(outlet)
                    return True
                elif not self.ended:
                    return False
            case Give(chunk):
                if not outlet.room():
                    return False
                self._give(chunk, outlet)
            case Wait(until):
                if self.now() < until:
                    return False
            case Doom(at):
                if self.now() < at:
                    return False
        self._resume(reply, outlet)
        return True

    def _give(self, chunk: Chunk, outlet: Outlet) -> None:
        self.passed += len(chunk.data)
        if self._held:
            rest = self._held.data[len(chunk.data) :]
            self._held = Chunk(rest, self._held.time) if rest else None
        outlet.accept(chunk)

    def _resume(self, reply: Chunk | None, outlet: Outlet) -> None:
        try:
            self._step = self._script.send(reply)
        except StopIteration:
            self.close(outlet)
            return
        if isinstance(self._step, Take):
            self._held = None
            self._taken_at = self.now()
