"""Somebody on the segment who announces the VIP from a new MAC in every frame."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Self

from exporter.lab.network import Host
from exporter.lab.repeater import Repeater
from exporter.lab.sender import Sender
from exporter.vip.model import Mac, Nanoseconds
from exporter.wire import craft

_BURST_SECONDS = 0.01


class Spoofer:
    """Floods through some host's interface. A context manager; leaving it silences it."""

    def __init__(self, *, host: Host, vip: IPv4Address) -> None:
        self.sent: list[Nanoseconds] = []
        """When each frame left, as the monotonic clock has it."""
        self._frames = spoofed(vip)
        self._sender = Sender(host)
        self._rate = 0.0
        self._start = time.monotonic()
        self._begun = 0
        self._bursts = Repeater(self._burst, period=_BURST_SECONDS, name="spoofer")

    def flood(self, rate: float) -> None:
        """Send `rate` frames a second until `stop`."""
        self.stop()
        self._rate, self._start, self._begun = rate, time.monotonic(), len(self.sent)
        self._bursts.start()

    def stop(self) -> None:
        self._bursts.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._sender.close()

    def _burst(self) -> None:
        due = int((time.monotonic() - self._start) * self._rate)
        for _ in range(due - (len(self.sent) - self._begun)):
            self._sender.send(next(self._frames))
            self.sent.append(time.monotonic_ns())


def spoofed(vip: IPv4Address, *, seed: int = 0) -> Iterator[bytes]:
    """Announcements of a VIP, each from another random MAC, endlessly; the same in every run."""
    generator = random.Random(seed)
    placeholder = Mac(bytes.fromhex("06fffefdfcfb"))
    pattern = craft.announcement(vip, placeholder)
    while True:
        # Locally administered and unicast, and none of the lab's own, which begin with 02. Composing each frame
        # from its fields would be too slow for a flood.
        mac = b"\x06" + generator.randbytes(5)
        yield pattern.replace(placeholder, mac)
