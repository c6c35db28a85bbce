"""Links and addresses of this node, from the kernel by rtnetlink(7). It asks and listens, and never changes anything.

The only module that imports pyroute2, which composes and reads the messages. The sockets are plain ones: those of
pyroute2 bring an event loop for each thread, and are of no more use once the kernel had to drop a message.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, Protocol

from exporter.host.addresses import Bound, Change, LinkGone, LinkState, Unbound
from exporter.lean_import import skip_init
from exporter.vip.model import IPAddress, IPNetwork, Mac, parse_mac

BUFFER_BYTES = 4 * 1024 * 1024
"""Some thousands of notices. Without CAP_NET_ADMIN the sysctl net.core.rmem_max is the bound."""
MESSAGE_BYTES = 64 * 1024
"""The kernel fills at most half of it with parts of an answer."""
ANSWER_TIMEOUT = 5.0
"""Seconds. The kernel answers at once, so this is for what is not quite a kernel."""

_SO_RCVBUFFORCE = 33
_ERROR, _DONE = 2, 3
_NEW_LINK, _DELETED_LINK, _NEW_ADDRESS, _DELETED_ADDRESS = 16, 17, 20, 21
_HEADER_BYTES = 16
_INTERRUPTED = 0x10
_ETHERNET = 1
_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_DAD_FAILED = 0x08
_TENTATIVE = 0x40


class IncompleteError(Exception):
    """Notices were dropped, or a dump was overtaken by a change: only a new dump tells what is true now."""


class Source(Protocol):
    def fileno(self) -> int:
        """Becomes readable when there are notices, or trouble."""

    def read(self) -> Sequence[Change]:
        """All notices there are now, without waiting. Raises IncompleteError, having read all, and OSError."""

    def dump(self) -> Sequence[Change]:
        """Every link and every address as it is now. Raises IncompleteError and OSError."""

    def close(self) -> None: ...


class RouteSocket:
    """Notices from the moment on that it is made. All errors are worth another try later.

    Raises:
        ImportError: pyroute2 cannot be loaded here.
        OSError: there is no netlink here, or none for this process.
    """

    def __init__(self, *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self._messages = Messages()
        self._socket = _open()
        try:
            self._socket.setblocking(False)
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            self._socket.bind((0, self._messages.groups))
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> Sequence[Change]:
        datagrams: list[bytes] = []
        complete = True
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    datagram = _receive(self._socket)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    complete = False
                else:
                    datagrams.append(datagram)
        if not complete:
            raise IncompleteError
        return [change for datagram in datagrams for change in self._messages.notices(datagram)]

    def dump(self) -> Sequence[Change]:
        # A socket of its own: the answer is not mixed with notices, and nothing of a failed one is left over.
        changes: list[Change] = []
        with _open() as asking:
            asking.settimeout(ANSWER_TIMEOUT)
            # Links first, for an address to find its own.
            for question in self._messages.questions:
                asking.sendto(question, (0, 0))
                done = False
                while not done:
                    part, done = self._messages.answers(_receive(asking))
                    changes += part
        return changes

    def close(self) -> None:
        self._socket.close()


class Messages:
    """What pyroute2 knows of the messages, as far as it is needed."""

    def __init__(self) -> None:
        # The package as a whole takes a fifth of a second and 7 MiB, and its marshal for all of rtnetlink a fifth of
        # that, for messages that are not asked for here.
        skip_init("pyroute2")
        from pyroute2 import netlink
        from pyroute2.netlink import rtnl
        from pyroute2.netlink.marshal import Marshal
        from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
        from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

        self._marshal = Marshal()
        self._marshal.msg_map = {
            rtnl.RTM_NEWLINK: ifinfmsg,
            rtnl.RTM_DELLINK: ifinfmsg,
            rtnl.RTM_GETLINK: ifinfmsg,
            rtnl.RTM_NEWADDR: ifaddrmsg,
            rtnl.RTM_DELADDR: ifaddrmsg,
            rtnl.RTM_GETADDR: ifaddrmsg,
        }
        self.groups = int(rtnl.RTMGRP_LINK | rtnl.RTMGRP_IPV4_IFADDR | rtnl.RTMGRP_IPV6_IFADDR)
        """The notices wanted."""
        self.questions = tuple(
            self._question(kind, netlink.NLM_F_REQUEST | netlink.NLM_F_DUMP)
            for kind in (rtnl.RTM_GETLINK, rtnl.RTM_GETADDR)
        )
        """For all links, and for all addresses."""

    def _question(self, kind: int, flags: int) -> bytes:
        message = self._marshal.msg_map[kind]()
        message["header"].update(type=kind, flags=flags)
        message.encode()
        return bytes(message.data)

    def notices(self, datagram: bytes) -> Iterator[Change]:
        """The changes that it speaks of."""
        for message in self._marshal.parse(datagram):
            change = _change(message)
            if change is not None:
                yield change

    def answers(self, datagram: bytes) -> tuple[list[Change], bool]:
        """The part of an answer that it holds, and whether that was the last.

        Raises:
            IncompleteError: something changed while the kernel answered, so that it may have left something out.
            OSError: it refuses to answer.
        """
        changes: list[Change] = []
        for message in self._marshal.parse(datagram):
            header = message["header"]
            if header["flags"] & _INTERRUPTED:
                raise IncompleteError
            if header["type"] == _ERROR:
                raise _refusal(int(message["error"]))
            if header["type"] == _DONE:
                # A number follows the header, which pyroute2 leaves out: an answer broken off has its error there.
                number = datagram[message.offset + _HEADER_BYTES :][:4]
                if any(number):
                    raise _refusal(int.from_bytes(number, sys.byteorder, signed=True))
                return changes, True
            change = _change(message)
            if change is not None:
                changes.append(change)
        return changes, False


def _open() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)


def _receive(any_socket: socket.socket) -> bytes:
    while True:
        datagram, _, flags, (sender, _) = any_socket.recvmsg(MESSAGE_BYTES)
        if flags & socket.MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        # Another process with the right to can write here too; only the kernel has the number 0.
        if sender == 0:
            return datagram


def _refusal(error: int) -> OSError:
    return OSError(abs(error), os.strerror(abs(error)))


# --- a message of the kernel, as pyroute2 has read it -----------------------------------------------------------------


def _change(message: Any) -> Change | None:
    """What it says, None where that is nothing of concern."""
    kind = message["header"]["type"]
    if kind in (_NEW_LINK, _DELETED_LINK):
        # A bridge reports its ports as links of another family, and that one has left it as a deletion.
        return _link(message, kind) if message["family"] == socket.AF_UNSPEC else None
    if kind in (_NEW_ADDRESS, _DELETED_ADDRESS):
        return _address(message, kind) if message["family"] in (socket.AF_INET, socket.AF_INET6) else None
    return None


def _link(message: Any, kind: int) -> Change | None:
    index = int(message["index"])
    if kind == _DELETED_LINK:
        return LinkGone(index)
    if any(attribute.name == "IFLA_WIRELESS" for attribute in message["attrs"]):
        # A wireless driver's own event, which has the form of a link's state and leaves out most of it.
        return None
    flags = message["flags"]
    return LinkState(
        index=index,
        name=_text(message.get_attr("IFLA_IFNAME")),
        mac=_mac(message),
        up=bool(flags & _IFF_UP) and message.get_attr("IFLA_OPERSTATE", "UNKNOWN") in ("UP", "UNKNOWN"),
        loopback=bool(flags & _IFF_LOOPBACK),
    )


def _text(name: str | bytes) -> str:
    """The kernel takes nearly any byte in a name; where they are not UTF-8, pyroute2 returns them as they are."""
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name


def _mac(message: Any) -> Mac | None:
    # pyroute2 takes six bytes whatever the length is: four (a tunnel's) and twenty (InfiniBand's) occur.
    text = message.get_attr("IFLA_ADDRESS") if message["ifi_type"] == _ETHERNET else None
    mac = None if text is None else parse_mac(text)
    return mac if mac and any(mac) else None


def _address(message: Any, kind: int) -> Change:
    outer = ip_address(message.get_attr("IFA_ADDRESS"))
    # Of a point-to-point address, IFA_ADDRESS is the other end.
    local = message.get_attr("IFA_LOCAL")
    address = outer if local is None else ip_address(local)
    place = int(message["index"]), address, _network(address, outer, int(message["prefixlen"]))
    unusable = message["family"] == socket.AF_INET6 and message["flags"] & (_TENTATIVE | _DAD_FAILED)
    return Unbound(*place) if unusable or kind == _DELETED_ADDRESS else Bound(*place)


def _network(address: IPAddress, outer: IPAddress, length: int) -> IPNetwork:
    """The network that the address is in; its own where that is only the other end's."""
    network = ip_network((outer, length), strict=False)
    return network if address in network else ip_network(address)
