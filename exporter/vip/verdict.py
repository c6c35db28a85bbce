"""One VIP judged from all sources: the fused holder, its moves, the mismatches between sources, the requirements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.vip.checks import Facts, Mismatches, failures, requirements
from exporter.vip.claims import Claim, Claims, Notice
from exporter.vip.histogram import Histogram
from exporter.vip.model import (
    ANNOUNCEMENTS,
    SECOND,
    ClaimantClass,
    EventName,
    IPAddress,
    Kind,
    Mac,
    Mode,
    Nanoseconds,
    ServiceIntent,
    ServiceRef,
    Sighting,
    Source,
    State,
    format_mac,
)
from exporter.vip.nodes import NodeMap, is_fhrp, same_node
from exporter.vip.snapshot import (
    Claimant,
    Event,
    FieldValue,
    LastMove,
    SourceHolder,
    VipSnapshot,
)
from exporter.vip.sources import Sources

BUCKETS = (1, 2, 5, 10, 20, 60, 300, 3600)
"""Upper bounds of the histograms of handovers and lags, in seconds."""
SIGHTING_KINDS = ("probe", "own_probe", "ordinary_request", "ordinary_reply", "solicited_na")
PROBE_BURST = 10
PROBE_EVERY: Nanoseconds = 10 * SECOND
"""A flood of probes makes that many events at once, then one in this time; the counter counts them all."""
BELIEVED = (Source.LEASE, Source.ANNOTATION, Source.LOCAL)


@dataclass(slots=True)
class World:
    """What all VIPs share. The core owns it and is the only one to change it."""

    observer: str
    settle: Nanoseconds
    nodes: NodeMap = field(default_factory=NodeMap)
    intent_fresh: bool = True
    blind: bool = True
    handover: Histogram = field(default_factory=lambda: Histogram(BUCKETS))
    annotation_lag: Histogram = field(default_factory=lambda: Histogram(BUCKETS))


class Vip:
    """One VIP. It is its claims' `Evidence`: what the other sources know of a MAC."""

    def __init__(
        self,
        address: IPAddress,
        *,
        at: Nanoseconds,
        world: World,
        period: Nanoseconds | None,
        emit: Callable[[Event], None],
    ) -> None:
        self.address = address
        self.this_node = world.observer
        self.retired_at: Nanoseconds | None = None
        """When the last Service gave the address up; it stays watched until it is silent."""
        self.predecessors: list[Vip] = []
        """The addresses that its Service had before, as long as they are announced."""
        self.scheduled: Nanoseconds | None = None
        """The core's note of when it will next look at this VIP."""
        self._world = world
        self._emit_event = emit
        self._default_period = period
        self._now = at
        self._services: dict[ServiceRef, ServiceIntent] = {}
        self._intent: ServiceIntent | None = None
        self._sources = Sources(world.settle)
        self._claims = Claims(
            at=at,
            evidence=self,
            settle=world.settle,
            period=period,
            blind=world.blind,
            notify=self._take_notice,
        )
        self._moves = 0
        self._source_moves_wire = 0
        self._last_move: LastMove | None = None
        self._last_handover: Nanoseconds | None = None
        self._named = ""
        """The node last known to hold the VIP."""
        self._ahead = ""
        """A node to which a move was counted while the wire was mute: the wire's own move to it is that same move."""
        self._takeover: Nanoseconds | None = None
        """The first frame of the wire's present holder."""
        self._lag_open = False
        self._announcements: Counter[Kind] = Counter()
        self._sightings: Counter[str] = Counter()
        self._last_announcement: Nanoseconds | None = None
        self._mismatches = Mismatches(world.settle, lambda name, fields, since: self._emit(name, fields, since=since))
        self._probe_tokens = PROBE_BURST
        self._probe_refilled = at

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_due(self) -> Nanoseconds | None:
        expiry, retired = self._sources.lease_expires, self._retired_until()
        news = self._undecided_news()
        dues = (
            self._claims.next_due(),
            self._mismatches.next_due(),
            expiry + 1 if expiry is not None and expiry >= self._now else None,
            news + self._world.settle if news is not None else None,
            # A VIP that is watched for another reason too goes on after that moment.
            retired if retired is not None and retired > self._now else None,
        )
        return min((due for due in dues if due is not None), default=None)

    def advance(self, to: Nanoseconds) -> None:
        """Handle what falls due until `to`; the core calls it for each due moment, in the order of time."""
        self._now = max(self._now, to)
        self._claims.advance(self._now)
        self._review()

    @property
    def is_over(self) -> bool:
        """No Service wants it any more, and nobody announces it."""
        if self.retired_at is None:
            return False
        end = self._retired_until()
        return not self._claims.announced or (end is not None and self._now >= end)

    def _retired_until(self) -> Nanoseconds | None:
        """When to stop watching an address whose announcer does not repeat, so that it never falls silent by itself."""
        if self.retired_at is None or self._claims.period != 0:
            return None
        return max(self.retired_at, self._last_announcement or 0) + self._claims.silence

    # --- inputs -------------------------------------------------------------------------------------------------------

    def sight(self, at: Nanoseconds, sighting: Sighting) -> bool:
        """Take a frame; the result says whether anything but an age or a count may have changed."""
        self._now = at
        kind = sighting.kind
        # That a frame left this node only tells something where it is known which node this is.
        outgoing = sighting.outgoing and bool(self.this_node)
        if kind in ANNOUNCEMENTS:
            self._announcements[kind] += 1
            self._last_announcement = at
            before = self._claims.view
            if self._claims.announce(at, sighting.mac, outgoing=outgoing):
                if self._claims.view != before:
                    self._review()
                return True
        elif kind is Kind.PROBE:
            self._take_probe(sighting)
        else:
            self._sightings[kind] += 1
        return False

    def _take_probe(self, sighting: Sighting) -> None:
        mac = sighting.mac
        holder = self._claims.holder
        if (
            sighting.outgoing
            or (holder is not None and holder.mac == mac)
            or self.class_of(mac) in (ClaimantClass.NODE, ClaimantClass.HWADDR)
        ):
            self._sightings["own_probe"] += 1
            return
        self._sightings["probe"] += 1
        refill = (self._now - self._probe_refilled) // PROBE_EVERY
        self._probe_tokens = min(PROBE_BURST, self._probe_tokens + refill)
        self._probe_refilled += refill * PROBE_EVERY
        if self._probe_tokens:
            self._probe_tokens -= 1
            self._emit(EventName.PROBE_SEEN, {"mac": format_mac(mac), "class": self.class_of(mac)})

    def take_intent(self, intent: ServiceIntent) -> None:
        self._services[intent.service] = intent
        self.retired_at = None
        self._use_intent(intent)

    def drop_service(self, service: ServiceRef) -> None:
        """The Service is gone or has given the address up."""
        self._services.pop(service, None)
        if self._services:
            if self._intent is not None and self._intent.service == service:
                self._use_intent(next(reversed(self._services.values())))
            return
        self._sources[Source.ANNOTATION].forget()
        self.retired_at = self._now
        self._review()

    def _use_intent(self, intent: ServiceIntent) -> None:
        self._intent = intent
        self._claims.configure_period(intent.period if intent.period is not None else self._default_period)
        self._learn(Source.ANNOTATION, intent.vip_host)

    def take_lease(self, holder: str, expires: Nanoseconds | None) -> None:
        self._sources.lease_expires = expires
        self._learn(Source.LEASE, holder)

    def take_bound(self, devices: tuple[str, ...]) -> None:
        self._learn(Source.LOCAL, self.this_node if devices else "")

    def _learn(self, source: Source, name: str) -> None:
        canonical = self._world.nodes.canonical(name) if name else ""
        changed = self._sources.learn(self._now, source, canonical, takeover=self._takeover)
        if changed and source is Source.ANNOTATION and self._lag_open and self._takeover is not None:
            self._observe_lag(self._now - self._takeover)
        self._claims.reconsider(self._now)
        self._review()

    def reconsider(self) -> None:
        """The nodes or the freshness of the intent have changed."""
        self._claims.reconsider(self._now)
        self._review()

    def lose_capture(self) -> None:
        self._claims.lose_capture()
        self._review()

    def restore_capture(self) -> None:
        self._claims.restore_capture(self._now)

    # --- what the other sources know of a MAC: `Evidence` -------------------------------------------------------------

    def node_of(self, mac: Mac) -> str:
        return "" if self._is_hwaddr(mac) else self._world.nodes.node_of(mac)

    def class_of(self, mac: Mac) -> ClaimantClass:
        if self._is_hwaddr(mac):
            return ClaimantClass.HWADDR
        if self._world.nodes.node_of(mac):
            return ClaimantClass.NODE
        if is_fhrp(mac):
            return ClaimantClass.FHRP
        return ClaimantClass.FOREIGN if self._world.nodes.complete else ClaimantClass.UNRESOLVED

    def changed_to(self, mac: Mac, *, old: Mac, since: Nanoseconds) -> bool:
        return any(
            belief.has_news(since) and self._may_be(mac, belief.node) and not self._is_node(old, belief.node)
            for source, belief in self._sources.items()
            if source is not Source.LEASE or self._sources.lease_fresh(self._now)
        )

    def vouches_for_holder(self, mac: Mac, *, since: Nanoseconds) -> bool:
        # Only the lease: it is renewed every few seconds, while an annotation may be a leftover.
        lease = self._sources[Source.LEASE]
        return (
            self._sources.lease_fresh(self._now)
            and bool(lease.node)
            and (lease.changed_at is None or lease.changed_at < since)
            and self.class_of(mac) is ClaimantClass.UNRESOLVED
            and self._may_be(mac, lease.node)
        )

    def _is_node(self, mac: Mac, node: str) -> bool:
        return same_node(self.node_of(mac), node)

    def _may_be(self, mac: Mac, node: str) -> bool:
        """Nothing speaks against the MAC being that node's."""
        if resolved := self.node_of(mac):
            return same_node(resolved, node)
        return self._is_hwaddr(mac) or not (is_fhrp(mac) or self._world.nodes.macs_known(node))

    def _is_hwaddr(self, mac: Mac) -> bool:
        """DHCP mode gives every node this MAC, so it names none of them."""
        return self._intent is not None and self._intent.mode is Mode.DHCP and self._intent.hwaddr == mac

    # --- the fused holder ---------------------------------------------------------------------------------------------

    def _node_of_claim(self, claim: Claim | None) -> str:
        if claim is None:
            return ""
        return self.this_node if self._claims.is_outgoing(claim) else self.node_of(claim.mac)

    def _believed(self) -> tuple[Source | None, str]:
        """The strongest source beside the wire that names a node."""
        named = (
            (source, node) for source, node in self._sources.named(self._now) if not self._is_outdated(source, node)
        )
        return next(named, (None, ""))

    def _is_outdated(self, source: Source, node: str) -> bool:
        """The wire has just moved and this source has not followed yet: it still names the holder from before."""
        move = self._last_move
        if source is Source.LOCAL or move is None or move.at != self._takeover or self._is_shared:
            return False
        return self._now - move.at <= self._world.settle and same_node(node, move.origin)

    def _fused(self) -> tuple[Source | None, str]:
        node = self._node_of_claim(self._claims.wire_holder)
        # While a new claimant is not yet sure, the wire stands for the old one, whom a source may have left already.
        if node and not self._ahead:
            return Source.WIRE, node
        return self._believed()

    @property
    def _is_shared(self) -> bool:
        """The wire's holder announces from the MAC that every node has."""
        return self._claims.holder is not None and self._is_hwaddr(self._claims.holder.mac)

    def _review(self) -> None:
        """Draw the conclusions from a change of anything: moves that only other sources show, and mismatches."""
        if self._claims.state is State.HELD:
            self._ahead = ""  # the wire speaks for itself again
        self._follow_names()
        self._mismatches.update(self._now, failures(self._facts()))

    def _facts(self) -> Facts:
        wire, named = self._claims.wire_holder, dict(self._sources.named(self._now))
        return Facts(
            observer=self.this_node,
            intent=self._intent,
            intent_fresh=self._world.intent_fresh,
            state=self._claims.state,
            wire_mac=wire.mac if wire else None,
            wire_class=self._claims.class_of(wire) if wire else None,
            wire_node=self._node_of_claim(wire),
            lease=named.get(Source.LEASE, ""),
            annotation=self._sources[Source.ANNOTATION].node,
            local=self._sources[Source.LOCAL].node,
            believed=self._believed()[1],
            still_announced=next((vip.address for vip in self.predecessors if vip.is_announced), None),
        )

    @property
    def is_announced(self) -> bool:
        """Somebody announces it."""
        return self._claims.announced

    def _follow_names(self) -> None:
        source, node = self._fused()
        state = self._claims.state
        if source is None or state in (State.MOVING, State.CONTESTED):
            return
        if state is State.HELD and not self._is_shared:
            self._named = node
            return
        if self._awaits_lease(source):
            return
        if self._named and not same_node(node, self._named):
            if state is not State.HELD and (due := self._undecided_news()) is not None:
                if self._now < due + self._world.settle:
                    return  # the wire may yet show the move itself
                self._ahead = node
            self._count_move(source, node)
        self._named = node

    def _undecided_news(self) -> Nanoseconds | None:
        """When a source went over to another node while the wire was mute, as long as that is not counted."""
        if self._claims.state not in (State.SILENT, State.UNKNOWN):
            return None
        source, node = self._believed()
        if source is None or not self._named or same_node(node, self._named):
            return None
        return None if self._awaits_lease(source) else self._sources[source].since

    def _awaits_lease(self, source: Source) -> bool:
        """The lease is between two holders and will decide; until then the annotation moves nothing."""
        return source is Source.ANNOTATION and self._sources[Source.LEASE].known

    def _count_move(self, source: Source, node: str) -> None:
        self._moves += 1
        since = self._sources[source].since if source is not Source.WIRE else self._now
        self._last_move = LastMove(since, self._named, node)
        self._emit(
            EventName.VIP_MOVED,
            {
                "from": self._named,
                "to": node,
                "from_mac": self._wire_mac(),
                "to_mac": self._wire_mac(),
                "source": source,
            },
            since=since,
        )

    # --- what the wire reports ----------------------------------------------------------------------------------------

    def _take_notice(self, notice: Notice) -> None:
        old = self.node_of(notice.old) if notice.old else ""
        new = self._node_of_claim(self._claims.live.get(notice.mac)) if notice.mac else ""
        match notice.name:
            case EventName.VIP_MOVED:
                self._take_move(notice, old or self._named, new)
            case EventName.VIP_SEEN:
                self._take_over(notice.at)
                self._emit(notice.name, {"mac": _text(notice.mac), "holder": new})
            case EventName.VIP_SILENT:
                fields: dict[str, FieldValue] = {"mac": _text(notice.mac), "holder": self._named}
                self._emit(notice.name, fields)
            case EventName.VIP_RETURNED:
                self._emit(
                    notice.name,
                    {"mac": _text(notice.mac), "holder": new or self._named, "silence_seconds": notice.gap / SECOND},
                )
            case EventName.CLAIM_WITHDRAWN:
                self._emit(
                    notice.name,
                    {
                        "mac": _text(notice.mac),
                        "claimant": self.node_of(notice.mac) if notice.mac else "",
                        "frames": notice.frames,
                        "holder": self._named,
                        "holder_mac": _text(notice.old),
                    },
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
                )

    def _take_move(self, notice: Notice, old: str, new: str) -> None:
        assert notice.first is not None
        first = notice.first
        self._source_moves_wire += 1
        new = new or self._news_of(first - self._world.settle)
        ahead, self._ahead = self._ahead, ""
        self._take_over(first)
        self._named = new
        if ahead and (not new or same_node(new, ahead)):
            self._named = ahead
            return
        self._moves += 1
        self._last_handover = notice.gap
        self._last_move = LastMove(first, old or _text(notice.old), new or _text(notice.mac))
        self._world.handover.observe(notice.gap)
        self._emit(
            EventName.VIP_MOVED,
            {
                "from": old,
                "to": new,
                "from_mac": _text(notice.old),
                "to_mac": _text(notice.mac),
                "source": Source.WIRE,
                "handover_seconds": notice.gap / SECOND,
            },
            since=first,
        )

    def _news_of(self, since: Nanoseconds) -> str:
        """The node that a source went over to about now: the new holder's name where its MAC does not tell."""
        return next((belief.node for _, belief in self._sources.items() if belief.has_news(since)), "")

    def _take_over(self, first: Nanoseconds) -> None:
        """The wire has a new holder: match the sources that already follow it, await the annotation."""
        self._takeover = first
        followed = self._sources.follow(first)
        self._lag_open = self._claims.moves > 0
        changed_at = self._sources[Source.ANNOTATION].changed_at
        if self._lag_open and Source.ANNOTATION in followed and changed_at is not None:
            self._observe_lag(changed_at - first)

    def _observe_lag(self, lag: Nanoseconds) -> None:
        self._lag_open = False
        self._world.annotation_lag.observe(max(0, lag))

    # --- what it shows ------------------------------------------------------------------------------------------------

    @property
    def vlan(self) -> int | None:
        return self._intent.vlan if self._intent else None

    def snapshot(self, now: Nanoseconds) -> VipSnapshot:
        self._now = now
        source, node = self._fused()
        claims = self._claims
        since = self._sources[source].since if source in BELIEVED else None
        if claims.wire_holder is not None and not self._is_shared:
            since = claims.holder_since
        return VipSnapshot(
            address=self.address,
            mode=self._intent.mode if self._intent else Mode.UNKNOWN,
            services=tuple(sorted((ref for ref in self._services if ref.namespace), key=str)),
            state=claims.state,
            holder=node,
            holder_source=source,
            holder_mac=self._wire_mac(),
            holder_since=since,
            sources=self._source_holders(),
            moves=self._moves,
            source_moves={
                Source.WIRE: self._source_moves_wire,
                **{source: belief.moves for source, belief in self._sources.items()},
            },
            mac_changes=claims.mac_changes,
            contests=claims.contests,
            withdrawn_claims=claims.withdrawn,
            last_move=self._last_move,
            last_handover=self._last_handover,
            announcements={kind: self._announcements[kind] for kind in ANNOUNCEMENTS},
            last_announcement=self._last_announcement,
            sightings={kind: self._sightings[kind] for kind in SIGHTING_KINDS},
            period=claims.period,
            claimants=tuple(self._claimant(claim) for claim in claims.live.values()),
            listed_claimants=tuple(self._claimant(claim) for claim in claims.listed(now)),
            claims={kind: claims.begun[kind] for kind in ClaimantClass},
            claimants_overflow=claims.overflow,
            mismatches=self._mismatches.current(),
            requirements=requirements(
                self._facts(),
                is_node_address=self._world.nodes.has_address(self.address),
                load_balancer=self._has_load_balancer(),
            ),
            intent_stale=None if self._intent is None else not self._world.intent_fresh,
        )

    def _claimant(self, claim: Claim) -> Claimant:
        return Claimant(
            mac=format_mac(claim.mac),
            holder=self._node_of_claim(claim),
            claimant_class=self._claims.class_of(claim),
            live=claim.mac in self._claims.live,
        )

    def _has_load_balancer(self) -> bool | None:
        if self._intent is None or not self._intent.service.namespace:
            return None
        return any(intent.load_balancer for intent in self._services.values())

    def _source_holders(self) -> tuple[SourceHolder, ...]:
        wire = self._claims.wire_holder
        holders = []
        if wire is not None:
            node = self._node_of_claim(wire)
            holders.append(SourceHolder(Source.WIRE, node, format_mac(wire.mac), self._claims.holder_since))
        for source, belief in self._sources.items():
            if belief.node and (source is not Source.LEASE or self._sources.lease_fresh(self._now)):
                holders.append(SourceHolder(source, belief.node, "", belief.since))
        return tuple(holders)

    def _wire_mac(self) -> str:
        return _text(self._claims.wire_holder.mac if self._claims.wire_holder else None)

    def _emit(self, name: EventName, fields: Mapping[str, FieldValue], *, since: Nanoseconds | None = None) -> None:
        self._emit_event(Event(self._now, name, self.address, fields, since))


def _text(mac: Mac | None) -> str:
    return format_mac(mac) if mac is not None else ""
