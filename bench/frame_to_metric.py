"""How long it takes until a frame shows on /metrics."""

from __future__ import annotations

import random
import time
from collections import Counter
from ipaddress import IPv4Address

from bench.frames import NODE
from bench.stage import VIPS, Exporter, Stage, total
from bench.table import Spread, Table, milliseconds, share, spread
from exporter.wire import craft

FRAMES = 60
"""For each figure."""
DELAYS = (0.0, 0.002, 0.005, 0.010, 0.015)
"""Seconds between a frame and a scrape."""
SHOWN_TARGET = 0.95
"""The share of the frames that the scrapes with the longest delay show."""
TARGET = 0.1
"""Seconds until an answer has it."""
WATCHED = (1, 100)
_PAUSE = (0.03, 0.1)
"""Seconds, at random: what is periodic in an exporter is to hit any moment."""
_PATIENCE = 5.0


def measure(stage: Stage) -> Table:
    rows, missed = [], []
    for count in WATCHED:
        with stage.exporter(*stage.intent_file(count)) as exporter:
            exporter.wait_until_served(f'vip="{VIPS[count - 1]}"')
            scrape = spread([_time_scrape(exporter) for _ in range(FRAMES)])
            shown = _shown(stage, exporter, count)
            delay = spread([time_frame(stage, exporter, random.choice(VIPS[:count])) for _ in range(FRAMES)])
        rows.append(
            (str(count), *(share(part) for part in shown), *_cells(delay), milliseconds(scrape.median)),
        )
        if shown[-1] < SHOWN_TARGET:
            missed.append(f"frame on /metrics, {count} VIPs: {share(shown[-1])} after {milliseconds(DELAYS[-1])}")
        if delay.median > TARGET:
            missed.append(f"frame to changed counter, {count} VIPs: {milliseconds(delay.median)}")
    return Table(
        title="Frame to changed counter on /metrics",
        columns=(
            "VIPs watched",
            "on a scrape at once",
            *(f"{1000 * delay:.0f} ms later" for delay in DELAYS[1:]),
            *("an answer has it, median", "p95", "max"),
            "one scrape alone, median",
        ),
        rows=tuple(rows),
        note=f"{FRAMES} announcements for each figure, each at a random moment. First the share of them that is on a "
        "scrape which begins so long after the frame was sent: "
        f"{SHOWN_TARGET:.0%} must be {milliseconds(DELAYS[-1])} after. Then from before the frame is sent until the "
        f"end of the first answer that has it, asking again and again without a pause: at most {milliseconds(TARGET)}.",
        missed=tuple(missed),
    )


def _shown(stage: Stage, exporter: Exporter, count: int) -> list[float]:
    """For each of `DELAYS`, the share of frames that were on a scrape which began so long after them."""
    sent: Counter[IPv4Address] = Counter()
    shown = Counter(dict.fromkeys(DELAYS, 0))
    for delay in DELAYS * FRAMES:
        vip = random.choice(VIPS[:count])
        with stage.sender([craft.announcement(vip, NODE)]) as sender:
            time.sleep(random.uniform(*_PAUSE))
            begun = time.perf_counter()
            sender.send(1)
            sent[vip] += 1
            time.sleep(max(0, begun + delay - time.perf_counter()))
            shown[delay] += total(exporter.scrape(), _counter(vip)) == sent[vip]
    return [shown[delay] / FRAMES for delay in DELAYS]


def _counter(vip: IPv4Address) -> str:
    return f'vip_announcements_total{{kind="request",vip="{vip}"}}'


def _cells(delay: Spread) -> tuple[str, ...]:
    return milliseconds(delay.median), milliseconds(delay.p95), milliseconds(delay.max)


def _time_scrape(exporter: Exporter) -> float:
    begun = time.perf_counter()
    exporter.scrape()
    return time.perf_counter() - begun


def time_frame(stage: Stage, exporter: Exporter, vip: IPv4Address) -> float:
    """Seconds from before an announcement is sent, at a random moment, until the first answer that has counted it."""
    counter = _counter(vip)
    before = exporter.total(counter)
    with stage.sender([craft.announcement(vip, NODE)]) as sender:
        time.sleep(random.uniform(*_PAUSE))
        begun = time.perf_counter()
        sender.send(1)
        while total(exporter.scrape(), counter) == before:
            if time.perf_counter() - begun > _PATIENCE:
                raise RuntimeError("the frame does not show on /metrics")
        return time.perf_counter() - begun
