"""Decides which Lease tells each VIP's holder, until when it holds, and whether its expiry can be believed.

Pure: told of Leases and of time, it says what has changed. It never decides who holds a VIP.

Of the Leases that could decide on a VIP, the first one that is fresh does; where none is, the one renewed last.

A holder's clock may be wrong. When a renewal must have happened is known from when it was seen, so a clock that is
more than `TOLERANCE` off is noticed, and how far it is off is added to what it says from then on.

A Lease that nobody could see renewed has not expired for that. A holder that lives renews in time, so a Lease that is
about to expire is either given up, or Kubernetes does not answer: it is *doubted* and unconfirmed, until a list that
was asked for since says that it is so. One that is only listed now and then is unconfirmed until the first list after
its expiry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter.cluster.fields import Key
from exporter.cluster.lease import Lease
from exporter.cluster.target import Report
from exporter.vip.model import SECOND, Input, IPAddress, LeaseGone, LeaseSeen, Nanoseconds

TOLERANCE: Nanoseconds = 2 * SECOND
"""A holder's clock may differ so far from ours before it is corrected: the way of a renewal to us takes time too."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A Lease, and what is known of its times, on our time line."""

    lease: Lease
    renewed: Nanoseconds
    skew: Nanoseconds
    """What to add to its holder's times to have ours."""
    acquired: Nanoseconds | None
    as_of: Nanoseconds
    """When it is certain to have been so."""

    @property
    def expires(self) -> Nanoseconds:
        return self.renewed + self.lease.duration


class _Statement(NamedTuple):
    """What is told of a VIP's Lease; the fields of `LeaseSeen` behind the VIP."""

    holder: str
    expires: Nanoseconds
    lease: str
    transitions: int | None
    acquired: Nanoseconds | None
    confirmed: bool


class Elections:
    """The Leases of all VIPs.

    Args:
        from_wall: the program's time of a time since 1970.
        doubt: how long before its expiry a Lease is doubted, in nanoseconds.
    """

    def __init__(self, *, from_wall: Callable[[Nanoseconds], Nanoseconds], doubt: Nanoseconds) -> None:
        self._from_wall = from_wall
        self._doubt = doubt
        self._leases: dict[Key, _Known] = {}
        self._wanted: frozenset[Key] = frozenset()
        self._watched: frozenset[Key] = frozenset()
        self._asked: dict[Key, Nanoseconds] = {}
        """By Lease that was doubted: the expiry in question."""
        self._candidates: dict[IPAddress, tuple[Key, ...]] = {}
        self._told: dict[IPAddress, _Statement] = {}

    # --- what it is told ----------------------------------------------------------------------------------------------

    def choose_among(self, vip: IPAddress, candidates: tuple[Key, ...]) -> bool:
        """These Leases could decide on the VIP, the most particular first; none: it is no VIP any more.

        Returns whether they are others than before.
        """
        if candidates == self._candidates.get(vip, ()):
            return False
        if candidates:
            self._candidates[vip] = candidates
        else:
            del self._candidates[vip]
        return True

    def candidates(self) -> frozenset[Key]:
        """Every Lease that could decide on some VIP."""
        return frozenset(key for keys in self._candidates.values() for key in keys)

    def keep(self, wanted: frozenset[Key], *, watched: frozenset[Key]) -> None:
        """Forget every Lease but those wanted; of these, some are watched and the others listed now and then."""
        self._wanted, self._watched = wanted, watched
        self._leases = {key: known for key, known in self._leases.items() if key in wanted}
        self._asked = {key: expires for key, expires in self._asked.items() if key in wanted}

    def take(self, report: Report[Lease]) -> None:
        # A list of many says nothing of a Lease that is watched by its name: that has a list of its own.
        unasked = frozenset[Key]() if report.target.name else self._watched
        for key, lease in report.objects.items():
            if lease is not None and key in self._wanted:
                self._leases[key] = self._learn(self._leases.get(key), lease, report)
            elif key not in unasked:
                self._leases.pop(key, None)
        if report.asked is not None:
            for key in self._leases.keys() - report.objects.keys() - unasked:
                if report.target.covers(key):
                    del self._leases[key]

    def _learn(self, before: _Known | None, lease: Lease, report: Report[Lease]) -> _Known:
        if before is not None and before.lease.renewed == lease.renewed:
            # Nothing new on its times; the wall clock may have been set meanwhile, which must not move them.
            skew, renewed = before.skew, before.renewed
        else:
            skew = self._skew(before, lease, report)
            renewed = self._from_wall(lease.renewed) + skew
        acquired = None if lease.acquired is None else self._from_wall(lease.acquired) + skew
        if before is not None and before.lease == lease:
            acquired = before.acquired
        # A line of a watch may be late: all that it proves is that the Lease was renewed when it was.
        as_of = min(renewed, report.at) if report.asked is None else report.asked
        return _Known(lease, renewed, skew, acquired, as_of if before is None else max(as_of, before.as_of))

    def _skew(self, before: _Known | None, lease: Lease, report: Report[Lease]) -> Nanoseconds:
        """How far the holder's clock is behind, from a renewal that was not known before."""
        watched = report.asked is None
        if before is None and not watched:
            return 0
        earliest = latest = report.at
        if before is not None and not (watched and latest - before.as_of <= lease.duration // 3):
            # Renewals do not come as often as they should: this one may have been long on its way.
            earliest = before.as_of
        claimed = self._from_wall(lease.renewed)
        known = before.skew if before is not None and before.lease.holder == lease.holder else 0

        def error(skew: Nanoseconds) -> Nanoseconds:
            return max(earliest - (claimed + skew), claimed + skew - latest, 0)

        likelier = min(known, 0, key=error)
        return likelier if error(likelier) <= TOLERANCE else latest - claimed

    # --- what it tells ------------------------------------------------------------------------------------------------

    def news(self, now: Nanoseconds, vips: Collection[IPAddress] | None = None) -> list[Input]:
        """What is different from what was told before, or has become so by now; of these VIPs only, or of all."""
        keys: Collection[Key] = self._leases
        if vips is None:
            vips = [*self._candidates, *(self._told.keys() - self._candidates.keys())]
        else:
            keys = self._leases.keys() & {key for vip in vips for key in self._candidates.get(vip, ())}
        statements = {key: self._statement(key, self._leases[key], now) for key in keys}
        inputs: list[Input] = []
        for vip in vips:
            statement = self._decide(self._candidates.get(vip, ()), statements, now)
            if statement == self._told.get(vip):
                continue
            if statement is None:
                del self._told[vip]
                inputs.append(LeaseGone(now, vip))
            else:
                self._told[vip] = statement
                inputs.append(LeaseSeen(now, vip, *statement))
        return inputs

    def doubted(self, now: Nanoseconds) -> list[Key]:
        """The watched Leases to ask after; each once, and again when it was renewed since."""
        doubted = [
            key
            for key, known in self._leases.items()
            if key in self._watched and self._asked.get(key) != known.expires and not self._confirmed(key, known, now)
        ]
        self._asked |= {key: self._leases[key].expires for key in doubted}
        return doubted

    def _confirmed(self, key: Key, known: _Known, now: Nanoseconds) -> bool:
        doubted_from = known.expires - min(self._doubt, known.lease.duration // 2)
        return now < doubted_from or known.as_of >= (doubted_from if key in self._watched else known.expires)

    def _statement(self, key: Key, known: _Known, now: Nanoseconds) -> _Statement:
        confirmed = self._confirmed(key, known, now)
        lease = known.lease
        return _Statement(lease.holder, known.expires, str(key), lease.transitions, known.acquired, confirmed)

    def _decide(
        self, candidates: tuple[Key, ...], statements: Mapping[Key, _Statement], now: Nanoseconds
    ) -> _Statement | None:
        there = [key for key in candidates if key in statements]
        for key in there:
            # One that may have been renewed out of our sight still counts, or an outage would seem to change holders.
            if now <= statements[key].expires or not statements[key].confirmed:
                return statements[key]
        return statements[max(there, key=lambda key: self._leases[key].renewed)] if there else None
