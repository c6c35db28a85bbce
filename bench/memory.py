"""How much memory the exporter takes: at the start, and after as many frames as an ordinary and a hostile hour have."""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import kubernetes
from bench.frames import NODE, OTHERS
from bench.sender import BATCH
from bench.stage import VIPS, Exporter, Stage, resident
from bench.table import Table
from exporter.lab.kubevip import PERIOD
from exporter.vip.model import Kind, Mac
from exporter.wire import craft

HOUR = 3600
CHATTER = 50
"""Frames a second about other addresses."""
HOSTILE = 100
"""Frames a second of a flood."""
FORGED = 20_000
"""MACs that it makes up."""
RATE = 10_000
"""Frames a second in which an hour is sent."""
TARGETS = {"with an intent file, 1 VIP": 36, "with Kubernetes, 1 VIP": 64}
"""MiB, at the start."""
_IMPORTS = """
import apscheduler.schedulers.background, loguru, prometheus_client, tornado.web, yaml
print(flush=True)
input()
"""
_MINUTES = HOUR // 60
_SCRAPES = 5
_SECONDS_OF_CALM = 2.0
_SECONDS_TO_READ = 120.0


def measure(stage: Stage) -> Table:
    one, many = stage.intent_file(1), stage.intent_file(len(VIPS))
    with stage.exporter(*one) as exporter:
        exporter.wait_until_served()  # the first time, byte code is written
    with kubernetes.run(stage) as api:
        with stage.exporter(*api.arguments) as exporter:
            exporter.wait_until_served(f'vip="{VIPS[0]}"')
        sizes = {"with an intent file, 1 VIP": _at_start(stage, one, 1)}
        sizes["with Kubernetes, 1 VIP"] = _at_start(stage, api.arguments, 1)
    sizes["yardstick: its libraries, imported and nothing else"] = _libraries(stage)
    with _rested(stage, many, len(VIPS)) as exporter:
        ring = _ring(exporter)
        sizes[f"with an intent file, {len(VIPS)} VIPs"] = exporter.rss() - ring
        _send_hour(stage, exporter, _ordinary(), int(HOUR * (CHATTER + len(VIPS) / PERIOD)))
        sizes["the same, after an ordinary hour"] = exporter.rss() - ring
        _send_hour(stage, exporter, _hostile(), HOUR * HOSTILE)
        sizes["the same, after a hostile hour"] = exporter.rss() - ring
    return Table(
        title="Resident memory",
        columns=("the exporter", "RSS", "target"),
        rows=tuple(
            (name, _mebibytes(size), f"≤ {TARGETS[name]} MiB" if name in TARGETS else "-")
            for name, size in sizes.items()
        ),
        note=f"{_SECONDS_OF_CALM:.0f} s after the first scrape and {_SCRAPES} further ones; without the ring that the "
        f"kernel writes frames into, which counts as the process's own ({_mebibytes(ring)}). The hours are sent in "
        f"less time, frame for frame, {RATE:,} a second, with {_MINUTES} scrapes: first announcements every "
        f"{PERIOD:.0f} s and {CHATTER} other ARPs a second, then {HOSTILE} claims and probes a second, from "
        f"{FORGED:,} MACs.",
        missed=tuple(
            f"memory, {name}: {_mebibytes(sizes[name])}" for name, most in TARGETS.items() if sizes[name] > most * 2**20
        ),
    )


@contextmanager
def _rested(stage: Stage, arguments: Sequence[str], count: int) -> Iterator[Exporter]:
    """An exporter some time after its start."""
    with stage.exporter(*arguments) as exporter:
        exporter.wait_until_served(f'vip="{VIPS[count - 1]}"')
        for _ in range(_SCRAPES):
            exporter.scrape()
        time.sleep(_SECONDS_OF_CALM)
        yield exporter


def _at_start(stage: Stage, arguments: Sequence[str], count: int) -> int:
    with _rested(stage, arguments, count) as exporter:
        return exporter.rss() - _ring(exporter)


def _send_hour(stage: Stage, exporter: Exporter, frames: Sequence[bytes], count: int) -> None:
    """Send so many frames, and scrape in between."""
    for minute in range(_MINUTES):
        number = (minute + 1) * count // _MINUTES - minute * count // _MINUTES
        first = random.randrange(len(frames))
        with stage.sender([*frames[first:], *frames[:first]][:BATCH]) as sender:
            sender.send_paced(number, rate=RATE)
        exporter.scrape()
    until = time.perf_counter() + _SECONDS_TO_READ
    read = -1
    while read != (read := exporter.counts().read):
        if time.perf_counter() > until:
            raise RuntimeError("the exporter does not come to rest")
        time.sleep(_SECONDS_OF_CALM)


def _ordinary() -> Sequence[bytes]:
    """Announcements of these VIPs among other ARPs, in the proportion in which they come."""
    announced = [craft.announcement(vip, NODE) for vip in VIPS]
    others = itertools.islice(itertools.cycle(OTHERS), int(CHATTER * PERIOD))
    return [*announced, *others]


def _hostile() -> Sequence[bytes]:
    """Claims, answers and probes about these VIPs, each from another MAC."""
    chance = random.Random(0)
    makes = (
        lambda vip, mac: craft.announcement(vip, mac, Kind.REQUEST),
        lambda vip, mac: craft.announcement(vip, mac, Kind.REPLY),
        craft.probe,
    )
    return [chance.choice(makes)(chance.choice(VIPS), Mac(b"\x06" + chance.randbytes(5))) for _ in range(FORGED)]


def _libraries(stage: Stage) -> int:
    """What a program takes that does no more than import what the exporter, with an intent file, imports of others."""
    with stage.run(sys.executable, "-c", _IMPORTS) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return resident(process.pid)


def _ring(exporter: Exporter) -> int:
    """Bytes of the mapped rings of packet sockets that are resident."""
    size, within = 0, False
    for line in Path(f"/proc/{exporter.pid}/smaps").read_text(encoding="ascii").splitlines():
        field, *values = line.split()
        if not field.endswith(":"):
            within = values[-1].startswith("socket:[")
        elif within and field == "Rss:":
            size += int(values[0]) * 1024
    return size


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
