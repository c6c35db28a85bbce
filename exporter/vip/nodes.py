"""Which node a MAC, a name or an address belongs to, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address

from exporter.vip.model import SECOND, IPAddress, Link, Mac, Nanoseconds, Node

NEIGHBOUR_AGE: Nanoseconds = 3600 * SECOND
"""How long a MAC heard for a node's address is believed. TCP confirms neighbours without ARP, so long pauses happen."""
MACS_PER_ADDRESS = 4
"""Heard for one node's address, whoever and however many claim it: a node with flux has two or three."""

FHRP_PREFIXES = (
    "00005e0001",  # VRRP for IPv4 and CARP (RFC 9568, section 7.3)
    "00005e0002",  # VRRP for IPv6
    "00000c07ac",  # HSRP version 1
    "00000c9ff",  # HSRP version 2
    "000573a00",  # HSRP version 2 for IPv6
)


def is_fhrp(mac: Mac) -> bool:
    """A virtual MAC of a first-hop redundancy protocol: it belongs to a router group, not to a machine."""
    return mac.hex().startswith(FHRP_PREFIXES)


def same_node(one: str, other: str) -> bool:
    """Whether two names mean one node: kube-vip writes host or node name, short or full; from 1.2.0 in lower case."""
    one, other = one.casefold(), other.casefold()
    if one == other:
        return True
    short, full = sorted((one, other), key=len)
    return bool(short) and "." not in short and not _is_address(full) and full.startswith(short + ".")


def _label(name: str) -> str:
    """The first part of a name: two that mean one node have it in common."""
    return name.casefold().partition(".")[0]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def with_macs(nodes: Iterable[Node], configured: Iterable[tuple[str, Mac]]) -> tuple[Node, ...]:
    """The nodes with the MACs that were configured for them by whichever name; what fits none becomes a new one.

    A short name that fits several is written down for each: a MAC that two nodes claim names neither.
    """
    found = list(nodes)
    for name, mac in configured:
        exact = [index for index, node in enumerate(found) if node.name.casefold() == name.casefold()]
        alike = exact or [index for index, node in enumerate(found) if same_node(node.name, name)]
        if not alike:
            found.append(Node(name, macs=(mac,)))
        for index in alike:
            found[index] = replace(found[index], macs=tuple(dict.fromkeys((*found[index].macs, mac))))
    return tuple(found)


@dataclass(slots=True)
class _Heard:
    """A MAC that spoke for a node's address."""

    last: Nanoseconds
    frames: int = 1


class NodeMap:
    """Which node a MAC or a name belongs to.

    A MAC is known from the configuration, from the interfaces of this very node, or from frames about a node's own
    address; the frames count only where the others do not know it. A MAC that several nodes claim belongs to none.
    What was heard is forgotten `NEIGHBOUR_AGE` after the last time, since a bridge may change its MAC.

    Args:
        observer: the node that this program runs on; empty: none.
    """

    def __init__(self, observer: str = "") -> None:
        self.this_node = observer
        """The observer, by the name that Kubernetes gives it; empty: none."""
        self.complete = False
        """There are candidate nodes, and a MAC of each is known: only then is a stranger a stranger."""
        self._observer = observer
        self._nodes: tuple[Node, ...] = ()
        self._links: tuple[Link, ...] = ()
        self._shared: frozenset[Mac] = frozenset()
        self._by_label: dict[str, list[str]] = {}
        self._by_address: dict[IPAddress, str] = {}
        self._heard: dict[IPAddress, dict[Mac, _Heard]] = {}
        self._by_mac: dict[Mac, str] = {}
        self._claimed: dict[Mac, tuple[str, ...]] = {}
        self._macs: dict[str, tuple[Mac, ...]] = {}
        self._forget_at: Nanoseconds | None = None

    # --- what it is told ----------------------------------------------------------------------------------------------

    def replace(self, nodes: Iterable[Node]) -> None:
        """These are the nodes now, all of them."""
        self._nodes = tuple(nodes)
        self._by_label = {}
        for node in self._nodes:
            self._by_label.setdefault(_label(node.name), []).append(node.name)
        self._by_address = {address: node.name for node in self._nodes for address in node.addresses}
        self._heard = {address: macs for address, macs in self._heard.items() if address in self._by_address}
        self.this_node = self.canonical(self._observer)
        self._resolve()

    def use_links(self, links: Iterable[Link]) -> None:
        """These are the interfaces of this node now."""
        self._links = tuple(links)
        self._resolve()

    def disregard(self, macs: frozenset[Mac]) -> frozenset[Mac]:
        """DHCP mode gives these to whichever node has the VIP, so they tell none from the others.

        Returns those of which that is news.
        """
        changed = macs ^ self._shared
        if changed:
            self._shared = macs
            self._resolve()
        return changed

    def hear(self, at: Nanoseconds, address: IPAddress, mac: Mac) -> bool:
        """Somebody spoke for an address with this MAC; the result says whether that taught anything."""
        if address not in self._by_address:
            return False
        heard = self._heard.setdefault(address, {})
        if (known := heard.get(mac)) is not None:
            known.last = at
            known.frames += 1
            return False
        if len(heard) >= MACS_PER_ADDRESS:
            weak = [other for other, one in heard.items() if one.frames == 1]
            if not weak:
                return False
            del heard[min(weak, key=lambda other: heard[other].last)]
        heard[mac] = _Heard(at)
        if self._forget_at is None:
            self._forget_at = at + NEIGHBOUR_AGE
        self._resolve()
        return True

    def next_due(self) -> Nanoseconds | None:
        """When something may have to be forgotten."""
        return self._forget_at

    def forget(self, now: Nanoseconds) -> bool:
        """Drop what is too old; the result says whether anything was."""
        old = [
            (address, mac)
            for address, macs in self._heard.items()
            for mac, heard in macs.items()
            if heard.last + NEIGHBOUR_AGE <= now
        ]
        for address, mac in old:
            del self._heard[address][mac]
        lasts = [heard.last for macs in self._heard.values() for heard in macs.values()]
        self._forget_at = min(lasts) + NEIGHBOUR_AGE if lasts else None
        if old:
            self._resolve()
        return bool(old)

    def _resolve(self) -> None:
        """Work out anew which MAC is whose."""
        configured = [(mac, node.name) for node in self._nodes for mac in node.macs]
        own = [(link.mac, self.this_node) for link in self._links if link.mac is not None and self.this_node]
        heard = [(mac, self._by_address[address]) for address, macs in self._heard.items() for mac in macs]
        self._by_mac = {}
        claims: dict[Mac, set[str]] = {}
        for evidence in (configured + own, heard):
            claimants: dict[Mac, set[str]] = {}
            for mac, name in evidence:
                if mac in self._shared:
                    continue
                claimants.setdefault(mac, set()).add(name)
                claims.setdefault(mac, set()).add(name)
            for mac, names in claimants.items():
                # An empty name stands for a MAC that several claim: weaker evidence does not settle it.
                self._by_mac.setdefault(mac, next(iter(names)) if len(names) == 1 else "")
        self._claimed = {mac: tuple(sorted(names)) for mac, names in claims.items() if len(names) > 1}
        by_node: dict[str, list[Mac]] = {}
        for mac, names in claims.items():
            for name in names:
                by_node.setdefault(name, []).append(mac)
        self._macs = {name: tuple(macs) for name, macs in by_node.items()}
        candidates = {node.name for node in self._nodes if node.candidate}
        self.complete = bool(candidates) and candidates <= set(self._by_mac.values())

    # --- what it knows ------------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self._nodes

    @property
    def addresses(self) -> frozenset[IPAddress]:
        """The nodes' own."""
        return frozenset(self._by_address)

    @property
    def claimed_by_several(self) -> dict[Mac, tuple[str, ...]]:
        """MACs that more than one node claims, with their names."""
        return self._claimed

    def node_of(self, mac: Mac) -> str:
        return self._by_mac.get(mac, "")

    def is_claimed(self, mac: Mac) -> bool:
        """It is some node's, if only one that cannot be told from others."""
        return mac in self._by_mac

    def canonical(self, name: str) -> str:
        """The node's own name for a name that some source wrote; that name itself where it is not one node's only."""
        alike = [own for own in self._by_label.get(_label(name), ()) if same_node(own, name)]
        exact = [own for own in alike if own.casefold() == name.casefold()]
        found = exact or alike
        return found[0] if len(found) == 1 else name

    def macs_of(self, name: str) -> tuple[Mac, ...]:
        return self._macs.get(self.canonical(name), ())

    def devices(self, mac: Mac) -> tuple[str, ...]:
        """The interfaces of this node that have this MAC."""
        return tuple(link.device for link in self._links if link.mac == mac)

    def all_macs(self) -> list[tuple[str, Mac]]:
        """Every node with every MAC of its own."""
        return [(name, mac) for name, macs in self._macs.items() for mac in macs]

    def has_address(self, address: IPAddress) -> bool | None:
        """Whether a node has this address as its own; None where no node's addresses are known."""
        return address in self._by_address if self._by_address else None

    def in_subnet(self, address: IPAddress) -> bool | None:
        """Whether an address lies in a network of this node that a node's own address lies in too.

        None where no such network of the address's family is known.
        """
        shared = [
            network
            for link in self._links
            for network in link.networks
            if network.version == address.version and any(own in network for own in self._by_address)
        ]
        return any(address in network for network in shared) if shared else None
