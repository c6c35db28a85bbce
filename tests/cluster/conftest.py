from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import Clock
from exporter.cluster.loop import Timing
from exporter.cluster.watch import ClusterWatcher
from exporter.lab.kubeapi import KubeAPI
from exporter.vip.model import Input, IntentFreshness, ServiceGone, ServiceRef, ServiceSeen

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


def eventually(condition: Callable[[], object], *, within: float = 5.0) -> None:
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.005)


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

    def freshness(self) -> list[bool]:
        return [one.fresh for one in self.inputs if isinstance(one, IntentFreshness)]


class Cluster:
    """An API server, a watcher of it, and what that delivered."""

    def __init__(self, api: KubeAPI, kubeconfig: Path) -> None:
        self.api = api
        self.kubeconfig = kubeconfig
        self.inbox = Inbox()
        self.watchers: list[ClusterWatcher] = []

    def watch(
        self,
        *,
        timing: Timing = FAST,
        services: Sequence[ServiceRef] = (SERVICE,),
        deliver: Callable[[Sequence[Input]], None] | None = None,
    ) -> ClusterWatcher:
        watcher = ClusterWatcher(
            clock=Clock(),
            deliver=deliver or self.inbox,
            kubeconfig=str(self.kubeconfig),
            services=services,
            timing=timing,
        )
        self.watchers.append(watcher)
        watcher.start()
        return watcher

    def watching(self, count: int = 1) -> None:
        """Wait until so many watches are open, so that what follows befalls them."""
        eventually(lambda: self.api.open_watches == count)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A running API server with a Service in it. After each test: every thread ends, and nothing was written."""
    with KubeAPI(token="secret") as api:
        api.apply("services", service())
        cluster = Cluster(api, api.write_kubeconfig(tmp_path / "kubeconfig"))
        yield cluster
        for watcher in cluster.watchers:
            watcher.stop()
        assert api.writes == []
        assert cluster.inbox.overlaps == 0
