"""What the kernel says of network interfaces: the default route's, and whether one is there and able to hear."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_GET_FLAGS = 0x8913
_GET_INDEX = 0x8933
_ETHTOOL = 0x8946
_ETHTOOL_GET_LINK = 0x0A
_NAME_SIZE = 16
_UP = 0x1
_RUNNING = 0x40

_ROUTE_UP = 0x1
_ROUTE_REJECTS = 0x200


class NoDefaultRouteError(Exception):
    """No interface can be chosen. The message is one line for the user."""


def default_interface(proc_net: Path = Path("/proc/thread-self/net")) -> str:
    """The interface of the default route, IPv4 before IPv6, the lowest metric first. kube-vip announces on it too.

    Raises:
        NoDefaultRouteError: there is none.
    """
    for routes in (_ipv4_defaults(proc_net / "route"), _ipv6_defaults(proc_net / "ipv6_route")):
        candidates = sorted(routes)
        if candidates:
            return candidates[0][1]
    raise NoDefaultRouteError("no default route to tell the interface: name it with --capture.interface")


def _ipv4_defaults(table: Path) -> Iterator[tuple[int, str]]:
    for line in _lines(table):
        device, destination, _, flags, _, _, metric, mask, *_ = line
        if destination == mask == "00000000" and _usable(flags):
            yield int(metric), device


def _ipv6_defaults(table: Path) -> Iterator[tuple[int, str]]:
    for line in _lines(table):
        destination, length, _, _, _, metric, _, _, flags, device = line
        if length == "00" and destination == "0" * 32 and _usable(flags):
            yield int(metric, 16), device


def _lines(table: Path) -> Iterator[list[str]]:
    try:
        text = table.read_text(encoding="ascii")
    except OSError:
        return
    yield from (fields for fields in map(str.split, text.splitlines()) if len(fields) >= 10 and fields[0] != "Iface")


def _usable(flags: str) -> bool:
    return int(flags, 16) & (_ROUTE_UP | _ROUTE_REJECTS) == _ROUTE_UP


def interface_index(any_socket: socket.socket, device: str) -> int | None:
    """The kernel's number of the interface in the socket's network namespace; None: there is none of that name."""
    answer = _ask(any_socket, device, _GET_INDEX)
    return None if answer is None else int(struct.unpack_from("i", answer, _NAME_SIZE)[0])


def why_deaf(any_socket: socket.socket, device: str) -> str:
    """Why nothing can be heard on the interface at present; empty: it can."""
    answer = _ask(any_socket, device, _GET_FLAGS)
    if answer is None:
        return "interface missing"
    (flags,) = struct.unpack_from("H", answer, _NAME_SIZE)
    if not flags & _UP:
        return "interface down"
    # The kernel clears and sets this flag up to a second late. A link just regained is asked for itself.
    return "" if flags & _RUNNING or _has_link(any_socket, device) else "no carrier"


def _has_link(any_socket: socket.socket, device: str) -> bool:
    question = bytearray(struct.pack("II", _ETHTOOL_GET_LINK, 0))
    buffer = (ctypes.c_char * len(question)).from_buffer(question)
    try:
        fcntl.ioctl(any_socket, _ETHTOOL, _request(device, struct.pack("P", ctypes.addressof(buffer))))
    except OSError:
        return False
    return question[4:] != bytes(4)


def _ask(any_socket: socket.socket, device: str, request: int) -> bytes | None:
    if not 0 < len(os.fsencode(device)) < _NAME_SIZE:
        return None
    try:
        return fcntl.ioctl(any_socket, request, _request(device))
    except OSError:
        return None


def _request(device: str, value: bytes = b"") -> bytes:
    """The kernel's `struct ifreq`."""
    return (os.fsencode(device).ljust(_NAME_SIZE, b"\0") + value).ljust(40, b"\0")
