"""A Kubernetes API with one Service or many, in a process of its own so that the exporter does not wait for ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from bench.stage import VIPS, Stage
from exporter.lab.kubeapi import KubeAPI
from exporter.lab.kubevip import RENEW
from exporter.lab.lease import Lease
from exporter.lab.repeater import Repeater
from exporter.vip.model import ServiceRef

TOKEN = "only-for-the-benchmark"
NODES = ("node-1", "node-2", "node-3")
HOLDER = NODES[0]
MANY = tuple(IPv4Address("198.19.0.1") + number for number in range(1000))
"""The addresses of many Services (from the block for benchmarks, RFC 2544)."""
LEASE_SECONDS = 15


class Cluster(StrEnum):
    """Which objects there are."""

    ONE_SERVICE = "one-service"
    """Harvester's, with no Lease."""
    ONE_LEASE = "one-lease"
    """`MANY` Services whose holder is elected all at once."""
    OWN_LEASES = "own-leases"
    """`MANY` Services, each with an election of its own."""


class Running:
    """The API while it runs."""

    def __init__(self, process: subprocess.Popen[bytes], kubeconfig: Path) -> None:
        self.arguments = ("--kubernetes.kubeconfig", str(kubeconfig))
        """They make an exporter use it."""
        assert process.stdin is not None and process.stdout is not None  # noqa: PT018
        self._ask, self._told = process.stdin, process.stdout
        self._wait()

    def move(self, node: str) -> None:
        """Let every Lease and every Service name this node; returns when that is written."""
        self._ask.write(f"{node}\n".encode())
        self._ask.flush()
        self._wait()

    def _wait(self) -> None:
        if not self._told.readline():
            raise RuntimeError("the Kubernetes API has ended")


@contextmanager
def run(stage: Stage, cluster: Cluster = Cluster.ONE_SERVICE) -> Iterator[Running]:
    """Run it on the listener."""
    path = stage.directory / "kubeconfig"
    with stage.run(sys.executable, "-m", "bench.kubernetes", str(path), cluster) as process:
        yield Running(process, path)


# --- in its own process -----------------------------------------------------------------------------------------------


def main(path: Path, cluster: Cluster) -> None:
    """Serve until standard input ends; each line of it names a node that everything is to move to."""
    with KubeAPI(token=TOKEN) as api:
        content = _Content(api, cluster)
        api.write_kubeconfig(path)
        print("ready", flush=True)
        for line in sys.stdin:
            content.move(line.strip())
            print("moved", flush=True)


class _Content:
    """The objects; their Leases are renewed from the beginning."""

    def __init__(self, api: KubeAPI, cluster: Cluster) -> None:
        self._api = api
        self._holder = HOLDER
        self._refs = [ServiceRef("kube-system", "ingress-expose")]
        self._leases: list[Lease] = []
        if cluster is Cluster.ONE_SERVICE:
            api.apply("services", _service(self._refs[0], VIPS[0]))
            return
        self._refs = [ServiceRef("default", f"service-{number:04}") for number in range(len(MANY))]
        for ref, address in zip(self._refs, MANY, strict=True):
            api.apply("services", _service(ref, address))
        for number, name in enumerate(NODES, 1):
            api.apply("nodes", _node(name, IPv4Address("198.19.255.0") + number))
        own = [ServiceRef(ref.namespace, f"kubevip-{ref.name}") for ref in self._refs]
        leases = own if cluster is Cluster.OWN_LEASES else [ServiceRef("kube-system", "plndr-svcs-lock")]
        self._leases = [Lease(api=api, ref=ref, seconds=LEASE_SECONDS) for ref in leases]
        for lease in self._leases:
            lease.acquire(self._holder)
        Repeater(self._renew, period=RENEW, name="renew").start(after=RENEW)

    def move(self, node: str) -> None:
        self._holder = node
        for lease in self._leases:
            lease.acquire(node)
        for ref in self._refs:
            self._api.annotate("services", ref.namespace, ref.name, {"kube-vip.io/vipHost": node})

    def _renew(self) -> None:
        for lease in self._leases:
            lease.renew(self._holder)


def _service(ref: ServiceRef, address: IPv4Address) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": ref.namespace,
            "name": ref.name,
            "annotations": {"kube-vip.io/loadbalancerIPs": str(address), "kube-vip.io/vipHost": HOLDER},
        },
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"ip": str(address)}]}},
    }


def _node(name: str, address: IPv4Address) -> dict[str, Any]:
    addresses = [{"type": "InternalIP", "address": str(address)}]
    return {"metadata": {"name": name}, "status": {"addresses": addresses}}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Cluster(sys.argv[2]))
