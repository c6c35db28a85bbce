"""How long it takes after a clean move until every exporter of a cluster names the new holder, by all sources."""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from bench.stage import Metrics, Stage
from bench.table import Table, milliseconds, spread
from exporter.lab.cluster import Cluster, Version
from exporter.lab.kubevip import PERIOD
from exporter.lab.lab import Lab
from exporter.lab.network import NODES, OBSERVER
from exporter.lab.program import read_samples
from exporter.vip.model import SECOND, Nanoseconds, Source

MOVES = 10
TARGET: Nanoseconds = SECOND
"""Beyond the API's own delay."""
OBSERVERS = (*NODES, OBSERVER)
_LONGEST_PAUSE = 2.0
_SECONDS_TO_AGREE = 20.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Mode:
    """How the VIP's address and its holder come about."""

    title: str
    changed_last: str
    version: Version
    dhcp: bool = False

    @property
    def named_by(self) -> frozenset[str]:
        """The sources that name the holder to every observer. By DHCP all nodes announce one MAC."""
        return frozenset((Source.LEASE, Source.ANNOTATION) + (() if self.dhcp else (Source.WIRE,)))


MODES = (
    Mode("static, kube-vip 0.8.1", "annotation", (0, 8, 1)),
    Mode("static, kube-vip 0.9.2", "wire", (0, 9, 2)),
    Mode("DHCP, kube-vip 0.9.2", "annotation", (0, 9, 2), dhcp=True),
)


@dataclass(frozen=True, slots=True)
class Move:
    agreed: Nanoseconds
    """From the last source's change until the last observer's /metrics named the new holder by each of them."""
    api: Nanoseconds
    """From the annotation's being written until a bare watch had it."""
    beyond_api: Nanoseconds
    """As `agreed`, but the annotation changes only when the bare watch has it."""


def measure(stage: Stage) -> Table:
    rows, missed = [], []
    for mode in MODES:
        moves = _measure(stage, mode)
        agreed = spread([move.agreed / SECOND for move in moves])
        api = spread([move.api / SECOND for move in moves])
        beyond = max(move.beyond_api for move in moves) / SECOND
        times = (agreed.median, agreed.max, api.median, api.max, beyond)
        rows.append((mode.title, mode.changed_last, *map(milliseconds, times), f"≤ {milliseconds(TARGET / SECOND)}"))
        if beyond > TARGET / SECOND:
            missed.append(f"clean move to agreement, {mode.title}: {milliseconds(beyond)} beyond the API's own delay")
    return Table(
        title="Clean move to agreement",
        columns=("mode", "changed last", "median", "max", "API alone, median", "max", "max beyond it", "target"),
        rows=tuple(rows),
        note=f"{MOVES} moves each in the demo's lab, at kube-vip's own pace: three nodes and a host that is none, an "
        "exporter on each. From the change of the source that changed last (first frame of the new holder, or write of "
        "the annotation; the Lease is before both) until the end of the answer by which all four /metrics have said "
        "that the new holder holds the VIP, that every source names it and none another, and that the address is bound "
        "there and nowhere else. The API alone: from the write until a process that does nothing but watch had the "
        "line. By DHCP every node announces one MAC, so the wire tells only the old holder that it is another's turn.",
        missed=tuple(missed),
    )


class _NotingCluster(Cluster):
    annotated: Nanoseconds = 0
    """When an annotation was last written, or rather: before it was."""

    def annotate(self, holder: str) -> None:
        self.annotated = time.monotonic_ns()
        super().annotate(holder)


class _BareWatch:
    """`bench.bare_watch`, while it runs."""

    def __init__(self, told: IO[bytes]) -> None:
        self._told = told
        self._read()

    def arrival(self, node: str) -> Nanoseconds:
        """When it had the line that says that this node is the holder, which it was not before."""
        while (words := self._read())[0] != node:
            pass
        return int(words[1])

    def _read(self) -> Sequence[str]:
        if not (line := self._told.readline()):
            raise RuntimeError("the bare watch has ended")
        return line.decode().split()


@contextmanager
def _bare_watch(stage: Stage, lab: Lab) -> Iterator[_BareWatch]:
    command = (sys.executable, "-m", "bench.bare_watch", str(lab.directory / "kubeconfig"))
    with stage.run(*command, namespace=lab.network.observer.namespace) as process:
        assert process.stdout is not None
        yield _BareWatch(process.stdout)


def _measure(stage: Stage, mode: Mode) -> Sequence[Move]:
    lab = Lab(period=PERIOD, observers=OBSERVERS, dhcp=mode.dhcp, version=mode.version)
    lab.cluster = cluster = _NotingCluster(api=lab.api, vips=lab.cluster.vips, dhcp=mode.dhcp, version=mode.version)
    with lab, _bare_watch(stage, lab) as watch:
        observers = {name: Metrics(lab.network.hosts[name].namespace) for name in OBSERVERS}

        def move(old: str, new: str) -> Move:
            lab.nodes[old].release()
            before = len(lab.nodes[new].sent)
            lab.nodes[new].take_over()
            agreed = _wait_for_agreement(observers, new, mode.named_by)
            annotated, arrived = cluster.annotated, watch.arrival(new)
            first_frame = next(iter(lab.nodes[new].sent[before:]), 0)
            # By DHCP the new holder's frames are like the old one's, but to the old one, who sees that they come in.
            frame = {name: first_frame if name == old or not mode.dhcp else 0 for name in observers}
            return Move(
                agreed=max(at - max(annotated, frame[name]) for name, at in agreed.items()),
                api=arrived - annotated,
                beyond_api=max(at - max(arrived, frame[name]) for name, at in agreed.items()),
            )

        first, *_ = NODES
        lab.nodes[first].take_over()
        watch.arrival(first)
        _wait_for_agreement(observers, first, mode.named_by)
        for observer in observers.values():
            _wait_for_nodes(observer)
        moves = []
        # In a circle: a holder that came back at once could not be told from one that was slow to let go.
        for old, new in itertools.islice(itertools.pairwise(itertools.cycle(NODES)), MOVES):
            time.sleep(random.uniform(0, _LONGEST_PAUSE))
            moves.append(move(old, new))
        return moves


def _wait_for_agreement(
    observers: Mapping[str, Metrics], node: str, named_by: frozenset[str]
) -> Mapping[str, Nanoseconds]:
    """When each observer's answer had come that says so."""
    until = time.monotonic() + _SECONDS_TO_AGREE
    agreed: dict[str, Nanoseconds] = {}
    while missing := observers.keys() - agreed.keys():
        for name in missing:
            if _agrees(observers[name].scrape(), name, node, named_by):
                agreed[name] = time.monotonic_ns()
        if time.monotonic() > until:
            raise RuntimeError(f"{', '.join(missing)} did not agree that {node} holds the VIP")
        time.sleep(_POLL_SECONDS)
    return agreed


def _agrees(exposition: str, observer: str, node: str, named_by: frozenset[str]) -> bool:
    """Whether this observer holds that node for the holder, by each of these sources, with none against it."""
    true = [sample for sample in read_samples(exposition) if sample.value == 1]
    named = {
        sample.labels["source"]: sample.labels["holder"]
        for sample in true
        if sample.name == "vip_source_holder_info" and sample.labels["holder"]
    }
    return (
        [sample.labels["state"] for sample in true if sample.name == "vip_state"] == ["held"]
        and [sample.labels["holder"] for sample in true if sample.name == "vip_holder_info"] == [node]
        and set(named.values()) == {node}
        and named_by <= named.keys()
        and (Source.LOCAL in named) == (observer == node)
        and any(sample.name == "vip_bound" for sample in true) == (observer == node)
    )


def _wait_for_nodes(observer: Metrics) -> None:
    """Wait until it knows a MAC of every node."""
    until = time.monotonic() + _SECONDS_TO_AGREE
    while not set(NODES) <= {
        sample.labels["holder"] for sample in read_samples(observer.scrape()) if sample.name == "vip_node_mac_info"
    }:
        if time.monotonic() > until:
            raise RuntimeError("the nodes' MACs did not become known")
        time.sleep(_POLL_SECONDS)
