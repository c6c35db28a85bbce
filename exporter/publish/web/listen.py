"""Open the listening sockets of the web server, or say which flag to change and how."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from exporter.config import Address, ListenAddress, UnixAddress

_ADVICE = {
    errno.EADDRINUSE: "another program, vip-exporter or --web.listen-address listens there; choose another address",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
    errno.EACCES: "it is not permitted there; ports below 1024 need CAP_NET_BIND_SERVICE",
    errno.ENOENT: "make its directory first",
    errno.ENOTSOCK: "something else has that name; remove it, or choose another",
}
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
BACKLOG = 512
"""Connections that wait to be accepted: also all those of a start, from when it listens until it serves."""
_SOCKET_MODE = 0o660
"""Of a unix socket: whoever may write to it may ask."""


class ListenError(Exception):
    """The address cannot be listened on; the message names the flag and the remedy."""


@dataclass(slots=True)
class Listening:
    """The open sockets, and the names in the file system that are to go when they are closed."""

    sockets: list[socket.socket] = field(default_factory=list)
    names: list[tuple[Path, int]] = field(default_factory=list)
    """With the inode."""

    @property
    def port(self) -> int:
        """The first port listened on, while it is open; 0: there is none."""
        inet = (one for one in self.sockets if one.family in (socket.AF_INET, socket.AF_INET6))
        return next((int(one.getsockname()[1]) for one in inet), 0)

    def close(self) -> None:
        """Does nothing more once it is closed: the next exporter's names may have the same inodes."""
        for listening in self.sockets:
            listening.close()
        names, self.names = self.names, []
        for path, inode in names:
            with contextlib.suppress(OSError):
                # Another exporter may have taken the name meanwhile.
                if path.lstat().st_ino == inode:
                    path.unlink()


def listen(addresses: Iterable[Address]) -> Listening:
    """Listen on all addresses or on none; where one has no host, on IPv4 and IPv6 where there is any.

    Raises:
        ListenError: one of them is taken, or not this machine's.
    """
    listening = Listening()
    with ExitStack() as undo:
        undo.callback(listening.close)
        for address in addresses:
            try:
                _open(listening, address)
            except OSError as error:
                raise ListenError(_message(address, error)) from None
        undo.pop_all()
    for one in listening.sockets:
        one.setblocking(False)
    return listening


def _message(address: Address, error: OSError) -> str:
    number = error.errno or 0
    reason = os.strerror(number) if number > 0 else str(error.strerror)
    advice = _ADVICE.get(number, "choose another address")
    return f"--web.listen-address: cannot listen on {str(address)!a}: {reason or 'not an address'}; {advice}"


def _open(listening: Listening, address: Address) -> None:
    match address:
        case UnixAddress():
            path = Path(address.path)
            listening.sockets.append(_bind_unix(path))
            listening.names.append((path, path.lstat().st_ino))
        case ListenAddress():
            listening.sockets += _bind(address)


def _bind_unix(path: Path) -> socket.socket:
    _remove_left_behind(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # On Linux the name gets the socket's own mode, less the umask: at no moment can more users reach it than shall.
        os.fchmod(listening.fileno(), _SOCKET_MODE)
        listening.bind(str(path))
        path.chmod(_SOCKET_MODE)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _remove_left_behind(path: Path) -> None:
    """Remove a socket that nobody listens on any more: who was killed leaves one."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:
            return  # somebody listens, or may not be asked: bind says so


def _bind(address: ListenAddress) -> list[socket.socket]:
    if address.host in ("", "::") and socket.has_dualstack_ipv6():
        try:
            both = ("::", address.port)
            return [socket.create_server(both, family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)]
        except OSError as error:
            if address.host or error.errno not in _NO_IPV6:
                raise
    everywhere = "0.0.0.0"  # noqa: S104 - what an address without a host asks for
    found = socket.getaddrinfo(address.host or everywhere, address.port, type=socket.SOCK_STREAM)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, (host, port, *rest) in dict.fromkeys(found):
            # Where any port will do, the first address chooses it for all.
            chosen = port or (sockets[0].getsockname()[1] if sockets else 0)
            sockets.append(socket.create_server((str(host), chosen, *rest), family=family, backlog=BACKLOG))
    except OSError:
        for listening in sockets:
            listening.close()
        raise
    return sockets
