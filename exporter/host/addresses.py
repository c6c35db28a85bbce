"""What is bound on this node, and on which links: a table of what the kernel says, and the inputs that follow from it.

It never asks the kernel, knows no time of its own and logs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exporter.vip.model import BoundSeen, HostSeen, Input, IPAddress, IPNetwork, Link, Mac, Nanoseconds


@dataclass(frozen=True, slots=True)
class LinkState:
    """An interface is there, and like this."""

    index: int
    """The kernel's number; it stays through a change of the name."""
    name: str
    mac: Mac | None
    """None where it has no Ethernet address, or one of zeros."""
    up: bool
    loopback: bool = False


@dataclass(frozen=True, slots=True)
class LinkGone:
    """The interface was deleted, or moved to another network namespace."""

    index: int


@dataclass(frozen=True, slots=True)
class Bound:
    """An address is bound on the interface with this number."""

    index: int
    address: IPAddress
    network: IPNetwork


@dataclass(frozen=True, slots=True)
class Unbound:
    """It is not there any more, or cannot be used (yet)."""

    index: int
    address: IPAddress
    network: IPNetwork


Change = LinkState | LinkGone | Bound | Unbound

_Place = tuple[int, IPAddress, IPNetwork | None]


def _place(change: Bound | Unbound) -> _Place:
    # IPv4 allows one address several times on an interface, with different networks. IPv6 does not, and changes the
    # network of a point-to-point address without a word.
    return change.index, change.address, change.network if change.address.version == 4 else None


class HostTable:
    """Links and addresses as last known, and what was told of them.

    Args:
        ignore: patterns with `*` and `?` of interfaces that do not count at all.
        listening: interfaces that count as links even without an address.
    """

    def __init__(self, *, ignore: Sequence[str] = (), listening: Sequence[str] = ()) -> None:
        self._ignore = tuple(ignore)
        self._listening = frozenset(listening)
        self._links: dict[int, LinkState] = {}
        self._addresses: dict[_Place, Bound] = {}
        self._untold = True
        self._told_bound: dict[IPAddress, tuple[str, ...] | None] = {}
        self._told_links: tuple[Link, ...] | None = None

    def replace(self, everything: Iterable[Change]) -> None:
        """Take a dump: what it does not mention is gone."""
        self._links.clear()
        self._addresses.clear()
        self._untold = True
        self.apply(everything)

    def apply(self, changes: Iterable[Change]) -> None:
        """Take changes, in their order."""
        for change in changes:
            match change:
                case LinkState():
                    self._untold |= self._links.get(change.index) != change
                    self._links[change.index] = change
                case LinkGone():
                    self._untold |= self._links.pop(change.index, None) is not None
                    # The kernel has said so of each address too, but a number may be used again.
                    self._addresses = {key: at for key, at in self._addresses.items() if at.index != change.index}
                case Bound() if not _is_internal(change.address):
                    place = _place(change)
                    self._untold |= self._addresses.get(place) != change
                    self._addresses[place] = change
                case Unbound():
                    self._untold |= self._addresses.pop(_place(change), None) is not None

    def changes(self, at: Nanoseconds) -> list[Input]:
        """What differs from all that was returned before; addresses come before links."""
        if not self._untold:
            return []
        bound, links = self._bound(), self._counted_links()
        inputs: list[Input] = [
            BoundSeen(at, address, bound.get(address, ()))
            for address in {**self._told_bound, **bound}
            if self._told_bound.get(address, ()) != bound.get(address, ())
        ]
        if links != self._told_links:
            inputs.append(HostSeen(at, links))
        self._untold, self._told_bound, self._told_links = False, {**bound}, links
        return inputs

    def forget(self) -> None:
        """What was returned may not have arrived: return everything again, what is not bound any more too."""
        self._untold, self._told_bound, self._told_links = True, dict.fromkeys(self._told_bound), None

    def _bound(self) -> dict[IPAddress, tuple[str, ...]]:
        names = {index: link.name for index, link in self._links.items() if not self._ignores(link)}
        devices: dict[IPAddress, set[str]] = {}
        for each in self._addresses.values():
            if each.index in names:
                devices.setdefault(each.address, set()).add(names[each.index])
        return {address: tuple(sorted(found)) for address, found in devices.items()}

    def _counted_links(self) -> tuple[Link, ...]:
        networks: dict[int, set[IPNetwork]] = {}
        for each in self._addresses.values():
            if not each.address.is_link_local:
                networks.setdefault(each.index, set()).add(each.network)
        counted = [
            Link(link.name, link.mac, tuple(sorted(networks.get(index, ()), key=_by_version)), link.up)
            for index, link in self._links.items()
            if not link.loopback and not self._ignores(link) and (index in networks or link.name in self._listening)
        ]
        return tuple(sorted(counted, key=lambda link: link.device))

    def _ignores(self, link: LinkState) -> bool:
        return any(fnmatchcase(link.name, pattern) for pattern in self._ignore)


def _is_internal(address: IPAddress) -> bool:
    """It says nothing of a VIP: loopback, and what IPv6 gives every interface."""
    return address.is_loopback or (address.version == 6 and address.is_link_local)


def _by_version(network: IPNetwork) -> tuple[int, int, int]:
    return network.version, int(network.network_address), network.prefixlen
