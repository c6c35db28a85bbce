"""The stage on which scenarios are played: the lab, who holds the VIP in it, and the times of what was played."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.lab.network import Host
from exporter.lab.sender import Sender
from exporter.vip.model import parse_mac
from tests.e2e.observers import LabObservers, Scrapes, agree, without_mismatch

STRANGER = parse_mac("06:00:00:00:00:99")


class Scenario(StrEnum):
    """In the order in which they are played."""

    QUIET = "quiet"
    MOVE = "clean move"
    RESTART = "restart of an observer"
    WITHDRAWN = "withdrawn claim"
    SPLIT_BRAIN = "split brain"
    FOREIGN = "a stranger announces"
    PROBE = "a stranger probes"
    HOST_MISMATCH = "host mismatch"
    BOUND = "bound on several nodes"
    BLIND = "one observer blind"
    KUBERNETES = "Kubernetes away"
    SILENT = "silent"
    UNHELD = "unheld"
    FLAPPING = "flapping"


@dataclass(frozen=True, slots=True)
class Span:
    """When a scenario's effect was on, in seconds since 1970."""

    begun: float
    """When it was played."""
    start: float
    """When all that must tell of it did."""
    end: float
    """When it was taken back, or the next scenario began."""


@dataclass(frozen=True, slots=True)
class Move:
    at: float
    old: str
    new: str


@dataclass(slots=True)
class Stage:
    """The lab, and who holds the VIP in it."""

    running: LabObservers
    holder: str = "node-1"
    moves: list[Move] = field(default_factory=list)
    """Every move so far."""
    spans: dict[Scenario, Span] = field(default_factory=dict)
    parts: ExitStack = field(default_factory=ExitStack)
    """What a scene started and has to be ended, however the play ends."""

    def move_to(self, node: str) -> None:
        """Let another node take over in good order."""
        nodes = self.running.lab.nodes
        nodes[self.holder].release()
        self.moves.append(Move(time.time(), self.holder, node))
        nodes[node].take_over()
        self.holder = node

    def host(self, name: str) -> Host:
        return self.running.lab.network.hosts[name]

    def outsider(self) -> Sender:
        """A way to send frames on the segment that is no host's of the lab."""
        network = self.running.lab.network
        # What leaves a bridge by its own interface goes to all of its ports.
        return Sender(
            Host(
                name="stranger",
                namespace=f"{network.prefix}-segment",
                address=network.observer.address,
                mac=STRANGER,
                device="br0",
            )
        )

    def is_quiet(self, scrapes: Scrapes) -> bool:
        return (
            agree(scrapes, self.holder)
            and without_mismatch(scrapes)
            and all(
                scrape.value("vip_claimants") == 1
                and scrape.value("vip_exporter_kubernetes_up") == 1
                and scrape.value("vip_exporter_capture_up") == 1
                and scrape.value("vip_intent_stale") == 0
                for scrape in scrapes.values()
            )
        )
