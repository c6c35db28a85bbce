"""The core's front door: takes inputs in the order of time, lets what is due fall due, and shows snapshots.

`Core` is not thread-safe and has no clock: time enters as the `at` of an input or as `tick(now)`. It never goes
back; an input that is older than what came before counts as happening now. The result does not depend on how often
`tick` is called, for each due moment is handled at its own time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count

from exporter.vip.burst import Settled, moments
from exporter.vip.model import (
    SECOND,
    BoundSeen,
    Burst,
    CaptureChanged,
    EventName,
    FramesMissed,
    HostLost,
    HostSeen,
    Input,
    IntentFreshness,
    IPAddress,
    Kind,
    LeaseGone,
    LeaseSeen,
    Mac,
    Mode,
    Nanoseconds,
    NeighbourSeen,
    NodesSeen,
    Remembered,
    ServiceGone,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
    Sighting,
    format_mac,
)
from exporter.vip.nodes import NodeMap
from exporter.vip.period import LEARNABLE
from exporter.vip.snapshot import Claimant, Event, NodeMac, NodeState, Snapshot
from exporter.vip.vip import Vip
from exporter.vip.world import World

DEFAULT_SETTLE: Nanoseconds = 15 * SECOND
A_MOMENT: Nanoseconds = LEARNABLE[0]
"""Announcements that follow each other within less teach nothing of the holder's habits."""
AGAIN: Nanoseconds = SECOND // 100
"""When to look again at a VIP that asks for a moment that has passed: a defect, which must not stop the program."""


class Core:
    """All watched VIPs.

    Args:
        at: when watching begins, nanoseconds on the caller's time line.
        observer: the name of the node that this program runs on; empty where that says nothing (a capture file).
        settle: how long two sources may differ before it is a mismatch.
        period: announcement period of every VIP that has none of its own; None: learn it; 0: they do not repeat.
        listening: frames can be heard from the start (a capture file). Otherwise `CaptureChanged` says when.
        discover: watch every address that anyone announces.
    """

    def __init__(
        self,
        *,
        at: Nanoseconds,
        observer: str = "",
        settle: Nanoseconds = DEFAULT_SETTLE,
        period: Nanoseconds | None = None,
        listening: bool = False,
        discover: bool = False,
    ) -> None:
        self.generation = 0
        """Changes whenever the watched addresses, their VLANs or the nodes' addresses may have changed."""
        self._now = at
        self._period = period
        self._discover = discover
        self._world = World(nodes=NodeMap(observer), settle=settle, blind=not listening)
        self._vips: dict[IPAddress, Vip] = {}
        self._intents: dict[ServiceRef, ServiceIntent] = {}
        self._pinned: set[IPAddress] = set()
        self._captures: dict[str, bool] = {}
        self._past: dict[IPAddress, Remembered] = {}
        self._timers: list[tuple[Nanoseconds, int, Vip]] = []
        self._order = count()
        self._events: list[Event] = []

    @property
    def now(self) -> Nanoseconds:
        """The greatest time heard of so far."""
        return self._now

    def watched(self) -> dict[IPAddress, int | None]:
        """Every watched address with its VLAN id; None: untagged."""
        return {address: vip.vlan for address, vip in self._vips.items()}

    def neighbours(self) -> frozenset[IPAddress]:
        """The nodes' own addresses: who speaks for one of these tells which MAC is that node's."""
        return self._world.nodes.addresses - self._vips.keys()

    def watch(self, address: IPAddress) -> None:
        """Watch an address whether or not a Service has it."""
        self._pinned.add(address)
        self._vip(address)

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self, now: Nanoseconds) -> tuple[Event, ...]:
        """Let everything fall due until `now`."""
        self._advance(now)
        return self._take_events()

    def _advance(self, to: Nanoseconds) -> None:
        while (due := self._next_due()) is not None and due <= to:
            if due == self._world.nodes.next_due():
                self._now = max(self._now, due)
                if self._world.nodes.forget(self._now):
                    self._tell_all(Vip.reconsider)
                continue
            _, _, vip = heappop(self._timers)
            if vip.scheduled != due:
                continue  # superseded by an earlier one
            vip.scheduled = None
            self._now = max(self._now, due)
            self._advance_one(vip)
            # All that was due by now is done, so nothing may ask for the same moment again.
            self._settle(vip, earliest=self._now + 1)
        self._now = max(self._now, to)

    def _next_due(self) -> Nanoseconds | None:
        nodes = self._world.nodes.next_due()
        if not self._timers:
            return nodes
        vips = self._timers[0][0]
        return vips if nodes is None or vips <= nodes else nodes

    def _settle(self, vip: Vip, *, earliest: Nanoseconds = 0) -> None:
        """After a change: drop a VIP that is over, and note when to look at this one again."""
        if vip.is_over and vip.address not in self._pinned:
            self._remove(vip)
            return
        due = vip.next_due()
        if due is not None and due < earliest:
            due = earliest + AGAIN
        if due is not None and (vip.scheduled is None or due < vip.scheduled):
            vip.scheduled = due
            heappush(self._timers, (due, next(self._order), vip))

    def _remove(self, vip: Vip) -> None:
        if self._vips.pop(vip.address, None) is None:
            return
        self.generation += 1
        vip.scheduled = None
        for other in self._followers(vip):
            other.predecessors.remove(vip)
            self._tell(other.address, Vip.reconsider)

    # --- inputs -------------------------------------------------------------------------------------------------------

    def observe(self, event: Input) -> tuple[Event, ...]:
        """Take one input; returns what happened up to and through it."""
        self._advance(max(event.at, self._now))
        match event:
            case Sighting():
                self._observe_sighting(event)
            case Burst():
                self._observe_burst(event)
            case ServiceSeen(intent=intent):
                self._observe_service(intent)
            case ServiceGone(service=service):
                self._observe_service_gone(service)
            case LeaseSeen(vip=address):
                self._tell(address, lambda vip: vip.take_lease(event))
            case LeaseGone(vip=address):
                self._tell(address, Vip.lose_lease)
            case BoundSeen(vip=address, devices=devices):
                if devices:
                    self._world.bound[address] = devices
                else:
                    self._world.bound.pop(address, None)
                self._tell(address, lambda vip: vip.take_bound(devices))
            case HostSeen():
                self._observe_host(event)
            case HostLost():
                self._world.bound.clear()
                self._world.host_seen = False
                self._tell_all(Vip.lose_bound)
            case NodesSeen(nodes=nodes):
                self._world.nodes.replace(nodes)
                self.generation += 1
                self._tell_all(Vip.take_nodes)
            case NeighbourSeen(address=address, mac=mac):
                self._hear_neighbour(address, mac)
            case IntentFreshness(fresh=fresh, current=current):
                if (fresh, current) != (self._world.intent_fresh, self._world.intent_current):
                    self._world.intent_fresh, self._world.intent_current = fresh, current
                    self._tell_all(Vip.reconsider)
            case Remembered(vip=address):
                self._past[address] = event
                self._tell(address, lambda vip: vip.remember(event))
            case CaptureChanged():
                self._observe_capture(event)
            case FramesMissed():
                self._tell_all(Vip.miss_frames)
        return self._take_events()

    def _observe_sighting(self, sighting: Sighting) -> None:
        vip = self._vips.get(sighting.vip)
        if vip is None:
            if not (self._discover and sighting.kind.is_announcement):
                return
            self._pinned.add(sighting.vip)
            vip = self._vip(sighting.vip)
        announced = vip.is_announced
        if vip.sight(self._now, sighting):
            self._settle(vip)
            self._tell_followers(vip, announced)
        if sighting.kind is not Kind.PROBE:
            # A node's own address may be watched too: by mistake, or because a capture is searched for all there are.
            self._hear_neighbour(sighting.vip, sighting.mac)

    def _observe_burst(self, burst: Burst) -> None:
        for at, told, again in moments(burst, settled=self._ask_settled(burst)):
            self._advance(at)
            if isinstance(told, NeighbourSeen):
                self._hear_neighbour(told.address, told.mac)
            elif again:
                self._vips[told.vip].sight_again(self._now, told, again)
            else:
                self._observe_sighting(told)

    def _ask_settled(self, burst: Burst) -> Callable[[IPAddress, Iterable[Sighting], Nanoseconds], Settled]:
        """How to find out whether sightings that repeat have to be judged each time."""
        nodes = self._world.nodes
        about_nodes = any(isinstance(told, NeighbourSeen) or nodes.has_address(told.vip) for told, _ in burst.heard)

        def settled(address: IPAddress, sightings: Iterable[Sighting], until: Nanoseconds) -> Settled:
            vip, due = self._vips.get(address), nodes.next_due()
            # What is learned or forgotten of the nodes may change whose frames they are.
            if vip is None or about_nodes or (due is not None and due <= until) or until - burst.at >= A_MOMENT:
                return Settled.NO
            return vip.settled(sightings, until=until)

        return settled

    def _advance_one(self, vip: Vip) -> None:
        announced = vip.is_announced
        vip.advance(self._now)
        self._tell_followers(vip, announced)

    def _tell_followers(self, vip: Vip, announced: bool) -> None:
        if vip.is_announced is not announced:
            for other in self._followers(vip):
                self._tell(other.address, Vip.reconsider)

    def _followers(self, vip: Vip) -> list[Vip]:
        """The VIPs that took over from this retired one, and are waiting for it to fall silent."""
        if vip.retired_at is None:
            return []
        followers = (other for other in vip.followers if self._vips.get(other.address) is other)
        return [other for other in followers if vip in other.predecessors]

    def _observe_service(self, intent: ServiceIntent) -> None:
        previous = self._intents.get(intent.service)
        self._intents[intent.service] = intent
        if intent.hwaddr is not None or (previous is not None and previous.hwaddr is not None):
            self._disregard_hwaddrs()
        before = set(previous.addresses) if previous else set()
        vlans = self._vlans(before.union(intent.addresses))
        given_up = [self._vips[address] for address in before - set(intent.addresses) if address in self._vips]
        for vip in given_up:
            vip.advance(self._now)
            vip.drop_service(intent.service)
        for address in intent.addresses:
            vip = self._vip(address)
            vip.advance(self._now)
            if address not in before:
                for old in given_up:
                    if old.retired_at is not None and old.is_announced and _succeeds(address, old.address, intent):
                        vip.predecessors.append(old)
                        if vip not in old.followers:
                            old.followers.append(vip)
            vip.take_intent(intent)
        # Where many VIPs change hands at once, a new filter for each would take longer than all the rest.
        if self._vlans(vlans) != vlans:
            self.generation += 1
        for vip in [*given_up, *(self._vips[address] for address in intent.addresses)]:
            self._settle(vip)

    def _vlans(self, addresses: Iterable[IPAddress]) -> dict[IPAddress, int | None]:
        """Of these addresses those that are watched, each with its VLAN id."""
        return {address: self._vips[address].vlan for address in addresses if address in self._vips}

    def _observe_service_gone(self, service: ServiceRef) -> None:
        intent = self._intents.pop(service, None)
        if intent is None:
            return
        self.generation += 1
        if intent.hwaddr is not None:
            self._disregard_hwaddrs()
        for address in intent.addresses:
            self._tell(address, lambda vip: vip.drop_service(service))

    def _disregard_hwaddrs(self) -> None:
        nodes = self._world.nodes
        was_complete = nodes.complete
        hwaddrs = (intent.hwaddr for intent in self._intents.values() if intent.mode is Mode.DHCP)
        for mac in nodes.disregard(frozenset(mac for mac in hwaddrs if mac is not None)):
            self._tell_concerned(mac, everybody=nodes.complete is not was_complete)

    def _hear_neighbour(self, address: IPAddress, mac: Mac) -> None:
        nodes = self._world.nodes
        was_complete = nodes.complete
        if nodes.hear(self._now, address, mac):
            # Anybody can make up MACs by the thousand: only whom this one concerns is looked at again.
            self._tell_concerned(mac, everybody=nodes.complete is not was_complete)

    def _tell_concerned(self, mac: Mac, *, everybody: bool) -> None:
        for vip in [vip for vip in self._vips.values() if everybody or vip.is_concerned(mac)]:
            self._tell(vip.address, Vip.reconsider)

    def _observe_host(self, host: HostSeen) -> None:
        self._world.nodes.use_links(host.links)
        if not self._world.host_seen:
            # From now on, what nobody has said is bound is not.
            self._world.host_seen = True
            for address in self._vips.keys() - self._world.bound.keys():
                self._tell(address, lambda vip: vip.take_bound(()))
        self._tell_all(Vip.reconsider)

    def _observe_capture(self, change: CaptureChanged) -> None:
        before = self._captures.get(change.device)
        self._captures[change.device] = change.up
        blind = not any(self._captures.values())
        if change.up is (before is None or before):
            name = None  # no news: it works from the start, or goes on as it was
        else:
            name = EventName.CAPTURE_RESTORED if change.up else EventName.CAPTURE_LOST
        if name is not None:
            fields = {"device": change.device} | ({"reason": change.reason} if change.reason else {})
            self._events.append(Event(self._now, name, None, fields))
        if blind != self._world.blind:
            self._world.blind = blind
            self._tell_all(Vip.lose_capture if blind else Vip.restore_capture)

    def _tell(self, address: IPAddress, change: Callable[[Vip], None]) -> None:
        """Change one VIP, as of now; an address that is not watched is nobody's business."""
        if vip := self._vips.get(address):
            vip.advance(self._now)
            change(vip)
            self._settle(vip)

    def _tell_all(self, change: Callable[[Vip], None]) -> None:
        for address in list(self._vips):
            self._tell(address, change)

    def _vip(self, address: IPAddress) -> Vip:
        vip = self._vips.get(address)
        if vip is None:
            vip = Vip(address, at=self._now, world=self._world, period=self._period, emit=self._events.append)
            self._vips[address] = vip
            self.generation += 1
            if past := self._past.pop(address, None):
                vip.remember(past)
            if self._world.host_seen or address in self._world.bound:
                vip.take_bound(self._world.bound.get(address, ()))
            self._settle(vip)
        return vip

    def _take_events(self) -> tuple[Event, ...]:
        if not self._events:
            return ()
        events = tuple(self._events)
        self._events.clear()
        return events

    # --- what it shows ------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything as of `now`; call `tick` first to have it as of this moment."""
        vips = sorted(self._vips.values(), key=lambda vip: (vip.address.version, int(vip.address)))
        nodes = self._world.nodes
        return Snapshot(
            at=self._now,
            vips=tuple(vip.snapshot(self._now) for vip in vips),
            handover=self._world.handover.distribution(),
            annotation_lag=self._world.annotation_lag.distribution(),
            nodes=self._node_states(),
            node_macs=tuple(
                NodeMac(node, format_mac(mac), device)
                for node, mac in nodes.all_macs()
                for device in (nodes.devices(mac) if node == nodes.this_node else ()) or ("",)
            ),
            shared_macs=self.shared_macs(),
        )

    def whose(self, address: IPAddress, mac: Mac) -> Claimant:
        """What is known of a MAC that announced a watched address at any time."""
        return self._vips[address].whose(mac)

    def shared_macs(self) -> dict[str, tuple[str, ...]]:
        """MACs that several nodes claim, with the nodes."""
        return {format_mac(mac): names for mac, names in self._world.nodes.claimed_by_several.items()}

    def _node_states(self) -> tuple[NodeState, ...]:
        nodes = self._world.nodes
        return tuple(
            NodeState(node.name, node.addresses, node.candidate, tuple(map(format_mac, nodes.macs_of(node.name))))
            for node in nodes.nodes
        )


def _succeeds(address: IPAddress, old: IPAddress, intent: ServiceIntent) -> bool:
    """Whether it took the place of the old one: of two families, each has a successor of its own, if there is one."""
    return address.version == old.version or all(one.version != old.version for one in intent.addresses)
