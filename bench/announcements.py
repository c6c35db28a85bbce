"""What announcements of a watched VIP cost the exporter and its peers, at a steady rate and at the highest."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from bench.cost import PASSES, STEADY_RATE, Costs, costs, lost, median, ratio
from bench.frames import CONTESTED
from bench.peers import EXPORTER
from bench.stage import Stage
from bench.table import Table, cpu, share, times

FAST_FRAMES = 300_000
STEADY_TARGETS = {"arpwatch": 1 / 25, "scapy sniff": 1 / 60}
FAST_TARGETS = {"arpwatch": 1 / 60, "arpalert": 1.0, "scapy sniff": 1 / 150}
"""The exporter's CPU time by theirs."""


def measure(stage: Stage) -> Table:
    steady, fast = costs(stage, CONTESTED, FAST_FRAMES)
    rate = statistics.median(one.rate for passes in fast.values() for one in passes)
    return Table(
        title="Announcements of a VIP by two nodes in turn",
        columns=(
            "who listens",
            *(f"CPU per million, {STEADY_RATE:,}/s", "exporter by it", "target", "lost"),
            *("as fast as one core sends", "exporter by it", "target", "lost"),
        ),
        rows=tuple((name, *_cells(steady, name, STEADY_TARGETS), *_cells(fast, name, FAST_TARGETS)) for name in fast),
        note=f"CPU time per million frames read. {PASSES} passes in turn: medians, also of the ratios in each pass. "
        f"The frames are of two nodes by turns. As fast as one core sends: {rate:,.0f} frames a second, "
        f"{FAST_FRAMES:,} in a pass. `lost`: for want of room in the kernel's buffer.",
        missed=(
            *_unaccounted(steady, fast),
            *_missed(steady, STEADY_TARGETS, f"{STEADY_RATE:,} VIP frames a second"),
            *_missed(fast, FAST_TARGETS, "VIP frames as fast as one core sends"),
        ),
    )


def _cells(measured: Costs, name: str, targets: Mapping[str, float]) -> tuple[str, ...]:
    passes = measured[name]
    return (
        cpu(median(passes)),
        "1" if name == EXPORTER else times(ratio(measured[EXPORTER], passes)),
        f"≤ {times(targets[name])}" if name in targets else "-",
        share(lost(passes)),
    )


def _missed(measured: Costs, targets: Mapping[str, float], sent: str) -> tuple[str, ...]:
    ratios = {name: ratio(measured[EXPORTER], measured[name]) for name in targets}
    return tuple(
        f"{sent}: {times(found)} of {name}'s CPU time" for name, found in ratios.items() if found > targets[name]
    )


def _unaccounted(*measured: Costs) -> tuple[str, ...]:
    """What the exporter says of itself must be what the interface says."""
    ours = [one for costs in measured for one in costs[EXPORTER]]
    arrived, told = sum(one.arrived for one in ours), sum(one.read + one.dropped for one in ours)
    return () if arrived == told else (f"VIP frames: {arrived:,} arrived, the exporter tells of {told:,}",)
