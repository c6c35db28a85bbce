"""Frames a block at a time from memory that the kernel writes and this process reads (TPACKET_V3).

The layout is that of <linux/if_packet.h>; the kernel's Documentation/networking/packet_mmap.rst explains it. A block
holds frames one behind the other, each with a header in front. It belongs to the kernel until it is full, or until its
time is up, and then to the reader, who gives it back.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import threading
import time
from collections.abc import Sequence
from functools import lru_cache

from exporter.wire.bpf import SNAP_LENGTH
from exporter.wire.frame_source import CapturedFrame
from exporter.wire.packet_socket import PACKET_OUTGOING, SOL_PACKET, VLAN_VALID, PacketSocket

BLOCK_BYTES = max(16 * 1024, mmap.PAGESIZE)
"""More than a hundred ARP messages. How long the ring lasts while nobody reads is how many blocks it has, not how large
they are, unless there is a flood."""
MOST_BLOCKS = 48
"""Taken at once. At the slowest, some 0.4 s."""
FASTEST = 80 * 1024 * 1024
"""Bytes a second of the fastest flood, which is almost 600,000 announcements: twice what one processor sends."""
HAND_OVER_AFTER = 0.008
"""Seconds after which the kernel hands over a block that is not full. It is most of what passes between a frame and its
counter; but each block wakes the program, and a flood is cheap because many frames share that."""

_PACKET_RX_RING = 5
_PACKET_VERSION = 10
_TPACKET_V3 = 2
_REQUEST = struct.Struct("=7I")
"""`struct tpacket_req3`."""

_STATUS = struct.Struct("=I")
_STATUS_AT = 8
"""In a block: 0 while it is the kernel's."""
_BLOCK = struct.Struct("=12xIII")
"""`struct tpacket_block_desc`: how many frames, where the first begins, how long all is."""
_FRAME = struct.Struct("=I8xI8xI")
"""`struct tpacket3_hdr`: where the next header is, seen from here (0: this is the last); the frame's length; where it
begins, seen from here (the lower half)."""
_ABOUT = struct.Struct("=4xI22xBx")
"""From byte 28 to 60 of the header and the `struct sockaddr_ll` behind it: VLAN tag, packet type."""
_ABOUT_END = 60


class NoRingError(Exception):
    """The kernel gives no ring."""


class Ring(PacketSocket):
    """A packet socket that is read by way of its ring, whose size no sysctl bounds.

    Raises:
        NoRingError: there is none to be had; frames may yet be.
    """

    _mapped: mmap.mmap
    patience = 0.0
    _at = 0
    """Where the block begins that the kernel hands over next."""
    _trouble: OSError | None = None

    def _make_room(self, buffer_bytes: int) -> None:
        blocks = max(2, buffer_bytes // BLOCK_BYTES)
        # The size of a frame says nothing in this version, but the kernel wants the product to be right.
        frames = blocks * (BLOCK_BYTES // SNAP_LENGTH)
        timeout = round(HAND_OVER_AFTER * 1000)
        try:
            self._socket.setsockopt(SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
            request = _REQUEST.pack(BLOCK_BYTES, blocks, SNAP_LENGTH, frames, timeout, 0, 0)
            self._socket.setsockopt(SOL_PACKET, _PACKET_RX_RING, request)
            self._mapped = mmap.mmap(self._socket.fileno(), blocks * BLOCK_BYTES)
            self.patience = len(self._mapped) / FASTEST
            self._barrier = threading.Lock()
            self._barrier.acquire()
        except OSError as error:
            raise NoRingError(error.strerror or str(error)) from error

    def read(self) -> Sequence[CapturedFrame]:
        if not self._handed_over() and (number := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            # The kernel tells its trouble once only, and what came before is still to be handed over: it goes first.
            self._trouble = OSError(number, os.strerror(number))
            time.sleep(2 * HAND_OVER_AFTER)
        if not self._handed_over():
            trouble, self._trouble = self._trouble, None
            if trouble is not None:
                raise trouble
            return ()
        found: _Found = {}
        for _ in range(MOST_BLOCKS):
            self._take_block(found)
            if not self._handed_over():
                break
        return [_captured(*frame, stamps) for frame, stamps in found.items()]

    def _handed_over(self) -> bool:
        status = _STATUS.unpack_from(self._mapped, self._at + _STATUS_AT)[0]
        # To let go of a lock and take it again keeps any processor from having read beforehand what comes after it.
        self._barrier.release()
        self._barrier.acquire()
        return bool(status)

    def _take_block(self, found: _Found) -> None:
        at = self._at
        frames, first, length = _BLOCK.unpack_from(self._mapped, at)
        block = self._mapped[at : at + length]
        _STATUS.pack_into(self._mapped, at + _STATUS_AT, 0)
        self._at = (at + BLOCK_BYTES) % len(self._mapped)
        _collect(block, first, frames, found)

    def close(self) -> None:
        # It holds on to the socket, which ends with the last one who does.
        if hasattr(self, "_mapped"):
            self._mapped.close()
        super().close()


_Found = dict[tuple[bytes, int, bytes], list[int]]
"""The stamps of each frame, which is its data, its status and what is in `_ABOUT`."""


def _collect(block: bytes, at: int, left: int, found: _Found) -> None:
    """Add the frames of a block, so many, the first one's header `at` this byte."""
    while left:
        step, length, place = _FRAME.unpack_from(block, at)
        step = step or len(block) - at
        # Mostly all are of one length, so that what follows takes half the time of asking each.
        alike = block[at : at + min(left, (len(block) - at) // step) * step]
        layout = _layout(step, place & 0xFFFF, length)
        number = 0
        for seconds, nanoseconds, its_length, status, its_place, about, data in layout.iter_unpack(alike):
            if its_length != length or its_place != place:
                break
            number += 1
            try:
                found[data, status, about].append(seconds * 1_000_000_000 + nanoseconds)
            except KeyError:
                found[data, status, about] = [seconds * 1_000_000_000 + nanoseconds]
        left -= number
        at += number * step


@lru_cache(maxsize=64)
def _layout(step: int, place: int, length: int) -> struct.Struct:
    """One frame with its header: seconds, nanoseconds, length, status, place, what is in `_ABOUT`, data."""
    gap, rest = place - _ABOUT_END, step - place - length
    return struct.Struct(f"=4xIII4xII{_ABOUT.size}s{gap}x{length}s{rest}x")


def _captured(data: bytes, status: int, about: bytes, stamps: list[int]) -> CapturedFrame:
    tag, packet_type = _ABOUT.unpack(about)
    return CapturedFrame(data, packet_type == PACKET_OUTGOING, tag if status & VLAN_VALID else None, stamps)
