"""What a storm of ARPs about other addresses costs the exporter, beside what it costs its peers."""

from __future__ import annotations

import statistics

from bench.cost import PASSES, STEADY_RATE, costs, lost, median
from bench.frames import OTHERS
from bench.peers import EXPORTER, versions
from bench.stage import Stage
from bench.table import Table, cpu, share

FRAMES = 1_000_000
TARGET = 0.001
"""CPU seconds per million frames: as good as nothing."""


def measure(stage: Stage) -> Table:
    steady, fast = costs(stage, OTHERS, FRAMES)
    ours = fast[EXPORTER]
    idle = [one.idle_per_million for one in ours]
    noise = max(idle) - min(idle)
    used, read = median(ours), sum(one.read for one in (*ours, *steady[EXPORTER]))
    missed = []
    if used > max(TARGET, noise):
        missed.append(f"storm about other addresses: {cpu(used)} of CPU time per million frames")
    if read:
        missed.append(f"storm about other addresses: {read} frames read")
    rows = [
        (
            name,
            cpu(median(steady[name])),
            cpu(median(passes)),
            f"≤ {cpu(TARGET)}" if name == EXPORTER else "-",
            f"{statistics.median(one.rate for one in passes):,.0f}",
            "none" if name == EXPORTER and not read else share(1 - lost(passes)),
        )
        for name, passes in fast.items()
    ]
    return Table(
        title="A storm of ARPs about other addresses",
        columns=(
            "who listens",
            f"CPU per million, {STEADY_RATE:,}/s",
            "as fast as one core sends",
            "target",
            "frames/s",
            "read",
        ),
        rows=tuple(rows),
        note=f"CPU time per million frames read; of the exporter, which reads none of them, per million that arrived. "
        f"Medians of {PASSES} passes in turn; as fast as one core sends, {FRAMES:,} frames in each, and of these tell "
        "the last two columns. Without any frames the exporter uses "
        f"{cpu(statistics.median(idle))} in as long a time: the difference is shown, and counts only beyond the "
        f"{cpu(noise)} by which the idle times differ. {versions()}.",
        missed=tuple(missed),
    )
