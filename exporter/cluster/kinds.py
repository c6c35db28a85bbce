"""What each watched resource means to the core: how one object is read, and which inputs a change makes.

Another resource is another `Kind` here (and its library method in `client`), not another loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from exporter.cluster.intent import Json, Problem, read_service
from exporter.vip.model import Input, Nanoseconds, ServiceGone, ServiceIntent, ServiceRef, ServiceSeen

T = TypeVar("T")


class Key(NamedTuple):
    """Which object of a resource."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    resource: str
    """As in the API's paths; also the metrics' label."""
    read: Callable[[Key, Json], tuple[T, tuple[Problem, ...]]]
    """One object's meaning, and what of it could not be used. Never raises."""
    changes: Callable[[Nanoseconds, Mapping[Key, T], Mapping[Key, T]], Sequence[Input]]
    """What to tell the core when the objects that exist meant the first and now mean the second."""


def _read_service(key: Key, obj: Json) -> tuple[ServiceIntent, tuple[Problem, ...]]:
    return read_service(ServiceRef(*key), obj)


def _service_changes(
    at: Nanoseconds, before: Mapping[Key, ServiceIntent], after: Mapping[Key, ServiceIntent]
) -> Sequence[Input]:
    gone = [ServiceGone(at, intent.service) for key, intent in before.items() if key not in after]
    seen = [ServiceSeen(at, intent) for key, intent in after.items() if before.get(key) != intent]
    return [*gone, *seen]


SERVICES = Kind("services", _read_service, _service_changes)
