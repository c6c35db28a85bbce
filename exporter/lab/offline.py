"""Plays the story as a generated capture, on a clock of its own, and has `vip-exporter replay` judge it.

Needs no privilege and no network. The frames are the ones the lab's nodes send.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from exporter.lab.cluster import SERVICE
from exporter.lab.kubevip import rounds
from exporter.lab.network import NODES, OBSERVER, SEGMENT, mac_of
from exporter.lab.spoofer import spoofed
from exporter.lab.story import SPOOFER, VIP, Act, Expected, Observed, Row, Verb
from exporter.vip.model import Mode, seconds
from exporter.wire import craft

START = datetime(2025, 1, 1, 12, tzinfo=UTC)
FLOOD_RATE = 200.0
"""Spoofed frames a second: enough to overflow, few enough to judge the capture at each step anew."""
ANNOTATION_LAG = 0.02
"""Seconds between the first frame and vipHost: kube-vip up to 0.8 announces first."""


class ReplayError(Exception):
    """`vip-exporter replay` failed. The message is what it printed."""


@dataclass(slots=True)
class _Sender:
    """A node that is sending."""

    frames: Iterator[tuple[bytes, ...]]
    interval: float
    due: float


class OfflineStage:
    """A stage on which waiting takes no time.

    Args:
        directory: where to write the capture and the intent file.
        period: seconds between two announcements.
    """

    def __init__(self, *, directory: Path, period: float) -> None:
        self.now = 0.0
        self.capture = directory / "story.pcap"
        self.intent = directory / "intent.yaml"
        self.sent: dict[str, list[float]] = {name: [] for name in (*NODES, SPOOFER)}
        self._period = period
        self._senders: dict[str, _Sender] = {}
        self._rounds = {node: rounds([VIP], partial(mac_of, node)) for node in NODES}
        self._packets: list[tuple[float, bytes]] = []
        self._timeline: list[dict[str, Any]] = []
        self._told = 0
        self._chatter = _Sender(_chatter(), 1.0, 0.0)

    def perform(self, act: Act) -> None:
        match act.verb:
            case Verb.RELEASE | Verb.FALL_SILENT | Verb.CALM:
                del self._senders[act.node]
            case Verb.FLOOD:
                frames = ((frame,) for frame in spoofed(VIP))
                self._senders[act.node] = _Sender(frames, 1 / FLOOD_RATE, self.now)
            case Verb.TAKE_OVER | Verb.SPLIT_BRAIN | Verb.ANNOUNCE:
                self._senders[act.node] = _Sender(self._rounds[act.node], self._period, self.now)
        if act.verb is Verb.TAKE_OVER:
            moment = START + timedelta(seconds=self.now + ANNOTATION_LAG)
            self._timeline.append({"at": moment.isoformat(), "vipHost": act.node})

    def wait(self, duration: float) -> None:
        self.now += duration
        for node, sender in self._senders.items():
            self.sent[node] += self._send(sender)
        # Time in a capture only passes with packets.
        self._send(self._chatter)

    def observe(
        self,
        expected: Expected,  # noqa: ARG002 - in a capture, what must show by then is looked at only then
        *,
        within: float,
        tell: Callable[[Row], None],
    ) -> tuple[Observed, list[Row]]:
        self.wait(within)
        self._write()
        command = [sys.executable, "-m", "exporter", "replay", str(self.capture), "--intent", str(self.intent)]
        done = subprocess.run([*command, "--format", "json"], capture_output=True, check=False, text=True)
        if done.returncode != 0:
            raise ReplayError(done.stderr.strip() or f"exit status {done.returncode}")
        report = json.loads(done.stdout)
        vip = next(vip for vip in report["vips"] if vip["vip"] == str(VIP))
        events = report["events"][self._told :]
        self._told += len(events)
        for row in events:
            tell(row)
        observed = Observed(
            state=vip["state"],
            holder=vip["holder"] or "",
            mac=vip["mac"] or "",
            moves=vip["moves"],
            contests=vip["contests"],
            claimants=len(vip["claimants"]),
            overflow=vip["claimants_overflow"],
            mismatches=len(vip["mismatches"]),
            heard=sum(vip["announcements"].values()),
        )
        return observed, events

    def seconds_of(self, row: Row) -> float:
        return (datetime.fromisoformat(row["time"]) - START).total_seconds()

    def _send(self, sender: _Sender) -> list[float]:
        """Let a sender catch up with the clock; returns when it sent."""
        sent = []
        while sender.due <= self.now:
            for frame in next(sender.frames):
                self._packets.append((sender.due, frame))
                sent.append(sender.due)
            sender.due += sender.interval
        return sent

    def _write(self) -> None:
        start = seconds(START.timestamp())
        self._packets.sort(key=lambda packet: packet[0])
        craft.write_capture(self.capture, ((start + seconds(at), frame) for at, frame in self._packets))
        vip = {"address": str(VIP), "mode": Mode.STATIC.value, "service": str(SERVICE), "timeline": self._timeline}
        self.intent.write_text(yaml.safe_dump({"vips": [vip]}), encoding="utf-8")


def _chatter() -> Iterator[tuple[bytes, ...]]:
    """What the observer asks for by the way; none of it is about the VIP."""
    while True:
        for number in range(1, 1 + len(NODES)):
            yield (craft.ordinary_request(SEGMENT[10], mac_of(OBSERVER), SEGMENT[10 + number]),)
