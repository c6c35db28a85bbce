"""What listening costs: CPU time per million frames, of the exporter and its peers in turn, several times over."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.peers import LISTENERS, Listener, listening
from bench.sender import Sender
from bench.stage import Stage, cpu_seconds

PASSES = 3
IDLE_SECONDS = 2.0
STEADY_RATE = 10_000
STEADY_FRAMES = 20_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one program in one pass."""

    cpu: float
    """Seconds beyond what it uses in as long a time when nothing happens."""
    idle: float
    """Seconds that it uses in as long a time when nothing happens."""
    rate: float
    """Frames a second that arrived."""
    arrived: int
    read: int
    dropped: int

    @property
    def per_million(self) -> float:
        """CPU seconds per million frames read; where it has not read any, per million that arrived."""
        return self.cpu / (self.read or self.arrived) * 1e6

    @property
    def idle_per_million(self) -> float:
        """CPU seconds that it would have used anyway, likewise."""
        return self.idle / (self.read or self.arrived) * 1e6


Costs = Mapping[str, Sequence[Cost]]
"""Of every program, by pass."""


def costs(stage: Stage, frames: Sequence[bytes], fast_frames: int) -> tuple[Costs, Costs]:
    """Send these frames at a steady rate, and then so many as fast as one core sends."""
    steady: dict[str, list[Cost]] = {name: [] for name in LISTENERS}
    fast: dict[str, list[Cost]] = {name: [] for name in LISTENERS}
    with stage.apart(), stage.sender(frames) as sender:
        for name in [name for _ in range(PASSES) for name in LISTENERS]:
            with listening(stage, name) as listener:
                idle = _idle(listener)
                steady[name].append(cost(stage, listener, idle, sent_steadily(sender)))
                fast[name].append(cost(stage, listener, idle, lambda: sender.send(fast_frames)))
    return steady, fast


def sent_steadily(sender: Sender) -> Callable[[], float]:
    return lambda: sender.send_paced(STEADY_FRAMES, rate=STEADY_RATE)


def cost(stage: Stage, listener: Listener, idle: float, send: Callable[[], float]) -> Cost:
    """Of what is sent. `idle` is what the program uses of a core when nothing happens."""
    listener.counts()
    arrived, used, begun = stage.frames_received(), cpu_seconds(listener.pid), time.perf_counter()
    seconds = send()
    listener.settle()
    used, passed = cpu_seconds(listener.pid) - used, time.perf_counter() - begun
    arrived = stage.frames_received() - arrived
    counts = listener.counts()
    return Cost(
        cpu=used - idle * passed,
        idle=idle * passed,
        rate=arrived / seconds,
        arrived=arrived,
        read=counts.read,
        dropped=counts.dropped,
    )


def _idle(listener: Listener) -> float:
    """CPU seconds per second."""
    used = cpu_seconds(listener.pid)
    time.sleep(IDLE_SECONDS)
    return (cpu_seconds(listener.pid) - used) / IDLE_SECONDS


def median(passes: Sequence[Cost]) -> float:
    """CPU seconds per million frames."""
    return statistics.median(one.per_million for one in passes)


def lost(passes: Sequence[Cost]) -> float:
    """The share of frames for which there was no room."""
    return sum(one.dropped for one in passes) / sum(one.read + one.dropped for one in passes)


def ratio(ours: Sequence[Cost], theirs: Sequence[Cost]) -> float:
    """Ours by theirs, the median of the passes."""
    return statistics.median(one.per_million / other.per_million for one, other in zip(ours, theirs, strict=True))
