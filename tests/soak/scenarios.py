"""What is played with a VIP, and what every counter must make of it.

Each scenario begins and ends with one holder who announces alone. It is written ahead, from the holder's last frame
on, and says at once what it must come to; every distance keeps clear of the boundaries, for the exact ones are the
business of other tests. A has the VIP at first.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.soak.frames import MACS, NODES
from tests.soak.lane import HOLD, Lane


class Scenarios(Lane):
    """All of them."""

    def _scenarios(self) -> list[tuple[Callable[[], None], int]]:
        make, always = self.make, [(self.stray, 3), (self.small_flood, 1), (self.long_flood, 1), (self.contest, 10)]
        if make.vip.count(":"):
            always = [(self.stray, 3), (self.contest, 10)]
        always.append((self.pause_of_grace, 3))
        if make.dhcp is not None:
            return [*always, (self.quiet_move, 30), (self.return_from_silence, 3), (self.reelection, 3)]
        always += [(self.clean_move, 45), (self.overlap, 10), (self.one_frame_then_another, 6)]
        always += [(self.newcomers_contest, 5), (self.two_interfaces, 2), (self.other_interface, 4)]
        if make.period != 0:
            always += [(self.return_from_silence, 3), (self.move_from_silence, 3), (self.all_fall_silent, 3)]
            always.append((self.one_frame_then_nobody, 3))
        if make.kubernetes:
            return [*always, (self.supported_overlap, 8), (self.replaced_card, 2), (self.reelection, 3)]
        return [*always, (self.stranger_takes_it, 3)]

    def clean_move(self) -> None:
        """A stops, B starts: one move, and the gap is its handover. Kubernetes follows, or goes ahead."""
        self._wake()
        last = self._last
        node, mac = self._another()
        first = last + self._between(0.3, 50 if self.make.period == 0 else 0.95 * self.make.silence)
        self._take_over(node, mac, first, last, said=(first - self._seconds(8), first + self._seconds(8)))

    def overlap(self) -> None:
        """A sends a frame or two after B's first, and nothing else tells of the move: one move, handover 0."""
        self._wake()
        old, last = self.mac, self._last
        node, mac = self._another()
        first = last + self._between(0.1, 0.9 * self.make.pace)
        for late in sorted(first + self._between(0.2, 3.0) for _ in range(self._chance.randint(1, 2))):
            self.say(late, old)
            last = late
        self._take_over(node, mac, first, last, said=(last + self._seconds(0.2), last + self._seconds(5)))

    def supported_overlap(self) -> None:
        """The lease goes over first, so the move is settled with B's first frame: what A sends then is no claim."""
        begun = self._last
        first = begun + self._seconds(0.2) + self._between(0.2, 0.9 * self.make.pace)
        if not self._calm(begun, first):
            return self.clean_move()
        old, last = self.mac, self._last
        node, mac = self._another()
        self._write(self._chance.randint(last + 1, first - 1), "lease", node)
        for _ in range(self._chance.randint(1, 2)):
            self.say(first + self._between(0.1, 6.5), old, claims=False)
        self._moved(first, last, node)
        self._reign(node, mac, first, at_least=self._seconds(self.make.grace + 0.5))
        self._write(self._chance.randint(first, first + self._seconds(7)), "annotation", node)
        return None

    def stray(self) -> None:
        """Somebody announces once or twice while A goes on: a withdrawn claim."""
        self._wake()
        mac = self._somebody()
        at = self._last + self._between(0.2, 5)
        last = at
        self.say(at, mac)
        if self._chance.random() < 0.4:
            last = at + self._between(0.5, 3)
            self.say(last, mac)
        self._expect("vip_withdrawn_claims_total")
        self._hold_until(last + self._seconds(self.make.grace + 0.3))

    def one_frame_then_another(self) -> None:
        """A stops, B sends one frame, C takes over: a move from A to C, and B's claim is withdrawn."""
        self._wake()
        last, (between, node) = self._last, self._chance.sample([name for name in NODES if name != self.node], 2)
        middle = last + self._between(0.3, 4)
        first = middle + self._between(0.3, 2)
        self.say(middle, MACS[between][0])
        self._expect("vip_withdrawn_claims_total")
        least = middle + self._seconds(self.make.grace) - first
        self._take_over(
            node,
            MACS[node][0],
            first,
            last,
            said=(first + self._seconds(0.2), first + self._seconds(5)),
            at_least=least,
        )

    def contest(self) -> None:
        """Two go on beyond the grace time, and maybe a third joins them: one contest; a move if A does not survive."""
        self._wake()
        old, last, make = self.mac, self._last, self.make
        stranger = make.dhcp is not None or self._chance.random() < 0.3
        node, mac = ("", self._somebody()) if stranger else self._another()
        first = last + self._between(0.2, 0.9 * make.pace)
        settled = first + self._seconds(make.grace + 2.3 * make.pace)
        ends = settled + self._between(0, 15)
        rival_last = self._stream(mac, first, ends)
        own_last = self._stream(old, last + self._step(), ends)
        over = min(rival_last, own_last)
        lapsed = rival_last
        if self._chance.random() < 0.3:
            third = bytes([6]) + self._chance.randbytes(5)
            lapsed = self._stream(third, settled + self._between(0.1, 2), max(ends, settled + self._seconds(3)))
        self._expect("vip_contests_total")
        self._last = own_last
        if node and self._chance.random() < 0.5:
            over = max(own_last, lapsed) + self._seconds(make.grace)
            # Settled by the rival's survival: from then on Kubernetes may follow.
            self._moved(first, own_last, node)
            self.node, self.mac, self._last = node, mac, rival_last
            self._hold_until(over + self._seconds(6))
            self._follow(over + self._seconds(0.2), over + self._seconds(5))
            return
        self._hold_until(max(rival_last, lapsed) + self._seconds(make.grace + 0.3))

    def one_frame_then_nobody(self) -> None:
        """A stops and B sends one frame, which is not enough: a withdrawn claim. A comes back."""
        last, (_, mac) = self._last, self._another()
        self.say(last + self._between(0.3, 4), mac)
        self._expect("vip_withdrawn_claims_total")
        again = last + self._seconds(max(self.make.silence, 4 + self.make.grace)) + self._between(1, 20)
        self._announce_until(self.mac, again, again + self._seconds(2.3 * self.make.pace))

    def newcomers_contest(self) -> None:
        """A stops, B and C go on side by side: one contest, and whoever is left of them has moved it from A."""
        self._wake()
        last, make = self._last, self.make
        two = self._chance.sample([name for name in NODES if name != self.node], 2)
        first = last + self._between(0.3, 4)
        second = first + self._between(0.1, 2)
        ends = second + self._seconds(make.grace + 2.3 * make.pace) + self._between(0, 8)
        lasts = [self._stream(MACS[name][0], start, ends) for name, start in zip(two, (first, second), strict=True)]
        winner = self._chance.randint(0, 1)
        self._expect("vip_contests_total")
        self._moved((first, second)[winner], last, two[winner])
        self.node, self.mac, self._last = two[winner], MACS[two[winner]][0], lasts[winner]
        over = lasts[1 - winner] + self._seconds(make.grace)
        self._hold_until(over + self._seconds(6))
        self._follow(over + self._seconds(0.2), over + self._seconds(5))

    def all_fall_silent(self) -> None:
        """A contest of two who both stop: the last heard has survived; it comes back after a silence."""
        old, last, make = self.mac, self._last, self.make
        node, mac = self._another()
        first = last + self._between(0.2, 0.9 * make.pace)
        ends = first + self._seconds(make.grace + 2.3 * make.pace)
        rival_last = self._stream(mac, first, ends)
        own_last = self._stream(old, last + self._step(), ends)
        # One of them speaks once more, so that there is no doubt.
        extra = max(rival_last, own_last) + self._seconds(1)
        won = self._chance.random() < 0.5
        self.say(extra, mac if won else old)
        self._expect("vip_contests_total")
        over = (own_last if won else rival_last) + self._seconds(make.grace)
        self._last = extra
        if won:
            self._moved(first, own_last, node)
            self.node, self.mac = node, mac
        again = extra + self._seconds(make.silence) + self._between(0.5, 20)
        if won:
            self._follow(over + self._seconds(0.2), over + self._seconds(3))
        self._announce_until(self.mac, again, again + self._seconds(2.3 * make.pace))

    def return_from_silence(self) -> None:
        """A falls silent and comes back: nothing has moved."""
        again = self._last + self._seconds(self.make.silence) + self._between(0.5, 40)
        self._announce_until(self.mac, again, again + self._seconds(2.3 * self.make.pace))

    def move_from_silence(self) -> None:
        """A falls silent, and after a while B announces: one move, however many sources told of it before."""
        last = self._last
        node, mac = self._another()
        first = last + self._seconds(self.make.silence) + self._between(0.5, 40)
        self._take_over(node, mac, first, last, said=(last + self._seconds(0.5), first + self._seconds(8)))

    def pause_of_grace(self) -> None:
        """A pauses for the grace time, to the nanosecond, or for one less or more: the claim has lapsed, or has not."""
        self._wake()
        calm = self._seconds(4.5 * self.make.pace)
        self._hold_until(self._last + calm)
        again = self._last + self._seconds(self.make.grace) + self._chance.choice((-1, 0, 1))
        self._announce_until(self.mac, again, again + calm)

    def two_interfaces(self) -> None:
        """A answers from two MACs for a while: no contest, no move."""
        self._wake()
        own = MACS[self.node]
        other = own[1] if self.mac == own[0] else own[0]
        first = self._last + self._between(0.2, 3)
        last = self._stream(other, first, first + self._between(3, 20))
        self._hold_until(last + self._seconds(self.make.grace + 0.3))

    def other_interface(self) -> None:
        """A goes on with its other MAC: the MAC has changed, the holder has not."""
        self._wake()
        own = MACS[self.node]
        last, self.mac = self._last, own[1] if self.mac == own[0] else own[0]
        first = last + self._between(0.3, 6)
        end = max(first + self._seconds(2.3 * self.make.pace), last + self._seconds(self.make.grace + self.make.pace))
        self._expect("vip_mac_changes_total")
        self._announce_until(self.mac, first, end + self._seconds(0.5))

    def replaced_card(self) -> None:
        """A goes on with a MAC that nobody knows while its lease goes on: a new MAC, once the settle time has passed.

        Then the old one is put back in, which is the same again.
        """
        begun = self._last
        if not self._calm(begun, begun + self._seconds(HOLD + 70)):
            return self.clean_move()
        self._hold_until(begun + self._seconds(HOLD))
        old = self.mac
        for mac in (bytes([6]) + self._chance.randbytes(5), old):
            first = self._last + self._between(0.3, 5)
            end = first + self._seconds(HOLD + 2 * self.make.pace)
            self.mac = mac
            self._announce_until(mac, first, end + self._seconds(0.5))
            self._expect("vip_mac_changes_total")
        return None

    def stranger_takes_it(self) -> None:
        """A stops and a stranger goes on, until a node takes it back: two moves."""
        self._wake()
        for node, mac in (("", bytes([6]) + self._chance.randbytes(5)), self._another()):
            last = self._last
            first = last + self._between(0.3, 6)
            self._take_over(node, mac, first, last, said=(0, 0))
            self._wake()

    def small_flood(self) -> None:
        """Some MACs make up one frame each within the grace time: withdrawn claims, and overflow beyond 16 in all."""
        self._wake()
        number = self._chance.randint(4, 60)
        last = self._forge(number, self._between(2, min(5, self.make.grace - 1)))
        self._expect("vip_withdrawn_claims_total", min(number, 15))
        self._expect("vip_claimants_overflow_total", max(0, number - 15))
        self._hold_until(last + self._seconds(self.make.grace + 0.3))

    def long_flood(self) -> None:
        """They go on beyond it: one contest, which A survives; all but 15 are overflow, and none has withdrawn."""
        self._wake()
        number = self._chance.randint(100, 160)
        last = self._forge(number, self._seconds(self.make.grace + 2.3 * self.make.pace))
        self._expect("vip_contests_total")
        self._expect("vip_claimants_overflow_total", number - 15)
        self._hold_until(last + self._seconds(self.make.grace + 0.3))

    def reelection(self) -> None:
        """A gives its lease up and takes it again: a lease between two holders names nobody, and nothing has moved."""
        begun = self._last
        let_go = begun + self._between(0.2, 3)
        self._write(let_go, "lease", "")
        self._write(let_go + self._between(0.1, 3), "lease", self.node)
        self._hold_until(begun + self._seconds(7))

    def quiet_move(self) -> None:
        """All nodes announce one MAC: only lease and annotation show that another has it."""
        node, _ = self._another()
        begun, end = self._last, self._last + self._seconds(21)
        let_go = begun + self._between(0.2, 3)
        if self._chance.random() < 0.5:
            self._write(let_go, "lease", "")
        taken = let_go + self._between(0.1, 2)
        self._write(taken, "lease", node)
        self._write(taken + self._between(0.2, 5), "annotation", node)
        self.node = node
        # Nobody speaks for it in between.
        self._announce_until(self.mac, begun + self._between(0.3, 6), end)
