"""The objects of the emulated cluster: Services, a Lease for each, and Nodes, as kube-vip and Kubernetes write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.soak.api_server import Server
from tests.soak.virtual_clock import SECOND

NAMESPACE = "lb"
LEASE_SECONDS = 30


class Objects:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._leases: dict[str, dict[str, Any]] = {}
        """By VIP."""

    def add_nodes(self, addresses: Mapping[str, str]) -> None:
        for name, address in addresses.items():
            status = {"addresses": [{"type": "InternalIP", "address": address}]}
            self._server.apply("nodes", {"metadata": {"name": name}, "status": status})

    def annotate(self, vip: str, node: str, dhcp: bytes | None) -> None:
        """The Service names this node; `dhcp` is the MAC that all of them announce."""
        said = {"kube-vip.io/vipHost": node, "kube-vip.io/loadbalancerIPs": vip}
        if dhcp is not None:
            said |= {"kube-vip.io/loadbalancerIPs": "0.0.0.0", "kube-vip.io/hwaddr": dhcp.hex(":")}
            said["kube-vip.io/requestedIP"] = vip
        service = {
            "metadata": {"namespace": NAMESPACE, "name": _name(vip), "annotations": said},
            "spec": {"type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": [{"ip": vip}]}},
        }
        self._server.apply("services", service)

    def elect(self, vip: str, node: str, wall: int) -> None:
        """The Lease is this node's, or (empty) between two."""
        stamp = datetime.fromtimestamp(wall / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        meta = {"namespace": NAMESPACE, "name": f"kubevip-{_name(vip)}"}
        lease = self._leases.setdefault(vip, {"metadata": meta, "spec": {"leaseTransitions": -1}})
        spec = lease["spec"]
        if node and node != spec.get("holderIdentity"):
            spec["leaseTransitions"] += 1
            spec["acquireTime"] = stamp
        spec |= {"holderIdentity": node, "renewTime": stamp, "leaseDurationSeconds": LEASE_SECONDS}
        self._server.apply("leases", lease)

    def renew(self, wall: int) -> None:
        for vip, lease in self._leases.items():
            if node := lease["spec"]["holderIdentity"]:
                self.elect(vip, node, wall)

    def transitions(self) -> dict[str, int]:
        """By VIP, as the Leases count them."""
        return {vip: lease["spec"]["leaseTransitions"] for vip, lease in self._leases.items()}


def _name(vip: str) -> str:
    return "vip-" + vip.replace(".", "-").replace(":", "-")
