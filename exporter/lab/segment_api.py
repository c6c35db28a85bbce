"""The Kubernetes API on the lab's segment, where every host reaches it, and nothing outside the lab does."""

from __future__ import annotations

import threading
from typing import Any

from exporter.lab.kubeapi import KubeAPI
from exporter.lab.kubeapi.http import Server
from exporter.lab.network import Host, inside


class SegmentAPI(KubeAPI):
    """Runs on a host, at that host's address.

    Args:
        host: where it runs.
        token: the bearer token that every request must carry.
        options: further ones of `KubeAPI`.
    """

    def __init__(self, *, host: Host, token: str, **options: Any) -> None:
        super().__init__(token=token, **options)
        self._host = host

    @property
    def url(self) -> str:
        return f"http://{self._host.address}:{self._port}"

    def start(self) -> str:
        self._server = inside(self._host.namespace, lambda: _Server(self, self._host, self._port))
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="kubeapi", daemon=True).start()
        return self.url


class _Server(Server):
    def __init__(self, api: KubeAPI, host: Host, port: int) -> None:
        self._address = str(host.address)
        super().__init__(api, port)

    def server_bind(self) -> None:
        self.server_address = (self._address, self.server_address[1])
        super().server_bind()
