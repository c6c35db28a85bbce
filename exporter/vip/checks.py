"""What is compared with what: the mismatches between sources, and the documented requirements of a VIP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.vip.model import (
    Check,
    ClaimantClass,
    EventName,
    IPAddress,
    Mac,
    Mode,
    Nanoseconds,
    Requirement,
    ServiceIntent,
    State,
    format_mac,
)
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import FieldValue, Mismatch

Emit = Callable[[EventName, Mapping[str, FieldValue], Nanoseconds], None]
"""Told the name, the fields and since when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is compared, as of one moment. An empty name: that source names nobody, or cannot be believed."""

    intent: ServiceIntent | None
    intent_fresh: bool
    intent_current: bool
    """Kubernetes answers at present."""
    lease_confirmed: bool
    """Whether the lease was renewed is known."""
    state: State
    wire_mac: Mac | None
    wire_class: ClaimantClass | None
    wire_node: str
    lease: str
    annotation: str
    annotation_left_behind: bool
    """It names the holder from before the wire's last move, to a MAC that resolves to no node."""
    annotation_ruled_out: bool
    """It can be believed, but whoever announces is certainly not the node that it names."""
    local: str
    believed: str
    """The strongest source beside the wire."""
    still_announced: IPAddress | None
    """An address that the Service had before and that somebody still announces."""


def failures(facts: Facts) -> dict[Check, Mapping[str, FieldValue] | None]:
    """Every check, with the values that contradict each other; None where nothing does.

    What Kubernetes says is compared only while it is fresh, for stale intent contradicts nobody.
    """
    annotation = facts.annotation if facts.intent_fresh else ""
    lease = facts.lease if facts.intent_fresh else ""
    holder = facts.wire_node or facts.believed
    host = _differ(annotation, facts.wire_node) or (facts.annotation_ruled_out and facts.intent_fresh)
    hwaddr = facts.intent.hwaddr if facts.intent else None
    return {
        Check.HOST: {"annotation": annotation, "wire": facts.wire_node, "mac": _text(facts.wire_mac)}
        if host or (facts.annotation_left_behind and facts.intent_fresh)
        else None,
        Check.MAC: {"mac": _text(facts.wire_mac), "hwaddr": _text(hwaddr)} if _mac_differs(facts, host=host) else None,
        Check.LEASE: {"lease": lease, "annotation": annotation} if _differ(lease, annotation) else None,
        Check.ADDRESS: {"announced": str(facts.still_announced)}
        if facts.still_announced and facts.intent_fresh
        else None,
        # Seen by the exporter on the node that kept the address when it lost the VIP.
        Check.BOUND: {"bound_on": facts.local, "holder": holder} if _differ(facts.local, holder) else None,
    }


def held_back(facts: Facts) -> frozenset[Check]:
    """The checks on which nothing can be said at present: one side may have changed without being told to us.

    API server and holder are often lost together. Then nobody can say whether an annotation has followed the move.
    """
    if not facts.intent_fresh:
        return frozenset()  # stale: nothing of it is compared, nor upheld
    held: set[Check] = set()
    if not facts.intent_current:
        held |= {Check.HOST, Check.MAC, Check.LEASE, Check.ADDRESS}
    if not facts.lease_confirmed:
        held.add(Check.LEASE)
    if not facts.wire_node and not (facts.intent_current and facts.lease_confirmed):
        held.add(Check.BOUND)
    return frozenset(held)


def undecided(facts: Facts) -> frozenset[Check]:
    """The checks that wait for the end of an episode: until then the wire stands for the old holder, right or wrong."""
    return frozenset({Check.HOST, Check.MAC, Check.BOUND} if facts.state is State.MOVING else ())


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and not same_node(one, other)


def _mac_differs(facts: Facts, *, host: bool) -> bool:
    """Whether the MAC on the wire contradicts the Service: what that means depends on mode and kube-vip's version."""
    intent = facts.intent
    if facts.wire_mac is None or intent is None or not facts.intent_fresh:
        return False
    if intent.mode is Mode.STATIC:
        return host
    if intent.mode is not Mode.DHCP or intent.hwaddr is None:
        return False
    if facts.wire_mac == intent.hwaddr or intent.announces_hwaddr is False:
        return False
    if intent.announces_hwaddr:
        return True
    # The version is not known. Up to kube-vip 0.8.1 a MAC of the holder is right, and one that may be the holder's
    # proves nothing; only a MAC that is certainly somebody else's contradicts.
    return host or facts.wire_class in (ClaimantClass.FOREIGN, ClaimantClass.FHRP)


def requirements(
    state: State,
    *,
    missed: bool,
    is_node_address: bool | None,
    in_node_subnet: bool | None,
    load_balancer: bool | None,
) -> dict[Requirement, bool]:
    """The requirements that something can be said of.

    Args:
        state: what is heard of the VIP.
        missed: it is silent, though another source, which can be believed at present, says that somebody holds it.
        is_node_address: whether the VIP is a node's own address; None: the nodes' addresses are not known.
        in_node_subnet: whether it lies in the nodes' subnet; None: that is not known.
        load_balancer: whether a Service of that type has the VIP; None: no Service is known.
    """
    met: dict[Requirement, bool] = {}
    if is_node_address is not None:
        met[Requirement.DISTINCT_FROM_NODES] = not is_node_address
    if in_node_subnet is not None:
        met[Requirement.SAME_SUBNET] = in_node_subnet
    if load_balancer is not None:
        met[Requirement.LOAD_BALANCER_SERVICE] = load_balancer
    if state not in (State.UNKNOWN, State.SILENT):
        met[Requirement.HEARD_HERE] = True
    elif missed:
        met[Requirement.HEARD_HERE] = False
    return met


class Mismatches:
    """The checks over time: one that fails for longer than the settle time is a mismatch, until it holds again."""

    def __init__(self, settle: Nanoseconds, emit: Emit) -> None:
        self._settle = settle
        self._emit = emit
        self._failing: dict[Check, Nanoseconds] = {}
        self._started: set[Check] = set()
        self._undecided: frozenset[Check] = frozenset()

    def next_due(self) -> Nanoseconds | None:
        settled = self._started | self._undecided
        waiting = [since for check, since in self._failing.items() if check not in settled]
        return min(waiting) + self._settle + 1 if waiting else None

    def update(
        self,
        now: Nanoseconds,
        failing: Mapping[Check, Mapping[str, FieldValue] | None],
        *,
        held_back: frozenset[Check] = frozenset(),
        undecided: frozenset[Check] = frozenset(),
    ) -> None:
        """Take how the checks stand.

        Args:
            held_back: of these nothing can be said: a mismatch goes on, and what has not become one starts anew.
            undecided: these do not become a mismatch yet, though their time goes on.
        """
        self._undecided = undecided
        for check, values in failing.items():
            if check in held_back:
                if check not in self._started:
                    self._failing.pop(check, None)
            elif values is None:
                since = self._failing.pop(check, None)
                if since is not None and check in self._started:
                    self._started.discard(check)
                    self._emit(EventName.MISMATCH_ENDED, {"check": check}, since)
            else:
                since = self._failing.setdefault(check, now)
                if check not in self._started | undecided and now - since > self._settle:
                    self._started.add(check)
                    self._emit(EventName.MISMATCH_STARTED, {"check": check, **values}, since)

    def current(self) -> tuple[Mismatch, ...]:
        return tuple(Mismatch(check, self._failing[check]) for check in Check if check in self._started)


def _text(mac: Mac | None) -> str:
    return "" if mac is None else format_mac(mac)
