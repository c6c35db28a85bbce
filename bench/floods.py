"""What floods of forged frames do to the exporter: memory, series, log and CPU while they last, and the holder after.

`python -m bench.floods --seconds 180 [FLOOD…]` takes longer ones, or some only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

from bench.frames import CONTESTED, NODE, OTHER_NODE
from bench.sender import BATCH, Sender
from bench.stage import DEVICE, VIPS, Exporter, Stage, cpu_seconds, open_stage, total
from bench.table import Table, milliseconds
from exporter.vip.model import Kind, Mac, format_mac
from exporter.wire import craft

SECONDS = 60.0
FORGED = 100_000
"""MACs, or addresses, that a flood makes up."""
VIP = VIPS[0]
NODE_ADDRESS, OTHER_NODE_ADDRESS = IPv4Address("192.0.2.11"), IPv4Address("192.0.2.12")
HOLDER = "node-1"
HOLDER_EVERY = 1.0
"""Seconds from one announcement of the true holder to the next, before, during and after a flood."""

# What must hold, however long it lasts and whatever comes.
MOST_GROWTH = 16 * 2**20
"""Bytes of resident memory."""
MOST_SERIES = 45 + 16
"""With the VIP's label, at any scrape: those of every VIP, and one for each claimant that has a slot."""
MOST_LOG = 64 * 1024
"""Bytes a minute."""
RIGHT_WITHIN = 17.0
"""Seconds from the last frame: the grace time of the last forged claim, and ten."""

_LOOK_EVERY = 0.25
"""Seconds from one look at whether the holder is right to the next."""
_BEFORE = 12.0
"""Seconds of the holder alone, so that what is kept of him and of the scrapes is there before memory is read."""


@dataclass(frozen=True, slots=True)
class Flood:
    name: str
    frames: Callable[[], Sequence[bytes]]


def forged_macs() -> Iterator[Mac]:
    """The same in every run; unicast, locally administered, and none of the nodes'."""
    chance = Random(0)
    for _ in range(FORGED):
        yield Mac(b"\x06" + chance.randbytes(5))


def _with_macs(pattern: bytes, original: Mac) -> list[bytes]:
    """The frame from each forged MAC, made without scapy, which would take longer than the flood."""
    return [pattern.replace(original, mac) for mac in forged_macs()]


def _random_addresses() -> list[bytes]:
    pattern = craft.announcement(IPv4Address("203.0.113.113"), OTHER_NODE, Kind.REQUEST)
    forged, chance = IPv4Address("203.0.113.113").packed, Random(0)
    return [pattern.replace(forged, b"\x0a" + chance.randbytes(3)) for _ in range(FORGED)]


FLOODS = (
    Flood("claims by 100,000 MACs", lambda: _with_macs(craft.announcement(VIP, NODE, Kind.REQUEST), NODE)),
    Flood("claims to 100,000 other addresses", _random_addresses),
    Flood("a contest of two nodes", lambda: CONTESTED),
    Flood("probes by 100,000 MACs", lambda: _with_macs(craft.probe(VIP, NODE), NODE)),
    Flood(
        "a node's address from 100,000 MACs",
        lambda: _with_macs(craft.ordinary_request(OTHER_NODE_ADDRESS, NODE, NODE_ADDRESS), NODE),
    ),
)


@dataclass(slots=True)
class Watch:
    """Scrapes once a second while the flood lasts."""

    seconds: list[float] = field(default_factory=list)
    series: int = 0
    """The most that were seen."""
    failures: int = 0

    def look(self, exporter: Exporter, ended: threading.Event) -> None:
        while not ended.wait(1.0):
            begun = time.perf_counter()
            try:
                text = exporter.scrape()
            except OSError:
                self.failures += 1
            else:
                self.seconds.append(time.perf_counter() - begun)
                self.series = max(self.series, series_of_vip(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    name: str
    seconds: float
    sent: int
    read: int
    dropped: int
    cpu: float
    """Cores."""
    rss: tuple[int, int]
    """Before and after, bytes."""
    series: tuple[int, int, int]
    """Of the VIP: before, most during it, after."""
    log: int
    scrapes: Sequence[float]
    failed_scrapes: int
    right_after: float | None
    """Seconds from its last frame until the holder was right again; None: not in time."""

    @property
    def missed(self) -> Iterator[str]:
        if (growth := self.rss[1] - self.rss[0]) > MOST_GROWTH:
            yield f"{self.name}: resident memory grew by {growth / 2**20:.1f} MiB"
        if max(self.series) > MOST_SERIES:
            yield f"{self.name}: {max(self.series)} series of one VIP"
        if self.log > MOST_LOG * max(1.0, self.seconds / 60):
            yield f"{self.name}: {self.log:,} bytes of log in {self.seconds:.0f} s"
        if self.failed_scrapes:
            yield f"{self.name}: {self.failed_scrapes} scrapes failed"
        if self.right_after is None:
            yield f"{self.name}: the holder was not right again in time"


def measure(stage: Stage, seconds: float = SECONDS, floods: Sequence[Flood] = FLOODS) -> Table:
    results = [flood_with(stage, flood, seconds) for flood in floods]
    return Table(
        title="Floods of forged frames",
        columns=(
            *("flood", "frames/s sent", "read", "dropped", "CPU, cores", "RSS before → after", "series of the VIP"),
            *("log", "scrape, median (max)", "holder right after"),
        ),
        rows=tuple(map(_row, results)),
        note=f"{seconds:.0f} s each, as fast as one core sends, with {FORGED:,} forged MACs or addresses again and "
        f"again, and an announcement of the true holder every {HOLDER_EVERY:.0f} s between them. Of the forged frames "
        "the kernel's filter lets through those about the VIP and about nodes' own addresses; dropped are those that "
        "came faster than they were read. Series: before, most during it, after. Scrapes: one a second. The last "
        f"column: from the last forged frame until state and holder are right. Bounds: {MOST_GROWTH // 2**20} MiB of "
        f"growth, {MOST_SERIES} series, {MOST_LOG // 1024} KiB of log a minute, {RIGHT_WITHIN:.0f} s.",
        missed=tuple(miss for result in results for miss in result.missed),
    )


def flood_with(
    stage: Stage, flood: Flood, seconds: float, *, before: float = _BEFORE, within: float = RIGHT_WITHIN
) -> Result:
    """One flood of one exporter.

    Args:
        seconds: how long it lasts.
        before: seconds of the true holder alone.
        within: how long to wait afterwards until he is right again.

    Raises:
        RuntimeError: he was not even right before it.
    """
    frames = flood.frames()
    announcements = [craft.announcement(VIP, NODE, kind) for kind in (Kind.REQUEST, Kind.REPLY)]
    log = stage.directory / "flood.log"
    with ExitStack() as stack:
        exporter = stack.enter_context(_exporter(stage, log))
        holder = stack.enter_context(stage.sender(announcements))
        forgers = [
            stack.enter_context(stage.sender(frames[first : first + BATCH])) for first in range(0, len(frames), BATCH)
        ]
        exporter.wait_until_served(f'vip="{VIP}"')
        if _announce_until(holder, lambda at: at >= before and is_right(exporter.scrape()), before + within) is None:
            raise RuntimeError(f"{flood.name}: the holder was not right before the flood")
        first_scrape = exporter.scrape()
        rss, written, used = exporter.rss(), log.stat().st_size, cpu_seconds(exporter.pid)
        watch, ended = Watch(), threading.Event()
        watcher = threading.Thread(target=watch.look, args=(exporter, ended), name="scrapes")
        watcher.start()
        try:
            sent, lasted = _flood(holder, forgers, min(BATCH, len(frames)), seconds)
        finally:
            used = cpu_seconds(exporter.pid) - used
            ended.set()
            watcher.join()
        right_after = _announce_until(holder, lambda _: is_right(exporter.scrape()), within)
        text = exporter.scrape()
        return Result(
            name=flood.name,
            seconds=lasted,
            sent=sent,
            read=total(text, "vip_exporter_capture_frames_total")
            - total(first_scrape, "vip_exporter_capture_frames_total"),
            dropped=total(text, "vip_exporter_capture_dropped_total"),
            cpu=used / lasted,
            rss=(rss, exporter.rss()),
            series=(series_of_vip(first_scrape), watch.series, series_of_vip(text)),
            log=log.stat().st_size - written,
            scrapes=watch.seconds,
            failed_scrapes=watch.failures,
            right_after=right_after,
        )


def is_right(exposition: str) -> bool:
    """The VIP is held, and by the true holder."""
    holder = f'vip_holder_info{{holder="{HOLDER}",mac="{format_mac(NODE)}",vip="{VIP}"}} 1.0'
    return holder in exposition and f'vip_state{{state="held",vip="{VIP}"}} 1.0' in exposition


def series_of_vip(exposition: str) -> int:
    return sum(f'vip="{VIP}"' in line for line in exposition.splitlines() if not line.startswith("#"))


@contextmanager
def _exporter(stage: Stage, log: Path) -> Iterator[Exporter]:
    """An exporter that watches the VIP and knows two nodes, and whose log goes to a file, at the usual level."""
    intent = stage.directory / "flood.yaml"
    intent.write_text(
        f"vips:\n  - address: {VIP}\n"
        "nodes:\n"
        f"  - {{name: node-1, addresses: [{NODE_ADDRESS}], macs: ['{format_mac(NODE)}']}}\n"
        f"  - {{name: node-2, addresses: [{OTHER_NODE_ADDRESS}], macs: ['{format_mac(OTHER_NODE)}']}}\n",
        encoding="utf-8",
    )
    begun = time.perf_counter()
    program = (
        *(sys.executable, "-m", "exporter", "run", "--capture.interface", DEVICE),
        *("--web.listen-address", "127.0.0.1:10150", "--intent.file", str(intent)),
    )
    # What runs in the end is the exporter itself: the shell only opens the file.
    with stage.run("sh", "-c", 'log=$1; shift; exec "$@" 2>"$log"', "sh", str(log), *program) as process:
        yield Exporter(stage, process, begun)


def _announce_until(holder: Sender, done: Callable[[float], bool], within: float) -> float | None:
    """Let the true holder speak until something is so; returns the seconds that it took, None where it took longer."""
    begun, said = time.perf_counter(), -HOLDER_EVERY
    while True:
        now = time.perf_counter() - begun
        if now - said >= HOLDER_EVERY:
            holder.send(1)
            said = now
        if done(now):
            return now
        if now > within:
            return None
        time.sleep(_LOOK_EVERY)


def _flood(holder: Sender, forgers: Sequence[Sender], batch: int, seconds: float) -> tuple[int, float]:
    """Send forged frames without pause, the holder's between them; returns how many were forged, and the seconds."""
    begun, sent, said = time.perf_counter(), 0, 0.0
    while True:
        for forger in forgers:
            now = time.perf_counter() - begun
            if now >= seconds:
                return sent, now
            if now - said >= HOLDER_EVERY:
                holder.send(1)
                said = now
            forger.send(batch)
            sent += batch


def _row(result: Result) -> tuple[str, ...]:
    before, after = (f"{size / 2**20:.1f}" for size in result.rss)
    return (
        result.name,
        f"{result.sent / result.seconds:,.0f}",
        f"{result.read:,}",
        f"{result.dropped:,}",
        f"{result.cpu:.2f}",
        f"{before} → {after} MiB",
        " / ".join(map(str, result.series)),
        f"{result.log / 1024:.1f} KiB",
        f"{milliseconds(statistics.median(result.scrapes))} ({milliseconds(max(result.scrapes))})"
        if result.scrapes
        else "-",
        "never" if result.right_after is None else f"{result.right_after:.1f} s",
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.floods", description=__doc__)
    parser.add_argument("floods", nargs="*", metavar="FLOOD", help="begins the name of one; none: all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each lasts (default: %(default)g)")
    given = parser.parse_args()
    chosen = [flood for flood in FLOODS if not given.floods or flood.name.startswith(tuple(given.floods))]
    with open_stage() as stage:
        table = measure(stage, given.seconds, chosen)
    print(table.markdown())
    print("\n".join(f"missed: {miss}" for miss in table.missed) or "every bound held")
    return 1 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
