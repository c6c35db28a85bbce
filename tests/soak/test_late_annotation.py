"""What the day brought to light: a source that is late, or ahead, belongs to one move and not to its neighbours."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from exporter.vip.core import Core
from exporter.vip.model import (
    SECOND,
    Kind,
    LeaseSeen,
    Mac,
    Mode,
    Node,
    NodesSeen,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
    Sighting,
)

VIP = ip_address("192.0.2.100")
SERVICE = ServiceRef("lb", "vip")
MACS = {"node-1": Mac(b"\x02\0\0\0\0\x01"), "node-2": Mac(b"\x02\0\0\0\0\x02"), "node-3": Mac(b"\x02\0\0\0\0\x03")}


class Played:
    """A core that knows three nodes, and what is told to it, at seconds."""

    def __init__(self) -> None:
        self.core = Core(at=0, listening=True)
        self.core.observe(NodesSeen(0, tuple(Node(name, macs=(mac,)) for name, mac in MACS.items())))

    def annotate(self, at: float, node: str) -> None:
        intent = ServiceIntent(SERVICE, (VIP,), mode=Mode.STATIC, vip_host=node)
        self.core.observe(ServiceSeen(round(at * SECOND), intent))

    def elect(self, at: float, node: str) -> None:
        self.core.observe(LeaseSeen(round(at * SECOND), VIP, node, expires=10**6 * SECOND))

    def announce(self, mac: Mac, first: float, last: float) -> None:
        at = first
        while at <= last:
            self.core.observe(Sighting(round(at * SECOND), VIP, Kind.REQUEST, mac))
            at += 3

    @property
    def lags(self) -> tuple[int, float]:
        """How many were observed, and their sum in seconds."""
        lag = self.core.snapshot().annotation_lag
        return sum(lag.counts), lag.total


@pytest.fixture
def played() -> Played:
    return Played()


def test_an_annotation_that_follows_late_is_no_early_one_of_the_next_move(played: Played) -> None:
    played.annotate(0, "node-1")
    played.announce(MACS["node-1"], 1, 10)
    played.announce(MACS["node-2"], 13, 34)
    played.annotate(34, "node-2")
    assert played.lags == (1, 21.0)
    played.announce(MACS["node-1"], 37, 46)
    assert played.core.snapshot().vips[0].moves == 2
    assert played.lags == (1, 21.0), "the annotation still names the holder from before"
    played.annotate(47, "node-1")
    assert played.lags == (2, 31.0)


def test_an_annotation_that_names_the_next_holder_says_nothing_of_the_move_before(played: Played) -> None:
    played.annotate(0, "node-1")
    played.announce(MACS["node-1"], 1, 10)
    played.announce(MACS["node-2"], 13, 34)
    played.announce(MACS["node-3"], 37, 37)
    played.annotate(38, "node-3")  # that it named node-2 meanwhile was not heard
    played.announce(MACS["node-3"], 40, 49)
    assert played.core.snapshot().vips[0].moves == 2
    assert played.lags == (1, 1.0)


def test_where_there_is_no_annotation_none_lags(played: Played) -> None:
    played.core.watch(VIP)
    played.announce(MACS["node-1"], 1, 10)
    played.announce(Mac(b"\x06\0\0\0\0\x09"), 13, 25)
    assert played.core.snapshot().vips[0].moves == 1
    assert played.lags == (0, 0.0)


def test_a_lease_that_went_ahead_of_a_silent_wire_is_free_to_go_ahead_of_the_next_move(played: Played) -> None:
    """It named the holder long before the wire did, so its next change is of the next move."""
    played.elect(0, "node-1")
    played.core.watch(VIP)
    played.announce(MACS["node-1"], 1, 10)
    played.elect(15, "node-2")
    played.announce(MACS["node-2"], 50, 59)
    played.elect(60, "node-3")
    played.announce(MACS["node-3"], 61, 61)
    vip = played.core.snapshot().vips[0]
    assert (vip.moves, vip.holder) == (2, "node-3"), "settled with the first frame"
