"""Joins what all resources say into inputs of the core: keeps the latest of each, and tells what is different.

Pure: no thread, no request, no clock. A list and a line of a watch come as reports; what follows from them, and from
time alone, comes back as inputs. Told the same again, it has nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from exporter.cluster.election import Elections
from exporter.cluster.fields import Key
from exporter.cluster.intent import Service
from exporter.cluster.interests import Interests
from exporter.cluster.kubevip import ANNOUNCES_HWADDR, KubeVip, Version
from exporter.cluster.lease import Lease
from exporter.cluster.node import NodeFacts
from exporter.cluster.roster import Roster
from exporter.cluster.target import Objects, Report, Target
from exporter.vip.model import (
    Input,
    IPAddress,
    Mode,
    Nanoseconds,
    ServiceGone,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
)

CONTROL_PLANE = ServiceRef("", "control-plane")
MOST_WATCHED_LEASES = 20
"""Of those that belong to single Services. If there are more, they are listed all at once, now and then."""


class Join:
    """Everything that is known of the cluster.

    Args:
        interests: what is followed.
        from_wall: the program's time of a time since 1970.
        doubt: how long before its expiry a Lease is doubted, in nanoseconds.
    """

    def __init__(
        self, interests: Interests, *, from_wall: Callable[[Nanoseconds], Nanoseconds], doubt: Nanoseconds
    ) -> None:
        self._interests = interests
        self._services: Objects[Service] = Objects()
        self._listed: set[Target] = set()
        """The Services, or the one list of them, that have been read."""
        self._wishes: Objects[Service] = Objects()
        self._told: dict[ServiceRef, Service] = {}
        self._users: dict[IPAddress, set[ServiceRef]] = {}
        self._roster = Roster(interests)
        self._elections = Elections(from_wall=from_wall, doubt=doubt)
        self._service_leases = tuple(map(_key, interests.service_leases))
        self._control_plane_lease = _key(interests.control_plane_lease)
        self._shared = frozenset(
            (*self._service_leases, *([self._control_plane_lease] if interests.control_plane_addresses else ()))
        )
        """The Leases that are watched whatever Services there are."""
        self._own: frozenset[Key] = frozenset()
        """Those that could decide on single Services."""
        self._elections.keep(self._shared, watched=self._shared)

    # --- what comes in ------------------------------------------------------------------------------------------------

    def begin(self, at: Nanoseconds) -> list[Input]:
        """What is known without asking."""
        addresses = self._interests.control_plane_addresses
        intent = ServiceIntent(service=CONTROL_PLANE, addresses=addresses, mode=Mode.STATIC)
        return self._say(at, {CONTROL_PLANE: Service(intent)} if addresses else {})

    def take_services(self, report: Report[Service]) -> list[Input]:
        were_read = self._services_read
        if report.asked is not None:
            self._listed.add(report.target)
        changes = self._services.take(report)
        inputs = self._say(report.at, {ServiceRef(*key): service for key, service in changes.items()})
        if were_read is not self._services_read:
            inputs += [ServiceSeen(report.at, self._complete(wish.intent)) for wish in self._wishes.values()]
        return inputs

    @property
    def _services_read(self) -> bool:
        return len(self._listed) >= (1 if self._interests.discover else len(self._interests.services))

    def take_wishes(self, report: Report[Service]) -> list[Input]:
        """The wish in Harvester's ConfigMap."""
        changes = self._wishes.take(report)
        return self._say(report.at, {ServiceRef("", str(key)): wish for key, wish in changes.items()})

    def take_daemonsets(self, report: Report[KubeVip]) -> list[Input]:
        before = self._roster.version
        nodes = self._roster.take_daemonsets(report)
        told = self._told.values() if self._roster.version != before else ()
        return [*(ServiceSeen(report.at, self._complete(service.intent)) for service in told), *nodes]

    def take_nodes(self, report: Report[NodeFacts]) -> list[Input]:
        return self._roster.take_nodes(report)

    def miss_nodes(self, at: Nanoseconds) -> list[Input]:
        """The Nodes cannot be listed."""
        return self._roster.miss_nodes(at)

    def take_leases(self, report: Report[Lease]) -> list[Input]:
        self._elections.take(report)
        return self._elections.news(report.at)

    def tick(self, now: Nanoseconds) -> list[Input]:
        """What has become different by time alone."""
        return self._elections.news(now)

    # --- what to ask for ----------------------------------------------------------------------------------------------

    @property
    def version(self) -> Version | None:
        """Kube-vip's; None while it is not known."""
        return self._roster.version

    @property
    def watched_leases(self) -> frozenset[Key]:
        """The Leases to watch, each by its name."""
        return self._shared if self.polled_leases else self._shared | self._own

    @property
    def polled_leases(self) -> frozenset[Key]:
        """The Leases to pick out of a list of all: they are too many to watch each."""
        return self._own if len(self._own) > MOST_WATCHED_LEASES else frozenset()

    def doubted_leases(self, now: Nanoseconds) -> list[Key]:
        """The Leases to ask after now: they are about to expire, unless they were renewed out of sight."""
        return self._elections.doubted(now)

    # --- Services -----------------------------------------------------------------------------------------------------

    def _say(self, at: Nanoseconds, changes: Mapping[ServiceRef, Service | None]) -> list[Input]:
        """Tell of Services, new ones first: an address that goes from one to another stays the same VIP."""
        if not changes:
            return []
        seen: list[Input] = []
        gone: list[Input] = []
        touched: dict[IPAddress, None] = {}
        for ref, service in changes.items():
            before = self._told.pop(ref, None)
            for address in before.intent.addresses if before else ():
                touched[address] = None
                self._users[address].discard(ref)
            if service is None:
                gone.append(ServiceGone(at, ref))
                continue
            self._told[ref] = service
            for address in service.intent.addresses:
                touched[address] = None
                self._users.setdefault(address, set()).add(ref)
            if before is None or before.intent != service.intent:
                seen.append(ServiceSeen(at, self._complete(service.intent)))
        return [*seen, *gone, *self._choose_leases(at, touched)]

    def _choose_leases(self, at: Nanoseconds, touched: Iterable[IPAddress]) -> list[Input]:
        """The Services of these addresses have changed."""
        changed = []
        for address in touched:
            users = self._users[address]
            if self._elections.choose_among(address, self._lease_candidates(users)):
                changed.append(address)
            if not users:
                del self._users[address]
        if not changed:
            return []
        self._own = self._elections.candidates() - self._shared
        self._elections.keep(self._shared | self._own, watched=self.watched_leases)
        return self._elections.news(at, changed)

    def _complete(self, intent: ServiceIntent) -> ServiceIntent:
        version = self._roster.version
        if intent.expected and not self._services_read:
            intent = replace(intent, load_balancer=None)
        return replace(intent, announces_hwaddr=None if version is None else version >= ANNOUNCES_HWADDR)

    def _lease_candidates(self, users: Collection[ServiceRef]) -> tuple[Key, ...]:
        """The Leases that could decide on a VIP, the most particular first; of all Services that share it."""
        refs = sorted(users, key=str)
        named = [lease for ref in refs if (lease := self._told[ref].lease) is not None]
        # Only a Service of Kubernetes has a namespace: the others are made here.
        own = [Key(ref.namespace, f"kubevip-{ref.name}") for ref in refs if ref.namespace]
        control_plane = [self._control_plane_lease] if CONTROL_PLANE in refs else []
        shared = self._service_leases if any(ref != CONTROL_PLANE for ref in refs) else ()
        return tuple(dict.fromkeys((*named, *own, *control_plane, *shared)))


def _key(ref: ServiceRef) -> Key:
    return Key(ref.namespace, ref.name)
