"""Keeps what is heard of nodes' own addresses to a trickle, for it is worth little beside what is heard of VIPs.

Nodes speak for themselves all day, and anybody may do so in their name. It does no I/O and has no clock: time enters
as an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from exporter.vip.model import SECOND, IPAddress, Mac, Nanoseconds, NeighbourSeen
from exporter.wire.decode import IgnoreReason

REPEAT_AFTER: Nanoseconds = 30 * SECOND
"""Until the same MAC is told again for the same address. What is told is believed for much longer."""
DEAF_FOR: Nanoseconds = 30 * SECOND
"""How long nothing is listened to after a flood."""
FRAMES_A_SECOND = 200
"""More is a flood. So many cost some thousandths of a processor."""
TOLD_A_SECOND = 10
"""Of one address, whoever and however many claim it."""
MACS_REMEMBERED = 8
"""Of one address: a node with flux has two or three."""


@dataclass(slots=True)
class _Told:
    """What was told of one address."""

    macs: dict[Mac, Nanoseconds] = field(default_factory=dict)
    """When each was told last, in the order of these times."""
    times: deque[Nanoseconds] = field(default_factory=lambda: deque(maxlen=TOLD_A_SECOND))


class Neighbours:
    """What to make of frames that are no sightings, of one interface or one file.

    Args:
        repeat_after: from one time that an address and a MAC are told together to the next.
        deaf_for: from a flood until neighbours are listened to again.
    """

    def __init__(self, *, repeat_after: Nanoseconds = REPEAT_AFTER, deaf_for: Nanoseconds = DEAF_FOR) -> None:
        self._repeat_after = repeat_after
        self._deaf_for = deaf_for
        self._deaf_until: Nanoseconds | None = None
        self._frames: deque[Nanoseconds] = deque(maxlen=FRAMES_A_SECOND)
        self._told: dict[IPAddress, _Told] = {}

    def keep(self, addresses: AbstractSet[IPAddress]) -> None:
        """Forget what was told of all other addresses."""
        self._told = {address: told for address, told in self._told.items() if address in addresses}

    def listen(self, now: Nanoseconds) -> bool:
        """Whether frames about neighbours should be let in at present."""
        return self._deaf_until is None or now >= self._deaf_until

    def judge(self, outcome: NeighbourSeen | IgnoreReason, at: Nanoseconds) -> NeighbourSeen | IgnoreReason:
        """What comes of a frame that is no sighting.

        Args:
            outcome: what it came to by itself.
            at: its time, not before that of an earlier one.
        """
        # A malformed frame counts as well: had no neighbour been listened to, it might not be here.
        if self.listen(at):
            self._count(at)
        if isinstance(outcome, IgnoreReason):
            return outcome
        if not self.listen(at):
            return IgnoreReason.NEIGHBOUR_FLOOD
        return self._refusal(outcome, at) or outcome

    def _count(self, at: Nanoseconds) -> None:
        if len(self._frames) == FRAMES_A_SECOND and at - self._frames[0] < SECOND:
            self._deaf_until = at + self._deaf_for
            self._frames.clear()
        else:
            self._frames.append(at)

    def _refusal(self, seen: NeighbourSeen, at: Nanoseconds) -> IgnoreReason | None:
        """Why this is not worth telling; None: it is, and counts as told."""
        told = self._told.setdefault(seen.address, _Told())
        last = told.macs.get(seen.mac)
        if last is not None and at - last < self._repeat_after:
            return IgnoreReason.NEIGHBOUR_REPEATED
        if len(told.times) == TOLD_A_SECOND and at - told.times[0] < SECOND:
            return IgnoreReason.NEIGHBOUR_FLOOD
        told.times.append(at)
        told.macs.pop(seen.mac, None)
        if len(told.macs) == MACS_REMEMBERED:
            del told.macs[next(iter(told.macs))]
        told.macs[seen.mac] = at
        return None
