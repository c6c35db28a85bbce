"""Who holds one VIP, all sources taken together, and when that moved: the fused holder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exporter.vip.claimants import Claim
from exporter.vip.claims import Claims, Notice
from exporter.vip.evidence import Evidence
from exporter.vip.model import SECOND, EventName, Mac, Nanoseconds, Source, State, format_mac
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import FieldValue, LastMove
from exporter.vip.sources import Belief, Sources
from exporter.vip.world import World

Emit = Callable[[EventName, Mapping[str, FieldValue], Nanoseconds | None], None]
"""Told the name, the fields, and since when where that is not now."""


class Verdict:
    """Joins the claims on the wire with the other sources. `review` after every change of either."""

    def __init__(self, *, at: Nanoseconds, world: World, sources: Sources, evidence: Evidence, emit: Emit) -> None:
        self.moves = 0
        self.last_move: LastMove | None = None
        self.last_handover: Nanoseconds | None = None
        """Of the last move; None: it could not be measured."""
        self._now = at
        self._world = world
        self._sources = sources
        self._evidence = evidence
        self._emit = emit
        self._claims: Claims
        self._named = ""
        """The node last known to hold the VIP."""
        self._named_at = at
        self._ahead = ""
        """A node to which a move was counted while the wire was mute: the wire's own move to it is that same move."""
        self._takeover: Nanoseconds | None = None
        """The first frame of the wire's present holder."""
        self._lag_open = False
        self._remembered: Nanoseconds | None = None
        """Since when `_named` has held the VIP, as long as only an earlier run of the program says so."""

    def remember(self, node: str, *, since: Nanoseconds) -> None:
        """An earlier run of the program knew this holder, by name."""
        if node and not self._named:
            self._named, self._remembered = node, since
            self._sources.presume(node)

    @property
    def counted_from(self) -> str:
        """The node from which the next move will be counted: shown as the holder, unless a move is being decided on."""
        return self._named

    def attach(self, claims: Claims) -> None:
        """These are the claims on the wire; their notices come to `take_notice`."""
        self._claims = claims

    # --- the holder now -----------------------------------------------------------------------------------------------

    def node_of_claim(self, claim: Claim | None) -> str:
        if claim is None:
            return ""
        return self._evidence.this_node if self._claims.is_outgoing(claim) else self._evidence.node_of(claim.mac)

    def believed(self) -> tuple[Source | None, str]:
        """The strongest source beside the wire that names a node."""
        named = ((source, node) for source, node in self._sources.named(self._now) if not self._is_outdated(source))
        return next(named, (None, ""))

    def _is_outdated(self, source: Source) -> bool:
        """The wire has moved and this source has not followed: it still names the holder from before."""
        move, belief = self.last_move, self._sources[source]
        if move is None or move.at != self._takeover or self.is_shared:
            return False
        went_back = belief.changed_at is not None and belief.changed_at > move.at
        return same_node(belief.node, move.origin) and not went_back

    @property
    def annotation_left_behind(self) -> bool:
        """The wire went on to another holder than the annotation names, though no MAC tells which node that is."""
        wire = self._claims.wire_holder
        return wire is not None and not self.node_of_claim(wire) and self._is_outdated(Source.ANNOTATION)

    @property
    def wire_mac(self) -> str:
        wire = self._claims.wire_holder
        return "" if wire is None else format_mac(wire.mac)

    def holder(self) -> tuple[Source | None, str]:
        """The fused holder: the strongest source that names a node, and the node; empty if none does."""
        node = self.node_of_claim(self._claims.wire_holder)
        # While a new claimant is not yet sure, the wire stands for the old one, whom a source may have left already.
        if node and not self._ahead:
            return Source.WIRE, node
        return self.believed()

    def holder_since(self, source: Source | None, node: str) -> Nanoseconds | None:
        """Since when the fused holder, whom this source names, has held the VIP; None: there is none."""
        wire = self._claims.wire_holder
        if wire is not None and not self.is_shared and not (node and self._claims.rules_out(wire, node)):
            since = self._claims.holder_since
        elif source is None:
            return None
        elif source is Source.WIRE:
            # All nodes have one MAC: only another source can tell since when it is this one.
            agreeing = (self._sources[other].since for other, name in self._sources.named(self._now) if name == node)
            since = next(agreeing, self._claims.holder_since)
        else:
            since = self._sources[source].since
        lease = self._sources[Source.LEASE]
        if self.moves or not node or not self._sources.lease_fresh(self._now) or not same_node(lease.node, node):
            return since
        # Watching began in the middle of it: whoever elected the holder knows better.
        return min(since, lease.since)

    @property
    def is_shared(self) -> bool:
        """The wire's holder announces from the MAC that every node has."""
        return self._claims.holder is not None and self._evidence.is_hwaddr(self._claims.holder.mac)

    # --- its moves, as the sources beside the wire show them ----------------------------------------------------------

    def next_due(self) -> Nanoseconds | None:
        """When a source's change will count if the wire does not show it until then; None too once that has passed."""
        since = self._undecided_since()
        due = None if since is None else since + self._world.settle
        # An episode may hold the decision up; its end brings it, not time.
        return due if due is not None and due > self._now else None

    def learn(self, now: Nanoseconds, source: Source, name: str, *, since: Nanoseconds | None = None) -> None:
        """A source beside the wire says this now, and maybe since when it has been so."""
        node = self._world.nodes.canonical(name)
        changed = self._sources.learn(now, source, node, takeover=self._takeover, since=since)
        # One that names somebody else is still on its way, or ahead of the wire: then it follows the next move.
        follows = not self._named or same_node(node, self._named)
        if changed and follows and source is Source.ANNOTATION and self._lag_open and self._takeover is not None:
            self._observe_lag(now - self._takeover)

    def review(self, now: Nanoseconds) -> None:
        """Something has changed: count the moves that only other sources show."""
        self._now = now
        if self._claims.state is State.HELD:
            self._ahead = ""  # the wire speaks for itself again
        self._follow_names()

    def _follow_names(self) -> None:
        source, node = self.holder()
        state = self._claims.state
        if source is None or state in (State.MOVING, State.CONTESTED):
            return
        if state is State.HELD and not self.is_shared:
            if self._remembered is not None and source is Source.WIRE and not same_node(node, self._named):
                self._count_move(source, node)  # no MAC was remembered that the claims could compare
            if source is Source.WIRE or not self._named or not self._is_unexplained(source):
                self._name(node)
            return
        if self._awaits_lease(source):
            return
        if self._named and not same_node(node, self._named):
            if (since := self._undecided_since()) is not None and self._now < since + self._world.settle:
                return  # the wire, or a stronger source, may yet show how it was
            if not self._is_news(node):
                # Stronger evidence fell away; or, where all nodes have one MAC, only the direction of its frames tells
                # of this node. Neither is a move by itself.
                return
            if state in (State.SILENT, State.UNKNOWN):
                self._ahead = node
            self._count_move(source, node)
        self._name(node)

    def _name(self, node: str) -> None:
        if not same_node(node, self._named):
            self._named_at = self._now
        self._named, self._remembered = node, None

    def _is_unexplained(self, source: Source) -> bool:
        """It went over to another node, and a MAC of no known node goes on: that stands for the node from before."""
        belief = self._sources[source]
        return belief.changed_at != belief.matched

    def _is_news(self, node: str) -> bool:
        """A source beside the wire went over to this node since another was named, and not just did the wire fall mute.

        After a restart, whatever differs from what an earlier run knew is news.
        """
        return self._remembered is not None or any(
            belief.changed_at is not None and belief.changed_at >= self._named_at and same_node(belief.node, node)
            for _, belief in self._sources.items()
        )

    def _undecided_since(self) -> Nanoseconds | None:
        """Since when a source names another node than the last known holder, if that may be a move and is not counted.

        While the wire speaks there is no such waiting, but for the very first of what is said after a restart.
        """
        if self._claims.state not in (State.SILENT, State.UNKNOWN) and self._remembered is None:
            return None
        source, node = self.believed()
        return None if source is None or same_node(node, self._named) else self._sources[source].learned_at

    def _awaits_lease(self, source: Source) -> bool:
        """The lease is between two holders and will decide; until then the annotation moves nothing."""
        return source is Source.ANNOTATION and self._sources[Source.LEASE].known

    def _count_move(self, source: Source, node: str) -> None:
        self.moves += 1
        since = self._sources[source].since if source is not Source.WIRE else self._now
        self.last_move = LastMove(since, self._named, node)
        self.last_handover = None
        self._emit(
            EventName.VIP_MOVED,
            {
                "from": self._named,
                "to": node,
                "from_mac": self.wire_mac,
                "to_mac": self.wire_mac,
                "source": source,
            },
            since,
        )

    # --- and as the wire reports them ---------------------------------------------------------------------------------

    def take_notice(self, notice: Notice) -> None:
        """Something happened on the wire: say what that means."""
        self._now = notice.at
        old = self._evidence.node_of(notice.old) if notice.old else ""
        new = self._node_of_mac(notice.mac) if notice.mac else ""
        match notice.name:
            case EventName.VIP_MOVED:
                self._take_move(notice, old, new)
            case EventName.VIP_SEEN:
                self._take_over(notice.at, new)
                self._sources.presume_current()
                self._emit(notice.name, {"mac": _text(notice.mac), "holder": new}, None)
            case EventName.VIP_SILENT:
                self._emit(notice.name, {"mac": _text(notice.mac), "holder": self._named}, None)
            case EventName.VIP_RETURNED:
                self._emit(
                    notice.name,
                    {
                        "mac": _text(notice.mac),
                        "holder": new or self._named,
                        "silence_seconds": (notice.gap or 0) / SECOND,
                    },
                    None,
                )
            case EventName.CLAIM_WITHDRAWN:
                self._emit(
                    notice.name,
                    {
                        "mac": _text(notice.mac),
                        "claimant": self._evidence.node_of(notice.mac) if notice.mac else "",
                        "frames": notice.frames,
                        "holder": self._named,
                        "holder_mac": _text(notice.old),
                    },
                    None,
                )
            case _:  # contests, and the change of a MAC
                self._emit(
                    notice.name,
                    {
                        "from": old or self._named,
                        "to": new or (self._named if notice.mac == notice.old else ""),
                        "from_mac": _text(notice.old),
                        "to_mac": _text(notice.mac),
                    },
                    None,
                )

    def _node_of_mac(self, mac: Mac) -> str:
        """Of one that has just begun to speak, before it has a claim, too."""
        claim = self._claims.live.get(mac)
        return self._evidence.node_of(mac) if claim is None else self.node_of_claim(claim)

    def _take_move(self, notice: Notice, old: str, new: str) -> None:
        assert notice.first is not None
        first = notice.first
        news = self._news_of(first - self._world.settle)
        # A source that is ahead of the wire has been followed already: the old holder is the one it named before.
        if notice.gap is None:
            old = self._named or old
        else:
            old = old or (news.before if news and same_node(news.node, self._named) else self._named)
        # A source that changed long ago, while the wire was silent, names the new holder too.
        others = (node for _, node in self._sources.named(self._now) if not same_node(node, old))
        new = new or (news.node if news else next(others, ""))
        if same_node(old, new):
            old = ""  # only a source named it, which meant the new one
        ahead = self._ahead or self._shown_before(first)
        self._take_over(first, new or ahead)
        annotation = self._sources[Source.ANNOTATION].node
        if self._lag_open and annotation and same_node(annotation, new or ahead):
            self._observe_lag(0)  # it had gone ahead, further than the settle time
        self._named, self._named_at, self._remembered = new, self._now, None
        handover: dict[str, FieldValue] = {}
        self.last_handover = notice.gap
        if notice.gap is not None:
            self._world.handover.observe(notice.gap)
            handover = {"handover_seconds": notice.gap / SECOND}
        if ahead and (not new or same_node(new, ahead)):
            self._named = ahead
            return
        self.moves += 1
        self.last_move = LastMove(first, old or _text(notice.old), new or _text(notice.mac))
        self._emit(
            EventName.VIP_MOVED,
            {
                "from": old,
                "to": new,
                "from_mac": _text(notice.old),
                "to_mac": _text(notice.mac),
                "source": Source.WIRE,
                **handover,
            },
            first,
        )

    def _shown_before(self, first: Nanoseconds) -> str:
        """The node to which only other sources showed a move just now, for all nodes had one MAC: it is this move."""
        move = self.last_move
        if move is None or move.at == self._takeover or move.at < first - self._world.settle:
            return ""
        return move.target

    def _news_of(self, since: Nanoseconds) -> Belief | None:
        """The source that went over to another node about now: it names the new holder where its MAC does not tell."""
        return next((belief for _, belief in self._sources.items() if belief.has_news(since)), None)

    def _take_over(self, first: Nanoseconds, node: str) -> None:
        """The wire has a new holder, maybe without a name: match the sources that follow it, await the annotation."""
        self._takeover = first
        followed = self._sources.follow(first, node)
        self._lag_open = self._claims.moves > 0
        changed_at = self._sources[Source.ANNOTATION].changed_at
        if self._lag_open and Source.ANNOTATION in followed and changed_at is not None:
            self._observe_lag(changed_at - first)

    def _observe_lag(self, lag: Nanoseconds) -> None:
        self._lag_open = False
        self._world.annotation_lag.observe(max(0, lag))


def _text(mac: Mac | None) -> str:
    return "" if mac is None else format_mac(mac)
