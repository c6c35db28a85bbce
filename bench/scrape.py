"""What a scrape of many VIPs takes, and whether frames are lost while one follows the other."""

from __future__ import annotations

import gzip
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from threading import Event, Thread

from bench.frames import NODE
from bench.sender import BATCH
from bench.stage import Exporter, Stage, total
from bench.table import Spread, Table, milliseconds, spread
from exporter.wire import craft

FULL, SUMMARY = 1_000, 10_000
"""VIPs."""
TARGETS = {FULL: 0.4, SUMMARY: 0.8}
"""Seconds."""
SCRAPES = 10
RATE = 20_000
"""Frames a second."""
FRAMES = 200_000
_FIRST = IPv4Address("198.18.0.1")
_SECONDS_TO_HEAR = 60.0
_SECONDS_OF_CALM = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    start: float
    """Seconds until a scrape has every VIP."""
    scrape: Spread
    """Seconds, compressed."""
    series: int
    size: int
    """Bytes of the text."""
    compressed: int
    rss: int
    """Bytes, after all this."""
    sent: int
    lost: int
    """Of the frames sent while it was scraped without a pause."""


def measure(stage: Stage) -> Table:
    results = {
        f"{FULL:,}, in full": (FULL, _measure(stage, FULL)),
        f"{SUMMARY:,}, --metrics.detail=summary": (SUMMARY, _measure(stage, SUMMARY, "--metrics.detail=summary")),
    }
    missed = []
    for name, (count, result) in results.items():
        if result.scrape.median > TARGETS[count]:
            missed.append(f"scrape of {name}: {milliseconds(result.scrape.median)}")
        if result.lost:
            missed.append(f"frames lost during scrapes of {name}: {result.lost:,} of {result.sent:,}")
    return Table(
        title="Scrapes of many VIPs",
        columns=("VIPs", "start", "scrape", "target", "series", "text", "compressed", "frames lost meanwhile", "RSS"),
        rows=tuple(
            (
                name,
                milliseconds(result.start),
                f"{milliseconds(result.scrape.median)} ({milliseconds(result.scrape.max)})",
                f"≤ {milliseconds(TARGETS[count])}",
                f"{result.series:,}",
                f"{result.size / 1e6:.1f} MB",
                f"{result.compressed / 1e6:.2f} MB",
                f"{result.lost:,} of {result.sent:,}",
                f"{result.rss / 2**20:.0f} MiB",
            )
            for name, (count, result) in results.items()
        ),
        note=f"VIPs of an intent file, each announced once. Start: until a scrape has all of them. Scrapes, compressed:"
        f" median (and greatest) of {SCRAPES}. Then {FRAMES:,} announcements are sent, {RATE:,} a second, while one "
        "scrape follows the other: lost are those that are not counted as frames about a VIP. RSS: after all that.",
        missed=tuple(missed),
    )


def _measure(stage: Stage, count: int, *options: str) -> Result:
    vips = [_FIRST + number for number in range(count)]
    path = stage.directory / f"scrape-{count}.yaml"
    path.write_text("vips:\n" + "".join(f"  - address: {vip}\n" for vip in vips), encoding="utf-8")
    with stage.exporter("--intent.file", str(path), *options) as exporter:
        start = exporter.wait_until_served(f'vip="{vips[-1]}"')
        frames = [craft.announcement(vip, NODE) for vip in vips]
        _announce_all(stage, exporter, frames)
        times = []
        for _ in range(SCRAPES):
            begun = time.perf_counter()
            body = exporter.fetch(compressed=True)
            times.append(time.perf_counter() - begun)
        text = gzip.decompress(body)
        lost = _lost_while_scraped(stage, exporter, frames[:BATCH])
        return Result(
            start=start,
            scrape=spread(times),
            series=sum(not line.startswith(b"#") for line in text.splitlines()),
            size=len(text),
            compressed=len(body),
            rss=exporter.rss(),
            sent=FRAMES,
            lost=lost,
        )


def _announce_all(stage: Stage, exporter: Exporter, frames: Sequence[bytes]) -> None:
    for begin in range(0, len(frames), BATCH):
        part = frames[begin : begin + BATCH]
        with stage.sender(part) as sender:
            sender.send_paced(len(part), rate=RATE)
    until = time.perf_counter() + _SECONDS_TO_HEAR
    while _heard(exporter.scrape()) < len(frames):
        if time.perf_counter() > until:
            raise RuntimeError("announcements are not counted")
        time.sleep(_SECONDS_OF_CALM)


def _lost_while_scraped(stage: Stage, exporter: Exporter, frames: Sequence[bytes]) -> int:
    before = _heard(exporter.scrape())
    enough = Event()

    def send() -> None:
        with stage.sender(frames) as sender:
            sender.send_paced(FRAMES, rate=RATE)
        enough.set()

    thread = Thread(target=send)
    thread.start()
    while not enough.is_set():
        exporter.fetch(compressed=True)
    thread.join()
    heard = -1
    while heard != (heard := _heard(exporter.scrape())):
        time.sleep(_SECONDS_OF_CALM)
    return before + FRAMES - heard


def _heard(text: str) -> int:
    """Frames about VIPs."""
    return total(text, "vip_exporter_capture_frames_total") - total(text, "vip_exporter_ignored_frames_total")
