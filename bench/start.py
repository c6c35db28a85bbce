"""How long the exporter takes from its start to the first scrape that it serves, beside what cannot be faster."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from bench import kubernetes
from bench.stage import VIPS, Stage
from bench.table import Table, milliseconds, spread

RUNS = 7
TARGET = 1.5
"""Seconds."""


def measure(stage: Stage) -> Table:
    with kubernetes.run(stage) as api:
        without = stage.intent_file(1)
        programs: dict[str, Callable[[], tuple[float, float | None]]] = {
            "the exporter, with an intent file": lambda: _time_exporter(stage, without),
            "the exporter, with Kubernetes": lambda: _time_exporter(stage, api.arguments),
            "yardstick: python -c pass": lambda: (_time_python(stage, "pass"), None),
            'yardstick: python -c "import scapy.all"': lambda: (_time_python(stage, "import scapy.all"), None),
        }
        for run in programs.values():
            run()  # the first time, files come from the disk, and byte code is written
        times: dict[str, list[tuple[float, float | None]]] = {name: [] for name in programs}
        for _ in range(RUNS):
            for name, run in programs.items():
                times[name].append(run())
    bare = statistics.median(served for served, _ in times["yardstick: python -c pass"])
    rows, missed = [], []
    for name, pairs in times.items():
        served = spread([pair[0] for pair in pairs])
        watched = [pair[1] for pair in pairs if pair[1] is not None]
        rows.append(
            (
                name,
                milliseconds(served.median),
                milliseconds(served.max),
                milliseconds(statistics.median(watched)) if watched else "-",
                f"{served.median / bare:.1f}",
                f"≤ {TARGET} s" if watched else "-",
            )
        )
        if watched and served.median > TARGET:
            missed.append(f"start to first scrape, {name}: {milliseconds(served.median)}")
    return Table(
        title="Start to first served scrape",
        columns=("what", "median", "max", "with the VIP in it, median", "× bare Python", "target"),
        rows=tuple(rows),
        note=f"{RUNS} runs each, in turn, after one to warm up. Until /metrics has answered 200 the first time; for "
        "the yardsticks, until the process has ended.",
        missed=tuple(missed),
    )


def _time_exporter(stage: Stage, arguments: tuple[str, ...]) -> tuple[float, float]:
    """Seconds to the first scrape, and to the first that knows the VIP."""
    with stage.exporter(*arguments) as exporter:
        return exporter.wait_until_served(), exporter.wait_until_served(f'vip="{VIPS[0]}"')


def _time_python(stage: Stage, code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=stage.environment)
    return time.perf_counter() - begun
