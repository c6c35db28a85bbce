"""Stands in for kube-vip on a node of the lab: the very frames, the bound address, the lease and the annotations.

There is no election. Who holds the VIP is for the caller to say, wrongly too: that is what the lab is for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Self

from exporter.lab.cluster import HWADDR, MACVLAN, Cluster
from exporter.lab.interfaces import add_macvlan, change_address, delete_macvlan
from exporter.lab.network import Host
from exporter.lab.repeater import Repeater
from exporter.lab.sender import Sender
from exporter.vip.model import IPAddress, Kind, Mac, Nanoseconds
from exporter.wire import craft

PERIOD = 3.0
"""Seconds between two announcements of a VIP: kube-vip's `vip_arpRate`."""
RENEW = 2.0
"""Seconds between two renewals of the lease: kube-vip's `vip_retryperiod` from 1.1.0 on."""
REMOVAL_LAG = 0.1
"""Seconds for which the VIP outlives a lease that was given up; in between the holder goes on announcing."""


class KubeVip:
    """One node's kube-vip. A context manager; leaving it silences the node.

    Args:
        host: the node.
        cluster: which VIPs it announces, how, and what it writes.
        period: seconds between two announcements of a VIP.
        renew: seconds between two renewals of the lease.
    """

    def __init__(self, *, host: Host, cluster: Cluster, period: float = PERIOD, renew: float = RENEW) -> None:
        self.host = host
        self.sent: list[Nanoseconds] = []
        """When each frame left, as the monotonic clock has it."""
        self._cluster = cluster
        self._period = period
        self._started = time.monotonic()
        self._rounds = rounds(cluster.vips, self._mac)
        self._sender: Sender | None = None
        self._announcing = Repeater(self._announce, period=period, name=f"kube-vip on {host.name}")
        self._renewing = Repeater(
            lambda: cluster.lease.renew(host.name), period=renew, name=f"the lease of {host.name}"
        )

    # --- what it does ---------------------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Become the holder: take the lease, bind the address, announce it and annotate the Service."""
        self._cluster.lease.acquire(self.host.name)
        self._renewing.start(after=self._renewing.period)
        self._bind()
        if self._cluster.annotates_first:
            self._cluster.annotate(self.host.name)
            self.announce()
        else:
            self.announce()
            self._cluster.annotate(self.host.name)

    def release(self) -> None:
        """Give the VIP up in good order: first the lease, shortly after it the address. Nothing is said on the wire."""
        self._renewing.stop()
        if self._cluster.lease.release(self.host.name):
            time.sleep(REMOVAL_LAG)
        self.fall_silent()
        self.unbind()

    def crash(self) -> None:
        """Be killed: no further frame, no renewal of the lease; and the address stays bound."""
        self._renewing.stop()
        self.fall_silent()

    def fall_silent(self) -> None:
        """Announce no more, while everything else goes on."""
        self._announcing.stop()
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def split_brain(self) -> None:
        """Believe to be the holder, untold: bind the address and announce it, while Kubernetes says otherwise."""
        self._bind()
        self.announce()

    def announce(self) -> None:
        """Send a round each period until told otherwise: the first at once, or (kube-vip from 0.9.0 on) when due."""
        self.fall_silent()
        self._sender = Sender(self.host, self.device)
        if self._cluster.annotates_first:
            elapsed = time.monotonic() - self._started
            self._announcing.start(after=self._period - elapsed % self._period)
        else:
            self._announce()
            self._announcing.start(after=self._period)

    def unbind(self) -> None:
        """Take the address off the node, and the macvlan that may have it."""
        if self.device == MACVLAN:
            self.fall_silent()  # without it there is no way to announce
        for vip in self._cluster.vips:
            change_address(self.host, vip, bound=False)
        delete_macvlan(self.host, MACVLAN)

    @property
    def announces(self) -> bool:
        return self._announcing.running

    @property
    def device(self) -> str:
        """The interface that has the VIP while this node holds it."""
        return MACVLAN if self._cluster.announces_hwaddr else self.host.device

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.crash()

    # --- how ------------------------------------------------------------------------------------------------------

    def _announce(self) -> None:
        assert self._sender is not None
        for frame in next(self._rounds):
            self._sender.send(frame)
            self.sent.append(time.monotonic_ns())

    def _mac(self) -> Mac:
        """kube-vip looks the interface up for every frame."""
        assert self._sender is not None
        return self._sender.mac

    def _bind(self) -> None:
        if self._cluster.dhcp:
            # Up to 0.8.1 it has no other use than to ask for the address.
            add_macvlan(self.host, MACVLAN, HWADDR)
        for vip in self._cluster.vips:
            change_address(self.host, vip, bound=True, device=self.device)


def rounds(vips: Sequence[IPAddress], mac: Callable[[], Mac]) -> Iterator[tuple[bytes, ...]]:
    """The frames of each period, one for each VIP, endlessly.

    Reply and request alternate from frame to frame, not from period to period: kube-vip has one flag for the whole
    process, so with two VIPs each of them only ever shows one of the two.
    """
    reply = True
    while True:
        batch = []
        for vip in vips:
            batch.append(craft.announcement(vip, mac(), _kind(vip, reply)))
            reply ^= vip.version == 4
        yield tuple(batch)


def _kind(vip: IPAddress, reply: bool) -> Kind:
    if vip.version == 6:
        return Kind.NA
    return Kind.REPLY if reply else Kind.REQUEST
