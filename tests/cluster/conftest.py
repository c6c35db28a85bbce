from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import Clock
from exporter.cluster.client import Client
from exporter.cluster.intent import Service
from exporter.cluster.interests import Interests
from exporter.cluster.join import Join
from exporter.cluster.kinds import SERVICES
from exporter.cluster.loop import Loop, Timing
from exporter.cluster.target import Target
from exporter.cluster.watch import ClusterWatcher
from exporter.lab.kubeapi import KubeAPI
from exporter.vip.model import (
    Input,
    IntentFreshness,
    LeaseGone,
    LeaseSeen,
    Node,
    NodesSeen,
    ServiceGone,
    ServiceRef,
    ServiceSeen,
)

SERVICE = ServiceRef("kube-system", "ingress-expose")

FAST = Timing(
    connect=0.5,
    answer=0.5,
    watch=5,
    quiet=6.0,
    backoff_first=0.02,
    backoff_most=0.1,
    pace=0.05,
    stale_after=60.0,
)


def service(name: str = "ingress-expose", *, host: str = "node1", ip: str = "10.0.0.5", **more: Any) -> dict[str, Any]:
    """A Service as kube-vip leaves it in static mode."""
    return {
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "annotations": {"kube-vip.io/loadbalancerIPs": ip, "kube-vip.io/vipHost": host},
        },
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
        **more,
    }


def lease(
    name: str,
    holder: str = "node1",
    *,
    namespace: str = "kube-system",
    ago: float = 0.0,
    duration: int = 15,
    transitions: int = 0,
) -> dict[str, Any]:
    """A Lease as client-go writes it, renewed so many seconds ago by its holder's clock."""
    renewed = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration,
            "acquireTime": renewed,
            "renewTime": renewed,
            "leaseTransitions": transitions,
        },
    }


def eventually(condition: Callable[[], object], *, within: float = 5.0) -> None:
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.005)


def nothing_but(**interests: Any) -> Interests:
    """Follow the Nodes, and of everything else only what is named."""
    nothing = {"services": (), "service_leases": (), "daemonsets": (), "configmap": None}
    return Interests(**(nothing | interests))


ONLY_SERVICE = nothing_but(services=(SERVICE,))


class Inbox:
    """The core's place: keeps what was delivered, and notices two deliveries at a time."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.overlaps = 0
        self._busy = threading.Lock()

    def __call__(self, inputs: Sequence[Input]) -> None:
        if not self._busy.acquire(blocking=False):
            self.overlaps += 1
            return
        self.inputs += inputs
        self._busy.release()

    def services(self) -> list[ServiceSeen | ServiceGone]:
        return [one for one in self.inputs if isinstance(one, ServiceSeen | ServiceGone)]

    def hosts(self) -> list[str]:
        """The vipHost of each ServiceSeen, and "-" for each ServiceGone."""
        return [one.intent.vip_host if isinstance(one, ServiceSeen) else "-" for one in self.services()]

    def leases(self, vip: str = "10.0.0.5") -> list[LeaseSeen | LeaseGone]:
        return [one for one in self.inputs if isinstance(one, LeaseSeen | LeaseGone) and one.vip == ip_address(vip)]

    def lease(self, vip: str = "10.0.0.5") -> LeaseSeen | None:
        """What is said last of the VIP's Lease."""
        last = self.leases(vip)[-1:]
        return last[0] if last and isinstance(last[0], LeaseSeen) else None

    def nodes(self) -> tuple[Node, ...]:
        return next((one.nodes for one in reversed(self.inputs) if isinstance(one, NodesSeen)), ())

    def currency(self) -> list[tuple[bool, bool]]:
        """Fresh and current, of each verdict."""
        return [(one.fresh, one.current) for one in self.inputs if isinstance(one, IntentFreshness)]

    def freshness(self) -> list[bool]:
        return [one.fresh for one in self.inputs if isinstance(one, IntentFreshness)]


class Cluster:
    """An API server, a watcher of it, and what that delivered."""

    def __init__(self, api: KubeAPI, kubeconfig: Path) -> None:
        self.api = api
        self.kubeconfig = kubeconfig
        self.inbox = Inbox()
        self.watchers: list[ClusterWatcher] = []
        self.loops: list[Loop[Service]] = []

    def watch(
        self,
        *,
        timing: Timing = FAST,
        interests: Interests = ONLY_SERVICE,
        deliver: Callable[[Sequence[Input]], None] | None = None,
    ) -> ClusterWatcher:
        watcher = ClusterWatcher(
            clock=Clock(),
            deliver=deliver or self.inbox,
            kubeconfig=str(self.kubeconfig),
            interests=interests,
            timing=timing,
        )
        self.watchers.append(watcher)
        watcher.start()
        return watcher

    def follow(self, service: ServiceRef = SERVICE, *, timing: Timing = FAST) -> Loop[Service]:
        """Only the loop of one Service; what it reports comes joined to the inbox."""
        clock = Clock()
        join = Join(ONLY_SERVICE, from_wall=clock.from_wall, doubt=0)
        loop = Loop(
            target=Target("services", service.namespace, service.name),
            kind=SERVICES,
            client=Client(kubeconfig=str(self.kubeconfig), connect=timing.connect, answer=timing.answer),
            clock=clock,
            timing=timing,
            state=threading.Lock(),
            deliver=lambda report: self.inbox(join.take_services(report)),
            failed=lambda: None,
        )
        self.loops.append(loop)
        loop.start()
        return loop

    def watching(self, resource: str = "services", count: int = 1) -> None:
        """Wait until so many watches are open, so that what follows befalls them."""
        eventually(lambda: self.api.open_watches[resource] == count)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A running API server with a Service in it. After each test: every thread ends, and nothing was written."""
    with KubeAPI(token="secret") as api:
        api.apply("services", service())
        cluster = Cluster(api, api.write_kubeconfig(tmp_path / "kubeconfig"))
        yield cluster
        for watcher in cluster.watchers:
            watcher.stop()
        for loop in cluster.loops:
            loop.stop()
            loop.join(1.0)
        assert api.writes == []
        assert cluster.inbox.overlaps == 0
