"""Who announced each VIP, and when, as stretches of time: what a report of a capture draws. It judges nothing.

However many MACs, frames and addresses there are, it stays small: MACs beyond the first few are only counted, unless
one of them turns out to hold the VIP, and where stretches are too many, the nearest ones become one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter

from exporter.vip.claimants import CLAIMANT_CAP, LISTED_FOR
from exporter.vip.model import SECOND, IPAddress, Mac, Nanoseconds
from exporter.vip.snapshot import Claimant

SAME_STRETCH: Nanoseconds = 7 * SECOND
"""An announcement so soon after another belongs to the same stretch: the least grace time."""
MOST_STRETCHES = 256
"""Of one MAC."""
FEWEST_STRETCHES = 8
"""Of one MAC, however many there are."""
MOST_TOGETHER = 65_536
"""Of all MACs, as far as `FEWEST_STRETCHES` allows."""


@dataclass(frozen=True, slots=True)
class Announcer:
    """One MAC that announced a VIP."""

    claimant: Claimant
    first: Nanoseconds
    last: Nanoseconds
    frames: int
    stretches: tuple[tuple[Nanoseconds, Nanoseconds], ...]
    """First and last announcement of each, in order; the same moment twice where it was alone."""


@dataclass(frozen=True, slots=True)
class Announced:
    """All announcements of one VIP."""

    announcers: tuple[Announcer, ...]
    """In the order of their first announcement, at most CLAIMANT_CAP."""
    others: int
    """Announcements of further MACs."""


class _Lane:
    """One MAC's announcements so far."""

    __slots__ = ("begin", "first", "frames", "held", "last", "mac", "past")

    def __init__(self, mac: Mac, at: Nanoseconds) -> None:
        self.mac = mac
        self.first = self.begin = self.last = at
        self.frames = 1
        self.held = False
        """It has held the VIP."""
        self.past = array("q")
        """The stretches before the present one: first, last, first, last."""

    def stretches(self) -> tuple[tuple[Nanoseconds, Nanoseconds], ...]:
        past = _fewer(self.past, MOST_STRETCHES - 1)
        return (*zip(past[::2], past[1::2], strict=True), (self.begin, self.last))


class _Table:
    """The lanes of one VIP."""

    __slots__ = ("lanes", "others")

    def __init__(self) -> None:
        self.lanes: dict[Mac, _Lane] = {}
        self.others = 0


class Announcers:
    """Takes announcements in the order of time."""

    def __init__(self) -> None:
        self._tables: dict[IPAddress, _Table] = {}
        self._lanes = 0

    def hear(self, at: Nanoseconds, vip: IPAddress, mac: Mac) -> None:
        """One announcement."""
        table = self._tables.get(vip)
        if table is None:
            table = self._tables[vip] = _Table()
        lane = table.lanes.get(mac)
        if lane is None:
            self._begin(table, mac, at)
            return
        if at - lane.last > SAME_STRETCH:
            lane.past.extend((lane.begin, lane.last))
            lane.begin = at
            most = min(MOST_STRETCHES, max(FEWEST_STRETCHES, MOST_TOGETHER // self._lanes))
            if len(lane.past) >= 4 * most:
                lane.past = _fewer(lane.past, most)
        lane.last = at
        lane.frames += 1

    def hold(self, at: Nanoseconds, vip: IPAddress, mac: Mac) -> None:
        """It has turned out that this MAC holds the VIP, or did: it keeps its place from now on."""
        table = self._tables.get(vip)
        if table is None:
            return
        if mac not in table.lanes:  # it was one too many when it began
            self._make_room(table, at, must=True)
            table.lanes[mac] = _Lane(mac, at)
            table.others -= 1
            self._lanes += 1
        table.lanes[mac].held = True

    def heard(
        self, vips: Iterable[IPAddress], whose: Callable[[IPAddress, Mac], Claimant]
    ) -> Mapping[IPAddress, Announced]:
        """All so far of these VIPs, with what is known of each MAC. A VIP that nobody announced is missing."""
        return {
            vip: Announced(
                tuple(
                    Announcer(whose(vip, lane.mac), lane.first, lane.last, lane.frames, lane.stretches())
                    for lane in sorted(table.lanes.values(), key=lambda lane: lane.first)
                ),
                table.others,
            )
            for vip in vips
            if (table := self._tables.get(vip)) is not None
        }

    def _begin(self, table: _Table, mac: Mac, at: Nanoseconds) -> None:
        if self._make_room(table, at):
            table.lanes[mac] = _Lane(mac, at)
            self._lanes += 1
        else:
            table.others += 1

    def _make_room(self, table: _Table, at: Nanoseconds, *, must: bool = False) -> bool:
        """Give up the lane that says least: one announcement long ago. One that has held the VIP stays, if it can."""
        if len(table.lanes) < CLAIMANT_CAP:
            return True
        lanes = table.lanes.values()
        # Lanes stand in the order of their first announcement, so of the lone ones this is the oldest.
        least = next((lane for lane in lanes if lane.frames == 1 and not lane.held), None)
        if least is None:
            least = min(lanes, key=lambda lane: (lane.held, lane.last))
            if not must and (least.held or at - least.last <= LISTED_FOR):
                return False
        del table.lanes[least.mac]
        table.others += least.frames
        self._lanes -= 1
        return True


def _fewer(stretches: array[int], most: int) -> array[int]:
    """At most so many, by closing the shortest gaps between them."""
    gaps = len(stretches) // 2 - 1
    surplus = gaps + 1 - most
    if surplus <= 0:
        return stretches
    lengths = ((number, stretches[2 * number + 2] - stretches[2 * number + 1]) for number in range(gaps))
    closed = {number for number, _ in sorted(lengths, key=itemgetter(1))[:surplus]}
    kept = array("q", stretches[:1])
    for number in range(gaps):
        if number not in closed:
            kept.extend(stretches[2 * number + 1 : 2 * number + 3])
    kept.append(stretches[-1])
    return kept
