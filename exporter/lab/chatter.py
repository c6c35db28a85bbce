"""The talk that a cluster's nodes always have with each other, so that their ARP is on the segment as on a real one.

Among three nodes that know each other's MACs the kernel would ask again by unicast, and nobody else hear it. On a real
segment there is always somebody to be asked for anew; here, each node broadcasts its question every time. The
frames are the kernel's own, and so carry whatever MAC a node has by then.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Self

from exporter.lab.network import Host, inside
from exporter.lab.repeater import Repeater

DISCARD = 9
SECONDS = 1.0
"""Between two datagrams of a node, and for so long a MAC is taken as known: it is asked for every other second."""

_NEIGHBOURS: Mapping[str, int] = {
    "base_reachable_time_ms": round(1000 * SECONDS),
    "delay_first_probe_time": 0,
    "ucast_solicit": 0,
    "mcast_resolicit": 3,
}
"""The kernel's settings for IPv4 neighbours (Linux, ip-sysctl): ask soon, and by broadcast."""


class Chatter:
    """A context manager: inside, each host sends a datagram to the next one now and then."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts = tuple(hosts)
        self._sockets: dict[socket.socket, Host] = {}
        self._repeater = Repeater(self._talk, period=SECONDS, name="chatter")

    def __enter__(self) -> Self:
        for host, peer in pairwise((*self._hosts, self._hosts[0])):
            self._sockets[inside(host.namespace, partial(_prepare, host))] = peer
        self._repeater.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._repeater.stop()
        for sender in self._sockets:
            sender.close()

    def _talk(self) -> None:
        for sender, peer in self._sockets.items():
            with suppress(OSError):  # its link is down
                sender.sendto(b"", (str(peer.address), DISCARD))


def _prepare(host: Host) -> socket.socket:
    for name, value in _NEIGHBOURS.items():
        Path(f"/proc/sys/net/ipv4/neigh/{host.device}/{name}").write_text(str(value), encoding="ascii")
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
