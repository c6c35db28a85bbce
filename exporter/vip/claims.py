"""Who claims one VIP on the wire: live claimants, the episodes between them, and the holder that follows from it.

An *episode* begins with the first frame of a rival beside a known holder and ends when one live claimant is left:
as a move, as a withdrawn claim, or, if both sides go on beyond the grace time, as a contest with a survivor.
Claimants are judged by *party*: the MACs of one node are one party, so a node that answers from two interfaces
is not at odds with itself. Nothing here knows of Kubernetes; what it needs of it is `Evidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from exporter.vip.burst import Settled
from exporter.vip.claimants import CLAIMANT_CAP, Claim, Claimants
from exporter.vip.evidence import Evidence
from exporter.vip.model import ClaimantClass, EventName, Mac, Nanoseconds, State
from exporter.vip.period import Period

Party = str | Mac
"""A node's name, or the MAC itself where it resolves to no node."""


@dataclass(slots=True)
class Episode:
    start: Nanoseconds
    """The first rival frame."""
    contested: bool = False
    holder_late: bool = False
    """The old holder had a frame later than grace after the start."""
    rivals_late: bool = False
    """So had the new claimants, counted together."""
    lapsed: dict[Party, Claim] = field(default_factory=dict)
    """Claims of this episode that are over, newest last, at most CLAIMANT_CAP."""
    decide_at: Nanoseconds | None = None
    """When to take the rival for the holder's new MAC, if the other sources still say so."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened on the wire, in terms of MACs."""

    at: Nanoseconds
    name: EventName
    mac: Mac | None = None
    """The MAC it is about: the new one of a change."""
    old: Mac | None = None
    first: Nanoseconds | None = None
    """The first frame of `mac` in the episode."""
    gap: Nanoseconds | None = 0
    """Handover of a move, length of a silence; None: this run of the program did not hear the old holder."""
    frames: int = 0


class Claims:
    """The wire's view of one VIP. `advance` to a time before telling it what happened at that time."""

    def __init__(
        self,
        *,
        at: Nanoseconds,
        evidence: Evidence,
        settle: Nanoseconds,
        period: Nanoseconds | None,
        blind: bool,
        notify: Callable[[Notice], None],
    ) -> None:
        self._evidence = evidence
        self._settle = settle
        self._notify = notify
        self._episode: Episode | None = None
        self._overlap: tuple[frozenset[Party], Nanoseconds] | None = None
        """Who let go just now, by node and by MAC, and until when his frames claim nothing."""
        self._listening_since: Nanoseconds | None = None if blind else at
        self._missed_at = at
        """Until then, frames may have been lost."""
        self._heard = False
        self._silent = False
        self._remembered: str | None = None
        self.period = Period(period)
        self.claimants = Claimants()
        self.holder: Claim | None = None
        self.holder_since: Nanoseconds = at
        self.moves = 0
        self.mac_changes = 0
        self.contests = 0
        self.withdrawn = 0

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def live(self) -> dict[Mac, Claim]:
        return self.claimants.live

    @property
    def state(self) -> State:
        if self._listening_since is None:
            return State.UNKNOWN
        if self._episode is not None:
            return State.CONTESTED if self._episode.contested else State.MOVING
        if self._silent:
            return State.SILENT
        return State.HELD if self._heard else State.UNKNOWN

    @property
    def wire_holder(self) -> Claim | None:
        """The claim the wire stands for now: none while it is contested, silent or unknown."""
        return self.holder if self.state in (State.HELD, State.MOVING) else None

    @property
    def announced(self) -> bool:
        """Somebody announces the VIP."""
        return self.state in (State.HELD, State.MOVING, State.CONTESTED)

    @property
    def view(self) -> tuple[State, Mac | None, bool]:
        """What the other sources are compared with: while it stays the same, so does the comparison."""
        holder = self.holder
        if holder is None:
            return self.state, None, False
        return self.state, holder.mac, self.is_outgoing(holder)

    def is_concerned(self, mac: Mac) -> bool:
        """The holder has this MAC, or an episode is open, in which it matters which nodes have a known MAC."""
        return self._episode is not None or (self.holder is not None and self.holder.mac == mac)

    def is_outgoing(self, claim: Claim) -> bool:
        """Its frames leave this very node, and only this node: none has come in within grace of the last one sent."""
        if claim.last_outgoing is None:
            return False
        return claim.last_incoming is None or claim.last_outgoing - claim.last_incoming > self.period.grace

    def class_of(self, claim: Claim) -> ClaimantClass:
        return ClaimantClass.NODE if self.is_outgoing(claim) else self._evidence.class_of(claim.mac)

    def rules_out(self, claim: Claim, node: str) -> bool:
        """Whoever claims it is certainly not that node."""
        return claim.last_outgoing is None and self._evidence.rules_out(claim.mac, node)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_due(self) -> Nanoseconds | None:
        """When something will change if nobody speaks until then."""
        if self._listening_since is None:
            return None  # nothing is decided by what cannot be heard
        dues = [min(claim.last for claim in self.live.values()) + self.period.grace] if self.live else []
        if self._episode is not None:
            if self._episode.decide_at is not None:
                dues.append(self._episode.decide_at)
        elif not self._silent and (gone := self._gone_at()) is not None:
            dues.append(gone)
        return min(dues, default=None)

    def advance(self, to: Nanoseconds) -> None:
        """Handle all that falls due until `to`, that moment included, in the order of time."""
        while (due := self.next_due()) is not None and due <= to:
            self._fall_due(due)

    def _gone_at(self) -> Nanoseconds | None:
        """The first nanosecond of silence; None where an announcer that does not repeat may be quiet for ever."""
        assert self._listening_since is not None
        if self.period.value == 0:
            return None
        if self._heard and self.holder is not None:
            return max(self._party_last(), self._missed_at) + self.period.silence + 1
        return max(self._listening_since, self._missed_at) + 5 * self.period.value + 1

    def _fall_due(self, now: Nanoseconds) -> None:
        due = sorted(
            (claim for claim in self.live.values() if claim.last + self.period.grace <= now),
            key=lambda claim: (not self._is_holder(claim), claim.first, claim.mac),
        )
        while due:
            if self._episode is not None and self._episode.contested:
                self._end_contest(now, due)
                break
            claim = due.pop(0)
            if claim.mac in self.live:
                self._lapse(now, claim)
        if self._episode is not None:
            if self._episode.decide_at is not None:
                self._judge(now)
        elif not self._silent and (gone := self._gone_at()) is not None and gone <= now:
            self._silent = True
            self._notify(Notice(now, EventName.VIP_SILENT, self.holder.mac if self.holder else None))

    def remember(self, mac: Mac, *, node: str, since: Nanoseconds, heard: Nanoseconds) -> None:
        """An earlier run of the program knew this holder. To be told before the first frame."""
        if self.holder is None:
            self.holder, self.holder_since = Claim(mac, first=since, last=heard), since
            self._remembered = node

    # --- frames -------------------------------------------------------------------------------------------------------

    def announce(self, at: Nanoseconds, mac: Mac, *, outgoing: bool) -> bool:
        """Take one announcement; the result says whether anything but the holder's age may have changed."""
        holder = self.holder
        if holder is None:
            self._first_sighting(at, mac, outgoing=outgoing)
            return True
        if self._is_plain_refresh(holder, mac) and not outgoing and holder.last_outgoing is None:
            silence = self.period.silence
            self.period.learn(at - holder.last)
            holder.last = holder.last_incoming = at
            return self.period.silence < silence
        party = self._evidence.this_node if outgoing else self._evidence.node_of(mac) or mac
        if self._overlap is not None and not self._overlap[0].isdisjoint((party, mac)):
            if at <= self._overlap[1]:
                return False
            self._overlap = None
        if mac == holder.mac or party == self._party(holder):
            self._hear_holder(at, mac, outgoing=outgoing)
        else:
            self._hear_rival(at, mac, outgoing=outgoing)
        if self._episode is None or not self._episode.contested:
            self.reconsider(at)
        return True

    def settled(self, macs: Collection[Mac], *, until: Nanoseconds) -> Settled:
        """Whether further announcements of these MACs, until then, change nothing but ages and counts.

        To be asked where nothing falls due until then, and none of them leaves this node.
        """
        if not self.live.keys() >= set(macs):
            return Settled.NO
        # Who let go may have turned out to be the one who went on.
        if self._overlap is not None and not self._overlap[0].isdisjoint(self._party(self.live[mac]) for mac in macs):
            return Settled.NO
        # Whose frames they are changes with time, where some have left this node.
        if any(claim.last_outgoing is not None for claim in self.live.values()):
            return Settled.NO
        episode = self._episode
        if episode is None:
            # The first tells of the holder's period, ends a silence, begins an episode.
            return Settled.AFTER_FIRST
        if episode.contested:
            return Settled.YES
        undecided = self._sides()[0] and until <= episode.start + self.period.grace
        return Settled.YES if undecided else Settled.NO

    def announce_again(self, at: Nanoseconds, mac: Mac, frames: int) -> None:
        """Take so many more announcements, the last of them now, where these are `settled`."""
        claim = self.live[mac]
        claim.hear(at, outgoing=False)
        claim.frames += frames

    def _is_plain_refresh(self, holder: Claim, mac: Mac) -> bool:
        """The common case: the holder says again what is known."""
        return mac == holder.mac and mac in self.live and self.state is State.HELD

    def _first_sighting(self, at: Nanoseconds, mac: Mac, *, outgoing: bool) -> None:
        claim = self._begin(at, mac, outgoing=outgoing)
        self.holder, self.holder_since = claim, at
        self._heard, self._silent = True, False
        self._notify(Notice(at, EventName.VIP_SEEN, mac))

    def _hear_holder(self, at: Nanoseconds, mac: Mac, *, outgoing: bool) -> None:
        holder = self.holder
        assert holder is not None
        if self.state is State.HELD and mac == holder.mac:
            self.period.learn(at - holder.last)
        if self._remembered is not None:
            self._remembered = None
            self._notify(Notice(at, EventName.VIP_SEEN, mac))
        elif self._silent:
            self._notify(Notice(at, EventName.VIP_RETURNED, mac, gap=at - self._party_last()))
        self._silent, self._heard = False, True
        if self._episode is not None and at > self._episode.start + self.period.grace:
            self._episode.holder_late = True
        claim = self.live.get(mac)
        if claim is not None:
            claim.hear(at, outgoing=outgoing)
            claim.frames += 1
        else:
            self.claimants.make_room(holder=holder, for_holder=mac == holder.mac)
            if mac == holder.mac:
                self.holder = self._begin(at, mac, outgoing=outgoing, previous=holder)
            elif not self.claimants.full:
                self._begin(at, mac, outgoing=outgoing)

    def _hear_rival(self, at: Nanoseconds, mac: Mac, *, outgoing: bool) -> None:
        claim = self.live.get(mac)
        if claim is not None:
            claim.hear(at, outgoing=outgoing)
            claim.frames += 1
        else:
            self.claimants.make_room(holder=self.holder, for_holder=False)
            if self.claimants.full:
                return
            self._begin(at, mac, outgoing=outgoing)
        if self._episode is None:
            self._episode = Episode(start=at)
        elif at > self._episode.start + self.period.grace:
            self._episode.rivals_late = True

    def _begin(self, at: Nanoseconds, mac: Mac, *, outgoing: bool, previous: Claim | None = None) -> Claim:
        claim = Claim(mac, first=at, last=at)
        if previous is not None:
            claim.last_incoming, claim.last_outgoing = previous.last_incoming, previous.last_outgoing
        claim.hear(at, outgoing=outgoing)
        self.claimants.add(claim, self.class_of(claim))
        return claim

    # --- judgement ----------------------------------------------------------------------------------------------------

    def reconsider(self, now: Nanoseconds) -> None:
        """Judge again: a frame came, or another source or the map of MACs to nodes has changed."""
        if self._episode is None:
            self._follow_mac(now)
        elif self._episode.contested:
            self._end_contest(now, [])
        else:
            self._judge(now)

    def _party(self, claim: Claim) -> Party:
        if self.is_outgoing(claim):
            return self._evidence.this_node
        return self._evidence.node_of(claim.mac) or claim.mac

    def _is_holder(self, claim: Claim) -> bool:
        return self.holder is not None and (
            claim.mac == self.holder.mac or self._party(claim) == self._party(self.holder)
        )

    def _party_last(self) -> Nanoseconds:
        """The last frame of the holder, from whichever of its MACs."""
        assert self.holder is not None
        return max([self.holder.last, *(claim.last for claim in self.live.values() if self._is_holder(claim))])

    def _sides(self) -> tuple[bool, dict[Party, list[Claim]]]:
        """Whether the holder is live, and the live new claimants by party, in the order in which they came."""
        assert self.holder is not None
        holder_lives, own = False, self._party(self.holder)
        rivals: dict[Party, list[Claim]] = {}
        for claim in self.live.values():
            party = self._party(claim)
            if party == own or claim.mac == self.holder.mac:
                holder_lives = True
            else:
                rivals.setdefault(party, []).append(claim)
        return holder_lives, rivals

    def _judge(self, now: Nanoseconds) -> None:
        """Decide on an episode that is no contest (yet)."""
        episode = self._episode
        assert episode is not None
        episode.decide_at = None
        holder_lives, rivals = self._sides()
        if not rivals:
            self._episode = None
            self._follow_mac(now)
        elif (episode.holder_late and episode.rivals_late) or (not holder_lives and self._two_rivals_go_on(rivals)):
            episode.contested = True
            self.contests += 1
            latest = max((claim for claims in rivals.values() for claim in claims), key=lambda claim: claim.last)
            self._notify(Notice(now, EventName.CONTEST_STARTED, latest.mac, self._holder_mac()))
            self._end_contest(now, [])  # in case the others have lapsed by now
        elif len(rivals) == 1:
            party, claims = next(iter(rivals.items()))
            self._judge_rival(now, party, claims, holder_lives=holder_lives)

    def _judge_rival(self, now: Nanoseconds, party: Party, claims: list[Claim], *, holder_lives: bool) -> None:
        episode = self._episode
        assert episode is not None
        assert self.holder is not None
        new, old = claims[0], self.holder.mac
        heard = [new] if self._remembered is not None else [new, self.holder]
        first = self._first_in_episode(party, claims)
        since = episode.start - self._settle
        followed = self._evidence.changed_to(new.mac, now=now, old=old, since=since)
        if not holder_lives and sum(claim.frames for claim in claims) >= (1 if self.period.value == 0 else 2):
            if (
                self.period.value
                and not followed
                and self._evidence.vouches_for_holder(
                    new.mac,
                    now=now,
                    old=old,
                    # Named while the old MAC was heard, not only since it fell silent.
                    since=min(episode.start, self._party_last()) - self._settle,
                    incoming=[claim.mac for claim in heard if claim.last_outgoing is None],
                    remembered=self._remembered,
                )
            ):
                # A source that changes at the very end of the settle time still speaks for a move.
                episode.decide_at = first + self._settle + 1
                if now >= episode.decide_at:
                    self._episode = None
                    self._change_mac(now, new)
                return
            self._move(now, new, first)
        elif followed and self._party_last() < first:
            overlap = (frozenset({self._party(self.holder), old}), first + self.period.grace)
            self._move(now, new, first)
            self._overlap = overlap

    def _two_rivals_go_on(self, rivals: dict[Party, list[Claim]]) -> bool:
        """Two new claimants each have a frame later than grace after the later one's first, lapsed since or not."""
        assert self._episode is not None
        spans = [(self._first_in_episode(party, claims), self._last(claims)) for party, claims in rivals.items()]
        spans += [(claim.first, claim.last) for party, claim in self._episode.lapsed.items() if party not in rivals]
        return any(
            min(last, other_last) > max(first, other_first) + self.period.grace
            for index, (first, last) in enumerate(spans)
            for other_first, other_last in spans[index + 1 :]
        )

    @staticmethod
    def _last(claims: list[Claim]) -> Nanoseconds:
        return max(claim.last for claim in claims)

    def _first_in_episode(self, party: Party, claims: list[Claim]) -> Nanoseconds:
        assert self._episode is not None
        earlier = self._episode.lapsed.get(party)
        return min([claim.first for claim in claims] + ([earlier.first] if earlier else []))

    def _holder_mac(self) -> Mac:
        assert self.holder is not None
        return self.holder.mac

    def _lapse(self, now: Nanoseconds, claim: Claim) -> None:
        del self.live[claim.mac]
        if self.holder is not None and self._is_holder(claim):
            self.holder.last = max(self.holder.last, claim.last)  # its node was heard until then, by whichever MAC
        if self._episode is None:
            self._follow_mac(now)
            return
        if not self._is_holder(claim) and self._party(claim) not in self._sides()[1]:
            self._remember(claim)
            self.withdrawn += 1
            self._notify(
                Notice(now, EventName.CLAIM_WITHDRAWN, claim.mac, self._holder_mac(), claim.first, frames=claim.frames)
            )
        self._judge(now)

    def _remember(self, claim: Claim) -> None:
        assert self._episode is not None
        lapsed = self._episode.lapsed
        earlier = lapsed.pop(self._party(claim), None)
        if earlier is not None:
            claim = Claim(claim.mac, earlier.first, claim.last)
        elif len(lapsed) >= CLAIMANT_CAP:
            del lapsed[next(iter(lapsed))]
        lapsed[self._party(claim)] = claim

    def _end_contest(self, now: Nanoseconds, due: list[Claim]) -> None:
        """Let claims lapse, those of one moment together; the contest ends when at most one party is left."""
        episode = self._episode
        assert episode is not None
        for claim in due:
            del self.live[claim.mac]
            if not self._is_holder(claim):
                self._remember(claim)
        holder_lives, rivals = self._sides()
        if len(rivals) + holder_lives > 1:
            return
        old = self._holder_mac()
        survivor = next(iter(rivals.items()), None)
        self._notify(Notice(now, EventName.CONTEST_ENDED, survivor[1][0].mac if survivor else old, old))
        if survivor is None:
            # The holder from before is left, or all stopped at the same moment: nothing has moved.
            self._episode = None
            self._follow_mac(now)
        else:
            party, claims = survivor
            self._move(now, claims[0], self._first_in_episode(party, claims))

    def _move(self, now: Nanoseconds, new: Claim, first: Nanoseconds) -> None:
        old, last = self._holder_mac(), self._party_last()
        new_party = self._party(new)
        self.claimants.live = {mac: claim for mac, claim in self.live.items() if self._party(claim) == new_party}
        gap = None if self._remembered is not None else max(0, first - last)
        self._episode = self._overlap = self._remembered = None
        self.period.forget()
        self.holder, self.holder_since = new, first
        self._heard, self._silent = True, False
        self.moves += 1
        self.claimants.show(new, must=True)
        self._notify(Notice(now, EventName.VIP_MOVED, new.mac, old, first, gap=gap))

    def _follow_mac(self, now: Nanoseconds) -> None:
        """The holder's MAC fell silent and another of the same node goes on: the holder changed its MAC."""
        if self.holder is None or self.holder.mac in self.live:
            return
        enough = 1 if self.period.value == 0 else 2
        heirs = [claim for claim in self.live.values() if self._is_holder(claim) and claim.frames >= enough]
        if heirs:
            self._change_mac(now, max(heirs, key=lambda claim: claim.last))

    def _change_mac(self, now: Nanoseconds, new: Claim) -> None:
        old = self._holder_mac()
        self.holder = new
        self._heard, self._silent, self._remembered = True, False, None
        self.mac_changes += 1
        self.claimants.show(new, must=True)
        self._notify(Notice(now, EventName.MAC_CHANGED, new.mac, old, new.first))

    # --- capture ------------------------------------------------------------------------------------------------------

    def miss_frames(self, at: Nanoseconds) -> None:
        """Frames were lost up to now: silence must begin anew."""
        self._missed_at = at

    def lose_capture(self) -> None:
        """Nothing can be heard: what was open is left undecided, the holder is remembered but not vouched for."""
        self._listening_since = self._episode = self._overlap = None
        self._heard = self._silent = False
        self.live.clear()

    def restore_capture(self, at: Nanoseconds) -> None:
        self._listening_since = at
