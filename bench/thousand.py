"""What a thousand VIPs cost an exporter that finds them by itself, with one Lease for all of them or one for each."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench import kubernetes
from bench.frame_to_metric import time_frame
from bench.frames import NODE, OTHER_NODE
from bench.kubernetes import HOLDER, MANY, NODES, Cluster
from bench.sender import Sender
from bench.stage import Exporter, Stage, cpu_seconds, total
from bench.table import Spread, Table, milliseconds, spread
from exporter.lab.kubevip import PERIOD, RENEW
from exporter.vip.model import Mac, format_mac
from exporter.wire import craft

STARTS = 3
RENEWED_SECONDS = 20.0
ANNOUNCED_SECONDS = 60.0
SCRAPES = 10
FRAMES = 20
NEXT_HOLDER = NODES[1]
_MACS = {HOLDER: NODE, NEXT_HOLDER: OTHER_NODE}
_SOURCES = ("wire", "lease", "annotation")
_SECONDS_TO_SHOW = 30.0
_SECONDS_OF_CALM = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    start: Spread
    """Seconds until /metrics has every VIP with its holder."""
    renewed: float
    """CPU seconds per second while Leases are renewed."""
    announced: float
    """The same with announcements."""
    scrape: Spread
    """Seconds."""
    summary: Spread
    """The same with fewer series."""
    series: int
    size: int
    """Bytes of a scrape."""
    compressed: int
    frame: Spread
    """Seconds from a frame to the metric."""
    move: float
    """Seconds from when all sources have changed until /metrics has that."""
    rss: int
    """Bytes, after all this."""


ROWS: Mapping[str, Callable[[Result], str]] = {
    "start to all VIPs with holder on /metrics": lambda result: milliseconds(result.start.median),
    "CPU, Leases renewed": lambda result: _share(result.renewed),
    "CPU, Leases renewed and VIPs announced": lambda result: _share(result.announced),
    "scrape": lambda result: _range(result.scrape),
    "scrape with --metrics.detail=summary": lambda result: _range(result.summary),
    "series": lambda result: f"{result.series:,}",
    "size of a scrape": lambda result: f"{result.size / 1e6:.1f} MB",
    "size, compressed": lambda result: f"{result.compressed / 1e6:.2f} MB",
    "frame to changed counter": lambda result: _range(result.frame),
    "move of all VIPs to all agreed on /metrics": lambda result: milliseconds(result.move),
    "RSS": lambda result: f"{result.rss / 2**20:.0f} MiB",
}


def measure(stage: Stage) -> Table:
    one, own = (_measure(stage, cluster) for cluster in (Cluster.ONE_LEASE, Cluster.OWN_LEASES))
    return Table(
        title=f"{len(MANY):,} VIPs, discovered",
        columns=("", "one Lease, watched", "a Lease each, listed every 10 s"),
        rows=tuple((title, show(one), show(own)) for title, show in ROWS.items()),
        note=f"For information. Leases are renewed every {RENEW:.0f} s, VIPs announced every {PERIOD:.0f} s, in one "
        f"burst. Start: median of {STARTS}. CPU: of one core, over {RENEWED_SECONDS:.0f} s and "
        f"{ANNOUNCED_SECONDS:.0f} s without a scrape. Scrapes and frames: medians (and greatest) of {SCRAPES} and "
        f"{FRAMES}. Move: from when wire, Leases and annotations have all gone over to another node until the end of "
        "the first answer in which every VIP has it by each of them. RSS: after all that.",
    )


def _measure(stage: Stage, cluster: Cluster) -> Result:
    with kubernetes.run(stage, cluster) as api:
        arguments = (*api.arguments, "--services.discover", *_configured_macs())
        starts = [_time_start(stage, arguments) for _ in range(1 + STARTS)]
        with stage.exporter(*arguments, "--metrics.detail=summary") as exporter:
            _wait_for_all(exporter)
            summary = _time_scrapes(exporter)
        with stage.exporter(*arguments) as exporter, stage.sender(_announcements(NODE)) as sender:
            _wait_for_all(exporter)
            renewed = _cpu(exporter, RENEWED_SECONDS)
            _announce(sender, PERIOD)
            announced = _cpu(exporter, ANNOUNCED_SECONDS, sender)
            scrape = _time_scrapes(exporter)
            body = exporter.fetch()
            return Result(
                start=spread(starts[1:]),  # the first time, byte code is written
                renewed=renewed,
                announced=announced,
                scrape=scrape,
                summary=summary,
                series=sum(not line.startswith(b"#") for line in body.splitlines()),
                size=len(body),
                compressed=len(exporter.fetch(compressed=True)),
                frame=spread([time_frame(stage, exporter, random.choice(MANY)) for _ in range(FRAMES)]),
                move=_time_move(stage, api, exporter),
                rss=exporter.rss(),
            )


def _configured_macs() -> Sequence[str]:
    return [f"--nodes={name}={format_mac(mac)}" for name, mac in _MACS.items()]


def _announcements(mac: Mac) -> Sequence[bytes]:
    return [craft.announcement(vip, mac) for vip in MANY]


def _time_start(stage: Stage, arguments: Sequence[str]) -> float:
    with stage.exporter(*arguments) as exporter:
        return _wait_for_all(exporter)


def _wait_for_all(exporter: Exporter) -> float:
    exporter.wait_until_served(f'vip="{MANY[-1]}"')
    _wait_for(exporter, lambda text: total(text, "vip_holder_info{") == len(MANY))
    return time.perf_counter() - exporter.begun


def _wait_for(exporter: Exporter, holds: Callable[[str], bool]) -> None:
    until = time.perf_counter() + _SECONDS_TO_SHOW
    while not holds(exporter.scrape()):
        if time.perf_counter() > until:
            raise RuntimeError("the VIPs do not show on /metrics as they should")


def _cpu(exporter: Exporter, seconds: float, sender: Sender | None = None) -> float:
    """CPU seconds per second over so long; with a sender, all VIPs are announced each period."""
    time.sleep(_SECONDS_OF_CALM)
    begun, used = time.perf_counter(), cpu_seconds(exporter.pid)
    _announce(sender, seconds)
    return (cpu_seconds(exporter.pid) - used) / (time.perf_counter() - begun)


def _announce(sender: Sender | None, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0:
        if sender is not None:
            sender.send(len(MANY))
        time.sleep(min(PERIOD, left))


def _time_scrapes(exporter: Exporter) -> Spread:
    times = []
    for _ in range(SCRAPES):
        begun = time.perf_counter()
        exporter.fetch()
        times.append(time.perf_counter() - begun)
    return spread(times)


def _time_move(stage: Stage, api: kubernetes.Running, exporter: Exporter) -> float:
    def moved(text: str) -> bool:
        holder = f'{{holder="{NEXT_HOLDER}"'
        return total(text, f"vip_holder_info{holder}") == len(MANY) and total(
            text, f"vip_source_holder_info{holder}"
        ) == len(MANY) * len(_SOURCES)

    with stage.sender(_announcements(OTHER_NODE)) as sender:
        sender.send(len(MANY))
        api.move(NEXT_HOLDER)
        begun = time.perf_counter()
        _wait_for(exporter, moved)
        return time.perf_counter() - begun


def _range(times: Spread) -> str:
    return f"{milliseconds(times.median)} ({milliseconds(times.max)})"


def _share(share: float) -> str:
    return f"{share:.1%}"
