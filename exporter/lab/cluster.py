"""The lab's cluster as Kubernetes tells of it: the Service, the Lease, the Nodes, kube-vip and Harvester's wish."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from exporter.lab.kubeapi import KubeAPI
from exporter.lab.lease import Lease
from exporter.lab.network import OBSERVER, Host
from exporter.vip.model import IPAddress, ServiceRef, parse_mac

SERVICE = ServiceRef("kube-system", "ingress-expose")
LEASE = ServiceRef("harvester-system", "plndr-svcs-lock")
DAEMONSET = ServiceRef("harvester-system", "kube-vip")
CONFIGMAP = ServiceRef("harvester-system", "vip")

Version = tuple[int, int, int]

VERSION: Version = (0, 8, 1)
"""Harvester 1.4 to 1.6."""
ANNOUNCES_HWADDR: Version = (0, 8, 2)
"""From here on the macvlan that DHCP mode makes holds the VIP and announces it."""
ANNOTATES_FIRST: Version = (0, 9, 0)
"""From here on the first frame waits for kube-vip's next round; before, it left at once and was annotated after."""

HWADDR = parse_mac("02:00:00:00:00:64")
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_UID = "5eb1a1de-0000-4000-8000-000000000000"
MACVLAN = f"vip-{_UID[:8]}"
"""kube-vip names it after the Service's uid."""


class Cluster:
    """The objects, as they are before any kube-vip has taken over, and what kube-vip changes in them.

    Args:
        api: where they are.
        vips: the Service's addresses.
        dhcp: they come by DHCP.
        version: kube-vip's.
        lease_seconds: how long the Lease holds without being renewed.
    """

    def __init__(
        self,
        *,
        api: KubeAPI,
        vips: Sequence[IPAddress],
        dhcp: bool = False,
        version: Version = VERSION,
        lease_seconds: int = 15,
    ) -> None:
        self.vips = tuple(vips)
        self.dhcp = dhcp
        self.version = version
        self.lease = Lease(api=api, ref=LEASE, seconds=lease_seconds)
        self._api = api

    @property
    def announces_hwaddr(self) -> bool:
        """The frames carry `HWADDR`, whichever node sends them."""
        return self.dhcp and self.version >= ANNOUNCES_HWADDR

    @property
    def annotates_first(self) -> bool:
        return self.version >= ANNOTATES_FIRST

    def create(self, hosts: Iterable[Host]) -> None:
        """Create everything but the Lease, which kube-vip itself makes. The observer is no Node."""
        self._api.apply("services", service(self.vips, dhcp=self.dhcp))
        self._api.apply("configmaps", wish(self.vips[0], dhcp=self.dhcp))
        self.set_version(self.version)
        for host in hosts:
            if host.name != OBSERVER:
                self._api.apply("nodes", node(host))

    def set_version(self, version: Version) -> None:
        """Let kube-vip's DaemonSet have this version."""
        self.version = version
        self._api.apply("daemonsets", daemonset(version))

    def annotate(self, holder: str) -> None:
        """Write what kube-vip writes on taking over; nothing ever takes it back."""
        annotations: dict[str, str | None] = {"kube-vip.io/vipHost": holder}
        if self.dhcp:
            annotations["kube-vip.io/hwaddr"] = HWADDR.hex(":")
            annotations["kube-vip.io/requestedIP"] = ",".join(map(str, self.vips))
        self._api.annotate("services", SERVICE.namespace, SERVICE.name, annotations)


def service(vips: Sequence[IPAddress], *, dhcp: bool = False) -> dict[str, Any]:
    """The Service whose addresses the VIPs are."""
    addresses = [str(vip) for vip in vips]
    asked = ["0.0.0.0" if vip.version == 4 else "::" for vip in vips] if dhcp else addresses  # noqa: S104 - the word for DHCP
    meta = _meta(SERVICE) | {"uid": _UID, "annotations": {"kube-vip.io/loadbalancerIPs": ",".join(asked)}}
    return {
        "metadata": meta,
        "spec": {"type": "LoadBalancer", "ports": [{"name": "https", "port": 443}]},
        "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}},
    }


def wish(vip: IPAddress, *, dhcp: bool = False) -> dict[str, Any]:
    """Harvester's ConfigMap: the VIP as it was asked for."""
    data = {
        "enabled": "true",
        "serviceType": "LoadBalancer",
        "ip": str(vip),
        "mode": "dhcp" if dhcp else "static",
        "hwAddress": HWADDR.hex(":") if dhcp else "",
        "loadBalancerIP": "0.0.0.0" if dhcp else str(vip),  # noqa: S104 - the word for DHCP
    }
    return {"metadata": _meta(CONFIGMAP), "data": data}


def node(host: Host) -> dict[str, Any]:
    """One that may hold the VIP."""
    labels = {"kubernetes.io/hostname": host.name, _CONTROL_PLANE: "true"}
    addresses = [{"type": "InternalIP", "address": str(host.address)}, {"type": "Hostname", "address": host.name}]
    return {"metadata": {"name": host.name, "labels": labels}, "status": {"addresses": addresses}}


def daemonset(version: Version) -> dict[str, Any]:
    """kube-vip's; on the nodes of the control plane, as Harvester has it."""
    labels = {"app.kubernetes.io/name": "kube-vip"}
    tag = ".".join(map(str, version))
    container = {"name": "kube-vip", "image": f"rancher/mirrored-kube-vip-kube-vip-iptables:v{tag}"}
    pod = {"nodeSelector": {_CONTROL_PLANE: "true"}, "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"metadata": _meta(DAEMONSET), "spec": {"selector": {"matchLabels": labels}, "template": template}}


def _meta(ref: ServiceRef) -> dict[str, Any]:
    return {"namespace": ref.namespace, "name": ref.name}
