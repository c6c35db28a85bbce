"""What is asked of an API server, and what it answers once that is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.cluster.fields import Key
from exporter.vip.model import Nanoseconds

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

API_ROOTS: Mapping[str, str] = {
    "services": "/api/v1",
    "nodes": "/api/v1",
    "configmaps": "/api/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "daemonsets": "/apis/apps/v1",
}
"""By resource: the path of its API group and version."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is listed and watched: one object by name, or (name empty) all in a namespace, or (both empty) all."""

    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.namespace, self.name))) or self.resource

    @property
    def path(self) -> str:
        namespace = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{API_ROOTS[self.resource]}{namespace}/{self.resource}"

    @property
    def selector(self) -> str | None:
        """RBAC that is limited to resourceNames permits list and watch only with the name in a field selector."""
        return f"metadata.name={self.name}" if self.name else None

    def covers(self, key: Key) -> bool:
        """Whether an object of the resource is among what is listed and watched."""
        return self.namespace in ("", key.namespace) and self.name in ("", key.name)


@dataclass(frozen=True, slots=True)
class Report(Generic[T_co]):
    """What a list, or one line of a watch, says."""

    target: Target
    at: Nanoseconds
    """When it came."""
    objects: Mapping[Key, T_co | None]
    """Of a list, all there are; of a watch, the one that is new or has changed. None: it is gone, or of no interest."""
    asked: Nanoseconds | None = None
    """When the list was asked for: it is as true as of then, at least. None: it is a line of a watch."""


class Objects(Generic[T]):
    """The latest of one resource, as reported."""

    def __init__(self) -> None:
        self._latest: dict[Key, T] = {}

    def __getitem__(self, key: Key) -> T:
        return self._latest[key]

    def __contains__(self, key: Key) -> bool:
        return key in self._latest

    def values(self) -> Iterable[T]:
        return self._latest.values()

    def take(self, report: Report[T]) -> dict[Key, T | None]:
        """Returns what is different now; None: it is gone."""
        changes = {key: value for key, value in report.objects.items() if self._latest.get(key) != value}
        if report.asked is not None:
            gone = [key for key in self._latest if report.target.covers(key) and key not in report.objects]
            changes |= dict.fromkeys(gone)
        for key, value in changes.items():
            if value is None:
                del self._latest[key]
            else:
                self._latest[key] = value
        return changes
