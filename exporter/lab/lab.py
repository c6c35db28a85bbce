"""The whole lab: the network, a Kubernetes API on the observer's loopback, kube-vip on each node, and the exporter."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from exporter.lab.kubeapi import KubeAPI
from exporter.lab.kubevip import KubeVip, Spoofer
from exporter.lab.network import NODES, Network, inside, undisturbed
from exporter.lab.program import Program
from exporter.lab.story import SERVICE, VIP
from exporter.vip.model import IPAddress, ServiceRef


class Lab:
    """A context manager. Inside, everything runs but nobody announces anything yet; after it, nothing is left.

    Args:
        period: seconds between two announcements of a VIP.
        vips: the Service's addresses; the first is the one that a spoofer announces.
        arguments: further ones for the exporter.
    """

    def __init__(
        self,
        *,
        period: float,
        vips: Sequence[IPAddress] = (VIP,),
        arguments: Sequence[str] = (),
        prefix: str | None = None,
    ) -> None:
        self.network = Network(prefix=prefix)
        self.api = KubeAPI(token=secrets.token_hex(), bookmark_seconds=5.0)
        self.nodes: dict[str, KubeVip] = {}
        self._period = period
        self._vips = tuple(vips)
        self._arguments = tuple(arguments)
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self.directory = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="vip-exporter-lab-")))
            parts.enter_context(self.network)
            self.start_api()
            parts.callback(self.api.stop)
            self.api.apply("services", _service(SERVICE, self._vips))
            for name in NODES:
                node = KubeVip(
                    host=self.network.hosts[name],
                    vips=self._vips,
                    period=self._period,
                    api=self.api,
                    service=SERVICE,
                )
                self.nodes[name] = parts.enter_context(node)
            first = next(vip for vip in self._vips if isinstance(vip, IPv4Address))
            self.spoofer = parts.enter_context(Spoofer(host=self.network.hosts[NODES[-1]], vip=first))
            kubeconfig = self.api.write_kubeconfig(self.directory / "kubeconfig")
            self.program = Program(
                host=self.network.observer,
                address=self.network.observer_address,
                log=self.directory / "exporter.log",
                arguments=("--kubernetes.kubeconfig", str(kubeconfig), *self._arguments),
            )
            parts.enter_context(self.program)
            for vip in self._vips:
                self.program.wait_until_ready(str(vip))
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with undisturbed():
            self._parts.close()

    def start_api(self) -> None:
        """Start the Kubernetes API, or start it again after `api.stop()`.

        It listens on the observer's loopback: only the exporter can reach it, and nothing but the lab.
        """
        inside(self.network.observer.namespace, self.api.start)


def _service(ref: ServiceRef, vips: Sequence[IPAddress]) -> dict[str, object]:
    """The Service as it is before any kube-vip has taken over."""
    addresses = [str(vip) for vip in vips]
    return {
        "metadata": {
            "namespace": ref.namespace,
            "name": ref.name,
            "annotations": {"kube-vip.io/loadbalancerIPs": ",".join(addresses)},
        },
        "spec": {"type": "LoadBalancer", "ports": [{"name": "https", "port": 443}]},
        "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}},
    }
