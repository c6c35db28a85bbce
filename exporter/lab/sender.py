"""Puts the lab's frames on the wire, through a host's interface."""

from __future__ import annotations

import socket
from contextlib import suppress

from exporter.lab.network import Host, inside
from exporter.vip.model import Mac


class Sender:
    """An interface that any thread can send frames through. It receives none. Close it when done.

    Args:
        host: the machine.
        device: its interface; empty: the one with its own address.
    """

    def __init__(self, host: Host, device: str = "") -> None:
        self._socket = inside(host.namespace, lambda: _open(device or host.device))

    @property
    def mac(self) -> Mac:
        """The interface's, as it is now."""
        return Mac(self._socket.getsockname()[4])

    def send(self, frame: bytes) -> None:
        """Where the interface is down the frame is lost, as anybody's would be."""
        with suppress(OSError):
            self._socket.send(frame)

    def close(self) -> None:
        self._socket.close()


def _open(device: str) -> socket.socket:
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((device, 0))
    return sender
