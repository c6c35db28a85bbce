"""What each source says of one VIP, and why where it says nothing, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.publish.html.words import Time
from exporter.publish.records import ToWall
from exporter.publish.said import nodeless
from exporter.vip.agreement import beside_nobodys_mac
from exporter.vip.model import Source, State
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import SourceHolder, VipSnapshot


@dataclass(frozen=True, slots=True)
class SourceView:
    name: str
    names: str
    """The node, or the MAC; empty: nobody."""
    is_mac: bool
    mac: str
    """Beside the node."""
    detail: str
    moment: Time | None
    """Of which `detail` speaks."""
    mark: str
    """Empty, `agrees`, `differs`, or while it is contested `names`: then there is nobody to agree on."""


class Sources:
    """Of one VIP.

    Args:
        observer: the name of this node; empty: it has none.
        has_kubernetes: a Kubernetes is watched, whether or not it answers.
    """

    def __init__(self, vip: VipSnapshot, to_wall: ToWall, *, observer: str, has_kubernetes: bool) -> None:
        self._vip = vip
        self._to_wall = to_wall
        self._observer = observer
        self._has_kubernetes = has_kubernetes

    def view(self, source: Source) -> SourceView:
        said = next((one for one in self._vip.sources if one.source is source), None)
        detail, moment = self._detail(source, said)
        node, mac = (said.node, said.mac) if said else ("", "")
        return SourceView(
            str(source), node or mac, bool(mac and not node), mac if node else "", detail, moment, self._mark(said)
        )

    def _mark(self, said: SourceHolder | None) -> str:
        vip = self._vip
        if said is None:
            return ""
        if vip.state is State.CONTESTED and (not vip.holder or same_node(said.node, vip.holder)):
            return "names"
        if not said.node:
            return "differs" if beside_nobodys_mac(vip) else "" if vip.holder else "agrees"
        return ("agrees" if same_node(said.node, vip.holder) else "differs") if vip.holder else ""

    def _detail(self, source: Source, said: SourceHolder | None) -> tuple[str, Time | None]:
        vip = self._vip
        match source:
            case Source.WIRE:
                return self._wire(said)
            case Source.LEASE:
                return self._lease(), None
            case Source.ANNOTATION:
                return self._annotation(said), None
            case Source.LOCAL:
                here = self._observer or "this node"
                if vip.bound is None:
                    return "not available", None
                bound = f"bound on {', '.join(vip.bound)} of {here}"
                return (bound if vip.bound else f"not bound on {here}"), None

    def _wire(self, said: SourceHolder | None) -> tuple[str, Time | None]:
        vip = self._vip
        if vip.last_announcement is None:
            return "no announcement heard yet", None
        heard = Time.of(self._to_wall(vip.last_announcement))
        if said is None:
            return (f"{len(vip.claimants)} claimants, announced" if vip.claimants else "last announced"), heard
        return (f"{nodeless(vip)}, announced" if not said.node else "announced"), heard

    def _lease(self) -> str:
        lease = self._vip.lease
        if lease is None:
            return "no Lease found" if self._has_kubernetes else "Kubernetes is not watched"
        name = f"{lease.name}, " if lease.name else ""
        if not lease.fresh:
            return f"{name}EXPIRED; it named {lease.holder or 'nobody'}"
        return f"{name}renewed" if lease.holder else f"{name}changing hands"

    def _annotation(self, said: SourceHolder | None) -> str:
        vip = self._vip
        if said is not None:
            return "kube-vip.io/vipHost" + (", as it was when Kubernetes last answered" if vip.intent_stale else "")
        if vip.lease is not None and not vip.lease.fresh:
            return "not believed while the Lease has expired"
        if vip.services:
            return "names nobody"
        return "no Service that is watched has this address" if self._has_kubernetes else "Kubernetes is not watched"
