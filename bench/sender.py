"""Sends Ethernet frames faster than a loop in Python could: many of them with one system call, `sendmmsg`."""

from __future__ import annotations

import ctypes
import itertools
import os
import socket
import time
from collections.abc import Sequence

BATCH = 1024
"""Frames in one call."""
STEP_SECONDS = 0.001
"""How often a paced sender sends."""


class _Buffer(ctypes.Structure):
    """`struct iovec`."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """`struct msghdr`."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("buffers", ctypes.POINTER(_Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """`struct mmsghdr`."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


class Sender:
    """Sends the same frames again and again, in their order.

    Args:
        outlet: a packet socket that is bound to the interface; it is the caller's to close.
        frames: at most `BATCH`.
    """

    def __init__(self, outlet: socket.socket, frames: Sequence[bytes]) -> None:
        self._outlet = outlet
        self._libc = ctypes.CDLL(None, use_errno=True)
        contents = [ctypes.create_string_buffer(frame, len(frame)) for frame in frames]
        self._buffers = [_Buffer(ctypes.addressof(content), len(content)) for content in contents]
        self._contents = contents  # the addresses do not keep them alive
        messages = itertools.islice(itertools.cycle(self._buffers), BATCH)
        self._messages = (_Message * BATCH)(
            *(_Message(_Header(buffers=ctypes.pointer(buffer), buffer_count=1)) for buffer in messages)
        )

    def send(self, count: int) -> float:
        """Send so many frames as fast as it goes, and return the seconds that it took."""
        begun = time.perf_counter()
        self._send(count)
        return time.perf_counter() - begun

    def send_paced(self, count: int, *, rate: int) -> float:
        """Send so many frames, `rate` a second, and return the seconds that it took."""
        begun, sent = time.perf_counter(), 0
        while sent < count:
            due = min(count, int((time.perf_counter() - begun) * rate))
            self._send(due - sent)
            sent = due
            time.sleep(STEP_SECONDS)
        return time.perf_counter() - begun

    def _send(self, count: int) -> None:
        while count > 0:
            done = self._libc.sendmmsg(self._outlet.fileno(), self._messages, min(count, BATCH), 0)
            if done < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            count -= done
