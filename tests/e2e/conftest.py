"""The whole thing at work: real frames in the lab, the real exporter, and what it says over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.lab.lab import Lab
from exporter.lab.program import Program

VIP = IPv4Address("192.0.2.100")
VIP6 = IPv6Address("2001:db8::100")
BOTH = (VIP, VIP6)
PERIOD = 0.5
GRACE = 7.0
SILENCE = 10.0
SLACK = 3.0
"""Seconds that a busy machine may be late."""


@dataclass(frozen=True)
class Scrape:
    """One answer of /metrics."""

    series: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float | None:
        """The one series that has these labels, and maybe others; None: there is none."""
        found = [value for (key, has), value in self.series.items() if key == name and frozenset(labels.items()) <= has]
        assert len(found) <= 1, f"{name} {labels} is not one series"
        return found[0] if found else None

    def total(self, name: str, **labels: str) -> float:
        wanted = frozenset(labels.items())
        return sum(value for (key, has), value in self.series.items() if key == name and wanted <= has)

    def label(self, name: str, label: str, **labels: str) -> str:
        """The value of a label of the one series that is 1; empty: there is none."""
        wanted = frozenset(labels.items())
        found = [
            dict(has)[label]
            for (key, has), value in self.series.items()
            if key == name and wanted <= has and value == 1
        ]
        assert len(found) <= 1, f"{name} {labels} is not one series"
        return found[0] if found else ""

    def state(self, vip: object = VIP) -> str:
        return self.label("vip_state", "state", vip=str(vip))

    def holder(self, vip: object = VIP) -> str:
        return self.label("vip_holder_info", "holder", vip=str(vip))

    def mac(self, vip: object = VIP) -> str:
        """The wire's holder."""
        return self.label("vip_holder_info", "mac", vip=str(vip))

    def of(self, vip: object = VIP) -> int:
        """How many series the VIP has."""
        return sum(("vip", str(vip)) in labels for _, labels in self.series)


def scrape_of(program: Program) -> Scrape:
    families = text_string_to_metric_families(program.get("/metrics"))
    samples = [sample for family in families for sample in family.samples]
    series = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(series) == len(samples), "a series stands twice"
    return Scrape(series)


class Running:
    """A lab with an exporter that is ready."""

    def __init__(self, lab: Lab, config: Path) -> None:
        self.lab = lab
        self.config = config
        self.holder = "node-1"
        """Who is to announce the VIPs, and alone, when a test begins."""

    def metrics(self) -> Scrape:
        return scrape_of(self.lab.program)

    def events(self, *names: str) -> list[dict[str, Any]]:
        """The events of these names, the oldest first."""
        return [row for row in self.lab.program.events() if row["event"] in names]

    def eventually(self, holds: Callable[[Scrape], object], *, within: float) -> Scrape:
        """The first scrape of which something holds; fails if there is none in time."""
        until = time.monotonic() + within + SLACK
        while True:
            scrape = self.metrics()
            if holds(scrape):
                return scrape
            if time.monotonic() > until:
                shown = "\n".join(f"{name} {dict(labels)} {value}" for (name, labels), value in scrape.series.items())
                pytest.fail(f"not within {within} s; last:\n{shown}\n\n{self.lab.program.last_words()}")
            time.sleep(0.05)

    def are(self, state: str) -> Callable[[Scrape], bool]:
        """Whether both VIPs are in a state."""
        return lambda scrape: all(scrape.state(vip) == state for vip in BOTH)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One lab for all tests of a module, with an IPv4 and an IPv6 VIP. Nobody announces them at first."""
    config = tmp_path_factory.mktemp("config") / "vip-exporter.yaml"
    config.write_text("log:\n  level: info\n")
    with Lab(period=PERIOD, vips=(VIP, VIP6), arguments=("--config.file", str(config))) as lab:
        yield Running(lab, config)
