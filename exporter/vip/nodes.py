"""Which node a MAC, a name or an address belongs to, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from exporter.vip.model import IPAddress, Mac, Node

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


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class NodeMap:
    """Which node a MAC or a name belongs to. A MAC that two nodes list belongs to neither."""

    def __init__(self) -> None:
        self._nodes: tuple[Node, ...] = ()
        self._by_mac: dict[Mac, str] = {}

    def replace(self, nodes: Iterable[Node]) -> None:
        self._nodes = tuple(nodes)
        owners: dict[Mac, set[str]] = {}
        for node in self._nodes:
            for mac in node.macs:
                owners.setdefault(mac, set()).add(node.name)
        self._by_mac = {mac: next(iter(names)) for mac, names in owners.items() if len(names) == 1}

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self._nodes

    @property
    def complete(self) -> bool:
        """There are candidate nodes, and the MAC of each is known: only then is a stranger a stranger."""
        candidates = [node for node in self._nodes if node.candidate]
        return bool(candidates) and all(node.macs for node in candidates)

    def node_of(self, mac: Mac) -> str:
        return self._by_mac.get(mac, "")

    def canonical(self, name: str) -> str:
        """The node's own name for a name that some source wrote; that name itself where no node matches."""
        return next((node.name for node in self._nodes if same_node(node.name, name)), name)

    def macs_known(self, name: str) -> bool:
        return any(node.macs for node in self._nodes if same_node(node.name, name))

    def has_address(self, address: IPAddress) -> bool | None:
        """Whether a node has this address as its own; None where no node's addresses are known."""
        known = [node for node in self._nodes if node.addresses]
        return any(address in node.addresses for node in known) if known else None
