"""The exporter under a wall clock that can be set: `python -m tests.faults.stepped SECONDS ARGUMENTS`.

It starts so many seconds off the machine's clock; each line of standard input sets it anew. What the program reads,
what APScheduler reads, and the kernel's stamps on frames go by it. The machine's own clock stays as it is, since others
use it.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import datetime
from typing import Any

from apscheduler.schedulers import base

from exporter import cli, inputs
from exporter.clock import Clock
from exporter.vip.model import Nanoseconds
from exporter.wire.capture import Capture

_real_time, _real_time_ns = time.time, time.time_ns


class WallClock:
    def __init__(self) -> None:
        self.ahead: Nanoseconds = 0

    def set(self, seconds: float) -> None:
        self.ahead = round(seconds * 1e9)

    def time(self) -> float:
        return _real_time() + self.ahead / 1e9

    def time_ns(self) -> Nanoseconds:
        return _real_time_ns() + self.ahead


WALL = WallClock()


class SteppedDatetime(datetime):
    @classmethod
    def now(cls, tz=None) -> datetime:
        return datetime.fromtimestamp(WALL.time(), tz)


class ClockOfStamps(Clock):
    """What the kernel stamps a frame with goes by the clock that is set, too."""

    def from_wall(self, wall: Nanoseconds) -> Nanoseconds:
        return super().from_wall(wall + WALL.ahead)


def capture(device: str, **options: Any) -> Capture:
    return Capture(device, **options | {"clock": ClockOfStamps()})


def obey() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {*cli.SIGNALS, signal.SIGALRM})
    for line in sys.stdin:
        WALL.set(float(line))


if __name__ == "__main__":
    WALL.set(float(sys.argv.pop(1)))
    time.time, time.time_ns = WALL.time, WALL.time_ns
    base.datetime = SteppedDatetime
    inputs.Capture = capture  # type: ignore[misc]
    threading.Thread(target=obey, daemon=True).start()
    sys.exit(cli.main())
