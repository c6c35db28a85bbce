"""The Lease by which the lab's nodes agree on the holder, written as client-go writes it, without an election.

Who takes it is for the caller to say.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from exporter.lab.kubeapi import KubeAPI
from exporter.vip.model import ServiceRef

RELEASED_SECONDS = 1
"""leaseDurationSeconds of a lease that was given up (client-go, `release`)."""


class Lease:
    """There is none in the cluster until somebody takes it.

    Args:
        api: where it is.
        ref: its namespace and name.
        seconds: how long it holds without being renewed.
    """

    def __init__(self, *, api: KubeAPI, ref: ServiceRef, seconds: int) -> None:
        self.ref = ref
        self._api = api
        self._seconds = seconds
        self._lock = threading.Lock()
        self._spec: dict[str, Any] = {}

    @property
    def holder(self) -> str:
        """Its holderIdentity; empty where nobody has it. One that has expired still names its last holder."""
        return str(self._spec.get("holderIdentity", ""))

    def acquire(self, holder: str) -> None:
        """Take it, whoever has it. Its first holder and one who has it already make no transition."""
        with self._lock:
            now = _now()
            if holder != self.holder:
                transitions = self._spec["leaseTransitions"] + 1 if self._spec else 0
                self._spec = {"holderIdentity": holder, "acquireTime": now, "leaseTransitions": transitions}
            self._write(renewTime=now, leaseDurationSeconds=self._seconds)

    def renew(self, holder: str) -> None:
        """Hold it for longer; nothing happens where another has it by now."""
        with self._lock:
            if holder == self.holder:
                self._write(renewTime=_now())

    def release(self, holder: str) -> bool:
        """Give it up, as client-go does with ReleaseOnCancel. Returns whether this holder had it."""
        with self._lock:
            if holder != self.holder:
                return False
            now = _now()
            self._write(holderIdentity="", acquireTime=now, renewTime=now, leaseDurationSeconds=RELEASED_SECONDS)
            return True

    def _write(self, **changes: object) -> None:
        self._spec |= changes
        self._api.apply(
            "leases", {"metadata": {"namespace": self.ref.namespace, "name": self.ref.name}, "spec": self._spec}
        )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
