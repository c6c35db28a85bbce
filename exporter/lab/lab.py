"""The whole lab: the network, a Kubernetes API on the observer, kube-vip on each node, and exporters."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from exporter.lab.chatter import Chatter
from exporter.lab.cluster import VERSION, Cluster, Version
from exporter.lab.kubevip import RENEW, KubeVip
from exporter.lab.network import NODES, OBSERVER, Network, undisturbed
from exporter.lab.program import PORT, Program
from exporter.lab.segment_api import SegmentAPI
from exporter.lab.spoofer import Spoofer
from exporter.lab.story import VIP
from exporter.vip.model import IPAddress


class Lab:
    """A context manager. Inside, everything runs but nobody announces anything yet; after it, nothing is left.

    Args:
        period: seconds between two announcements of a VIP.
        vips: the Service's addresses; the first is the one that a spoofer announces.
        arguments: further ones for the exporters.
        observers: the hosts that run an exporter; the first is the one that `program` means.
        bridged: the nodes whose address is on a bridge.
        dhcp: the VIPs come by DHCP.
        version: kube-vip's; DHCP mode, and the order of wire and annotation, depend on it.
        lease_seconds: how long the lease holds without being renewed.
        renew: seconds between two renewals.
    """

    def __init__(
        self,
        *,
        period: float,
        vips: Sequence[IPAddress] = (VIP,),
        arguments: Sequence[str] = (),
        prefix: str | None = None,
        observers: Sequence[str] = (OBSERVER,),
        bridged: Collection[str] = (),
        dhcp: bool = False,
        version: Version = VERSION,
        lease_seconds: int = 15,
        renew: float = RENEW,
    ) -> None:
        self.network = Network(prefix=prefix, bridged=bridged)
        # Every node reaches it, so that their ARP for the observer is on the segment.
        self.api = SegmentAPI(host=self.network.observer, token=secrets.token_hex(), bookmark_seconds=5.0)
        self.cluster = Cluster(api=self.api, vips=vips, dhcp=dhcp, version=version, lease_seconds=lease_seconds)
        self.nodes: dict[str, KubeVip] = {}
        self.programs: dict[str, Program] = {}
        """The exporters, by their host."""
        self._period = period
        self._renew = renew
        self._arguments = tuple(arguments)
        self._observers = tuple(observers)
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self.directory = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="vip-exporter-lab-")))
            hosts = parts.enter_context(self.network).hosts
            parts.enter_context(self.api)
            self.cluster.create(hosts.values())
            for name in NODES:
                node = KubeVip(host=hosts[name], cluster=self.cluster, period=self._period, renew=self._renew)
                self.nodes[name] = parts.enter_context(node)
            parts.enter_context(Chatter([hosts[name] for name in NODES]))
            first = next(vip for vip in self.cluster.vips if isinstance(vip, IPv4Address))
            self.spoofer = parts.enter_context(Spoofer(host=hosts[NODES[-1]], vip=first))
            kubeconfig = self.api.write_kubeconfig(self.directory / "kubeconfig")
            for name in self._observers:
                program = Program(
                    host=hosts[name],
                    log=self.directory / f"{name}.log",
                    arguments=["--kubernetes.kubeconfig", str(kubeconfig), *self._arguments],
                )
                self.programs[name] = parts.enter_context(program)
            for program in self.programs.values():
                for vip in self.cluster.vips:
                    program.wait_until_ready(str(vip))
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with undisturbed():
            self._parts.close()

    @property
    def program(self) -> Program:
        return self.programs[self._observers[0]]

    @property
    def url(self) -> str:
        """Where this machine reaches the observer's exporter. There is no way to the others but from within."""
        return f"http://{self.network.observer_address}:{PORT}"
