"""Stands in for a pager: keeps every alert that Alertmanager sends it, and answers nothing else."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from exporter.lab.network import inside
from tests.monitoring.process import wait_until


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert of one notification."""

    at: float
    """When it arrived, in seconds since 1970."""
    receiver: str
    status: str
    """`firing` or `resolved`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    path: str = ""
    """Of the URL that it was sent to."""

    @property
    def name(self) -> str:
        return self.labels["alertname"]


@dataclass(slots=True)
class Webhook:
    """Keeps every alert that a notification brings. A context manager.

    Args:
        namespace: where it listens, on loopback.
    """

    namespace: str
    port: int = 8080
    arrived: deque[Notice] = field(default_factory=deque)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        arrived = self.arrived

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    arrived.append(
                        Notice(
                            time.time(),
                            body["receiver"],
                            alert["status"],
                            alert["labels"],
                            alert["annotations"],
                            self.path,
                        )
                    )
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """What arrives is kept; there is nothing else to say."""

        self._server = inside(self.namespace, lambda: ThreadingHTTPServer(("127.0.0.1", self.port), Handler))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="webhook", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def notices(self, name: str = "", *, status: str = "", since: float = 0.0, **labels: str) -> list[Notice]:
        """Those that arrived so far, the oldest first."""
        return [
            notice
            for notice in list(self.arrived)
            if name in ("", notice.name)
            and status in ("", notice.status)
            and notice.at >= since
            and labels.items() <= notice.labels.items()
        ]

    def wait_for(self, name: str, *, status: str, within: float, since: float = 0.0, **labels: str) -> Notice:
        """The first that is so; fails if none arrives in time."""
        return wait_until(
            lambda: self.notices(name, status=status, since=since, **labels),
            within=within,
            otherwise=lambda: (
                f"no {status} {name} {labels}; there were "
                f"{[(notice.name, notice.status, dict(notice.labels)) for notice in self.arrived]}"
            ),
        )[0]
