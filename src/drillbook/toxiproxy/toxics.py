"""The faults that a link can carry: each is plain data and one method, a script of what to do with the bytes.

A script is a generator. It asks the stage that runs it to take a chunk, to give bytes on, to wait, or to end the
connection; the stage does the waiting, so that a script reads top to bottom like the behaviour it describes. A script
that returns ends its direction. When a toxic is changed or removed, the stage throws its script away and gives on at
once what the script had taken and not yet given. Semantics are those of Toxiproxy 2.12.0 (its `toxics/*.go`).
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

INFINITY = float("inf")
SLICE_BYTES_PER_KB = 100
"""The bandwidth toxic gives at most 100 ms' worth at a time: as many bytes for each KB/s of its rate."""


class Chunk(NamedTuple):
    """Bytes and when they were read, in seconds; a latency toxic moves `time` on by what it added."""

    data: bytes
    time: float


class Take(NamedTuple):
    """Answered with the next chunk, or None at the end of the stream; ends the direction after `patience` seconds."""

    patience: float = INFINITY


class Give(NamedTuple):
    """Pass a chunk on."""

    chunk: Chunk


class Wait(NamedTuple):
    """Go on at this moment of the stage's clock, in seconds."""

    until: float


class Doom(NamedTuple):
    """End the direction at this moment. Nothing takes it back, not even the removal of the toxic."""

    at: float


Step = Take | Give | Wait | Doom
Script = Generator[Step, Chunk | None, None]


class Flow(Protocol):
    """What a script may know of the direction that it works on."""

    passed: int
    """Bytes that this toxic has given on this connection, kept when the toxic is changed."""

    def now(self) -> float: ...


class Toxic(Protocol):
    """Attributes as the API names them, and the script."""

    kind: ClassVar[str]
    go_name: ClassVar[str]
    """Its type in the Go program, which error texts name."""
    capacity: ClassVar[int]
    """Chunks that may wait before this toxic until the source is read no further."""
    closes_when_removed: ClassVar[bool]
    resets: ClassVar[bool]
    """Whether connections made under this toxic close with RST in place of FIN."""

    def script(self, flow: Flow) -> Script: ...

    def refusal(self) -> str | None:
        """Say why these attributes would crash the Go program, if they would."""
        ...


class Plain:
    """What most toxics are: nothing waits before them, nothing happens on removal, every value is allowed."""

    __slots__ = ()
    capacity: ClassVar[int] = 1
    closes_when_removed: ClassVar[bool] = False
    resets: ClassVar[bool] = False

    def refusal(self) -> str | None:
        """Allow all values."""
        return None


@dataclass(frozen=True, slots=True)
class Noop(Plain):
    """Passes everything; also stands in for a toxic that its toxicity left out on a connection."""

    kind: ClassVar[str] = "noop"
    go_name: ClassVar[str] = "NoopToxic"

    def script(self, flow: Flow) -> Script:  # noqa: ARG002
        """Give what is taken."""
        while chunk := (yield Take()):
            yield Give(chunk)


@dataclass(frozen=True, slots=True)
class Latency(Plain):
    """Delays each chunk by `latency` ± `jitter` milliseconds, counted from when it was read; keeps the order."""

    kind: ClassVar[str] = "latency"
    go_name: ClassVar[str] = "LatencyToxic"
    capacity: ClassVar[int] = 1024
    latency: int = 0
    jitter: int = 0

    def delay(self) -> float:
        """Draw a delay in seconds, uniform over [latency - jitter, latency + jitter)."""
        spread = random.randrange(-self.jitter, self.jitter) if self.jitter > 0 else 0
        return (self.latency + spread) / 1000

    def script(self, flow: Flow) -> Script:  # noqa: ARG002
        """Hold each chunk until its time has come."""
        while chunk := (yield Take()):
            due = chunk.time + self.delay()
            yield Wait(due)
            yield Give(Chunk(chunk.data, due))


@dataclass(frozen=True, slots=True)
class Bandwidth(Plain):
    """Lets `rate` KB (1000 bytes) a second pass; a rate of 0 stalls the direction until the toxic is removed."""

    kind: ClassVar[str] = "bandwidth"
    go_name: ClassVar[str] = "BandwidthToxic"
    rate: int = 0

    def refusal(self) -> str | None:
        """Refuse a negative rate."""
        return "bandwidth needs a rate of 0 or more" if self.rate < 0 else None

    def script(self, flow: Flow) -> Script:
        """Give 100 ms' worth at a time. What one wait overslept, the next one makes good."""
        late = 0.0
        while chunk := (yield Take()):
            data = chunk.data
            while data:
                part = data[: max(1, self.rate * SLICE_BYTES_PER_KB)]
                due = flow.now() - late + (len(part) / (self.rate * 1000) if self.rate else INFINITY)
                yield Wait(due)
                late = flow.now() - due
                yield Give(Chunk(part, chunk.time))
                data = data[len(part) :]


@dataclass(frozen=True, slots=True)
class SlowClose(Plain):
    """Passes everything, and delays the end of the stream by `delay` milliseconds."""

    kind: ClassVar[str] = "slow_close"
    go_name: ClassVar[str] = "SlowCloseToxic"
    delay: int = 0

    def script(self, flow: Flow) -> Script:
        """Give what is taken, then linger."""
        while chunk := (yield Take()):
            yield Give(chunk)
        yield Wait(flow.now() + self.delay / 1000)


@dataclass(frozen=True, slots=True)
class Timeout(Plain):
    """Drops everything, and ends the connection `timeout` milliseconds after the last chunk; with 0 it never does."""

    kind: ClassVar[str] = "timeout"
    go_name: ClassVar[str] = "TimeoutToxic"
    closes_when_removed: ClassVar[bool] = True
    timeout: int = 0

    def script(self, flow: Flow) -> Script:  # noqa: ARG002
        """Take and forget."""
        patience = self.timeout / 1000 if self.timeout > 0 else INFINITY
        while (yield Take(patience)):
            pass


@dataclass(frozen=True, slots=True)
class ResetPeer(Plain):
    """Drops what comes, and resets the connection `timeout` milliseconds after the first chunk or the stream's end."""

    kind: ClassVar[str] = "reset_peer"
    go_name: ClassVar[str] = "ResetToxic"
    resets: ClassVar[bool] = True
    timeout: int = 0

    def script(self, flow: Flow) -> Script:
        """Wait for a sign of life, then strike."""
        yield Take()
        yield Doom(flow.now() + self.timeout / 1000)


@dataclass(frozen=True, slots=True)
class Slicer(Plain):
    """Cuts chunks into pieces of `average_size` ± `size_variation` bytes, with `delay` microseconds after each."""

    kind: ClassVar[str] = "slicer"
    go_name: ClassVar[str] = "SlicerToxic"
    average_size: int = 0
    size_variation: int = 0
    delay: int = 0

    def refusal(self) -> str | None:
        """Refuse sizes that even a single byte exceeds: the halving would never end."""
        if self.average_size + self.size_variation < 1:
            return "slicer needs an average_size and size_variation of at least 1 together"
        return None

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Halve a range, give or take the variation, until the parts are small enough."""
        if end - start - self.average_size <= self.size_variation:
            yield start, end
            return
        middle = start + (end - start) // 2
        if self.size_variation > 0:
            middle += random.randrange(-self.size_variation, self.size_variation)
            # A variation above the size would leave the range, which the Go program does not survive.
            middle = min(max(middle, start + 1), end - 1)
        yield from self.pieces(start, middle)
        yield from self.pieces(middle, end)

    def script(self, flow: Flow) -> Script:
        """Give the pieces one by one."""
        while chunk := (yield Take()):
            for start, end in self.pieces(0, len(chunk.data)):
                yield Give(Chunk(chunk.data[start:end], chunk.time))
                yield Wait(flow.now() + self.delay / 1_000_000)


@dataclass(frozen=True, slots=True)
class LimitData(Plain):
    """Lets exactly `bytes` bytes of a connection pass, then ends it; with 0 the first data ends it."""

    kind: ClassVar[str] = "limit_data"
    go_name: ClassVar[str] = "LimitDataToxic"
    bytes: int = 0

    def script(self, flow: Flow) -> Script:
        """Give what is left of the allowance."""
        while chunk := (yield Take()):
            if allowed := chunk.data[: max(0, self.bytes - flow.passed)]:
                yield Give(Chunk(allowed, chunk.time))
            if flow.passed >= self.bytes:
                return


TOXICS: dict[str, type[Toxic]] = {
    toxic.kind: toxic for toxic in (Noop, Latency, Bandwidth, SlowClose, Timeout, ResetPeer, Slicer, LimitData)
}
"""Every type by the name that the API knows it by."""
