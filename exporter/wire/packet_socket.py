"""A packet socket on one interface that only receives: how it is opened, filtered and asked how it does.

How frames come out of it, `Ring` and `Queue` say.
"""

from __future__ import annotations

import abc
import errno
import socket
import struct
from collections.abc import Iterable, Sequence

from exporter.vip.model import IPAddress
from exporter.wire import filter as frame_filter
from exporter.wire.frame_source import CapturedFrame, CaptureNotPermitted
from exporter.wire.interface import interface_index, why_deaf

SOL_PACKET = 263
PACKET_OUTGOING = 4
"""The type of a frame that this host sent."""
VLAN_VALID = 0x10
"""The status bit of a frame that the kernel took a VLAN tag out of."""

_ETH_P_ALL = 0x0003
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_STATISTICS = 6
_ALL_MULTICAST = 2


class PacketSocket(abc.ABC):
    """One socket on one interface.

    Raises:
        CaptureNotPermitted: for want of CAP_NET_RAW.
        OSError: the interface is missing, or the kernel refuses for another reason.
    """

    def __init__(
        self, device: str, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress], buffer_bytes: int
    ) -> None:
        self._device = device
        try:
            # Protocol 0 receives nothing: not a frame is queued before filter, buffer and interface are set.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        except PermissionError:
            raise CaptureNotPermitted(
                f"not permitted to capture on {device}: the process lacks CAP_NET_RAW"
                " (run it as root, or grant the capability: `setcap cap_net_raw+ep`, `capabilities: {add: [NET_RAW]}`)"
            ) from None
        try:
            frame_filter.attach(self._socket, vips, neighbours)
            self._make_room(buffer_bytes)
            self._index = self._bind()
        except BaseException:
            self.close()
            raise

    def _bind(self) -> int:
        index = interface_index(self._socket, self._device)
        if index is None:
            raise OSError(errno.ENODEV, "interface missing")
        self._socket.bind((self._device, _ETH_P_ALL))
        # IPv6's duplicate detection goes to multicast groups that this host may not have joined.
        everything = struct.pack("iHH8x", index, _ALL_MULTICAST, 0)
        self._socket.setsockopt(SOL_PACKET, _PACKET_ADD_MEMBERSHIP, everything)
        return index

    @abc.abstractmethod
    def _make_room(self, buffer_bytes: int) -> None:
        """Give the kernel so much room, about, for the frames that wait."""

    @abc.abstractmethod
    def read(self) -> Sequence[CapturedFrame]:
        """See FrameSource."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def watch(self, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress]) -> None:
        frame_filter.attach(self._socket, vips, neighbours)

    def take_dropped(self) -> int:
        statistics = self._socket.getsockopt(SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", statistics)[1])

    def why_deaf(self) -> str:
        # A socket stays bound to an interface that was deleted or moved away, and would be silent for ever.
        if interface_index(self._socket, self._device) != self._index:
            raise OSError(errno.ENODEV, "interface missing or replaced")
        return why_deaf(self._socket, self._device)

    def close(self) -> None:
        self._socket.close()
