"""The program's one clock: a monotonic time line for judgement, and the wall-clock moment each point of it stands for.

Frames and Kubernetes carry wall-clock times, and a wall clock can be set back or forward at any moment. Ages
must not: so everything is converted to monotonic nanoseconds where it enters, and back where it is shown.
"""

from __future__ import annotations

import threading
import time

from exporter.vip.model import SECOND, Nanoseconds

STEP: Nanoseconds = SECOND // 20
"""A change of the wall clock against the monotonic one by more than this is a step, not sampling noise."""


class Clock:
    """Live time. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = _measure_offset()

    def now(self) -> Nanoseconds:
        """Monotonic nanoseconds."""
        return time.monotonic_ns()

    def from_wall(self, wall: Nanoseconds) -> Nanoseconds:
        """The monotonic time of a wall-clock time (nanoseconds since 1970, UTC)."""
        return wall - self._current_offset()

    def to_wall(self, at: Nanoseconds) -> Nanoseconds:
        """The wall-clock time, in nanoseconds since 1970 (UTC), of a monotonic time.

        The same `at` gives the same answer to the nanosecond until the wall clock is stepped.
        """
        return at + self._current_offset()

    def _current_offset(self) -> Nanoseconds:
        offset = time.time_ns() - time.monotonic_ns()
        with self._lock:
            if abs(offset - self._offset) > STEP:
                self._offset = _measure_offset()
            return self._offset


def _measure_offset() -> Nanoseconds:
    """Wall minus monotonic. A thread may be held up between two readings, so the tightest of a few counts."""
    return min(_sample_offset() for _ in range(5))[1]


def _sample_offset() -> tuple[Nanoseconds, Nanoseconds]:
    before = time.monotonic_ns()
    wall = time.time_ns()
    after = time.monotonic_ns()
    return after - before, wall - (before + after) // 2
