"""The kinds of object that are followed: the name of each in the API, and how one of them is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Generic

from exporter.cluster.configmap import read_configmap
from exporter.cluster.fields import Json, Key, Problem
from exporter.cluster.intent import Service, read_service
from exporter.cluster.kubevip import KubeVip, read_daemonset
from exporter.cluster.lease import Lease, read_lease
from exporter.cluster.node import NodeFacts, read_node
from exporter.cluster.target import T_co


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    resource: str
    """As in the API's paths; also the metrics' label."""
    read: Callable[[Key, Json], tuple[T_co | None, tuple[Problem, ...]]]
    """One object's meaning, and what of it could not be used. None: it is of no interest. Never raises."""


SERVICES: Kind[Service] = Kind("services", read_service)
LEASES: Kind[Lease] = Kind("leases", read_lease)
NODES: Kind[NodeFacts] = Kind("nodes", read_node)
DAEMONSETS: Kind[KubeVip] = Kind("daemonsets", read_daemonset)
CONFIGMAPS: Kind[Service] = Kind("configmaps", read_configmap)


def discovered_services(*, include: Sequence[str], exclude: Sequence[str]) -> Kind[Service]:
    """The Services that kube-vip handles, if they match a pattern of the first and none of the second."""

    def read(key: Key, obj: Json) -> tuple[Service | None, tuple[Problem, ...]]:
        name = str(key)
        if not any(fnmatchcase(name, pattern) for pattern in include):
            return None, ()
        if any(fnmatchcase(name, pattern) for pattern in exclude):
            return None, ()
        service, problems = read_service(key, obj)
        return (service, problems) if service.handled else (None, ())

    return Kind(SERVICES.resource, read)


def chosen_leases(wanted: Callable[[], Collection[Key]]) -> Kind[Lease]:
    """The Leases that are wanted when they are read, out of many."""

    def read(key: Key, obj: Json) -> tuple[Lease | None, tuple[Problem, ...]]:
        return read_lease(key, obj) if key in wanted() else (None, ())

    return Kind(LEASES.resource, read)
