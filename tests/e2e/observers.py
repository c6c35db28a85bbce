"""Several exporters at once, one per node: what each of them says, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest

from exporter.lab.lab import Lab
from exporter.lab.network import NODES, OBSERVER
from exporter.lab.program import Program
from tests.e2e.conftest import SLACK, Scrape, scrape_of

VIP = IPv4Address("192.0.2.100")
PERIOD = 0.5
SETTLE = 3.0
LEASE = 3
ALL = (*NODES, OBSERVER)

Scrapes = Mapping[str, Scrape]
"""By observer."""


def sources(scrape: Scrape) -> dict[str, str]:
    """The node that each source names; empty: it knows a MAC only."""
    found = {}
    for name, labels in scrape.series:
        if name == "vip_source_holder_info" and ("vip", str(VIP)) in labels:
            found[dict(labels)["source"]] = dict(labels)["holder"]
    return found


def mismatches(scrape: Scrape) -> set[str]:
    return {
        dict(labels)["check"] for (name, labels), value in scrape.series.items() if name == "vip_mismatch" and value
    }


def without_mismatch(scrapes: Scrapes) -> bool:
    return not any(mismatches(scrape) for scrape in scrapes.values())


def bound(scrape: Scrape) -> set[str]:
    """The interfaces on which this observer has the VIP bound."""
    return {dict(labels)["device"] for (name, labels), value in scrape.series.items() if name == "vip_bound" and value}


def bound_nodes(scrapes: Scrapes) -> float:
    """`sum by (vip) (max by (vip, observer) (vip_bound))`, for the VIP."""
    largest: dict[str, float] = {}
    for scrape in scrapes.values():
        for (name, labels), value in scrape.series.items():
            if name == "vip_bound" and ("vip", str(VIP)) in labels:
                observer = dict(labels)["observer"]
                largest[observer] = max(value, largest.get(observer, 0))
    return sum(largest.values())


def holders(scrapes: Scrapes) -> set[str]:
    """Whom the observers name, all sources taken together."""
    return {scrape.holder(VIP) for scrape in scrapes.values()}


def agree(scrapes: Scrapes, node: str, *, named_by: tuple[str, ...] = ("wire", "lease", "annotation")) -> bool:
    """Every observer holds this node for the holder, by each of these sources; and only its own has the VIP bound."""
    return all(
        scrape.state(VIP) == "held"
        and scrape.holder(VIP) == node
        and {source: name for source, name in sources(scrape).items() if source in named_by}
        == dict.fromkeys(named_by, node)
        and sources(scrape).get("local", "") == (node if name == node else "")
        and bool(bound(scrape)) == (name == node)
        for name, scrape in scrapes.items()
    )


def totals(scrapes: Scrapes, metric: str) -> dict[str, float]:
    """A metric of the VIP by observer, summed over its other labels."""
    return {name: scrape.total(metric, vip=str(VIP)) for name, scrape in scrapes.items()}


def more(before: Scrapes, after: Scrapes, metric: str) -> set[float]:
    """By how much a metric has grown; one number where all observers say the same."""
    first, last = totals(before, metric), totals(after, metric)
    return {last[name] - first[name] for name in last}


class Observers:
    """Exporters that run, by the name of their host."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self.programs = programs

    def scrape(self) -> Scrapes:
        return {name: scrape_of(program) for name, program in self.programs.items()}

    def events(self, observer: str, *names: str) -> list[dict[str, Any]]:
        return [row for row in self.programs[observer].events() if row["event"] in names]

    def eventually(self, holds: Callable[[Scrapes], object], *, within: float) -> Scrapes:
        """The first scrapes of which something holds; fails if there are none in time."""
        until = time.monotonic() + within + SLACK
        while True:
            scrapes = self.scrape()
            if holds(scrapes):
                return scrapes
            if time.monotonic() > until:
                pytest.fail(f"not within {within} s; last:\n{self._shown(scrapes)}")
            time.sleep(0.05)

    def throughout(self, duration: float, holds: Callable[[Scrapes], object]) -> Scrapes:
        """Scrapes for so many seconds, of all of which something must hold; returns the last ones."""
        until = time.monotonic() + duration
        while True:
            scrapes = self.scrape()
            assert holds(scrapes), self._shown(scrapes)
            if time.monotonic() > until:
                return scrapes
            time.sleep(0.05)

    def _shown(self, scrapes: Scrapes) -> str:
        return "\n\n".join(
            "\n".join(
                [
                    f"{name}: {scrape.state(VIP)} by {scrape.holder(VIP)!r}, says {sources(scrape)}",
                    f"bound on {bound(scrape)}, mismatches {mismatches(scrape)}",
                    *(
                        f"{metric} {dict(labels)} {value}"
                        for (metric, labels), value in scrape.series.items()
                        if value and not metric.endswith("_bucket") and not metric.startswith("vip_exporter_log")
                    ),
                    self.programs[name].last_words(),
                ]
            )
            for name, scrape in scrapes.items()
        )


class LabObservers(Observers):
    """Those of a lab."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.programs)
        self.lab = lab

    def held_by(self, node: str) -> Scrapes:
        """Let a node hold the VIP, alone, whoever held it before; returns the scrapes once everybody agrees."""
        lab = self.lab
        for name in NODES:
            if name != node:
                lab.nodes[name].release()
        if not lab.nodes[node].announces or lab.cluster.lease.holder != node:
            lab.nodes[node].take_over()
        named_by = ("lease", "annotation") if lab.cluster.announces_hwaddr else ("wire", "lease", "annotation")
        return self.eventually(
            lambda scrapes: (
                agree(scrapes, node, named_by=named_by)
                and without_mismatch(scrapes)
                and set(totals(scrapes, "vip_claimants").values()) == {1}
            ),
            within=10,
        )


@contextmanager
def observers(*, arguments: Sequence[str] = (), **options: Any) -> Iterator[LabObservers]:
    """A lab with an exporter on every node and on a host that is none, and short times."""
    with Lab(
        period=PERIOD,
        observers=ALL,
        lease_seconds=LEASE,
        renew=0.5,
        arguments=("--vip.settle-time", f"{SETTLE:.0f}s", *arguments),
        **options,
    ) as lab:
        yield LabObservers(lab)
