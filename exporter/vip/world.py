"""What all VIPs share: the nodes, this one among them, how far sources can be believed, and the histograms."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.vip.histogram import Histogram
from exporter.vip.model import IPAddress, Nanoseconds
from exporter.vip.nodes import NodeMap

BUCKETS = (1, 2, 5, 10, 20, 60, 300, 3600)
"""Upper bounds of the histograms of handovers and lags, in seconds."""


@dataclass(slots=True)
class World:
    """What all VIPs share. The core owns it and is the only one to change it."""

    settle: Nanoseconds
    nodes: NodeMap
    intent_fresh: bool = True
    intent_current: bool = True
    """Kubernetes answers at present."""
    bound: dict[IPAddress, tuple[str, ...]] = field(default_factory=dict)
    """What is bound on this node, and where."""
    host_seen: bool = False
    """Whatever else there is on this node is not bound; otherwise that cannot be told."""
    blind: bool = True
    handover: Histogram = field(default_factory=lambda: Histogram(BUCKETS))
    annotation_lag: Histogram = field(default_factory=lambda: Histogram(BUCKETS))
