"""`python -m tests.soak [--seed N] [--hours H]`: a day in virtual time; `… process --minutes M`: a while in real time.

Exit status 0: everything was equal; otherwise it says what was not, and the seed with which it can be had again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from exporter import log
from tests.soak.day import Day
from tests.soak.process import soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("day", "process"), default="day")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(2**32))
    parser.add_argument("--hours", type=float, default=24.0, help="of virtual time (default: %(default)g)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of real time (default: %(default)g)")
    given = parser.parse_args()
    log.configure(level="error", format="logfmt")
    print(f"seed {given.seed}", flush=True)
    begun = time.monotonic()
    try:
        if given.what == "day":
            play_day(given.seed, given.hours)
        else:
            played = soak(given.minutes, given.seed)
            print(
                f"{played.moves} moves, {played.contests} contests, {played.withdrawn} withdrawn claims, "
                f"{played.api_restarts} restarts of the API, {played.announced} announcements: all equal; "
                f"at first {played.sizes[0]}; at last {played.sizes[-1]}"
            )
    except AssertionError as error:
        print(f"{error}\nnot equal, with --seed {given.seed}")
        return 1
    print(f"{time.monotonic() - begun:.0f} s")
    return 0


def play_day(seed: int, hours: float) -> None:
    with tempfile.TemporaryDirectory(prefix="vip-exporter-soak-") as directory:
        day = Day(Path(directory), seed)
        for seconds in day.play(round(hours * 3600)):
            if seconds % 3600 == 0:
                print(f"{seconds // 3600:2} h: all equal", flush=True)
        print(day.tally)
        print(", ".join(f"{number} {name}" for name, number in sorted(day.played().items())))


if __name__ == "__main__":
    sys.exit(main())
