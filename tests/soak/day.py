"""A day of all VIPs in virtual time: plays the lanes, cuts the API server and the capture, restarts the exporter.

Every ten minutes there is a break: each VIP has one holder, and every counter is compared with the ledger's.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from exporter.cluster.interests import Interests
from exporter.vip.model import Mac
from tests.soak import frames
from tests.soak.api_server import Server
from tests.soak.lane import Lane, Make, Stage
from tests.soak.ledger import Ledger, series
from tests.soak.objects import Objects
from tests.soak.observer import Observer
from tests.soak.scenarios import Scenarios
from tests.soak.virtual_clock import SECOND, VirtualClock

BREAK_EVERY = 600
CALM_BEFORE, CALM_AFTER = 25, 110
"""Seconds around a break in which the API server is well."""
RENEW_EVERY = 10
NEIGHBOURS_EVERY = 45

MAKES = (
    *(Make(f"192.0.2.{100 + number}", 1.5 + number % 3 * 0.75, kubernetes=True) for number in range(8)),
    *(Make(f"2001:db8::{number}", 3.0, kubernetes=True) for number in (1, 2)),
    *(Make(f"192.0.2.{120 + n}", 2.5, kubernetes=True, dhcp=b"\x02\xdc\xbc\x00\x00" + bytes([n])) for n in range(4)),
    *(Make(f"192.0.2.{140 + number}", 2.0 + number % 2) for number in range(5)),
    Make("2001:db8::40", 2.0),
    *(Make(f"192.0.2.{160 + number}", 5.0, period=5.0) for number in range(2)),
    *(Make(f"192.0.2.{180 + number}", 3.0, period=0.0) for number in range(4)),
)


class Differences(AssertionError):
    """A counter is not what it must be."""


@dataclass
class Tally:
    """What was played."""

    breaks: int = 0
    frames: int = 0
    api_restarts: int = 0
    deafnesses: int = 0
    restarts: int = 0
    moves: int = 0
    contests: int = 0


class Day(Stage):
    """Args: where the exporter keeps its state file, and the seed of all that is random."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.tally = Tally()
        self._chance = Random(seed)
        self._clock = VirtualClock()
        self._server = Server()
        self._directory = directory
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._outages: list[tuple[int, int]] = []
        self._cluster = Objects(self._server)
        self._told: dict[str, int] = {}
        """When each node's own address was last told of."""
        self.lanes: list[Lane] = [Scenarios(self, make, self._chance.randrange(2**32)) for make in MAKES]
        self.ledger = Ledger(shared={make.vip for make in MAKES if make.dhcp is not None})
        self._intent = directory / "vips.yaml"
        self._intent.write_text(
            "vips:\n" + "".join(f"  - {{address: '{m.vip}'{_period(m)}}}\n" for m in MAKES if not m.kubernetes)
        )
        self.ledger.outage()
        self._cluster.add_nodes(frames.ADDRESSES)
        for lane in self.lanes:
            if lane.make.kubernetes:
                self.write(lane.make.vip, "lease", lane.node)
                self.write(lane.make.vip, "annotation", lane.node)
        self._observer = self._start()

    def _start(self) -> Observer:
        self._told.clear()
        self.ledger.recover(self._clock.now())
        macs = tuple((node, Mac(mac)) for node, macs in frames.MACS.items() for mac in macs)
        interests = Interests(
            discover=True, service_leases=(), daemonsets=(), configmap=None, kube_vip_version=(0, 9, 2), nodes=macs
        )
        return Observer(self._clock, self._server, interests, self._intent, self._directory / "state.db")

    # --- what lanes play on -------------------------------------------------------------------------------------------

    def at(self, moment: int, act: Callable[[], None]) -> None:
        assert moment >= self._clock.now(), "a script is written ahead"
        heapq.heappush(self._agenda, (moment, next(self._order), act))

    def frame(self, data: bytes) -> None:
        if self.ledger.hears:
            self.tally.frames += 1
            self._observer.take(data)

    def write(self, vip: str, source: str, node: str) -> None:
        if source == "lease":
            self._cluster.elect(vip, node, self._clock.to_wall(self._clock.now()))
        else:
            self._cluster.annotate(vip, node, next(make.dhcp for make in MAKES if make.vip == vip))
        self.ledger.write(self._clock.now(), vip, source, node)
        if self.ledger.answers:
            self._observer.settle()

    def answers_during(self, begin: int, end: int) -> bool:
        return not any(down < end and begin < up for down, up in self._outages)

    def back_from_outage(self, at: int) -> int:
        return next((up for down, up in self._outages if down <= at < up), 0)

    # --- the day ------------------------------------------------------------------------------------------------------

    def play(self, seconds: int) -> Iterator[int]:
        """Play so long; yields the virtual seconds after each break in which everything was right.

        Raises:
            Differences: not everything was.
        """
        begin = self._clock.now()
        try:
            for lane in self.lanes:
                lane.begin(begin + self._chance.randrange(SECOND))
                lane.continue_until(begin + 20 * SECOND)
            for number in range(seconds // BREAK_EVERY):
                end = begin + (number + 1) * BREAK_EVERY * SECOND
                self._write_ahead(end)
                self._run_until(end)
                self._compare()
                yield (end - begin) // SECOND
                (self._deafen if number % 3 != 2 else self._restart)()
            self._count()
        finally:
            self._observer.stop()

    def played(self) -> Counter[str]:
        """How often each scenario was, over all VIPs."""
        return sum((Counter(lane.played) for lane in self.lanes), Counter())

    def _write_ahead(self, end: int) -> None:
        begin = self._clock.now()
        self._write_outages(begin, end)
        for second in range(-(-begin // SECOND), end // SECOND):
            self.at(second * SECOND, self._tick)
            if second % RENEW_EVERY == 0:
                self.at(second * SECOND, self._renew)
            if second % NEIGHBOURS_EVERY == 0:
                for again in (0, SECOND):
                    self.at(second * SECOND + again, self._chatter)
        for lane in self.lanes:
            lane.play(end - 2 * SECOND)
            at = begin
            while (at := at + self._chance.randrange(5 * SECOND, 60 * SECOND)) < end:
                self._write_noise(lane.make.vip, at)

    def _write_outages(self, begin: int, end: int) -> None:
        at = begin + CALM_AFTER * SECOND
        while True:
            at += self._chance.randrange(5 * SECOND, 150 * SECOND)
            kind = self._chance.choice(("restart", "compaction", "outage", "outage"))
            lasting = self._chance.randrange(2 * SECOND, 100 * SECOND) if kind == "outage" else 0
            if at + lasting > end - CALM_BEFORE * SECOND:
                return
            self.tally.api_restarts += 1
            if kind == "compaction":
                self.at(at, self._compact)
            else:
                self._outages.append((at, at + lasting))
                self.at(at, self._go_down)
                self.at(at + lasting, self._come_up)
            at += lasting

    def _write_noise(self, vip: str, at: int) -> None:
        if self._chance.random() < 0.5:
            frame, kind = self._chance.choice(frames.sightings(vip))
            self.at(at, lambda: (self.ledger.sighted(vip, kind), self.frame(frame)))
        else:
            frame, reason = self._chance.choice(frames.ignored(vip))
            self.at(at, lambda: (self.ledger.ignored(reason), self.frame(frame)))

    def _run_until(self, end: int) -> None:
        while self._agenda and self._agenda[0][0] <= end:
            at, _, act = heapq.heappop(self._agenda)
            self._clock.advance(at)
            act()
        self._clock.advance(end)

    # --- what happens -------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._observer.tick()

    def _renew(self) -> None:
        self._cluster.renew(self._clock.to_wall(self._clock.now()))
        if self.ledger.answers:
            self._observer.settle()

    def _chatter(self) -> None:
        """Each node speaks for its own address; told again within 30 s, that is no news."""
        for node in frames.NODES:
            now = self._clock.now()
            if self.ledger.hears:
                if now - self._told.get(node, -(10**18)) < 30 * SECOND:
                    self.ledger.ignored("neighbour_repeated")
                else:
                    self._told[node] = now
            self.frame(frames.neighbour(node))

    def _go_down(self) -> None:
        self._server.go_down()
        self.ledger.outage()
        self._observer.settle()

    def _come_up(self) -> None:
        self._server.come_up()
        self.ledger.recover(self._clock.now())
        self._observer.settle()

    def _compact(self) -> None:
        self._server.compact()
        self._observer.settle()

    def _deafen(self) -> None:
        """Capture stops; while it does, some VIPs move."""
        self.tally.deafnesses += 1
        begin = self._clock.now()
        end = begin + self._chance.randrange(SECOND, 40 * SECOND)
        self._observer.hear(False)
        self.ledger.deafen()
        before = {lane.make.vip: lane._last for lane in self.lanes}
        moved = [lane for lane in self.lanes if self._chance.random() < 0.3 and lane.moved_unseen(begin, end)]
        self._pass(end)
        self.ledger.hears = True
        self._observer.hear(True)
        for lane in self.lanes:
            first = self._resume(lane)
            if lane in moved:
                self._expect_move(lane, first, handover=first - before[lane.make.vip])

    def _restart(self) -> None:
        """The exporter ends; while it is away, some VIPs move. It remembers, or its state file is gone."""
        self.tally.restarts += 1
        remembers = self._chance.random() < 0.7
        remembered = {lane.make.vip: lane.node for lane in self.lanes} if remembers else None
        self._observer.stop()
        self.ledger.outage()
        begin = self._clock.now()
        end = begin + self._chance.randrange(SECOND, 60 * SECOND)
        moved = [lane for lane in self.lanes if self._chance.random() < 0.3 and lane.moved_unseen(begin, end)]
        self._pass(end, watched=False)
        if not remembers:
            (self._directory / "state.db").unlink()
        self._count()
        self.ledger = self.ledger.next_run(remembered)
        self._observer = self._start()
        for lane in self.lanes:
            first = self._resume(lane)
            if lane in moved and remembers:
                self._expect_move(lane, first, handover=None)

    def _pass(self, end: int, *, watched: bool = True) -> None:
        for second in range(-(-self._clock.now() // SECOND), end // SECOND + 1):
            if watched:
                self.at(second * SECOND, self._tick)
            if second % RENEW_EVERY == 0:
                self.at(second * SECOND, self._renew)
        self._run_until(end)

    def _resume(self, lane: Lane) -> int:
        """The holder is heard again, for long enough to be judged; returns his first announcement."""
        now = self._clock.now()
        first = now + self._chance.randrange(SECOND // 20, SECOND)
        lane.begin(first)
        lane.continue_until(now + 22 * SECOND)
        return first

    def _expect_move(self, lane: Lane, first: int, *, handover: int | None) -> None:
        vip = lane.make.vip
        self.ledger.moved(vip, handover=handover)
        if lane.make.kubernetes:
            node = lane.node
            self.at(first, lambda: self.ledger.await_annotation(vip, node, first))

    # --- the comparison -----------------------------------------------------------------------------------------------

    def _count(self) -> None:
        for (name, _), number in self.ledger.counts.items():
            if name == "vip_moves_total":
                self.tally.moves += number
            elif name == "vip_contests_total":
                self.tally.contests += number

    def _compare(self) -> None:
        self.tally.breaks += 1
        for vip, transitions in self._cluster.transitions().items():
            self.ledger.counts[series("vip_lease_transitions_total", vip=vip)] = transitions
        scraped = self._observer.scrape()
        wrong = [*self.ledger.differences(scraped), *self._wrong_holders(scraped)]
        if wrong:
            raise Differences(f"after {self._clock.now() // SECOND} s of virtual time:\n" + "\n".join(wrong[:40]))

    def _wrong_holders(self, scraped: dict) -> Iterator[str]:
        for lane in self.lanes:
            vip, node = lane.make.vip, lane.node
            for key in (
                series("vip_state", vip=vip, state="held"),
                series("vip_holder_info", vip=vip, holder=node, mac=lane.mac.hex(":")),
            ):
                if scraped.get(key) != 1:
                    shown = [other for other, value in scraped.items() if value and dict(other[1]).get("vip") == vip]
                    there = [other for other in shown if other[0] == key[0]]
                    yield f"{key} must be 1; there is {there}"


def _period(make: Make) -> str:
    return "" if make.period is None else f", period: {make.period:g}s"
