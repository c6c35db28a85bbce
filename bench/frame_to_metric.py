"""How long it takes until a frame shows on /metrics."""

from __future__ import annotations

import random
import time
from ipaddress import IPv4Address

from bench.frames import NODE
from bench.stage import VIPS, Exporter, Stage, total
from bench.table import Spread, Table, milliseconds, spread
from exporter.wire import craft

FRAMES = 60
TARGET = 0.1
"""Seconds."""
WATCHED = (1, 100)
_LONGEST_PAUSE = 0.1
_PATIENCE = 5.0


def measure(stage: Stage) -> Table:
    rows, missed = [], []
    for count in WATCHED:
        with stage.exporter(*stage.intent_file(count)) as exporter:
            exporter.wait_until_served(f'vip="{VIPS[count - 1]}"')
            scrape = spread([_time_scrape(exporter) for _ in range(FRAMES)])
            delay = spread([time_frame(stage, exporter, random.choice(VIPS[:count])) for _ in range(FRAMES)])
        rows.append((str(count), *_cells(delay), milliseconds(scrape.median), f"≤ {milliseconds(TARGET)}"))
        if delay.median > TARGET:
            missed.append(f"frame to changed counter, {count} VIPs: {milliseconds(delay.median)}")
    return Table(
        title="Frame to changed counter on /metrics",
        columns=("VIPs watched", "median", "p95", "max", "one scrape alone, median", "target"),
        rows=tuple(rows),
        note=f"{FRAMES} announcements, each at a random moment. From before the frame is sent until the end of the "
        "first answer with the counter changed, asking again and again without a pause.",
        missed=tuple(missed),
    )


def _cells(delay: Spread) -> tuple[str, ...]:
    return milliseconds(delay.median), milliseconds(delay.p95), milliseconds(delay.max)


def _time_scrape(exporter: Exporter) -> float:
    begun = time.perf_counter()
    exporter.scrape()
    return time.perf_counter() - begun


def time_frame(stage: Stage, exporter: Exporter, vip: IPv4Address) -> float:
    """Seconds from before an announcement is sent, at a random moment, until the first answer that has counted it."""
    counter = f'vip_announcements_total{{kind="request",vip="{vip}"}}'
    before = exporter.total(counter)
    with stage.sender([craft.announcement(vip, NODE)]) as sender:
        time.sleep(random.uniform(0, _LONGEST_PAUSE))
        begun = time.perf_counter()
        sender.send(1)
        while total(exporter.scrape(), counter) == before:
            if time.perf_counter() - begun > _PATIENCE:
                raise RuntimeError("the frame does not show on /metrics")
        return time.perf_counter() - begun
