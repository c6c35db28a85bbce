"""Plays the story in the lab, in real time, and asks the running exporter what it says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from exporter.lab.lab import Lab
from exporter.lab.program import Sample
from exporter.lab.story import SPOOFER, VIP, Act, Expected, Observed, Row, Verb
from exporter.vip.model import SECOND

POLL_SECONDS = 0.2
LATE_SECONDS = 3.0
"""What a busy machine may take longer than the rules say."""


class LiveStage:
    """A stage of a lab that has been entered.

    Args:
        lab: where it is played.
        period: seconds between two announcements.
        flood_rate: spoofed frames a second.
    """

    def __init__(self, *, lab: Lab, period: float, flood_rate: float) -> None:
        self._lab = lab
        self._period = period
        self._flood_rate = flood_rate
        self._start = time.monotonic()
        self._started = datetime.now(UTC)
        self._known: set[str] = set()

    @property
    def now(self) -> float:
        return time.monotonic() - self._start

    @property
    def sent(self) -> Mapping[str, Sequence[float]]:
        times = {name: node.sent for name, node in self._lab.nodes.items()} | {SPOOFER: self._lab.spoofer.sent}
        return {name: [at / SECOND - self._start for at in sent] for name, sent in times.items()}

    def perform(self, act: Act) -> None:
        match act.verb:
            case Verb.TAKE_OVER:
                self._lab.nodes[act.node].take_over()
            case Verb.RELEASE:
                self._lab.nodes[act.node].release()
            case Verb.SPLIT_BRAIN:
                self._lab.nodes[act.node].split_brain()
            case Verb.FALL_SILENT:
                self._lab.nodes[act.node].fall_silent()
            case Verb.ANNOUNCE:
                self._lab.nodes[act.node].announce()
            case Verb.FLOOD:
                self._lab.spoofer.flood(self._flood_rate)
            case Verb.CALM:
                self._lab.spoofer.stop()

    def wait(self, duration: float) -> None:
        time.sleep(duration)

    def observe(
        self, expected: Expected, *, within: float, tell: Callable[[Row], None]
    ) -> tuple[Observed, Sequence[Row]]:
        deadline = self.now + within + LATE_SECONDS
        rows: list[Row] = []
        settled: float | None = None
        while True:
            for row in self._news():
                rows.append(row)
                tell(row)
            observed = read_observed(self._lab.program.samples())
            if expected.differences(observed, rows):
                settled = None
            elif settled is None:
                settled = self.now
            # A period more, for it must also stay so.
            if self.now > deadline or (settled is not None and self.now >= settled + self._period):
                return observed, rows
            time.sleep(POLL_SECONDS)

    def seconds_of(self, row: Row) -> float:
        return (datetime.fromisoformat(row["time"]) - self._started).total_seconds()

    def follow(self, tell: Callable[[Row], None]) -> NoReturn:
        """Tell events as they come, for ever.

        Raises:
            ProgramError: the exporter does not answer any more.
        """
        while True:
            for row in self._news():
                tell(row)
            time.sleep(POLL_SECONDS)

    def _news(self) -> list[Row]:
        """The events that were not there the last time."""
        rows = {json.dumps(row, sort_keys=True): row for row in self._lab.program.events()}
        news: list[Row] = [row for key, row in rows.items() if key not in self._known]
        self._known |= rows.keys()
        return news


def read_observed(samples: Sequence[Sample]) -> Observed:
    """What /metrics says of the VIP."""
    ours = [sample for sample in samples if sample.labels.get("vip") == str(VIP)]

    def total(name: str) -> int:
        return int(sum(sample.value for sample in ours if sample.name == name))

    def label(name: str, key: str) -> str:
        return next((sample.labels[key] for sample in ours if sample.name == name and sample.value == 1), "")

    return Observed(
        state=label("vip_state", "state"),
        holder=label("vip_holder_info", "holder"),
        mac=label("vip_holder_info", "mac"),
        moves=total("vip_moves_total"),
        contests=total("vip_contests_total"),
        claimants=total("vip_claimants"),
        overflow=total("vip_claimants_overflow_total"),
        mismatches=total("vip_mismatch"),
        heard=total("vip_announcements_total"),
        series=sum(sample.name != "vip_claimant_info" for sample in ours),
    )
