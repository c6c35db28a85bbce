"""Turns a Node into its name, its own addresses and the labels by which pods choose it. Pure and total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.cluster.fields import Json, Key, Problem, Reader
from exporter.vip.model import IPAddress

WITNESS = "node-role.harvesterhci.io/witness"
"""Harvester's label on a node that only votes in etcd: it has no network for VIPs."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a Node says that changes seldom; its heartbeat and conditions are left out."""

    name: str
    addresses: tuple[IPAddress, ...]
    """InternalIP, of either family."""
    labels: Mapping[str, str]

    @property
    def is_witness(self) -> bool:
        return WITNESS in self.labels


def read_node(key: Key, obj: Json) -> tuple[NodeFacts, tuple[Problem, ...]]:
    """What a Node says, and what of it could not be used. Never raises."""
    reader = Reader()
    where = "status.addresses[].address"
    found: dict[IPAddress, None] = {}
    for entry in reader.items(reader.mapping(obj, "status", "status"), "addresses", "status.addresses"):
        if reader.text(entry, "type", "status.addresses[].type") != "InternalIP":
            continue
        text = reader.text(entry, "address", where)
        address = reader.address(text, where) if text else None
        if address is not None and not address.is_unspecified:
            found[address] = None
    labels = reader.labels(reader.mapping(obj, "metadata", "metadata"), "labels", "metadata.labels")
    return NodeFacts(key.name, tuple(found), labels), tuple(reader.problems)
