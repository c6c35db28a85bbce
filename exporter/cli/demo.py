"""`vip-exporter demo`: show it all in a lab on this machine; without root, over a generated capture."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from exporter.config import ArgumentParser
from exporter.lab import demo


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="vip-exporter demo", description="Show it all in a lab on this machine.")
    parser.add_argument("--fast", action="store_true", help="announce every second, not every three [DEMO_FAST=1]")
    parser.add_argument("--keep", action="store_true", help="stay up afterwards, until Ctrl-C [KEEP=1]")
    parser.add_argument("--offline", action="store_true", help="over a generated capture; needs no privilege")
    given = parser.parse_args(arguments)
    return demo.run(
        fast=given.fast or _is_set("DEMO_FAST"),
        keep=given.keep or _is_set("KEEP"),
        offline=given.offline,
        stream=sys.stdout,
    )


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")
