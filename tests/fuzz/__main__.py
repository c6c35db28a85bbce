"""Fuzz for longer: `python -m tests.fuzz SECONDS [TARGET ...]`, all targets if none is named, one after the other.

What reaches code that no entry of the corpus reaches is added to it. So is what breaks a property, as `broken-…`: the
tests fail by it until that is mended.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import TARGETS, Target

ONE_INPUT = 60
"""Seconds that one may take."""
MEMORY = 1024
"""MiB that all of it may take."""


def fuzz(target: Target, scratch: Path, *flags: str, corpora: Sequence[Path]) -> subprocess.CompletedProcess[str]:
    """Run libFuzzer, in a process of its own, on these corpora; it adds to the first."""
    command = [sys.executable, "-m", "tests.fuzz.run", target.name, str(scratch), *flags, *map(str, corpora)]
    limits = [f"-timeout={ONE_INPUT}", f"-rss_limit_mb={MEMORY}", "-print_final_stats=1"]
    return subprocess.run([*command, *limits], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def broken(scratch: Path) -> list[Path]:
    """The inputs that ended it."""
    return [path for kind in ("crash", "timeout", "oom", "leak") for path in scratch.glob(f"{kind}-*")]


def keep(target: Target, seconds: int) -> bool:
    """Fuzz it and keep what is found; returns whether all is well."""
    with tempfile.TemporaryDirectory(prefix="vip-fuzz-") as folder:
        found, scratch = Path(folder, "found"), Path(folder, "scratch")
        found.mkdir()
        scratch.mkdir()
        done = fuzz(target, scratch, f"-max_total_time={seconds}", corpora=[found, target.corpus])
        tell(target, done.stdout)
        culprits = broken(scratch)
        for path in culprits:
            shutil.move(path, target.corpus / f"broken-{path.name}")
        # Edges only: how often each was passed would make the corpus ten times as large.
        merged = fuzz(target, scratch, "-merge=1", "-use_counters=0", "-use_cmp=0", corpora=[target.corpus, found])
        print(merged.stdout.splitlines()[-1], flush=True)
    return not culprits and done.returncode == 0


def tell(target: Target, output: str) -> None:
    """How it went: if badly, all there is to know of that."""
    lines = output.splitlines()
    trouble = next((number for number, line in enumerate(lines) if "===" in line or "ERROR" in line), None)
    if trouble is not None:
        print(*lines[trouble:], sep="\n")
    pace = [line for line in lines if re.match(r"#[0-9]+\s+DONE|stat::(number|average|peak)", line)]
    print(f"{target.name}: {'; '.join(pace)}", flush=True)


if __name__ == "__main__":
    well = [keep(TARGETS[name], int(sys.argv[1])) for name in sys.argv[2:] or TARGETS]
    sys.exit(not all(well))
