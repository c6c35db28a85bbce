"""Open the listening sockets of the web server, or say which flag to change and how."""

from __future__ import annotations

import errno
import os
import socket

from exporter.config import ListenAddress, parse_listen_address

_ADVICE = {
    errno.EADDRINUSE: "another program, or another vip-exporter, listens there; stop it or choose another port",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one",
}
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class ListenError(Exception):
    """The address cannot be listened on; the message names the flag and the remedy."""


def listen(text: str, *, backlog: int) -> list[socket.socket]:
    """Listen on an address as `--web.listen-address` has it; without a host, on IPv4 and IPv6 where there is any.

    Raises:
        ListenError: the address is malformed, taken, or not this machine's.
    """
    try:
        sockets = _bind(parse_listen_address(text), backlog=backlog)
    except ValueError as error:
        raise ListenError(_message(text, str(error), "give host:port, [IPv6 address]:port or :port")) from None
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else str(error.strerror)
        raise ListenError(_message(text, reason, _ADVICE.get(number, "choose another address"))) from None
    for listening in sockets:
        listening.setblocking(False)
    return sockets


def _message(text: str, reason: str, advice: str) -> str:
    return f"--web.listen-address: cannot listen on {text!a}: {reason or 'not an address'}; {advice}"


def _bind(address: ListenAddress, *, backlog: int) -> list[socket.socket]:
    if address.host in ("", "::") and socket.has_dualstack_ipv6():
        try:
            both = ("::", address.port)
            return [socket.create_server(both, family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)]
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
            sockets.append(socket.create_server((str(host), chosen, *rest), family=family, backlog=backlog))
    except OSError:
        for listening in sockets:
            listening.close()
        raise
    return sockets
