"""The filter for ten thousand VIPs: how long it takes to be put in force, and whether a frame is lost meanwhile."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event, Thread

from bench.frames import CONTESTED, NODE
from bench.sender import Sender
from bench.stage import VIPS, Exporter, Stage, total
from bench.table import Spread, Table, milliseconds, spread
from exporter.lab.network import inside
from exporter.wire import craft
from exporter.wire.filter import attach, compile_filter

NUMBER = 10_000
TARGET = 1.0
"""Seconds until the filter is in force."""
PASSES = 3
RATE = 10_000
EXCHANGES = 6
_FIRST, _SECOND = IPv4Address("198.18.0.0"), IPv4Address("198.19.0.0")
_SECONDS_OF_CALM = 1.0


def measure(stage: Stage) -> Table:
    scattered = random.Random(NUMBER).sample(range(2**17), NUMBER)  # the same ones each time
    layouts = {
        "in one pool": [_FIRST + number for number in range(NUMBER)],
        "in 50 pools": _pools(_FIRST),
        "scattered": [_FIRST + number for number in scattered],
    }
    rows, missed = [], []
    for name, vips in layouts.items():
        seconds = spread(inside(stage.listener, partial(_time_filter, vips)))
        length = f"{len(compile_filter(vips)):,} instructions"
        rows.append((f"filter for VIPs {name}, in force", f"{milliseconds(seconds.median)}, {length}", f"≤ {TARGET} s"))
        if seconds.median > TARGET:
            missed.append(f"filter for {NUMBER:,} VIPs {name}: {milliseconds(seconds.median)}")
    exchange = _exchange(stage)
    rows.append(("intent file with others, reloaded", milliseconds(exchange.reload.median), "-"))
    what = f"frames lost of {exchange.sent:,} while all VIPs but one are exchanged {EXCHANGES} times"
    rows.append((what, f"{exchange.lost:,}", "0"))
    if exchange.lost:
        missed.append(f"{NUMBER:,} VIPs, {what}: {exchange.lost:,}")
    return Table(
        title=f"{NUMBER:,} VIPs watched",
        columns=("what", "measured", "target"),
        rows=tuple(rows),
        note=f"The filter: generated, and put in force in place of the one for {NUMBER:,} others; median of "
        f"{2 * PASSES}. The exchange: the intent file is written anew and reloaded, again and again, while the VIP "
        f"that stays is announced {RATE:,} times a second. Lost is what was not counted as a frame about a VIP.",
        missed=tuple(missed),
    )


def _pools(first: IPv4Address) -> Sequence[IPv4Address]:
    return [first + 256 * pool + number for pool in range(50) for number in range(1, NUMBER // 50 + 1)]


def _time_filter(vips: Sequence[IPv4Address]) -> Sequence[float]:
    times = []
    others = [vip + 2**17 for vip in vips]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as receiver:
        attach(receiver, others)
        for wanted in (vips, others) * PASSES:
            begun = time.perf_counter()
            attach(receiver, wanted)
            times.append(time.perf_counter() - begun)
    return times


@dataclass(frozen=True, slots=True)
class Exchange:
    reload: Spread
    """Seconds that a reload took."""
    sent: int
    lost: int


def _exchange(stage: Stage) -> Exchange:
    path = stage.directory / "exchanged.yaml"
    sets = [_pools(_FIRST), _pools(_SECOND)]
    _write(path, sets[0])
    options = ("--intent.file", str(path), "--web.enable-lifecycle", "--metrics.detail=summary")
    times = []
    with stage.apart(), stage.exporter(*options) as exporter:
        stage.place(exporter.pid)
        exporter.wait_until_served(f'vip="{VIPS[0]}"')
        before = _heard(exporter)
        with _announced(stage) as sent:
            for number in range(1, 1 + EXCHANGES):
                _write(path, sets[number % 2])
                begun = time.perf_counter()
                exporter.reload()
                times.append(time.perf_counter() - begun)
        after = _heard(exporter)
        # Had the filter not followed, nothing could have been lost.
        with stage.sender([craft.announcement(sets[EXCHANGES % 2][-1], NODE)]) as sender:
            sender.send(1)
        if _heard(exporter) != after + 1:
            raise RuntimeError("the filter has not followed")
    return Exchange(spread(times), sum(sent), before + sum(sent) - after)


@contextmanager
def _announced(stage: Stage) -> Iterator[Sequence[int]]:
    """Announce the VIP that stays meanwhile. Yields how many frames have been sent, by and by."""
    sent: list[int] = []
    enough = Event()

    def announce(sender: Sender) -> None:
        while not enough.is_set():
            sender.send_paced(RATE // 10, rate=RATE)
            sent.append(RATE // 10)

    with stage.sender(CONTESTED) as sender:
        thread = Thread(target=announce, args=(sender,))
        thread.start()
        try:
            yield sent
        finally:
            enough.set()
            thread.join()


def _write(path: Path, others: Sequence[IPv4Address]) -> None:
    path.write_text("vips:\n" + "".join(f"  - address: {vip}\n" for vip in (VIPS[0], *others)), encoding="utf-8")


def _heard(exporter: Exporter) -> int:
    """Frames about VIPs, once all have been counted."""
    time.sleep(_SECONDS_OF_CALM)
    heard = -1
    while heard != (heard := _frames(exporter.scrape())):
        time.sleep(_SECONDS_OF_CALM)
    return heard


def _frames(text: str) -> int:
    return total(text, "vip_exporter_capture_frames_total") - total(text, "vip_exporter_ignored_frames_total")
