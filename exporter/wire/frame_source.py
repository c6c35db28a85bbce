"""Frames in batches from a packet socket, as the kernel hands them over. It reads and never sends.

`FrameSource` is all that the capture thread knows of it, so that a memory-mapped ring can take its place.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from exporter.vip.model import IPAddress, Nanoseconds
from exporter.wire import filter as frame_filter
from exporter.wire.bpf import SNAP_LENGTH
from exporter.wire.interface import interface_index, why_deaf

BATCH = 256
"""Most frames handed over at once."""

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_STATISTICS = 6
_PACKET_AUXDATA = 8
_PACKET_OUTGOING = 4
_ALL_MULTICAST = 2
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("ll")
_AUXDATA = struct.Struct("IIIHHHH")
_VLAN_VALID = 0x10
_ANCILLARY_SIZE = socket.CMSG_SPACE(_AUXDATA.size) + socket.CMSG_SPACE(_TIMESPEC.size)


class CapturedFrame(NamedTuple):
    data: bytes
    wall: Nanoseconds
    """The kernel's time stamp, since 1970, UTC."""
    outgoing: bool
    stripped_tag: int | None


class CaptureNotPermitted(Exception):  # noqa: N818 - it names the state to report
    """The process may not capture. The message is one line for the user."""


class FrameSource(Protocol):
    def fileno(self) -> int:
        """Becomes readable when there are frames, or trouble."""

    def read(self) -> Sequence[CapturedFrame]:
        """What is there now, at most `BATCH` frames, without waiting. Raises OSError, once for each trouble."""

    def watch(self, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress]) -> None:
        """From now on, queue frames about these addresses. Those queued already stay."""

    def take_dropped(self) -> int:
        """Frames that the kernel has dropped for want of buffer space since this was last asked."""

    def why_deaf(self) -> str:
        """Why nothing can be heard at present; empty: it can. Raises OSError if this source is past repair."""

    def close(self) -> None: ...


class PacketSocket:
    """One socket on one interface.

    Raises:
        CaptureNotPermitted: for want of CAP_NET_RAW.
        OSError: the interface is missing, or the kernel refuses for another reason.
    """

    def __init__(
        self, device: str, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress], buffer_bytes: int
    ) -> None:
        self._device = device
        self._error: OSError | None = None
        try:
            # Protocol 0 receives nothing: not a frame is queued before filter and interface are set.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        except PermissionError:
            raise CaptureNotPermitted(
                f"not permitted to capture on {device}: the process lacks CAP_NET_RAW"
                " (run it as root, or grant the capability: `setcap cap_net_raw+ep`, `capabilities: {add: [NET_RAW]}`)"
            ) from None
        try:
            self._prepare(vips, neighbours, buffer_bytes)
        except BaseException:
            self._socket.close()
            raise

    def _prepare(self, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress], buffer_bytes: int) -> None:
        frame_filter.attach(self._socket, vips, neighbours)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
        except PermissionError:
            # Without CAP_NET_ADMIN the sysctl net.core.rmem_max is the bound.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        index = interface_index(self._socket, self._device)
        if index is None:
            raise OSError(errno.ENODEV, "interface missing")
        self._index = index
        self._socket.bind((self._device, _ETH_P_ALL))
        # IPv6's duplicate detection goes to multicast groups that this host may not have joined.
        everything = struct.pack("iHH8x", index, _ALL_MULTICAST, 0)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, everything)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> Sequence[CapturedFrame]:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        frames: list[CapturedFrame] = []
        try:
            while len(frames) < BATCH:
                frames.append(self._receive())
        except BlockingIOError:
            pass
        except OSError as error:
            if not frames:
                raise
            # The kernel tells its trouble once only: the frames before it go first.
            self._error = error
        return frames

    def _receive(self) -> CapturedFrame:
        data, ancillary, _, address = self._socket.recvmsg(SNAP_LENGTH, _ANCILLARY_SIZE)
        wall, tag = 0, None
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                whole, nanoseconds = _TIMESPEC.unpack_from(value)
                wall = whole * 1_000_000_000 + nanoseconds
            elif level == _SOL_PACKET and kind == _PACKET_AUXDATA:
                status, _, _, _, _, tci, _ = _AUXDATA.unpack_from(value)
                tag = tci if status & _VLAN_VALID else None
        return CapturedFrame(data, wall, address[2] == _PACKET_OUTGOING, tag)

    def watch(self, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress]) -> None:
        frame_filter.attach(self._socket, vips, neighbours)

    def take_dropped(self) -> int:
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", statistics)[1])

    def why_deaf(self) -> str:
        # A socket stays bound to an interface that was deleted or moved away, and would be silent for ever.
        if interface_index(self._socket, self._device) != self._index:
            raise OSError(errno.ENODEV, "interface missing or replaced")
        return why_deaf(self._socket, self._device)

    def close(self) -> None:
        self._socket.close()
