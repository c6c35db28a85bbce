"""What a VIP requires, each item met or not, in words: the reason and what to do. `check` and the page both show these.

They come from what is known of the one VIP; what else is to be had or not, the caller knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from exporter.vip.agreement import Answer, answer
from exporter.vip.model import Requirement, Source
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import LeaseState, VipSnapshot


class Status(StrEnum):
    MET = "met"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One item of the checklist."""

    requirement: str
    vip: str
    """Empty for what concerns the whole cluster, or this node."""
    status: Status
    reason: str
    remedy: str = ""
    """What to do unless it is met."""


def requirement(vip: VipSnapshot, requirement: Requirement) -> Finding:
    """One of the documented requirements."""
    good, bad, remedy = _REQUIREMENTS[requirement]
    match vip.requirements.get(requirement):
        case None:
            return Finding(
                requirement, str(vip.address), Status.UNKNOWN, "not enough is known to tell", LEARN[requirement]
            )
        case True:
            return Finding(requirement, str(vip.address), Status.MET, good)
        case False:
            return Finding(requirement, str(vip.address), Status.FAILED, bad, remedy)


_REQUIREMENTS = {
    Requirement.LOAD_BALANCER_SERVICE: (
        "a Service of type LoadBalancer has it",
        "no Service of type LoadBalancer has it",
        "restore the Service's type; on Harvester look at the ConfigMap harvester-system/vip and the last upgrade",
    ),
    Requirement.DISTINCT_FROM_NODES: (
        "it is no node's own address",
        "it is a node's own address",
        "choose a VIP that no node has",
    ),
    Requirement.SAME_SUBNET: (
        "it lies in the nodes' subnet",
        "it does not lie in the nodes' subnet",
        "choose a VIP from the subnet of the management interfaces",
    ),
    Requirement.HEARD_HERE: (
        "its announcements are heard here",
        "it is held by other evidence, but nothing is heard here",
        "look whether the holder announces it: if so, this node is on another layer-2 segment, or the switch stops it",
    ),
}
CHECKED = tuple(_REQUIREMENTS)
"""In the order in which they are shown."""

LEARN = {
    Requirement.LOAD_BALANCER_SERVICE: "let it read the Services, as docs/rbac.md has it",
    Requirement.DISTINCT_FROM_NODES: "let it read the Nodes, or name them in the intent file",
    Requirement.SAME_SUBNET: "run it on a node with an address of the VIP's family, and let it read the Nodes",
    Requirement.HEARD_HERE: "let it capture, and read the Service or its Lease; or wait for the first announcement",
}


def one_holder(vip: VipSnapshot) -> Finding:
    address, held_by = str(vip.address), vip.holder or vip.holder_mac
    match answer(vip):
        case Answer.AGREED:
            return Finding("one_holder", address, Status.MET, f"held by {held_by}, and no source says otherwise")
        case Answer.UNKNOWN:
            return Finding(
                "one_holder", address, Status.UNKNOWN, "nobody is known to hold it", "see `vip-exporter who`"
            )
        case Answer.SILENCE:
            on = vip.lease.holder if vip.lease and vip.lease.holder else "the node that should hold it"
            remedy = f"look at kube-vip on {on}: restart it if it runs and does not announce"
            return Finding("one_holder", address, Status.FAILED, "nobody announces it", remedy)
        case Answer.CONTEST:
            macs = ", ".join(f"{one.mac} ({one.holder or one.claimant_class})" for one in vip.claimants)
            entitled = vip.lease.holder if vip.lease and vip.lease.fresh else ""
            whose = f"the Lease names {entitled}: " if entitled else "find out who is to have it: "
            remedy = f"{whose}delete the address wherever else it is bound, and restart kube-vip there"
            return Finding("one_holder", address, Status.FAILED, f"claimed by {macs}", remedy)
        case Answer.MOVING:
            return Finding("one_holder", address, Status.UNKNOWN, "it is moving at this moment", "check again")
        case _:
            return Finding("one_holder", address, Status.FAILED, f"the sources differ ({_says(vip)})", _reconcile(vip))


def _says(vip: VipSnapshot) -> str:
    return ", ".join(f"{one.source}: {one.node or one.mac}" for one in vip.sources)


def _reconcile(vip: VipSnapshot) -> str:
    """What to do about sources that differ."""
    local = next((one.node for one in vip.sources if one.source is Source.LOCAL), "")
    if local and vip.holder and not same_node(local, vip.holder):
        left = ", ".join(vip.bound or ())
        return (
            f"if it stays so, {vip.address} was left behind on {local} ({left}): delete it there, not on {vip.holder}"
        )
    if vip.holder_mac and not any(one.source is Source.WIRE and one.node for one in vip.sources):
        return (
            f"find the machine with {vip.holder_mac} and take the address off it; if it is a node's, name it by --nodes"
        )
    return "look again in a moment; if it stays so, look at kube-vip on each of the nodes named"


def lease_renewed(vip: VipSnapshot, lease: LeaseState) -> Finding:
    """Whether the Lease that decides on it is renewed."""
    if lease.fresh:
        return Finding(
            "lease", str(vip.address), Status.MET, f"{lease.name} is held by {lease.holder or 'nobody just now'}"
        )
    remedy = "look at the kube-vip pods: none of them renews it"
    return Finding("lease", str(vip.address), Status.FAILED, f"{lease.name} has expired", remedy)
