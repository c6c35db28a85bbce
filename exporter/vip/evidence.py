"""What the other sources know of a MAC: its node, its class, and whether they followed it. The claims ask for this."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.vip.model import ClaimantClass, Mac, Mode, Nanoseconds, ServiceIntent, Source
from exporter.vip.nodes import is_fhrp, same_node
from exporter.vip.sources import Sources
from exporter.vip.world import World


class Evidence:
    """The evidence on one VIP."""

    def __init__(self, world: World, sources: Sources) -> None:
        self.intent: ServiceIntent | None = None
        self._world = world
        self._sources = sources

    @property
    def this_node(self) -> str:
        """The node whose interfaces are watched: the party of all that leaves it, whatever the MAC; empty: none."""
        return self._world.nodes.this_node

    def node_of(self, mac: Mac) -> str:
        """The one node that this MAC belongs to; empty where that is not known."""
        return "" if self.is_hwaddr(mac) else self._world.nodes.node_of(mac)

    def class_of(self, mac: Mac) -> ClaimantClass:
        if self.is_hwaddr(mac):
            return ClaimantClass.HWADDR
        if self._world.nodes.node_of(mac):
            return ClaimantClass.NODE
        if is_fhrp(mac):
            return ClaimantClass.FHRP
        nodes = self._world.nodes
        # A MAC that several nodes claim is somebody's, though it names none of them.
        return ClaimantClass.FOREIGN if nodes.complete and not nodes.is_claimed(mac) else ClaimantClass.UNRESOLVED

    def rules_out(self, mac: Mac, node: str) -> bool:
        """Whoever announces from this MAC, and not by way of this node, is certainly not that node.

        A stranger may yet be a node's second interface, or the new MAC of its bridge that was not heard so far. That it
        is neither only the node itself can tell, for all of its own interfaces are known to it.
        """
        match self.class_of(mac):
            case ClaimantClass.FHRP:
                return True
            case ClaimantClass.FOREIGN:
                return self._world.host_seen and same_node(node, self.this_node)
        return False

    def changed_to(self, mac: Mac, *, now: Nanoseconds, old: Mac, since: Nanoseconds) -> bool:
        """Kubernetes went over, at `since` or later, to a node that may be this MAC's and is not `old`'s.

        That a node has the address bound speaks for nothing: whoever thinks that it is the holder has.
        """
        lease, annotation = self._sources[Source.LEASE], self._sources[Source.ANNOTATION]
        told = (lease, annotation) if self._sources.lease_fresh(now) else (annotation,)
        return any(
            belief.has_news(since) and self._may_be(mac, belief.node) and not self._is_node(old, belief.node)
            for belief in told
        )

    def vouches_for_holder(
        self,
        mac: Mac,
        *,
        now: Nanoseconds,
        old: Mac,
        since: Nanoseconds,
        incoming: Iterable[Mac],
        remembered: str | None = None,
    ) -> bool:
        """A live source has named the same node since before `since`, and neither MAC is known as somebody else's.

        Args:
            incoming: those of the two that were heard, and never in a frame that left this node.
            remembered: the holder that an earlier run knew, if it has not been heard since: then it is that node that
                must be named.
        """
        # Only the lease: it is renewed every few seconds, while an annotation may be a leftover.
        lease = self._sources[Source.LEASE]
        return (
            self._world.intent_current
            and self._sources.lease_confirmed
            and self._sources.lease_fresh(now)
            and bool(lease.node)
            and (lease.changed_at is None or lease.changed_at < since)
            and (remembered is None or same_node(remembered, lease.node))
            and not any(self.rules_out(one, lease.node) for one in incoming)
            and all(same_node(self.node_of(one) or lease.node, lease.node) for one in (old, mac))
        )

    def _is_node(self, mac: Mac, node: str) -> bool:
        return same_node(self.node_of(mac), node)

    def _may_be(self, mac: Mac, node: str) -> bool:
        """Nothing speaks against the MAC being that node's."""
        if resolved := self.node_of(mac):
            return same_node(resolved, node)
        return self.is_hwaddr(mac) or not (is_fhrp(mac) or self._world.nodes.macs_of(node))

    def is_hwaddr(self, mac: Mac) -> bool:
        """DHCP mode gives every node this MAC, so it names none of them."""
        return self.intent is not None and self.intent.mode is Mode.DHCP and self.intent.hwaddr == mac
