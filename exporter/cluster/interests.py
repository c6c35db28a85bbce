"""What to follow in a cluster: which Services, and where to find the Leases and what else tells of their VIPs."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.cluster.kubevip import Version
from exporter.vip.model import IPAddress, Mac, ServiceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Interests:
    """What is followed; without arguments, what a Harvester has. An object that does not exist is waited for."""

    services: tuple[ServiceRef, ...] = (
        ServiceRef("kube-system", "ingress-expose"),
        ServiceRef("kube-system", "rke2-traefik"),
    )
    """Where Harvester keeps its management VIP: through 1.8 the first, from 1.9 the second."""
    discover: bool = False
    """Every Service that kube-vip handles, in all namespaces, instead of `services`."""
    include: tuple[str, ...] = ("*/*",)
    """Of these, only those that match one of these patterns of namespace/name, ..."""
    exclude: tuple[str, ...] = ()
    """... and none of these."""
    service_leases: tuple[ServiceRef, ...] = (
        ServiceRef("harvester-system", "plndr-svcs-lock"),
        ServiceRef("kube-system", "plndr-svcs-lock"),
    )
    """By which kube-vip elects the holder of all Services at once."""
    control_plane_addresses: tuple[IPAddress, ...] = ()
    control_plane_lease: ServiceRef = ServiceRef("kube-system", "plndr-cp-lock")  # noqa: RUF009 - it is frozen
    daemonsets: tuple[ServiceRef, ...] = (
        ServiceRef("harvester-system", "kube-vip"),
        ServiceRef("kube-system", "kube-vip-ds"),
        ServiceRef("kube-system", "kube-vip"),
    )
    """kube-vip's; the first one that exists and tells a version tells it."""
    kube_vip_version: Version | None = None
    """Comes before what a DaemonSet tells."""
    configmap: ServiceRef | None = ServiceRef("harvester-system", "vip")  # noqa: RUF009 - it is frozen
    """Harvester's wish for a management VIP; None: do not ask."""
    nodes: tuple[tuple[str, Mac], ...] = ()
    """MACs of nodes that are known beforehand."""
