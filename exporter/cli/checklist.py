"""The checklist of `vip-exporter check`: what a look at a cluster with a VIP says of each thing that is required.

It judges what was seen, and asks for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from exporter.cluster.errors import Reason
from exporter.look import Look, why
from exporter.publish.findings import CHECKED, LEARN, Finding, Status, lease_renewed, one_holder, requirement
from exporter.vip.model import Mode, Requirement, Source
from exporter.vip.snapshot import VipSnapshot

if TYPE_CHECKING:
    from exporter.cluster.watch import ClusterStatus


def checklist(seen: Look, vips: Sequence[VipSnapshot]) -> Iterator[Finding]:
    """Every item, those of the cluster and of this node first."""
    yield from _sources(seen)
    yield from _nodes(seen)
    for vip in vips:
        yield from _vip(seen, vip)
    if not vips:
        remedy = "name the VIP: vip-exporter check VIP"
        if Source.ANNOTATION not in seen.lacking:
            remedy = f"create the Service, name another by --services.watch, or {remedy}"
        yield Finding("known_vip", "", Status.FAILED, "no VIP is known", remedy)


def _sources(seen: Look) -> Iterator[Finding]:
    yield from _capture(seen)
    if Source.LOCAL in seen.lacking:
        remedy = "run it in the node's own network namespace (hostNetwork)"
        yield Finding("host", "", Status.UNKNOWN, seen.lacking[Source.LOCAL], remedy)
    if seen.without_kubernetes:
        remedy = "name a kubeconfig that is good for this cluster by --kubernetes.kubeconfig"
        if seen.cluster is not None:
            remedy += "; --log.level=warning tells more"
        yield Finding("kubernetes", "", Status.UNKNOWN, seen.without_kubernetes, remedy)
    elif seen.cluster is not None:
        yield from _reading(seen.cluster)


def _capture(seen: Look) -> Iterator[Finding]:
    if heard := [capture.device for capture in seen.captures if capture.device not in seen.deaf]:
        yield Finding("capture", "", Status.MET, f"listening on {', '.join(heard)}")
    for device, reason in seen.deaf.items():
        remedy = "bring the interface up, or name another by --capture.interface"
        yield Finding("capture", "", Status.UNKNOWN, f"nothing can be heard on {device}: {reason}", remedy)
    if Source.WIRE in seen.lacking and not seen.deaf:
        remedy = "run it as root or with CAP_NET_RAW, on an interface of the segment"
        yield Finding("capture", "", Status.UNKNOWN, seen.lacking[Source.WIRE], remedy)


def _reading(cluster: ClusterStatus) -> Iterator[Finding]:
    """Whether all that is asked for can be read, since some of it can."""
    failing = [target for target in cluster.targets if not target.up]
    for target in failing:
        what = f"{target.resource} {target.object}" if target.object != target.resource else target.resource
        if target.reason == Reason.FORBIDDEN:
            remedy = "permit list and watch on it, as docs/rbac.md has it"
        else:
            remedy = "look at the API server; --log.level=warning tells more"
        yield Finding("kubernetes", "", Status.FAILED, f"{what}: {why(target)}", remedy)
    if not failing:
        yield Finding("kubernetes", "", Status.MET, "everything that is asked for can be read")


def _nodes(seen: Look) -> Iterator[Finding]:
    for mac, names in seen.snapshot.shared_macs.items():
        yield Finding(
            "distinct_macs",
            "",
            Status.FAILED,
            f"{mac} is claimed by {' and '.join(names)}",
            "give every node a MAC of its own; cloned virtual machines often share one",
        )
    candidates = [node for node in seen.snapshot.nodes if node.candidate]
    if not candidates:
        return
    unheard = [node.name for node in candidates if not node.macs]
    if unheard:
        yield Finding(
            "one_segment",
            "",
            Status.UNKNOWN,
            f"no frame of {', '.join(unheard)} was heard in this short time",
            "ping them from here while it looks; if they stay unheard they are on another layer-2 segment",
        )
    else:
        yield Finding("one_segment", "", Status.MET, "the MAC of every node that may hold a VIP is known here")


def _vip(seen: Look, vip: VipSnapshot) -> Iterator[Finding]:
    address = str(vip.address)
    for required in CHECKED:
        if required is Requirement.LOAD_BALANCER_SERVICE and not vip.services:
            yield from _no_service(seen, vip)
        else:
            yield requirement(vip, required)
    yield one_holder(vip)
    yield from _lease(seen, vip)
    if vip.mode is Mode.DHCP:
        yield Finding(
            "dhcp_reservation",
            address,
            Status.UNKNOWN,
            "whether the DHCP server always gives this address cannot be seen from here",
            "reserve it on the server for the MAC in the Service's annotation kube-vip.io/hwaddr",
        )
        yield _version(seen, address)


def _no_service(seen: Look, vip: VipSnapshot) -> Iterator[Finding]:
    """No Service is known to have the VIP: missing where one is expected, else perhaps only not looked for."""
    required, address = Requirement.LOAD_BALANCER_SERVICE, str(vip.address)
    if seen.cluster is None or seen.without_kubernetes:
        return
    if Source.ANNOTATION in seen.lacking:
        yield Finding(required, address, Status.UNKNOWN, "the Services cannot be read", LEARN[required])
    elif required in vip.requirements:
        yield requirement(vip, required)
    elif vip.mode is Mode.UNKNOWN:
        remedy = "look for a slip in the address; or name its Service by --services.watch, or use --services.discover"
        yield Finding(required, address, Status.UNKNOWN, "no Service that is watched has it", remedy)


def _lease(seen: Look, vip: VipSnapshot) -> Iterator[Finding]:
    address, lease = str(vip.address), vip.lease
    if seen.cluster is None or seen.without_kubernetes:
        return
    if lease is None and (reason := seen.lacking.get(Source.LEASE)):
        remedy = "let it read the Leases, as docs/rbac.md has it"
        yield Finding("lease", address, Status.UNKNOWN, f"cannot be read: {reason}", remedy)
    elif lease is None:
        remedy = "name the Lease that kube-vip uses by --lease.services; without election there is none"
        yield Finding("lease", address, Status.UNKNOWN, "no Lease that decides on it was found", remedy)
    else:
        yield lease_renewed(vip, lease)


def _version(seen: Look, address: str) -> Finding:
    version = seen.cluster.kube_vip_version if seen.cluster else None
    if version is None:
        remedy = "name kube-vip's DaemonSet by --kube-vip.daemonset, or its version by --kube-vip.version"
        return Finding("kube_vip_version", address, Status.UNKNOWN, "which MAC announces depends on it", remedy)
    return Finding("kube_vip_version", address, Status.MET, ".".join(map(str, version)))
