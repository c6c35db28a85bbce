"""How long the exporter takes from its start until it captures, and until the first scrape that it serves."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from bench import kubernetes
from bench.frames import NODE
from bench.stage import DEVICE, VIPS, Stage
from bench.table import Table, milliseconds, spread
from exporter.wire import craft

RUNS = 7
SERVED_TARGET = 1.5
"""Seconds."""
CAPTURE_TARGET = 0.5
"""Of the time that scapy takes."""
EVERY = 0.002
"""Seconds from one frame to the next."""
_SECONDS_OF_CALM = 0.5
"""For the last frames to be counted."""
_SCAPY = f"""
import sys
from scapy.all import ARP, AsyncSniffer
seen = []
sniffer = AsyncSniffer(iface="{DEVICE}", store=False, lfilter=lambda packet: ARP in packet, prn=seen.append)
sniffer.start()
for _ in sys.stdin:
    print(len(seen), flush=True)
"""
"""What a tutorial would have one write. Each line that it is given, it answers with what it has seen."""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds since before the process existed; None: it does not apply."""

    captures: float | None = None
    served: float | None = None
    watched: float | None = None
    """Until a scrape has the VIP."""
    ended: float | None = None


def measure(stage: Stage) -> Table:
    with kubernetes.run(stage) as api:
        without = stage.intent_file(1)
        programs: dict[str, Callable[[], Start]] = {
            "the exporter, with an intent file": lambda: _exporter(stage, without),
            "the exporter, with Kubernetes": lambda: _exporter(stage, api.arguments),
            "yardstick: scapy.all, AsyncSniffer": lambda: _scapy(stage),
            "yardstick: python -c pass": lambda: _python(stage, "-c", "pass"),
            "vip-exporter --version": lambda: _python(stage, "-m", "exporter", "--version"),
            "vip-exporter --help": lambda: _python(stage, "-m", "exporter", "--help"),
        }
        for run in programs.values():
            run()  # the first time, files come from the disk, and byte code is written
        runs: dict[str, list[Start]] = {name: [] for name in programs}
        for _ in range(RUNS):
            for name, run in programs.items():
                runs[name].append(run())
    rows = tuple((name, *_cells(starts)) for name, starts in runs.items())
    return Table(
        title="Start",
        columns=("what", "captures", "serves the first scrape", "with the VIP in it", "has ended"),
        rows=rows,
        note=f"Medians (and greatest) of {RUNS} runs each, in turn, after one to warm up; from before the process "
        f"exists. Captures: a frame is sent every {milliseconds(EVERY)} from then on; how many of them were not seen "
        f"says when the first was. With an intent file that is to take at most {CAPTURE_TARGET:.0%} of scapy's time, "
        f"and the first scrape at most {SERVED_TARGET} s.",
        missed=tuple(_missed(runs)),
    )


def _cells(starts: list[Start]) -> tuple[str, ...]:
    return tuple(
        _cell([value for start in starts if (value := getattr(start, field)) is not None])
        for field in ("captures", "served", "watched", "ended")
    )


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    seconds = spread(values)
    return f"{milliseconds(seconds.median)} ({milliseconds(seconds.max)})"


def _missed(runs: dict[str, list[Start]]) -> Iterator[str]:
    medians = {
        name: statistics.median(start.captures for start in starts if start.captures is not None)
        for name, starts in runs.items()
        if starts[0].captures is not None
    }
    ours, scapys = medians["the exporter, with an intent file"], medians["yardstick: scapy.all, AsyncSniffer"]
    if ours > CAPTURE_TARGET * scapys:
        yield f"start to capture: {milliseconds(ours)}, {ours / scapys:.0%} of scapy's {milliseconds(scapys)}"
    for name, starts in runs.items():
        served = [start.served for start in starts if start.served is not None]
        if served and statistics.median(served) > SERVED_TARGET:
            yield f"start to first scrape, {name}: {milliseconds(statistics.median(served))}"


def _exporter(stage: Stage, arguments: tuple[str, ...]) -> Start:
    with _frames(stage) as sent, stage.exporter(*arguments) as exporter:
        served = exporter.wait_until_served()
        watched = exporter.wait_until_served(f'vip="{VIPS[0]}"')
        seen = exporter.total(_SEEN)
        while not seen:
            time.sleep(0.01)
            seen = exporter.total(_SEEN)
        moments = sent()
        time.sleep(_SECONDS_OF_CALM)
        return Start(moments[-exporter.total(_SEEN)] - exporter.begun, served, watched)


_SEEN = f'vip_announcements_total{{kind="request",vip="{VIPS[0]}"}}'


def _scapy(stage: Stage) -> Start:
    with _frames(stage) as sent:
        begun = time.perf_counter()
        with stage.run(sys.executable, "-c", _SCAPY) as process:
            assert process.stdin is not None and process.stdout is not None  # noqa: PT018

            def seen() -> int:
                process.stdin.write(b"\n")
                process.stdin.flush()
                return int(process.stdout.readline())

            while not seen():
                time.sleep(0.01)
            moments = sent()
            time.sleep(_SECONDS_OF_CALM)
            return Start(moments[-seen()] - begun)


def _python(stage: Stage, *arguments: str) -> Start:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, env=stage.environment, stdout=subprocess.DEVNULL)
    return Start(ended=time.perf_counter() - begun)


@contextmanager
def _frames(stage: Stage) -> Iterator[Callable[[], list[float]]]:
    """Announce the VIP again and again; what is yielded ends that, and says when each announcement was sent."""
    moments: list[float] = []
    enough = Event()

    def announce() -> None:
        with stage.sender([craft.announcement(VIPS[0], NODE)]) as sender:
            while not enough.wait(EVERY):
                moments.append(time.perf_counter())
                sender.send(1)

    thread = Thread(target=announce)

    def end() -> list[float]:
        enough.set()
        thread.join()
        return moments

    thread.start()
    try:
        yield end
    finally:
        end()
