"""What a storm of ARPs about other addresses costs the exporter, beside what it costs other listeners."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from bench import listeners
from bench.frames import OTHERS
from bench.sender import Sender
from bench.stage import VIPS, Exporter, Stage, cpu_seconds
from bench.table import Table, milliseconds

FRAMES = 1_000_000
PASSES = 3
TARGET = 0.001
"""CPU seconds per million frames: as good as nothing."""
YARDSTICKS = {"recv": ("yardstick: loop over `recv`", 500_000), "scapy": ("yardstick: scapy AsyncSniffer", 50_000)}
_SECONDS_OF_CALM = 0.3
"""For what a program does late."""


@dataclass(frozen=True, slots=True)
class Pass:
    idle: float
    """CPU seconds, over as long a time as the storm takes."""
    storm: float
    seconds: float
    arrived: int
    read: int


def measure(stage: Stage) -> Table:
    with stage.exporter(*stage.intent_file(1)) as exporter, stage.sender(OTHERS) as sender:
        exporter.wait_until_served(f'vip="{VIPS[0]}"')
        passes = [_time_storm(stage, exporter, sender) for _ in range(PASSES)]
    idle = [one.idle / one.arrived * 1e6 for one in passes]
    idle_median, noise = statistics.median(idle), max(idle) - min(idle)
    storm = statistics.median(one.storm / one.arrived for one in passes) * 1e6
    cost = storm - idle_median
    arrived, read = sum(one.arrived for one in passes), sum(one.read for one in passes)
    rate = statistics.median(one.arrived / one.seconds for one in passes)
    row = ("the exporter", _number(rate), _number(arrived), _number(read), milliseconds(cost))
    missed = []
    if cost > max(TARGET, noise):
        missed.append(f"storm about other addresses: {milliseconds(cost)} of CPU time per million frames")
    if read:
        missed.append(f"storm about other addresses: {read} frames read")
    return Table(
        title="A storm of ARPs about other addresses",
        columns=("who listens", "frames/s", "frames arrived", "frames read", "CPU per million", "target"),
        rows=(
            (*row, f"≤ {milliseconds(TARGET)}"),
            *(_yardstick(stage, name) for name in YARDSTICKS),
        ),
        note=f"{PASSES} storms as fast as one core sends, medians. The exporter used {milliseconds(storm)} of CPU time "
        f"per million frames, and {milliseconds(idle_median)} in as long a time without any: the difference is "
        f"shown, and counts only beyond the {milliseconds(noise)} by which the idle times differ. What arrived is the "
        "interface's counter, what was read the listener's own. Yardsticks: CPU time per million frames read, as at "
        "this rate they lose the others.",
        missed=tuple(missed),
    )


def _time_storm(stage: Stage, exporter: Exporter, sender: Sender) -> Pass:
    arrived, read = stage.frames_received(), exporter.total("vip_exporter_capture_frames_total")
    time.sleep(_SECONDS_OF_CALM)
    begun = cpu_seconds(exporter.pid)
    seconds = sender.send(FRAMES)
    time.sleep(_SECONDS_OF_CALM)
    stormy = cpu_seconds(exporter.pid)
    time.sleep(seconds + _SECONDS_OF_CALM)
    idle = cpu_seconds(exporter.pid)
    return Pass(
        idle=idle - stormy,
        storm=stormy - begun,
        seconds=seconds,
        arrived=stage.frames_received() - arrived,
        read=exporter.total("vip_exporter_capture_frames_total") - read,
    )


def _yardstick(stage: Stage, name: str) -> tuple[str, ...]:
    title, frames = YARDSTICKS[name]
    with listeners.run(stage, name) as listener, stage.sender(OTHERS) as sender:
        arrived, used = stage.frames_received(), cpu_seconds(listener.pid)
        seconds = sender.send(frames)
        read = 0
        while read != (read := listener.frames()):
            time.sleep(_SECONDS_OF_CALM)
        used = cpu_seconds(listener.pid) - used
        arrived = stage.frames_received() - arrived
    return title, _number(arrived / seconds), _number(arrived), _number(read), f"{used / read * 1e6:.1f} s", "-"


def _number(value: float) -> str:
    return f"{value:,.0f}"
