"""`vip-exporter check`: what a cluster with a VIP requires, each item with a reason and, unless it is met, a remedy.

Exit status 0: nothing fails. 1: something does. What cannot be told from here is said to be so, and fails nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter.cli import looking
from exporter.cli.who import Answer, answer
from exporter.config import ArgumentParser
from exporter.look import Look, look
from exporter.publish.records import Record, rfc3339
from exporter.vip.model import Mode, Requirement, Source
from exporter.vip.snapshot import VipSnapshot


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


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(
        prog="vip-exporter check",
        description="Checks what a cluster with a virtual IP requires, and says what to do where it is not so.",
        epilog="exit status: 0 nothing fails, 1 something does, 64 bad input",
    )
    looking.add_arguments(parser)
    given = parser.parse_args(arguments)
    config, intent, vips = looking.read(given)
    seen = look(config, intent, vips=vips)
    asked = [vip for vip in seen.snapshot.vips if not vips or vip.address in vips]
    findings = list(checklist(seen, asked))
    print(json.dumps(_record(seen, findings), indent=2) if given.json else "\n".join(_text(findings)))
    return int(any(finding.status is Status.FAILED for finding in findings))


# --- the checklist ----------------------------------------------------------------------------------------------------


def checklist(seen: Look, vips: Sequence[VipSnapshot]) -> Iterator[Finding]:
    """Every item, those of the cluster and of this node first."""
    yield from _sources(seen)
    yield from _nodes(seen)
    for vip in vips:
        yield from _vip(seen, vip)
    if not vips:
        yield Finding(
            "vip_known", "", Status.FAILED, "no VIP is known", "create the Service, or name others by --services.watch"
        )


def _sources(seen: Look) -> Iterator[Finding]:
    if reason := seen.lacking.get(Source.WIRE):
        remedy = "run as root or with CAP_NET_RAW, on an interface that is up"
        yield Finding("capture", "", Status.UNKNOWN, reason, remedy)
    else:
        devices = ", ".join(capture.device for capture in seen.captures)
        yield Finding("capture", "", Status.MET, f"listening on {devices}")
    if reason := seen.lacking.get(Source.LOCAL):
        remedy = "run in the node's own network namespace (hostNetwork)"
        yield Finding("host", "", Status.UNKNOWN, reason, remedy)
    if reason := seen.lacking.get(Source.ANNOTATION):
        remedy = "name a kubeconfig that reaches the cluster by --kubernetes.kubeconfig"
        yield Finding("kubernetes", "", Status.UNKNOWN, reason, remedy)
    elif seen.cluster is not None:
        failing = [target for target in seen.cluster.targets if target.reason and not target.up]
        for target in failing:
            yield Finding(
                "kubernetes",
                "",
                Status.FAILED,
                f"{target.resource} {target.object}: {target.reason}",
                "permit list and watch on it, as docs/rbac.md has it",
            )
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
            "ping them from here and check again; if they stay unheard they are on another layer-2 segment",
        )
    else:
        yield Finding("one_segment", "", Status.MET, "the MAC of every node that may hold a VIP is known here")


def _vip(seen: Look, vip: VipSnapshot) -> Iterator[Finding]:
    address = str(vip.address)
    for requirement, (good, bad, remedy) in _REQUIREMENTS.items():
        met = vip.requirements.get(requirement)
        if met is None:
            if requirement is not Requirement.LOAD_BALANCER_SERVICE or vip.services:
                yield Finding(requirement, address, Status.UNKNOWN, "not enough is known to tell", _LEARN[requirement])
        elif met:
            yield Finding(requirement, address, Status.MET, good)
        else:
            yield Finding(requirement, address, Status.FAILED, bad, remedy)
    yield _one_holder(vip)
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
        "look whether this node is on the holder's layer-2 segment, and whether the switch passes gratuitous ARP",
    ),
}
_LEARN = {
    Requirement.LOAD_BALANCER_SERVICE: "let it read the Service",
    Requirement.DISTINCT_FROM_NODES: "let it read the Nodes, or name them in the intent file",
    Requirement.SAME_SUBNET: "run it on a node, where it can read the Nodes",
    Requirement.HEARD_HERE: "let it capture, and read the Service or its Lease",
}


def _one_holder(vip: VipSnapshot) -> Finding:
    address, held_by = str(vip.address), vip.holder or vip.holder_mac
    match answer(vip):
        case Answer.AGREED:
            return Finding("one_holder", address, Status.MET, f"held by {held_by}, and no source says otherwise")
        case Answer.UNKNOWN:
            return Finding(
                "one_holder", address, Status.UNKNOWN, "nobody is known to hold it", "see `vip-exporter who`"
            )
        case Answer.SILENCE:
            remedy = "look at kube-vip on the node that the Lease names; restart it if it does not announce"
            return Finding("one_holder", address, Status.FAILED, "nobody announces it", remedy)
        case Answer.CONTEST:
            macs = ", ".join(f"{one.mac} ({one.holder or one.claimant_class})" for one in vip.claimants)
            remedy = "unbind the address on the node that must not have it, and restart its kube-vip"
            return Finding("one_holder", address, Status.FAILED, f"claimed by {macs}", remedy)
        case Answer.MOVING:
            return Finding("one_holder", address, Status.UNKNOWN, "it is moving at this moment", "check again")
        case _:
            says = ", ".join(f"{one.source}: {one.node}" for one in vip.sources if one.node)
            remedy = "see `vip-exporter who` on each node: the one that is not the holder must let go of the address"
            return Finding("one_holder", address, Status.FAILED, f"the sources differ ({says})", remedy)


def _lease(seen: Look, vip: VipSnapshot) -> Iterator[Finding]:
    address, lease = str(vip.address), vip.lease
    if Source.ANNOTATION in seen.lacking or seen.cluster is None:
        return
    if lease is None:
        remedy = "name the Lease that kube-vip uses by --lease.services; without election there is none"
        yield Finding("lease", address, Status.UNKNOWN, "no Lease that decides on it was found", remedy)
    elif lease.fresh:
        yield Finding("lease", address, Status.MET, f"{lease.name} is held by {lease.holder or 'nobody just now'}")
    else:
        remedy = "look at the kube-vip pods: none of them renews it"
        yield Finding("lease", address, Status.FAILED, f"{lease.name} has expired", remedy)


def _version(seen: Look, address: str) -> Finding:
    version = seen.cluster.kube_vip_version if seen.cluster else None
    if version is None:
        remedy = "name kube-vip's DaemonSet by --kube-vip.daemonset, or its version by --kube-vip.version"
        return Finding("kube_vip_version", address, Status.UNKNOWN, "which MAC announces depends on it", remedy)
    return Finding("kube_vip_version", address, Status.MET, ".".join(map(str, version)))


# --- as text and as JSON ----------------------------------------------------------------------------------------------

_MARKS = {Status.MET: "ok", Status.FAILED: "FAILED", Status.UNKNOWN: "?"}


def _text(findings: Sequence[Finding]) -> Iterator[str]:
    section = None
    for finding in findings:
        if finding.vip != section:
            section = finding.vip
            yield from ([""] if finding is not findings[0] else [])
            yield section or "cluster and this node"
        yield f"  {_MARKS[finding.status]:6}  {finding.requirement:21}  {finding.reason}"
        if finding.remedy and finding.status is not Status.MET:
            yield f"{'':33}{finding.remedy}"
    number = sum(finding.status is Status.FAILED for finding in findings)
    yield ""
    yield f"{number} failed" if number else "nothing fails"


def _record(seen: Look, findings: Sequence[Finding]) -> Record:
    return {
        "time": rfc3339(seen.clock.to_wall(seen.snapshot.at)),
        "observer": seen.observer,
        "lacking": {str(source): reason for source, reason in seen.lacking.items()},
        "checks": [
            {
                "requirement": str(finding.requirement),
                "vip": finding.vip,
                "status": str(finding.status),
                "reason": finding.reason,
                "remedy": finding.remedy,
            }
            for finding in findings
        ],
    }
