"""Network namespaces joined by a veth pair, for tests that need a real wire. Needs root, and fails without it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

DEVICE = "eth0"
"""The end of the pair, in either namespace."""


def ip(*arguments: str) -> None:
    """Run `ip` with these arguments; what it complains of goes into the exception."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Move the calling thread into the namespace. Sockets and threads made meanwhile stay there."""
    with (
        Path("/proc/thread-self/ns/net").open("rb") as home,
        Path("/run/netns", namespace).open("rb") as there,
    ):
        _setns(there.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def _setns(fd: int) -> None:
    # os.setns came with Python 3.12.
    if _libc.setns(fd, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


@dataclass(frozen=True)
class Wire:
    """Two hosts on one cable: `here` listens, `there` speaks. Each has the interface `eth0`."""

    here: str
    there: str

    def connect(self) -> None:
        """Create the pair."""
        ends = (("name", DEVICE, "netns", namespace) for namespace in (self.here, self.there))
        ip("link", "add", *next(ends), "type", "veth", "peer", *next(ends))
        for namespace in (self.here, self.there):
            self.set_link("up", namespace)

    def disconnect(self) -> None:
        ip("-n", self.here, "link", "delete", DEVICE)

    def set_link(self, state: str, namespace: str | None = None) -> None:
        ip("-n", namespace or self.here, "link", "set", DEVICE, state)

    def send(self, frames: Sequence[bytes], namespace: str | None = None) -> None:
        """Put raw frames on the wire, `there` unless told."""
        with self.sender(namespace) as sender:
            for frame in frames:
                sender.send(frame)

    def sender(self, namespace: str | None = None) -> socket.socket:
        with inside(namespace or self.there):
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind((DEVICE, 0))
        return sender


@contextlib.contextmanager
def wire() -> Iterator[Wire]:
    """A wire of its own, gone afterwards whatever happens."""
    unique = uuid.uuid4().hex[:8]
    pair = Wire(f"vx-{unique}-here", f"vx-{unique}-there")
    try:
        for namespace in (pair.here, pair.there):
            ip("netns", "add", namespace)
            # With addresses of its own the kernel would send neighbour discovery among the tests' frames.
            with inside(namespace), contextlib.suppress(FileNotFoundError):
                Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1", encoding="ascii")
        pair.connect()
        yield pair
    finally:
        for namespace in (pair.here, pair.there):
            with contextlib.suppress(RuntimeError):
                ip("netns", "delete", namespace)
