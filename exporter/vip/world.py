"""What all VIPs share: where the program watches from, the nodes, and the histograms over all VIPs."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.vip.histogram import Histogram
from exporter.vip.model import Nanoseconds
from exporter.vip.nodes import NodeMap

BUCKETS = (1, 2, 5, 10, 20, 60, 300, 3600)
"""Upper bounds of the histograms of handovers and lags, in seconds."""


@dataclass(slots=True)
class World:
    """What all VIPs share. The core owns it and is the only one to change it."""

    observer: str
    settle: Nanoseconds
    nodes: NodeMap = field(default_factory=NodeMap)
    intent_fresh: bool = True
    blind: bool = True
    handover: Histogram = field(default_factory=lambda: Histogram(BUCKETS))
    annotation_lag: Histogram = field(default_factory=lambda: Histogram(BUCKETS))
