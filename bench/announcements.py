"""What announcements of a watched VIP cost, at a steady rate and faster than anybody can read them."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.frames import CONTESTED
from bench.sender import Sender
from bench.stage import VIPS, Stage, cpu_seconds, total
from bench.table import Table

STEADY_RATE = 10_000
STEADY_FRAMES = 30_000
FAST_FRAMES = 300_000
_SECONDS_OF_CALM = 0.5


def measure(stage: Stage) -> Table:
    ways: dict[str, Callable[[Sender], float]] = {
        f"{STEADY_RATE:,} a second": lambda sender: sender.send_paced(STEADY_FRAMES, rate=STEADY_RATE),
        "as fast as one core sends": lambda sender: sender.send(FAST_FRAMES),
    }
    return Table(
        title="Announcements of a VIP by two nodes in turn",
        columns=("sent", "frames/s", "frames arrived", "read", "dropped", "CPU per million read"),
        rows=tuple(_row(stage, way, send) for way, send in ways.items()),
        note="For information. Two nodes that announce one VIP by turns are a contest; each frame is decoded and "
        "judged by itself.",
    )


def _row(stage: Stage, way: str, send: Callable[[Sender], float]) -> tuple[str, ...]:
    with stage.exporter(*stage.intent_file(1)) as exporter, stage.sender(CONTESTED) as sender:
        exporter.wait_until_served(f'vip="{VIPS[0]}"')
        time.sleep(_SECONDS_OF_CALM)
        arrived, used = stage.frames_received(), cpu_seconds(exporter.pid)
        seconds = send(sender)
        arrived = stage.frames_received() - arrived
        read = -1
        while read != (read := total(text := exporter.scrape(), "vip_exporter_capture_frames_total")):
            time.sleep(_SECONDS_OF_CALM)
        used = cpu_seconds(exporter.pid) - used
    dropped = total(text, "vip_exporter_capture_dropped_total")
    return (
        way,
        f"{arrived / seconds:,.0f}",
        f"{arrived:,}",
        f"{read:,}",
        f"{dropped:,} ({dropped / arrived:.0%})",
        f"{used / read * 1e6:.1f} s",
    )
