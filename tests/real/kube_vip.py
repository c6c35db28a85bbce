"""A real kube-vip on a node of the lab: announces Services by ARP, elects one holder for all of them."""

from __future__ import annotations

from pathlib import Path

from exporter.lab.cluster import LEASE
from exporter.lab.network import Host
from tests.real.daemon import Daemon

PERIOD = 1.0
LEASE_SECONDS = 30
RENEW_DEADLINE = 20
"""Seconds that the API can be away before the leader gives up."""


def environment(host: Host, kubeconfig: Path, home: Path) -> dict[str, str]:
    """Its settings. Where versions call one differently, both names."""
    return {
        "vip_arp": "true",
        "vip_arpRate": str(round(PERIOD * 1000)),
        "vip_interface": host.device,
        "vip_cidr": "32",  # up to 0.8
        "vip_subnet": "32",  # from 0.9
        "vip_nodename": host.name,
        "vip_leaderelection": "true",
        "vip_leaseduration": str(LEASE_SECONDS),
        "vip_renewdeadline": str(RENEW_DEADLINE),
        "vip_retryperiod": "2",
        "cp_enable": "false",
        "cp_namespace": LEASE.namespace,
        "svc_enable": "true",
        "svc_election": "false",
        "svc_leasename": LEASE.name,
        "k8s_config_file": str(kubeconfig),
        "HOME": str(home),  # up to 1.0 it reads .kube/config there
    }


def kube_vip(*, host: Host, binary: Path, kubeconfig: Path, directory: Path) -> Daemon:
    """One that is not started yet."""
    home = directory / f"home-{host.name}"
    config = home / ".kube" / "config"
    config.parent.mkdir(parents=True)
    config.touch(mode=0o600)
    config.write_text(kubeconfig.read_text())
    return Daemon(
        host=host,
        command=[str(binary), "manager"],
        log=directory / f"kube-vip-{host.name}.log",
        environment=environment(host, kubeconfig, home),
    )
