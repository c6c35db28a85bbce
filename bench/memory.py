"""How much memory the exporter takes."""

from __future__ import annotations

import time

from bench import kubernetes
from bench.stage import VIPS, Stage
from bench.table import Table

_SCRAPES = 5
_SECONDS_OF_CALM = 2.0


def measure(stage: Stage) -> Table:
    with kubernetes.run(stage) as api:
        rows = (
            ("with an intent file, 1 VIP", _resident(stage, stage.intent_file(1), 1)),
            ("with an intent file, 100 VIPs", _resident(stage, stage.intent_file(100), 100)),
            ("with Kubernetes, 1 VIP", _resident(stage, api.arguments, 1)),
        )
    return Table(
        title="Resident memory",
        columns=("the exporter", "RSS"),
        rows=rows,
        note=f"For information. {_SECONDS_OF_CALM:.0f} s after the first scrape, and {_SCRAPES} further ones.",
    )


def _resident(stage: Stage, arguments: tuple[str, ...], count: int) -> str:
    with stage.exporter(*arguments) as exporter:
        exporter.wait_until_served(f'vip="{VIPS[count - 1]}"')
        for _ in range(_SCRAPES):
            exporter.scrape()
        time.sleep(_SECONDS_OF_CALM)
        return f"{exporter.rss() / 2**20:.0f} MiB"
