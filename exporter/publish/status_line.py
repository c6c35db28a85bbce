"""How the VIPs and the exporter are, in one line: what a service manager shows of it."""

from __future__ import annotations

from collections import Counter

from exporter.publish.status import ExporterStatus
from exporter.vip.model import State
from exporter.vip.snapshot import Snapshot, VipSnapshot

MOST_NAMED = 4
"""VIPs that are told one by one; the worst come first."""


def status_line(snapshot: Snapshot, status: ExporterStatus) -> str:
    """What is wrong with the exporter, where something is, and who holds what."""
    trouble = [f"{capture.device} cannot hear" for capture in status.captures if not capture.up]
    if status.kubernetes is not None and not status.kubernetes.up:
        trouble.append("Kubernetes does not answer")
    if status.state_file_up is False:
        trouble.append("the state file cannot be written")
    if status.config_reloaded is False:
        trouble.append("the configuration is wrong, the old one is in force")
    return "; ".join([*trouble, *_vips(snapshot.vips)])


def _vips(vips: tuple[VipSnapshot, ...]) -> list[str]:
    if not vips:
        return ["no VIP is known"]
    worst_first = sorted(vips, key=lambda vip: (not vip.mismatches, vip.state is State.HELD))
    named = [_vip(vip) for vip in worst_first[:MOST_NAMED]]
    if len(vips) <= MOST_NAMED:
        return named
    states = Counter(str(vip.state) for vip in vips)
    return [f"{len(vips)} VIPs: {', '.join(f'{number} {state}' for state, number in states.most_common())}", *named]


def _vip(vip: VipSnapshot) -> str:
    words = f"{vip.address} {vip.state}"
    if vip.holder:
        words += f", {vip.holder} by {vip.holder_source}" if vip.holder_source else f", {vip.holder}"
    elif vip.holder_mac:
        words += f", {vip.holder_mac} of no known node"
    if vip.mismatches:
        words += f", the sources disagree ({', '.join(str(mismatch.check) for mismatch in vip.mismatches)})"
    return words
