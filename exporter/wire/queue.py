"""Frames one by one from a packet socket's queue, with `recvmsg`: where the kernel gives no ring.

Each costs some microseconds, and without CAP_NET_ADMIN the queue is no longer than net.core.rmem_max allows.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from exporter.wire.bpf import SNAP_LENGTH
from exporter.wire.frame_source import CapturedFrame
from exporter.wire.packet_socket import PACKET_OUTGOING, SOL_PACKET, VLAN_VALID, PacketSocket

BATCH = 256
"""Most frames handed over at once."""

_PACKET_AUXDATA = 8
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("ll")
_AUXDATA = struct.Struct("IIIHHHH")
_ANCILLARY_SIZE = socket.CMSG_SPACE(_AUXDATA.size) + socket.CMSG_SPACE(_TIMESPEC.size)


class Queue(PacketSocket):
    """A packet socket that is read frame by frame."""

    patience = 0.0
    _error: OSError | None = None

    def _make_room(self, buffer_bytes: int) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
        except PermissionError:
            # Without CAP_NET_ADMIN the sysctl net.core.rmem_max is the bound.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self._socket.setsockopt(SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def read(self) -> Sequence[CapturedFrame]:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        stamps: dict[tuple[bytes, bool, int | None], list[int]] = {}
        try:
            for _ in range(BATCH):
                frame, stamp = self._receive()
                stamps.setdefault(frame, []).append(stamp)
        except BlockingIOError:
            pass
        except OSError as error:
            if not stamps:
                raise
            # The kernel tells its trouble once only: the frames before it go first.
            self._error = error
        return [CapturedFrame(*frame, when) for frame, when in stamps.items()]

    def _receive(self) -> tuple[tuple[bytes, bool, int | None], int]:
        data, ancillary, _, address = self._socket.recvmsg(SNAP_LENGTH, _ANCILLARY_SIZE)
        stamp, tag = 0, None
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                whole, nanoseconds = _TIMESPEC.unpack_from(value)
                stamp = whole * 1_000_000_000 + nanoseconds
            elif level == SOL_PACKET and kind == _PACKET_AUXDATA:
                status, _, _, _, _, tci, _ = _AUXDATA.unpack_from(value)
                tag = tci if status & VLAN_VALID else None
        return (data, address[2] == PACKET_OUTGOING, tag), stamp
