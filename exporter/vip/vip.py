"""One VIP: takes the inputs that concern it, and shows what has become of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from exporter.vip.burst import Settled
from exporter.vip.checks import Facts, Mismatches, failures, held_back, requirements, undecided
from exporter.vip.claimants import Claim
from exporter.vip.claims import Claims, Notice
from exporter.vip.evidence import Evidence
from exporter.vip.model import (
    ANNOUNCEMENTS,
    SECOND,
    ClaimantClass,
    EventName,
    IPAddress,
    Kind,
    LeaseSeen,
    Mac,
    Mode,
    Nanoseconds,
    Remembered,
    ServiceIntent,
    ServiceRef,
    Sighting,
    Source,
    State,
    format_mac,
)
from exporter.vip.snapshot import Claimant, Event, FieldValue, LeaseState, SourceHolder, VipSnapshot
from exporter.vip.sources import Sources
from exporter.vip.verdict import Verdict
from exporter.vip.world import World

CLAIMANT_CLASSES = tuple(ClaimantClass)
SIGHTING_KINDS = ("probe", "own_probe", "ordinary_request", "ordinary_reply", "solicited_na")
PROBE_BURST = 10
PROBE_EVERY: Nanoseconds = 10 * SECOND
"""A flood of probes makes that many events at once, then one in this time; the counter counts them all."""


class Vip:
    """One VIP. `advance` to a time before telling it what happened then; `next_due` says when to come back."""

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
        self.retired_at: Nanoseconds | None = None
        """When the last Service gave the address up; it stays watched until it is silent."""
        self.predecessors: list[Vip] = []
        """The addresses that its Service had before, as long as they are announced."""
        self.followers: list[Vip] = []
        """The addresses that took over from this one."""
        self.scheduled: Nanoseconds | None = None
        """The core's note of when it will next look at this VIP."""
        self._world = world
        self._emit_event = emit
        self._default_period = period
        self._now = at
        self._services: dict[ServiceRef, ServiceIntent] = {}
        self._intent: ServiceIntent | None = None
        self._sources = Sources(world.settle)
        self._evidence = Evidence(world, self._sources)
        self._verdict = Verdict(at=at, world=world, sources=self._sources, evidence=self._evidence, emit=self._emit)
        self._claims = Claims(
            at=at,
            evidence=self._evidence,
            settle=world.settle,
            period=period,
            blind=world.blind,
            notify=self._take_notice,
        )
        # A circle: claims ask the evidence, which reads the sources; the verdict joins both, and hears from the claims.
        self._verdict.attach(self._claims)
        self._mismatches = Mismatches(world.settle, self._emit)
        self._announcements: Counter[Kind] = Counter()
        self._sightings: Counter[str] = Counter()
        self._last_announcement: Nanoseconds | None = None
        self._probe_tokens = PROBE_BURST
        self._probe_refilled = at
        self._bound: tuple[str, ...] | None = None

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_due(self) -> Nanoseconds | None:
        expiry, retired = self._sources.lease_expires, self._retired_until()
        dues = (
            self._claims.next_due(),
            self._verdict.next_due(),
            self._mismatches.next_due(),
            expiry + 1 if expiry is not None and expiry >= self._now else None,
            # A VIP that is watched for another reason too goes on after that moment.
            retired if retired is not None and retired > self._now else None,
        )
        return min((due for due in dues if due is not None), default=None)

    def advance(self, to: Nanoseconds) -> None:
        """Handle what falls due until `to`; the core calls it for each due moment, in the order of time."""
        self._now = max(self._now, to)
        if self.scheduled is not None and self.scheduled > self._now:
            return  # nothing does
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
        if self.retired_at is None or self._claims.period.value != 0:
            return None
        return max(self.retired_at, self._last_announcement or 0) + self._claims.period.silence

    # --- inputs -------------------------------------------------------------------------------------------------------

    def sight(self, at: Nanoseconds, sighting: Sighting) -> bool:
        """Take a frame; the result says whether anything but an age or a count may have changed."""
        self._now = at
        kind = sighting.kind
        # That a frame left this node only tells something where it is known which node this is.
        outgoing = sighting.outgoing and bool(self._world.nodes.this_node)
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

    def settled(self, sightings: Iterable[Sighting], *, until: Nanoseconds) -> Settled:
        """Whether, until then, hearing these again changes nothing but ages and counts."""
        due = self.next_due()
        if due is not None and due <= until:
            return Settled.NO
        announcers = set()
        for sighting in sightings:
            if sighting.kind in ANNOUNCEMENTS:
                if sighting.outgoing:
                    return Settled.NO
                announcers.add(sighting.mac)
            elif sighting.kind is Kind.PROBE and not self._is_own_probe(sighting) and self._probe_events(until):
                return Settled.NO
        return self._claims.settled(announcers, until=until) if announcers else Settled.YES

    def sight_again(self, at: Nanoseconds, sighting: Sighting, frames: int) -> None:
        """Take so many more of this sighting, the last of them now, where these are `settled`."""
        self._now = at
        kind = sighting.kind
        if kind in ANNOUNCEMENTS:
            self._announcements[kind] += frames
            self._last_announcement = at
            self._claims.announce_again(at, sighting.mac, frames)
        elif kind is Kind.PROBE:
            self._sightings["own_probe" if self._is_own_probe(sighting) else "probe"] += frames
        else:
            self._sightings[kind] += frames

    def _take_probe(self, sighting: Sighting) -> None:
        if self._is_own_probe(sighting):
            self._sightings["own_probe"] += 1
            return
        self._sightings["probe"] += 1
        tokens = self._probe_events(self._now)
        self._probe_refilled += (self._now - self._probe_refilled) // PROBE_EVERY * PROBE_EVERY
        self._probe_tokens = tokens
        if tokens:
            self._probe_tokens -= 1
            mac = sighting.mac
            self._emit(EventName.PROBE_SEEN, {"mac": format_mac(mac), "class": self._evidence.class_of(mac)})

    def _is_own_probe(self, sighting: Sighting) -> bool:
        """The holder's or a node's."""
        holder = self._claims.holder
        return (
            sighting.outgoing
            or (holder is not None and holder.mac == sighting.mac)
            or self._evidence.class_of(sighting.mac) in (ClaimantClass.NODE, ClaimantClass.HWADDR)
        )

    def _probe_events(self, at: Nanoseconds) -> int:
        """How many probes would make an event at that time."""
        return min(PROBE_BURST, self._probe_tokens + (at - self._probe_refilled) // PROBE_EVERY)

    def take_intent(self, intent: ServiceIntent) -> None:
        known = self._services.get(intent.service)
        if known is None or known.vip_host != intent.vip_host:
            # Told last: of several Services with this address the one whose annotation changed last speaks.
            self._services.pop(intent.service, None)
        self._services[intent.service] = intent
        self.retired_at = None
        self._use_intent()

    def drop_service(self, service: ServiceRef) -> None:
        """The Service is gone or has given the address up."""
        self._services.pop(service, None)
        if self._services:
            self._use_intent()
            return
        self._sources[Source.ANNOTATION].forget()
        self.retired_at = self._now
        self._review()

    def _use_intent(self) -> None:
        # A wish says nothing where there is a Service, nor a Service without a holder where another names one.
        intent = max(reversed(self._services.values()), key=lambda one: (not one.expected, bool(one.vip_host)))
        self._intent = self._evidence.intent = intent
        self._claims.period.configure(intent.period if intent.period is not None else self._default_period)
        self._learn(Source.ANNOTATION, intent.vip_host)

    def take_lease(self, lease: LeaseSeen) -> None:
        before, known = self._lease_view(), self._sources.lease
        is_same = known is not None and lease.expires == known.expires
        if is_same and not lease.confirmed and not self._sources.lease_fresh(self._now):
            return  # it had expired; that it cannot be asked now does not revive it
        self._sources.lease = lease
        if self._lease_view() != before:  # mostly it was only renewed
            self._learn(Source.LEASE, lease.holder, since=lease.acquired)

    def _lease_view(self) -> tuple[str, bool, bool] | None:
        """What of the lease is compared with other sources."""
        lease = self._sources.lease
        return None if lease is None else (lease.holder, lease.confirmed, self._sources.lease_fresh(self._now))

    def lose_lease(self) -> None:
        self._sources.lease = None
        self._sources[Source.LEASE].forget()
        self.reconsider()

    def take_bound(self, devices: tuple[str, ...]) -> None:
        """The interfaces of this node that have the address."""
        if not devices:
            self._sources[Source.LOCAL].leave()
        self._bound = devices
        self._learn(Source.LOCAL, self._world.nodes.this_node if devices else "")

    def lose_bound(self) -> None:
        """What is bound on this node cannot be told any more."""
        self._bound = None
        self._sources[Source.LOCAL].forget()
        self.reconsider()

    def remember(self, past: Remembered) -> None:
        """What an earlier run of the program knew of it."""
        self._verdict.remember(past.holder, since=past.since)
        if past.mac is not None:
            self._claims.remember(past.mac, node=past.holder, since=past.since, heard=past.heard)

    def _learn(self, source: Source, name: str, *, since: Nanoseconds | None = None) -> None:
        self._verdict.learn(self._now, source, name, since=since)
        self._claims.reconsider(self._now)
        self._review()

    def is_concerned(self, mac: Mac) -> bool:
        """Whose MAC this is may change something."""
        return self._claims.is_concerned(mac)

    def take_nodes(self) -> None:
        """The nodes have changed."""
        self._sources.rename(self._world.nodes.canonical)
        self.reconsider()

    def reconsider(self) -> None:
        """Whose MAC is whose, or the freshness of the intent, has changed."""
        self._claims.reconsider(self._now)
        self._review()

    def miss_frames(self) -> None:
        self._claims.miss_frames(self._now)

    def lose_capture(self) -> None:
        self._claims.lose_capture()
        self._review()

    def restore_capture(self) -> None:
        self._claims.restore_capture(self._now)
        self._review()

    def _review(self) -> None:
        """Draw the conclusions from a change of anything."""
        self._verdict.review(self._now)
        facts = self._facts()
        self._mismatches.update(self._now, failures(facts), held_back=held_back(facts), undecided=undecided(facts))

    def _facts(self) -> Facts:
        wire, named = self._claims.wire_holder, dict(self._sources.named(self._now))
        annotation = named.get(Source.ANNOTATION, "")
        return Facts(
            intent=self._intent,
            intent_fresh=self._world.intent_fresh,
            intent_current=self._world.intent_current,
            lease_confirmed=self._sources.lease_confirmed,
            state=self._claims.state,
            wire_mac=wire.mac if wire else None,
            wire_class=self._claims.class_of(wire) if wire else None,
            wire_node=self._verdict.node_of_claim(wire),
            lease=named.get(Source.LEASE, ""),
            annotation=self._sources[Source.ANNOTATION].node,
            annotation_left_behind=self._verdict.annotation_left_behind,
            annotation_ruled_out=wire is not None and bool(annotation) and self._claims.rules_out(wire, annotation),
            local=self._sources[Source.LOCAL].node,
            believed=self._verdict.believed()[1],
            still_announced=next((vip.address for vip in self.predecessors if vip.is_announced), None),
        )

    @property
    def is_announced(self) -> bool:
        """Somebody announces it."""
        return self._claims.announced

    # --- what it shows ------------------------------------------------------------------------------------------------

    @property
    def vlan(self) -> int | None:
        return self._intent.vlan if self._intent else None

    def snapshot(self, now: Nanoseconds) -> VipSnapshot:
        self._now = now
        source, node = self._verdict.holder()
        claims, state = self._claims, self._claims.state
        listed = claims.claimants.listed(now)
        shown = {mac: self._claimant(claim) for mac, claim in ({one.mac: one for one in listed} | claims.live).items()}
        return VipSnapshot(
            address=self.address,
            mode=self._intent.mode if self._intent else Mode.UNKNOWN,
            services=tuple(sorted((ref for ref in self._services if ref.namespace), key=str)),
            state=state,
            holder=node,
            counted_from=self._verdict.counted_from,
            holder_source=source,
            holder_mac=self._verdict.wire_mac,
            holder_since=self._verdict.holder_since(source, node),
            sources=self._source_holders(),
            moves=self._verdict.moves,
            source_moves={
                Source.WIRE: claims.moves,
                **{source: belief.moves for source, belief in self._sources.items()},
            },
            mac_changes=claims.mac_changes,
            contests=claims.contests,
            withdrawn_claims=claims.withdrawn,
            last_move=self._verdict.last_move,
            last_handover=self._verdict.last_handover,
            announcements={kind: self._announcements[kind] for kind in ANNOUNCEMENTS},
            last_announcement=self._last_announcement,
            sightings={kind: self._sightings[kind] for kind in SIGHTING_KINDS},
            period=claims.period.value,
            claimants=tuple(shown[claim.mac] for claim in claims.live.values()),
            listed_claimants=tuple(shown[claim.mac] for claim in listed),
            claims={kind: claims.claimants.begun[kind] for kind in CLAIMANT_CLASSES},
            claimants_overflow=claims.claimants.overflow,
            mismatches=self._mismatches.current(),
            requirements=requirements(
                state,
                missed=state is State.SILENT and self._world.intent_fresh and self._verdict.believed()[0] is not None,
                is_node_address=self._world.nodes.has_address(self.address),
                in_node_subnet=self._world.nodes.in_subnet(self.address),
                load_balancer=self._has_load_balancer(),
            ),
            intent_stale=None if self._intent is None else not self._world.intent_fresh,
            lease=self._lease_state(),
            bound=self._bound,
        )

    def whose(self, mac: Mac) -> Claimant:
        """What is known of a MAC, whether it claims the VIP or not."""
        return Claimant(format_mac(mac), self._evidence.node_of(mac), self._evidence.class_of(mac))

    def _claimant(self, claim: Claim) -> Claimant:
        return Claimant(
            mac=format_mac(claim.mac),
            holder=self._verdict.node_of_claim(claim),
            claimant_class=self._claims.class_of(claim),
        )

    def _has_load_balancer(self) -> bool | None:
        if self._intent is None or not (self._intent.service.namespace or self._intent.expected):
            return None  # it is no Service's address, and need not be
        found = {intent.load_balancer for intent in self._services.values()}
        return None if None in found and True not in found else True in found

    def _lease_state(self) -> LeaseState | None:
        lease = self._sources.lease
        if lease is None:
            return None
        return LeaseState(
            name=lease.lease,
            holder=lease.holder,
            fresh=self._sources.lease_fresh(self._now),
            expires=lease.expires,
            acquired=lease.acquired,
            transitions=lease.transitions,
        )

    def _source_holders(self) -> tuple[SourceHolder, ...]:
        wire = self._claims.wire_holder
        holders = []
        if wire is not None:
            node = self._verdict.node_of_claim(wire)
            holders.append(SourceHolder(Source.WIRE, node, format_mac(wire.mac), self._claims.holder_since))
        for source, node in self._sources.named(self._now):
            holders.append(SourceHolder(source, node, "", self._sources[source].since))
        return tuple(holders)

    def _take_notice(self, notice: Notice) -> None:
        """What fell due long before it could be told is news of now."""
        self._verdict.take_notice(replace(notice, at=self._now))

    def _emit(self, name: EventName, fields: Mapping[str, FieldValue], since: Nanoseconds | None = None) -> None:
        self._emit_event(Event(self._now, name, self.address, fields, since))
