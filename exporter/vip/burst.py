"""Takes a burst apart into moments, so that what repeats without a consequence is judged once, not a thousand times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from operator import itemgetter
from typing import NamedTuple

from exporter.vip.model import Burst, IPAddress, Nanoseconds, NeighbourSeen, Sighting


class Settled(Enum):
    """Whether hearing sightings of a VIP again changes nothing but ages and counts."""

    NO = auto()
    AFTER_FIRST = auto()
    """From the second time on."""
    YES = auto()


class Moment(NamedTuple):
    at: Nanoseconds
    told: Sighting | NeighbourSeen
    again: int
    """How many frames this stands for, itself the last, that change but ages and counts; 0: it has to be judged."""


def moments(
    burst: Burst, *, settled: Callable[[IPAddress, Iterable[Sighting], Nanoseconds], Settled]
) -> Iterable[Moment]:
    """All that a burst has, in the order of time.

    Args:
        settled: asked for each VIP with its sightings and the end of the burst.
    """
    by_vip: dict[IPAddress, list[Sighting]] = {}
    for told, _ in burst.heard:
        if isinstance(told, Sighting):
            by_vip.setdefault(told.vip, []).append(told)
    end = max(times[-1] for _, times in burst.heard)
    how = {vip: settled(vip, sightings, end) for vip, sightings in by_vip.items()}
    found = []
    for told, times in burst.heard:
        first = 0
        if isinstance(told, NeighbourSeen) or how[told.vip] is Settled.NO:
            first = len(times)
        elif how[told.vip] is Settled.AFTER_FIRST:
            first = 1
        found += [Moment(at, told, 0) for at in times[:first]]
        if len(times) > first:
            found.append(Moment(times[-1], told, len(times) - first))
    return sorted(found, key=itemgetter(0))
