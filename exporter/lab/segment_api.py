"""The Kubernetes API on the lab's segment, where every host reaches it, and nothing outside the lab does."""

from __future__ import annotations

from typing import Any

from exporter.lab.kubeapi import KubeAPI
from exporter.lab.network import Host, inside


class SegmentAPI(KubeAPI):
    """Runs on a host, at that host's address.

    Args:
        host: where it runs.
        token: the bearer token that every request must carry.
        options: further ones of `KubeAPI`.
    """

    def __init__(self, *, host: Host, token: str, **options: Any) -> None:
        super().__init__(token=token, address=str(host.address), **options)
        self._host = host

    def start(self) -> str:
        return inside(self._host.namespace, super().start)
