"""Stands in for kube-vip on a node of the lab: the very frames, the bound address and the annotations, and no election.

Who holds the VIP is for the caller to say, wrongly too: that is what the lab is for.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Self

from exporter.lab.kubeapi import KubeAPI
from exporter.lab.network import DEVICE, Host, change_address, inside
from exporter.vip.model import IPAddress, Kind, Mac, Nanoseconds, ServiceRef
from exporter.wire import craft

PERIOD = 3.0
"""Seconds between two announcements of a VIP: kube-vip's `vip_arpRate`."""


class KubeVip:
    """One node's kube-vip. A context manager; leaving it silences the node.

    Args:
        host: the node.
        vips: what it announces whenever it announces.
        period: seconds between two announcements of a VIP.
        api: where the Service is.
        service: the Service to annotate.
    """

    def __init__(
        self, *, host: Host, vips: Sequence[IPAddress], period: float, api: KubeAPI, service: ServiceRef
    ) -> None:
        self.host = host
        self.sent: list[Nanoseconds] = []
        """When each frame left, as the monotonic clock has it."""
        self._vips = tuple(vips)
        self._period = period
        self._api = api
        self._service = service
        self._rounds = rounds(vips, host.mac)
        self._socket = open_sender(host)
        self._thread: threading.Thread | None = None
        self._quiet = threading.Event()

    def take_over(self) -> None:
        """Become the holder: bind the address, announce it at once, then annotate the Service."""
        self._bind(True)
        self.announce()
        self.annotate()

    def release(self) -> None:
        """Give the VIP up in good order: no further frame, and the address is unbound. Nothing is said on the wire."""
        self.crash()
        self._bind(False)

    def crash(self) -> None:
        """Fall silent, and leave the address bound."""
        self._quiet.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def split_brain(self) -> None:
        """Believe to be the holder, untold: bind the address and announce it, while Kubernetes says otherwise."""
        self._bind(True)
        self.announce()

    def announce(self) -> None:
        """Send a round now and one each period, until told otherwise."""
        self.crash()
        self._quiet.clear()
        self._thread = threading.Thread(target=self._announce, name=f"kube-vip on {self.host.name}", daemon=True)
        self._thread.start()

    @property
    def announces(self) -> bool:
        return self._thread is not None

    def annotate(self) -> None:
        """Write what kube-vip writes on taking over; nothing ever takes it back."""
        annotations = {"kube-vip.io/vipHost": self.host.name}
        self._api.annotate("services", self._service.namespace, self._service.name, annotations)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.crash()
        self._socket.close()

    def _announce(self) -> None:
        due = time.monotonic()
        while True:
            for frame in next(self._rounds):
                send(self._socket, frame)
                self.sent.append(time.monotonic_ns())
            due += self._period
            if self._quiet.wait(max(0.0, due - time.monotonic())):
                return

    def _bind(self, bound: bool) -> None:
        for vip in self._vips:
            change_address(self.host, vip, bound=bound)


class Spoofer:
    """Announces a VIP from a new random MAC in every frame, through some host's interface."""

    def __init__(self, *, host: Host, vip: IPv4Address) -> None:
        self.sent: list[Nanoseconds] = []
        self._frames = spoofed(vip)
        self._socket = open_sender(host)
        self._thread: threading.Thread | None = None
        self._quiet = threading.Event()

    def flood(self, rate: float) -> None:
        """Send `rate` frames a second until `stop`."""
        self.stop()
        self._quiet.clear()
        self._thread = threading.Thread(target=self._flood, args=(rate,), name="spoofer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._quiet.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._socket.close()

    def _flood(self, rate: float) -> None:
        start, sent = time.monotonic(), 0
        while not self._quiet.wait(0.01):
            due = int((time.monotonic() - start) * rate)
            for _ in range(due - sent):
                send(self._socket, next(self._frames))
                self.sent.append(time.monotonic_ns())
            sent = due


def rounds(vips: Sequence[IPAddress], mac: Mac) -> Iterator[tuple[bytes, ...]]:
    """The frames of each period, one for each VIP, endlessly.

    Reply and request alternate from frame to frame, not from period to period: kube-vip has one flag for the whole
    process, so with two VIPs each of them only ever shows one of the two.
    """
    frames = {(vip, reply): craft.announcement(vip, mac, _kind(vip, reply)) for vip in vips for reply in (True, False)}
    reply = True
    while True:
        batch = []
        for vip in vips:
            batch.append(frames[vip, reply])
            reply ^= vip.version == 4
        yield tuple(batch)


def _kind(vip: IPAddress, reply: bool) -> Kind:
    if vip.version == 6:
        return Kind.NA
    return Kind.REPLY if reply else Kind.REQUEST


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


def open_sender(host: Host) -> socket.socket:
    """A socket on the host's interface that any thread can send frames through, and that receives none."""

    def open_inside() -> socket.socket:
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind((DEVICE, 0))
        return sender

    return inside(host.namespace, open_inside)


def send(sender: socket.socket, frame: bytes) -> None:
    """Put a frame on the wire. Where the interface is down it is lost, as kube-vip's would be."""
    with suppress(OSError):
        sender.send(frame)
