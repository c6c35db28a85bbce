"""How soon the exporter and its peers listen, how much memory they take, and how fast frames may come without loss."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.cost import PASSES
from bench.frames import CONTESTED
from bench.peers import EXPORTER, LISTENERS, Listener, listening
from bench.sender import Sender
from bench.stage import Stage
from bench.table import Table, milliseconds

RATES = (2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
"""Frames a second."""
SECONDS = 2
"""At each rate."""
FAST_FRAMES = 600_000
RATE_TARGET = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    rate: float
    """Frames a second, the highest without loss."""
    limited: bool
    """At a higher one, some were lost."""
    rss: int
    """Bytes, after that."""


def measure(stage: Stage) -> Table:
    starts: dict[str, list[float]] = {name: [] for name in LISTENERS}
    limits: dict[str, Limits] = {}
    with stage.apart(), stage.sender(CONTESTED) as sender:
        for number in range(1 + PASSES):
            for name, seconds in starts.items():
                with listening(stage, name) as listener:
                    if number > 0:  # the first time, files come from the disk, and byte code is written
                        seconds.append(listener.start)
                    if number == PASSES:
                        limits[name] = _limits(listener, sender)
    rate = limits[EXPORTER].rate
    return Table(
        title="Start, frames without loss, and memory, listening",
        columns=(
            "who listens",
            "start to capture",
            "frames/s without loss",
            "target",
            "RSS",
        ),
        rows=tuple(_row(name, seconds, limits[name]) for name, seconds in starts.items()),
        note=f"Start: from before the process exists until the kernel hands it frames, median of {PASSES} in turn; the "
        'target for it is that of the table "Start", which waits for the first frame seen. '
        f"Frames without loss: announcements of a VIP for {SECONDS} s at each of "
        f"{', '.join(f'{rate:,}' for rate in RATES)} a second, then {FAST_FRAMES:,} as fast as one "
        "core sends; the highest rate before the first at which the kernel dropped one. `≥`: there was no such rate. "
        "RSS: after that.",
        missed=(f"VIP frames without loss: {_rate(limits[EXPORTER])} a second",) if rate < RATE_TARGET else (),
    )


def _limits(listener: Listener, sender: Sender) -> Limits:
    highest = 0.0
    for rate in RATES:
        sender.send_paced(SECONDS * rate, rate=rate)
        if _lost(listener):
            return Limits(highest, limited=True, rss=listener.rss())
        highest = rate
    seconds = sender.send(FAST_FRAMES)
    if _lost(listener):
        return Limits(highest, limited=True, rss=listener.rss())
    return Limits(FAST_FRAMES / seconds, limited=False, rss=listener.rss())


def _lost(listener: Listener) -> bool:
    listener.settle()
    return listener.counts().dropped > 0


def _row(name: str, seconds: Sequence[float], limits: Limits) -> tuple[str, ...]:
    return (
        name,
        milliseconds(statistics.median(seconds)),
        _rate(limits),
        f"≥ {RATE_TARGET:,}" if name == EXPORTER else "-",
        f"{limits.rss / 2**20:.0f} MiB",
    )


def _rate(limits: Limits) -> str:
    if not limits.rate:
        return f"< {RATES[0]:,}"
    return f"{'' if limits.limited else '≥ '}{limits.rate:,.0f}"
