"""What the kernel has counted for the packet socket of another process: so every program is counted alike."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

_PIDFD_GETFD = 438
"""The number of the system call, which Python has no function for; the same on every architecture."""
_SOL_PACKET, _PACKET_STATISTICS = 263, 6


class Counts(NamedTuple):
    read: int
    dropped: int
    """For want of room in the socket's buffer."""


class KernelCounts:
    """Of the first packet socket that a process has. A context manager.

    The kernel begins anew with each answer, so this is not for a process that asks it too.

    Raises:
        OSError: the process has ended, or may not be looked into.
        RuntimeError: it has no packet socket.
    """

    def __init__(self, pid: int) -> None:
        self._socket = next(_packet_sockets(pid), None)
        if self._socket is None:
            raise RuntimeError(f"process {pid} has no packet socket")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._socket is not None
        self._socket.close()

    def take(self) -> Counts:
        """Since this was last asked. What is in the buffer is counted as read."""
        assert self._socket is not None
        passed, dropped = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        return Counts(passed - dropped, dropped)


def _packet_sockets(pid: int) -> Iterator[socket.socket]:
    libc = ctypes.CDLL(None, use_errno=True)
    process = os.pidfd_open(pid)
    try:
        for entry in sorted(Path(f"/proc/{pid}/fd").iterdir()):
            with suppress(FileNotFoundError):
                if not str(entry.readlink()).startswith("socket:"):
                    continue
            copy = libc.syscall(_PIDFD_GETFD, process, int(entry.name), 0)
            if copy < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            opened = socket.socket(fileno=copy)
            if opened.family == socket.AF_PACKET:
                yield opened
            opened.close()
    finally:
        os.close(process)
