"""`python -m bench`: measure everything in one run, print the tables, and say what stayed behind its target.

Names of measurements choose among them. `--write` also puts the tables of all into docs/benchmarks.md. Exit status: 0:
every target met; 1: one missed; 2: could not measure.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from bench import (
    agreement,
    announcements,
    floods,
    frame_to_metric,
    front_door,
    listeners,
    memory,
    scrape,
    start,
    storm,
    ten_thousand,
    thousand,
)
from bench.stage import Stage, open_stage
from bench.table import Table
from exporter.lab.network import ENDINGS, LabUnavailableError

MEASUREMENTS: Mapping[str, Callable[[Stage], Table]] = {
    module.__name__.rpartition(".")[2]: module.measure
    for module in (
        frame_to_metric,
        start,
        storm,
        announcements,
        listeners,
        ten_thousand,
        floods,
        scrape,
        agreement,
        thousand,
        front_door,
        memory,
    )
}
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end -->)", re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(MEASUREMENTS)}; none: all")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.parent.name}/{PAGE.name}")
    given = parser.parse_args()
    if unknown := set(given.names) - MEASUREMENTS.keys():
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    if given.write and given.names:
        parser.error("--write needs all measurements")
    for ending in ENDINGS:
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    begun = time.monotonic()
    tables = []
    parts = [machine()]
    try:
        print(f"{parts[0]}\n", flush=True)
        with open_stage() as stage:
            for name in given.names or MEASUREMENTS:
                tables.append(MEASUREMENTS[name](stage))
                parts.append(tables[-1].markdown())
                print(f"{parts[-1]}\n", flush=True)
    except (LabUnavailableError, RuntimeError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    missed = [miss for table in tables for miss in table.missed]
    print("\n".join(f"missed: {miss}" for miss in missed) or "every target met")
    print(f"measured in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    if given.write:
        text = "\n" + "\n\n".join(parts) + "\n\n"
        PAGE.write_text(_MEASURED.sub(lambda _: text, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 1 if missed else 0


def machine() -> str:
    """What it was measured on."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    processor = found[1] if found else platform.machine()
    return (
        f"{processor}, {os.cpu_count()} cores; Linux {platform.release()}; Python {platform.python_version()}; "
        f"scapy {version('scapy')}; load average before the start {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    sys.exit(main())
