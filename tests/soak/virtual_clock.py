"""Time that passes only when it is told to."""

from __future__ import annotations

SECOND = 1_000_000_000
BEGIN = 1_000 * SECOND
WALL = 1_800_000_000 * SECOND
"""What `BEGIN` is by the wall clock, in nanoseconds since 1970."""


class VirtualClock:
    """Stands where the program's `Clock` does."""

    def __init__(self) -> None:
        self._now = BEGIN

    def advance(self, to: int) -> None:
        assert to >= self._now, "time never goes back"
        self._now = to

    def now(self) -> int:
        return self._now

    def from_wall(self, wall: int) -> int:
        return wall - WALL + BEGIN

    def to_wall(self, at: int) -> int:
        return at + WALL - BEGIN
