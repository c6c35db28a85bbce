"""One VIP's day as a script, and what scripts are made of: who announces when, what Kubernetes says when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.soak import frames
from tests.soak.frames import MACS, NODES
from tests.soak.ledger import Ledger
from tests.soak.virtual_clock import SECOND

HOLD = 17.0
"""Seconds after which no change of a source counts as recent: more than the settle time."""


@dataclass(frozen=True)
class Make:
    """What kind of VIP it is."""

    vip: str
    pace: float
    """Seconds between two announcements of a holder."""
    period: float | None = None
    """Configured; None: learned; 0: the announcer does not repeat."""
    kubernetes: bool = False
    dhcp: bytes | None = None
    """The MAC that every node announces."""

    @property
    def grace(self) -> float:
        return max(7.0, 2 * (self.period or 0.0))

    @property
    def silence(self) -> float:
        return max(10.0, 3 * (self.period or 0.0))


class Stage:
    """What a lane plays on; the day is one."""

    ledger: Ledger

    def at(self, moment: int, act: Callable[[], None]) -> None:
        """Do this then."""
        raise NotImplementedError

    def frame(self, data: bytes) -> None:
        """Put it on the wire now."""
        raise NotImplementedError

    def write(self, vip: str, source: str, node: str) -> None:
        """A source says this from now on."""
        raise NotImplementedError

    def answers_during(self, begin: int, end: int) -> bool:
        """The API server is well all that time."""
        raise NotImplementedError

    def back_from_outage(self, at: int) -> int:
        """When the API server will be back that is away then; 0: it is not."""
        raise NotImplementedError


class Lane:
    def __init__(self, stage: Stage, make: Make, seed: int) -> None:
        self.make = make
        self.played: dict[str, int] = {}
        """How often, by scenario."""
        self._stage = stage
        self._chance = Random(seed)
        self.node = NODES[0]
        self.mac = make.dhcp or MACS[self.node][0]
        self.end = 0
        """Until when the script is written."""
        self._last = 0
        """The holder's last announcement, as far as the script is written."""
        self._said = 0
        """When Kubernetes says something for the last time."""
        self._kinds = 0

    def begin(self, at: int) -> None:
        """The first announcement that this run of the exporter hears."""
        self._last = at
        self.say(at, self.mac)
        self.end = at

    def continue_until(self, end: int) -> None:
        """Nothing but the holder, at his pace, until then; whoever does not repeat keeps quiet."""
        if self.make.period != 0:
            self._hold_until(end)
        self.end = max(self.end, end)

    def play(self, until: int) -> None:
        """Write scenarios, one after the other, that are over by then."""
        while True:
            longest = self._seconds(110)
            if self.end + longest > until:
                break
            # What two moves make of the annotation's lag is only clear where the first one's is heard before the
            # second begins, or never.
            back = self._stage.back_from_outage(self._said) if self.make.kubernetes else 0
            if self.end < back < self.end + self._seconds(60):
                self._hold_until(back + self._seconds(0.5))
                continue
            scenario = self._chance.choices(*zip(*self._scenarios(), strict=True))[0]
            self.played[scenario.__name__] = self.played.get(scenario.__name__, 0) + 1
            begun = self.end
            scenario()
            assert self.end - begun < longest, scenario.__name__
        self.continue_until(until)

    def _scenarios(self) -> list[tuple[Callable[[], None], int]]:
        """What can be played, with how often each is to come."""
        raise NotImplementedError

    def moved_unseen(self, since: int, until: int) -> bool:
        """While nobody could hear it, another node took over; returns whether the wire shows that."""
        node, mac = self._another()
        self.node, self._last = node, since
        if self.make.dhcp is None:
            self.mac = mac
        for source in ("lease", "annotation") if self.make.kubernetes else ():
            self._write(self._chance.randint(since, until), source, node)
        return self.make.dhcp is None

    # --- what they are made of ----------------------------------------------------------------------------------------

    def _take_over(
        self, node: str, mac: bytes, first: int, last: int, *, said: tuple[int, int], at_least: int = 0
    ) -> None:
        """Another takes over for good; Kubernetes follows at some moment between the two."""
        settled = max(at_least, last + self._seconds(self.make.grace) - first)
        self._moved(first, last, node)
        self._reign(node, mac, first, at_least=settled)
        if node:
            begin, end = said
            self._follow(max(begin, last), end)

    def _reign(self, node: str, mac: bytes, first: int, *, at_least: int) -> None:
        """The new holder announces until the move is settled for certain, and until Kubernetes has followed."""
        end = first + max(
            at_least, self._seconds(2.3 * self.make.pace), self._seconds(8 if self.make.kubernetes else 0)
        )
        self.node, self.mac = node or self.node, mac
        self._announce_until(mac, first, end + self._seconds(0.5))

    def _moved(self, first: int, last: int, node: str) -> None:
        self._stage.ledger.moved(self.make.vip, handover=first - last)
        if node and self.make.kubernetes:
            self._stage.at(first, lambda: self._stage.ledger.await_annotation(self.make.vip, node, first))

    def _follow(self, begin: int, end: int) -> None:
        """Kubernetes says that the present holder has it, each source at some moment between the two."""
        if self.make.kubernetes:
            for source in ("lease", "annotation"):
                self._write(self._chance.randint(begin, end), source, self.node)

    def _write(self, at: int, source: str, node: str) -> None:
        self._said = max(self._said, at)
        self._stage.at(at, lambda: self._stage.write(self.make.vip, source, node))

    def _calm(self, begin: int, end: int) -> bool:
        """Kubernetes is well all that time, and has been for long enough for its last change to be none of now."""
        return self._stage.answers_during(begin - self._seconds(HOLD + 1), end)

    def _wake(self) -> None:
        """Whoever does not repeat himself speaks now, so that his claim is live."""
        if self.make.period == 0:
            at = max(self._last, self.end) + self._between(8, 20)
            self.say(at, self.mac)
            self._last = self.end = at

    def _hold_until(self, end: int) -> None:
        """The holder announces at his pace; also one who else would not, where his claim must stay live."""
        if self._last < end:
            self._announce_until(self.mac, self._last + self._step(), end)

    def _announce_until(self, mac: bytes, first: int, end: int) -> None:
        """He announces at his pace, and for the last time at the end: what is played next follows from there."""
        self._stream(mac, first, end - 1)
        self.say(end, mac)
        self._last = self.end = end

    def _stream(self, mac: bytes, first: int, end: int) -> int:
        """Announcements at the lane's pace, until then; returns when the last one is."""
        at = last = first
        while at <= end:
            self.say(at, mac)
            last = at
            at += self._step()
        return last

    def say(self, at: int, mac: bytes, *, claims: bool = True) -> None:
        make, self._kinds = self.make, self._kinds + 1
        kind = "na" if ":" in make.vip else ("request", "reply")[self._kinds % 2]

        def speak() -> None:
            grace, mac_class = self._seconds(make.grace), frames.class_of(mac)
            self._stage.ledger.announced(at, make.vip, mac, kind, mac_class, grace, claims=claims)
            self._stage.frame(frames.announcement(make.vip, mac, kind))

        self._stage.at(at, speak)

    def _forge(self, number: int, lasting: int) -> int:
        """One frame each by so many MACs, evenly spread; returns when the last one is."""
        first = self._last + self._between(0.2, 1)
        grace, vip = self._seconds(self.make.grace), self.make.vip

        def speak(at: int, mac: bytes) -> None:
            self._stage.ledger.announced(at, vip, mac, "request", "foreign", grace, claims=True)
            self._stage.frame(frames.forged(vip, mac))

        at = first
        for one in range(number):
            at = first + one * lasting // number
            mac = bytes([6]) + self._chance.randbytes(5)
            self._stage.at(at, lambda at=at, mac=mac: speak(at, mac))
        return at

    def _expect(self, name: str, number: int = 1) -> None:
        self._stage.ledger.add(name, number, vip=self.make.vip)

    def _another(self) -> tuple[str, bytes]:
        node = self._chance.choice([name for name in NODES if name != self.node])
        return node, self.make.dhcp or MACS[node][0]

    def _somebody(self) -> bytes:
        """A stranger, a router's virtual MAC, or another node."""
        node = self._chance.choice([name for name in NODES if name != self.node])
        nobody = [bytes([6]) + self._chance.randbytes(5), bytes.fromhex("00005e0001") + self._chance.randbytes(1)]
        return self._chance.choice([*nobody, MACS[node][0]])

    def _step(self) -> int:
        return self._between(0.93 * self.make.pace, 1.07 * self.make.pace)

    def _between(self, least: float, most: float) -> int:
        return self._chance.randint(self._seconds(least), self._seconds(most))

    @staticmethod
    def _seconds(number: float) -> int:
        return round(number * SECOND)
