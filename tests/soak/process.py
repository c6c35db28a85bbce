"""The program itself for minutes, in the demo's lab: moves, contests and stray claims by real frames, and an API server
that restarts. Its counters must be what was played, and it must not grow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from exporter.lab.lab import Lab
from exporter.lab.network import NODES

PERIOD = 1.0
GRACE = 7.0
SETTLED = 2.0
"""Seconds that a busy machine may take longer than the rules say."""
PATIENCE = 30.0
WARM_UP = 60.0
"""Seconds until everything that is kept has been there once."""
MOST_GROWTH = 8 * 2**20
"""Bytes of resident memory."""


@dataclass(frozen=True)
class Size:
    rss: int
    threads: int
    files: int

    @classmethod
    def of(cls, pid: int) -> Size:
        process = Path("/proc", str(pid))
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        rss, threads = int(status["VmRSS"].split()[0]) * 1024, int(status["Threads"])
        return cls(rss, threads, len(list((process / "fd").iterdir())))

    def __str__(self) -> str:
        return f"{self.rss / 2**20:.1f} MiB, {self.threads} threads, {self.files} files"


def least(sizes: Sequence[Size]) -> Size:
    return Size(*(min(getattr(size, name) for size in sizes) for name in ("rss", "threads", "files")))


class ProcessSoak:
    """Args: a lab that has been entered, and the seed of all that is random."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.moves = self.contests = self.withdrawn = self.api_restarts = self.announced = 0
        self.sizes: list[Size] = []
        self._lab = lab
        self._chance = Random(seed)
        self._holder = NODES[0]

    def play(self, seconds: float) -> None:
        begun = time.monotonic()
        self._lab.nodes[self._holder].take_over()
        self._until(lambda: self._is_held_by(self._holder), "held for the first time")
        while (elapsed := time.monotonic() - begun) < seconds:
            self._chance.choice((self._move, self._move, self._move, self._contest, self._stray, self._restart_api))()
            if elapsed > min(WARM_UP, seconds / 3):
                self.sizes.append(self._calm_size())
        self._lab.nodes[self._holder].fall_silent()
        self.announced = sum(len(node.sent) for node in self._lab.nodes.values())
        self._until(lambda: self._total("vip_announcements_total") == self.announced, "all announcements counted")

    def differences(self) -> list[str]:
        """What is not as it was played, and what has grown."""
        must = {
            "vip_moves_total": self.moves,
            "vip_contests_total": self.contests,
            "vip_withdrawn_claims_total": self.withdrawn,
            "vip_mac_changes_total": 0,
            "vip_handover_seconds_count": self.moves,
            "vip_claimants_overflow_total": 0,
            "vip_exporter_capture_dropped_total": 0,
        }
        found = [f"{name} is {self._total(name)}, must be {number}" for name, number in must.items()]
        wrong = [line for line, (name, number) in zip(found, must.items(), strict=True) if self._total(name) != number]
        # Of each half the least: a thread that makes an answer, or a watch that begins anew, comes and goes.
        half = len(self.sizes) // 2
        first, last = least(self.sizes[:half]), least(self.sizes[half:])
        if last.rss - first.rss > MOST_GROWTH or last.threads > first.threads or last.files > first.files:
            wrong.append(f"it has grown: {first} in the first half, {last} in the second")
        return wrong

    # --- what is played -----------------------------------------------------------------------------------------------

    def _move(self) -> None:
        node = self._another()
        self._lab.nodes[self._holder].release()
        time.sleep(self._chance.uniform(0.1, 4))
        self._lab.nodes[node].take_over()
        self._holder = node
        self.moves += 1
        self._until(lambda: self._total("vip_moves_total") == self.moves, "moved")
        # Who has let go may not be taken for his own successor.
        time.sleep(GRACE + SETTLED)

    def _contest(self) -> None:
        node = self._lab.nodes[self._another()]
        node.split_brain()
        self.contests += 1
        self._until(lambda: self._total("vip_contests_total") == self.contests, "contested")
        node.fall_silent()
        node.unbind()
        self._until(lambda: self._is_held_by(self._holder), "held after a contest")

    def _stray(self) -> None:
        node = self._lab.nodes[self._another()]
        node.split_brain()
        time.sleep(self._chance.uniform(0.1, 2.5))
        node.fall_silent()
        node.unbind()
        self.withdrawn += 1
        self._until(lambda: self._total("vip_withdrawn_claims_total") == self.withdrawn, "withdrawn")

    def _restart_api(self) -> None:
        self.api_restarts += 1
        self._lab.api.stop()
        time.sleep(self._chance.uniform(0.1, 5))
        self._lab.api.start()
        self._until(lambda: self._total("vip_exporter_kubernetes_up") == 1, "Kubernetes heard again")

    # --- what is asked ------------------------------------------------------------------------------------------------

    def _calm_size(self) -> Size:
        """Its size when nobody asks it anything: each answer is made in a thread of its own."""
        time.sleep(1.0)
        process = self._lab.program.process
        assert process is not None
        return Size.of(process.pid)

    def _is_held_by(self, node: str) -> bool:
        samples = self._lab.program.samples()
        holders = {one.labels["holder"] for one in samples if one.name == "vip_holder_info"}
        states = {one.labels["state"] for one in samples if one.name == "vip_state" and one.value}
        return holders == {node} and states == {"held"}

    def _total(self, name: str) -> int:
        return int(sum(sample.value for sample in self._lab.program.samples() if sample.name == name))

    def _another(self) -> str:
        return self._chance.choice([name for name in NODES if name != self._holder])

    @staticmethod
    def _until(condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"not within {PATIENCE:.0f} s: {what}"
            time.sleep(0.1)


def soak(minutes: float, seed: int) -> ProcessSoak:
    with Lab(period=PERIOD) as lab:
        played = ProcessSoak(lab, seed)
        played.play(60 * minutes)
        wrong = played.differences()
    if wrong:
        raise AssertionError("\n".join(wrong))
    return played
