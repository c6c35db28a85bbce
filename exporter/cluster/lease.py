"""Turns a Lease into who holds it, and until when by its own account. Pure and total, as for Services.

A Lease as client-go's leader election writes it (coordination.k8s.io/v1).
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.cluster.fields import Json, Key, Problem, Reader
from exporter.vip.model import SECOND, Nanoseconds


@dataclass(frozen=True, slots=True)
class Lease:
    """What one Lease says. Times are those of its holder's clock, in nanoseconds since 1970 (UTC)."""

    holder: str
    """holderIdentity; empty where it was given up."""
    renewed: Nanoseconds
    """renewTime. A Lease that does not say when it was renewed never was: 0."""
    duration: Nanoseconds
    """leaseDurationSeconds. 0 where it says none."""
    acquired: Nanoseconds | None = None
    transitions: int | None = None


def read_lease(_key: Key, obj: Json) -> tuple[Lease, tuple[Problem, ...]]:
    """What a Lease says, and what of it could not be used. Never raises."""
    reader = Reader()
    spec = reader.mapping(obj, "spec", "spec")
    lease = Lease(
        holder=reader.host(spec, "holderIdentity", "spec.holderIdentity"),
        renewed=reader.time(spec, "renewTime", "spec.renewTime") or 0,
        duration=(reader.count(spec, "leaseDurationSeconds", "spec.leaseDurationSeconds") or 0) * SECOND,
        acquired=reader.time(spec, "acquireTime", "spec.acquireTime"),
        transitions=reader.count(spec, "leaseTransitions", "spec.leaseTransitions"),
    )
    return lease, tuple(reader.problems)
