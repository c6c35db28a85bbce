"""A second network beside the lab's segment, by which Prometheus reaches an exporter whose interface there is down.

It carries no frame of the segment, and the exporters do not listen on it for any.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Network

from exporter.lab.network import Host, LabUnavailableError, Network, ip, undisturbed
from exporter.lab.program import PORT
from tests.monitoring.servers import Target

RELEASE_NAMESPACE = "vip-exporter"
_ADDRESSES = IPv4Network("198.19.0.0/24")
"""Set aside for tests (RFC 2544), and another half of it than the lab uses."""
_DEVICE = "management"


@contextmanager
def management(network: Network) -> Iterator[str]:
    """Build it and give the name of Prometheus' namespace on it; afterwards nothing of it is left."""
    namespace = f"{network.prefix}-monitor"
    with suppress(LabUnavailableError):
        ip("netns", "delete", namespace)  # what a killed run with the same process id left
    ip("netns", "add", namespace)
    try:
        ip("link", "set", "lo", "up", inside=namespace)
        ip("link", "add", "br0", "type", "bridge", inside=namespace)
        ip("address", "add", f"{_ADDRESSES[1]}/{_ADDRESSES.prefixlen}", "dev", "br0", inside=namespace)
        ip("link", "set", "br0", "up", inside=namespace)
        for host in network.hosts.values():
            _connect(host, namespace)
        yield namespace
    finally:
        with undisturbed():
            for host in network.hosts.values():
                with suppress(LabUnavailableError):  # it was not connected yet
                    ip("link", "delete", _DEVICE, inside=host.namespace)
            ip("netns", "delete", namespace)


def target(host: Host) -> Target:
    """A host's exporter, labelled as a PodMonitor in the release's namespace would label it."""
    labels = {
        "instance": f"{host.address}:{PORT}",
        "namespace": RELEASE_NAMESPACE,
        "pod": f"vip-exporter-{host.name}",
        "container": "vip-exporter",
        "endpoint": "metrics",
        "node": host.name,
    }
    return Target(f"{_address(host)}:{PORT}", labels)


def _connect(host: Host, namespace: str) -> None:
    port = f"to-{host.name}"
    ip("link", "add", port, "type", "veth", "peer", "name", _DEVICE, "netns", host.namespace, inside=namespace)
    ip("link", "set", port, "master", "br0", "up", inside=namespace)
    ip("link", "set", _DEVICE, "addrgenmode", "none", inside=host.namespace)
    ip("address", "add", f"{_address(host)}/{_ADDRESSES.prefixlen}", "dev", _DEVICE, inside=host.namespace)
    ip("link", "set", _DEVICE, "up", inside=host.namespace)


def _address(host: Host) -> str:
    """Its last byte is that of the host's address on the segment."""
    return str(_ADDRESSES[host.address.packed[-1]])
