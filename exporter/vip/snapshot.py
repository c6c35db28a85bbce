"""What the core shows: immutable snapshots of every VIP, and the events between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.vip.histogram import Distribution
from exporter.vip.model import (
    Check,
    ClaimantClass,
    EventName,
    IPAddress,
    Kind,
    Mode,
    Nanoseconds,
    Requirement,
    ServiceRef,
    Source,
    State,
)

FieldValue = str | int | float | None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; the same object becomes a log line, an API row and a line of `replay`."""

    at: Nanoseconds
    name: EventName
    vip: IPAddress | None
    """None for what concerns the exporter itself."""
    fields: Mapping[str, FieldValue]
    since: Nanoseconds | None = None
    """When what it reports began: a move's first frame, the start of a mismatch."""


@dataclass(frozen=True, slots=True)
class Claimant:
    mac: str
    holder: str
    """The node it resolves to; empty where none is known."""
    claimant_class: ClaimantClass


@dataclass(frozen=True, slots=True)
class SourceHolder:
    """What one source says: a node, a MAC, or both."""

    source: Source
    node: str
    mac: str
    since: Nanoseconds


@dataclass(frozen=True, slots=True)
class LastMove:
    at: Nanoseconds
    """The new holder's first frame, or the source's change."""
    origin: str
    target: str
    """Node names; the MAC where the node is not known."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    check: Check
    since: Nanoseconds


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The Lease that decides on a VIP."""

    name: str
    """`namespace/name`; empty where there is no Kubernetes."""
    holder: str
    """As written; empty while it changes hands."""
    fresh: bool
    """It has not expired, as far as can be told."""
    expires: Nanoseconds | None
    acquired: Nanoseconds | None
    transitions: int | None


@dataclass(frozen=True, slots=True)
class NodeMac:
    """A MAC that belongs to a node."""

    node: str
    mac: str
    device: str
    """The interface, on this node only; empty where the MAC was configured or heard."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node, and whether its frames are known here."""

    name: str
    addresses: tuple[IPAddress, ...]
    candidate: bool
    macs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VipSnapshot:
    """All that is known of one VIP at one moment. Durations are nanoseconds; empty text means not known."""

    address: IPAddress
    mode: Mode
    services: tuple[ServiceRef, ...]
    state: State
    holder: str
    """The node, fused over all sources."""
    counted_from: str
    """The node from which the next move will be counted: the holder, but while a move is being decided on; what is to
    be remembered for another run."""
    holder_source: Source | None
    holder_mac: str
    """The wire's holder; the old one while moving, empty while unknown, contested or silent."""
    holder_since: Nanoseconds | None
    sources: tuple[SourceHolder, ...]
    moves: int
    source_moves: Mapping[Source, int]
    mac_changes: int
    contests: int
    withdrawn_claims: int
    last_move: LastMove | None
    last_handover: Nanoseconds | None
    announcements: Mapping[Kind, int]
    last_announcement: Nanoseconds | None
    sightings: Mapping[str, int]
    period: Nanoseconds
    claimants: tuple[Claimant, ...]
    """The live ones, in the order in which they came."""
    listed_claimants: tuple[Claimant, ...]
    claims: Mapping[ClaimantClass, int]
    claimants_overflow: int
    mismatches: tuple[Mismatch, ...]
    requirements: Mapping[Requirement, bool]
    intent_stale: bool | None
    """None where no Kubernetes stands behind the VIP."""
    lease: LeaseState | None = None
    """None: none is known."""
    bound: tuple[str, ...] | None = None
    """The interfaces of this node that it is bound on; None: that cannot be told."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    at: Nanoseconds
    vips: tuple[VipSnapshot, ...]
    """In the order of their addresses, IPv4 first."""
    handover: Distribution
    annotation_lag: Distribution
    nodes: tuple[NodeState, ...] = ()
    node_macs: tuple[NodeMac, ...] = ()
    shared_macs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """MACs that several nodes claim, with the nodes: they name none of them."""
