"""The words of the program as types: what goes into the core (inputs) and what comes out of it (snapshots, events).

Times are integers, nanoseconds on one time line: live it is the monotonic clock, offline the packets' own.
Which wall-clock moment such a time stands for is not known here; `publish` is told it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple, NewType

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

Mac = NewType("Mac", bytes)
"""A hardware address of six bytes."""

Nanoseconds = int

SECOND: Nanoseconds = 1_000_000_000


_MAC = re.compile("[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}")


def seconds(value: float) -> Nanoseconds:
    """Whole nanoseconds in `value` seconds, rounded to the nearest."""
    return round(value * SECOND)


def parse_mac(text: str) -> Mac:
    """Read a MAC written with colons or hyphens.

    Raises:
        ValueError: it is not six groups of two hexadecimal digits.
    """
    if not _MAC.fullmatch(text.strip()):
        raise ValueError(f"not a MAC address: {text!r}")
    return Mac(bytes.fromhex(text.strip().replace("-", ":").replace(":", "")))


def format_mac(mac: Mac) -> str:
    """Lower-case hexadecimal with colons, the form of every label and log field."""
    return mac.hex(":")


class Kind(StrEnum):
    """What a sighting is. The first three are announcements: they claim the VIP for their sender."""

    REQUEST = "request"
    """ARP announcement: a request with spa = tpa (RFC 5227, section 3)."""
    REPLY = "reply"
    """Gratuitous reply: a reply with spa = tpa (RFC 826; kube-vip alternates it with the request)."""
    NA = "na"
    """Unsolicited neighbour advertisement (RFC 4861, section 7.2.6)."""
    PROBE = "probe"
    """ARP probe (spa 0.0.0.0, RFC 5227) or duplicate address detection from `::` (RFC 4862) for the VIP."""
    ORDINARY_REQUEST = "ordinary_request"
    """The VIP as sender asks for another address."""
    ORDINARY_REPLY = "ordinary_reply"
    """Somebody answers for the VIP, to one asker."""
    SOLICITED_NA = "solicited_na"
    """The same in IPv6."""

    @property
    def is_announcement(self) -> bool:
        return self in ANNOUNCEMENTS


ANNOUNCEMENTS = (Kind.REQUEST, Kind.REPLY, Kind.NA)


class Mode(StrEnum):
    """How the VIP gets its address."""

    STATIC = "static"
    DHCP = "dhcp"
    UNKNOWN = "unknown"


class State(StrEnum):
    UNKNOWN = "unknown"
    HELD = "held"
    MOVING = "moving"
    CONTESTED = "contested"
    SILENT = "silent"


class Source(StrEnum):
    """Where a belief on the holder comes from, strongest first."""

    WIRE = "wire"
    LEASE = "lease"
    ANNOTATION = "annotation"
    LOCAL = "local"


class ClaimantClass(StrEnum):
    NODE = "node"
    HWADDR = "hwaddr"
    """The MAC that DHCP mode gives to every node (kube-vip 0.8.2 and later)."""
    FHRP = "fhrp"
    """A virtual MAC of VRRP, CARP or HSRP."""
    FOREIGN = "foreign"
    """Every candidate node's MAC is known and this is none of them."""
    UNRESOLVED = "unresolved"


class Check(StrEnum):
    """The comparisons that can fail."""

    HOST = "host"
    MAC = "mac"
    LEASE = "lease"
    ADDRESS = "address"
    BOUND = "bound"


class Requirement(StrEnum):
    DISTINCT_FROM_NODES = "distinct_from_nodes"
    SAME_SUBNET = "same_subnet"
    HEARD_HERE = "heard_here"
    LOAD_BALANCER_SERVICE = "load_balancer_service"


# --- inputs: immutable, each with the time `at` which it became true ----------------------------------------------


@dataclass(frozen=True, slots=True)
class Sighting:
    """One frame in which someone speaks for a watched VIP."""

    at: Nanoseconds
    vip: IPAddress
    kind: Kind
    mac: Mac
    """sha (ARP), target link-layer address (NA), or eth.src (IPv6 duplicate address detection)."""
    outgoing: bool = False
    """The frame left this very node (AF_PACKET's PACKET_OUTGOING)."""


@dataclass(frozen=True, slots=True)
class ServiceRef:
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ServiceIntent:
    """What one Service (or one entry of the intent file) says about its VIPs."""

    service: ServiceRef
    addresses: tuple[IPAddress, ...]
    """The addresses in force; empty while there is none."""
    mode: Mode = Mode.UNKNOWN
    vip_host: str = ""
    """Annotation `kube-vip.io/vipHost`, as written; empty where absent."""
    hwaddr: Mac | None = None
    """Annotation `kube-vip.io/hwaddr`; only meaningful in DHCP mode."""
    announces_hwaddr: bool | None = None
    """Whether this kube-vip announces from `hwaddr` in DHCP mode: from 0.8.2 on. None: version not known."""
    load_balancer: bool | None = True
    """False when the Service is not of type LoadBalancer any more. Of a wish: whether no Service was found; None while
    they have not been read."""
    period: Nanoseconds | None = None
    """Configured announcement period; None: learn it; 0: the announcer does not repeat."""
    vlan: int | None = None
    """Configured VLAN id of the VIP, 1 to 4094; None: untagged or VLAN 0."""
    expected: bool = False
    """No Service, but the wish that one of type LoadBalancer should have these addresses (Harvester's ConfigMap). Its
    `service` has no namespace."""


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """A Service exists and says this. Also sent when what it says has changed."""

    at: Nanoseconds
    intent: ServiceIntent


@dataclass(frozen=True, slots=True)
class ServiceGone:
    at: Nanoseconds
    service: ServiceRef


@dataclass(frozen=True, slots=True)
class IntentFreshness:
    """Whether what Kubernetes said can still be believed."""

    at: Nanoseconds
    fresh: bool
    current: bool = True
    """Kubernetes answers at present, so what it said last is what it says. While it does not, nobody knows whether an
    annotation has followed a move, so none of it is compared; `fresh` turns false only after a longer while."""


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """A leader-election Lease that decides on one VIP, as it was read. Also sent when it was renewed."""

    at: Nanoseconds
    vip: IPAddress
    holder: str
    """holderIdentity; empty while the lease changes hands."""
    expires: Nanoseconds | None = None
    """renewTime + leaseDuration; None: never (intent file)."""
    lease: str = ""
    """`namespace/name`; empty where there is no Kubernetes."""
    transitions: int | None = None
    """leaseTransitions: how often it changed hands, by its own count."""
    acquired: Nanoseconds | None = None
    """acquireTime: since when its holder has it."""
    confirmed: bool = True
    """False: Kubernetes does not answer, so whether it was renewed cannot be told, and it is not taken as expired."""


@dataclass(frozen=True, slots=True)
class LeaseGone:
    """No Lease decides on this VIP any more."""

    at: Nanoseconds
    vip: IPAddress


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    addresses: tuple[IPAddress, ...] = ()
    """Its own (InternalIP), by which its frames are known."""
    macs: tuple[Mac, ...] = ()
    """Configured ones; others are learned from frames and, for this node, from its interfaces."""
    candidate: bool = True
    """It may hold the VIP (in Harvester: control-plane nodes only)."""


@dataclass(frozen=True, slots=True)
class NodesSeen:
    """The nodes, all of them, as known now."""

    at: Nanoseconds
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class NeighbourSeen:
    """A frame in which somebody speaks for a node's own address: ARP's spa and sha, or the like of IPv6."""

    at: Nanoseconds
    address: IPAddress
    mac: Mac


@dataclass(frozen=True, slots=True)
class Link:
    """An interface of this node that has addresses, or that is listened on."""

    device: str
    mac: Mac | None
    networks: tuple[IPNetwork, ...] = ()
    """That its addresses are in."""
    up: bool = True


@dataclass(frozen=True, slots=True)
class HostSeen:
    """The interfaces of this node, all of them, as known now. Comes after the `BoundSeen` of what is bound by then:
    an address for which none has come is not bound."""

    at: Nanoseconds
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class HostLost:
    """What is bound on this node cannot be told any more."""

    at: Nanoseconds


@dataclass(frozen=True, slots=True)
class BoundSeen:
    """On which interfaces of this node an address, watched or not, is bound; none: it is not."""

    at: Nanoseconds
    vip: IPAddress
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """Who held a VIP when an earlier run of this program last knew. Comes before anything is heard of the VIP."""

    at: Nanoseconds
    vip: IPAddress
    holder: str
    """The node; empty where it was not known."""
    mac: Mac | None
    """The wire's holder."""
    since: Nanoseconds
    heard: Nanoseconds
    """When it was last announced. These two lie before the program's start, and may be negative."""


class Heard(NamedTuple):
    """What one frame told, and each time that it came."""

    told: Sighting | NeighbourSeen
    times: Sequence[Nanoseconds]
    """In their order; the first is that of `told`."""


@dataclass(frozen=True, slots=True)
class Burst:
    """What came within a moment, when some of it came several times: the same as each by itself, in order of time."""

    at: Nanoseconds
    """The first of all times."""
    heard: tuple[Heard, ...]


@dataclass(frozen=True, slots=True)
class CaptureChanged:
    """Capture on an interface began to work or stopped."""

    at: Nanoseconds
    device: str
    up: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FramesMissed:
    """The kernel had to drop frames for want of room, so that nothing was heard for a while proves nothing."""

    at: Nanoseconds
    device: str


Input = (
    Sighting
    | ServiceSeen
    | ServiceGone
    | IntentFreshness
    | LeaseSeen
    | LeaseGone
    | NodesSeen
    | NeighbourSeen
    | Burst
    | HostSeen
    | HostLost
    | BoundSeen
    | Remembered
    | CaptureChanged
    | FramesMissed
)


# --- outputs ----------------------------------------------------------------------------------------------------------


class EventName(StrEnum):
    VIP_SEEN = "vip_seen"
    VIP_MOVED = "vip_moved"
    MAC_CHANGED = "mac_changed"
    CLAIM_WITHDRAWN = "claim_withdrawn"
    CONTEST_STARTED = "contest_started"
    CONTEST_ENDED = "contest_ended"
    VIP_SILENT = "vip_silent"
    VIP_RETURNED = "vip_returned"
    MISMATCH_STARTED = "mismatch_started"
    MISMATCH_ENDED = "mismatch_ended"
    PROBE_SEEN = "probe_seen"
    CAPTURE_LOST = "capture_lost"
    CAPTURE_RESTORED = "capture_restored"
