"""The claimants of one VIP as a table of bounded size, whoever and however many announce it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from exporter.vip.model import SECOND, ClaimantClass, Mac, Nanoseconds

CLAIMANT_CAP = 16
LISTED_FOR: Nanoseconds = 600 * SECOND


@dataclass(slots=True)
class Claim:
    """One MAC's claim: from its first frame until grace after its last."""

    mac: Mac
    first: Nanoseconds
    last: Nanoseconds
    frames: int = 1
    """At least so many, once it holds the VIP: how often the holder was heard is asked by nobody."""
    last_incoming: Nanoseconds | None = None
    last_outgoing: Nanoseconds | None = None

    def hear(self, at: Nanoseconds, *, outgoing: bool) -> None:
        self.last = at
        if outgoing:
            self.last_outgoing = at
        else:
            self.last_incoming = at


class Claimants:
    """The live claims, and the list of those that are shown."""

    def __init__(self) -> None:
        self.live: dict[Mac, Claim] = {}
        """In the order in which they began."""
        self.begun: Counter[ClaimantClass] = Counter()
        self.overflow = 0
        """Claims refused or given up for want of room."""
        self._listed: dict[Mac, Claim] = {}

    @property
    def full(self) -> bool:
        return len(self.live) >= CLAIMANT_CAP

    def add(self, claim: Claim, claimant_class: ClaimantClass) -> None:
        self.live[claim.mac] = claim
        self.begun[claimant_class] += 1
        self.show(claim)

    def make_room(self, *, holder: Claim | None, for_holder: bool) -> None:
        """At the cap, the one-frame claimant heard longest ago gives way; the holder is never refused or evicted."""
        if not self.full:
            return
        self.overflow += 1
        others = [claim for claim in self.live.values() if claim is not holder]
        weak = [claim for claim in others if claim.frames == 1] or (others if for_holder else [])
        if weak:
            del self.live[min(weak, key=lambda claim: claim.last).mac]

    def show(self, claim: Claim, *, must: bool = False) -> None:
        """List a claimant if there is a slot, or (`must`) at the cost of the one heard longest ago."""
        if claim.mac not in self._listed and len(self._listed) >= CLAIMANT_CAP:
            oldest = min(self._listed.values(), key=lambda listed: listed.last)
            if not must and claim.first - oldest.last <= LISTED_FOR:
                return
            del self._listed[oldest.mac]
        self._listed[claim.mac] = claim

    def listed(self, now: Nanoseconds) -> tuple[Claim, ...]:
        """Those worth a series each; a slot is kept for ten minutes, so that a flood cannot churn through them."""
        return tuple(claim for claim in self._listed.values() if now - claim.last <= LISTED_FOR)
