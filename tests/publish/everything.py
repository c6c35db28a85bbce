"""A snapshot and a history in which all occurs that the API can tell: each state, event, source, class and null."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from exporter.publish.history import History
from exporter.publish.records import event_record
from exporter.vip.model import (
    SECOND,
    CaptureChanged,
    HostSeen,
    Kind,
    LeaseSeen,
    Link,
    Mac,
    Mode,
    Nanoseconds,
    ServiceRef,
    seconds,
)
from exporter.vip.snapshot import Snapshot
from tests.vip.situations import (
    Run,
    announce,
    bound,
    capture,
    frame,
    frames,
    interleave,
    lease,
    mac_of,
    new_core,
    node,
    nodes,
    play,
    service,
)

HOSTILE = "</script><script>alert(1)</script>\"'&\u2028\x00\x1b[31m😀 'OR 1=1--"
BEGAN: Nanoseconds = 1_790_000_000 * SECOND + 123_456_789
"""What the core's zero is on the wall clock."""
UNTIL = 100.0
VRRP = Mac(bytes.fromhex("00005e000107"))


def to_wall(at: Nanoseconds) -> Nanoseconds:
    return at + BEGAN


def from_wall(wall: Nanoseconds) -> Nanoseconds:
    return wall - BEGAN


NAMES = """
    held moved contested settled silent returned withdrawn other_mac probed host mac lease address before bound moving
    led crowded hostile unknown
"""
VIPS = {name: ip_address(f"192.0.2.{100 + number}") for number, name in enumerate(NAMES.split())} | {
    "six": ip_address("2001:db8::100"),
    "six_unheard": ip_address("2001:db8::ffff"),
}
UNHEARD = VIPS["unknown"]


def on(name: str, *streams: list) -> list:
    """The same inputs, of another VIP."""
    vip = VIPS[name]
    ref = ServiceRef("default", name)
    moved = []
    for step in (step for stream in streams for step in stream):
        if hasattr(step, "intent"):
            addresses = (vip,) if step.intent.addresses else ()
            moved.append(replace(step, intent=replace(step.intent, service=ref, addresses=addresses)))
        else:
            moved.append(replace(step, vip=vip))
    return moved


def _run() -> Run:
    core = new_core(observer="node-a", watch=[vip for name, vip in VIPS.items() if vip != UNHEARD])
    a_while, whole = announce("A", until=30), announce("A", until=UNTIL)
    both = interleave(whole, announce("B", from_=1.5, until=UNTIL))
    led = LeaseSeen(seconds(1), VIPS["led"], "node-a", seconds(500), "kube-system/plndr-svcs-lock", 7, seconds(-40))
    inputs = interleave(
        nodes(0, node("AM", addresses=["192.0.2.11"]), node("B", addresses=["192.0.2.12"])),
        [HostSeen(0, (Link("eth0", mac_of("A"), (ip_network("192.0.2.0/24"),)),))],
        capture(0, True, "eth0"),
        capture(0, True, "eth1"),
        [CaptureChanged(seconds(40), "eth1", False, "Network is down")],
        capture(45, True, "eth1"),
        on("held", service(0, "node-a", mode=Mode.DHCP, hwaddr="H"), whole, lease(0, "node-a"), bound(0, "eth0")),
        on("moved", a_while, announce("B", from_=32, until=UNTIL)),
        on("contested", both),
        on("settled", a_while, announce("B", from_=1.5, until=UNTIL)),
        on("silent", a_while),
        on("returned", a_while, announce("A", from_=60, until=UNTIL)),
        on("withdrawn", whole, frames("X", 31)),
        on("other_mac", a_while, announce("M", from_=32, until=UNTIL)),
        on("probed", [frame("X", 20, Kind.PROBE), frame("X", 21, Kind.ORDINARY_REPLY)]),
        on("host", whole, service(0, "node-b"), service(60, "node-a")),
        on("mac", whole, service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True)),
        on("lease", whole, service(0, "node-b", load_balancer=False), lease(0, "node-a")),
        on("before", whole),
        service(0, "node-a", addresses=[VIPS["before"]], ref=ServiceRef("default", "renumbered")),
        service(30, "node-a", addresses=[VIPS["address"]], ref=ServiceRef("default", "renumbered")),
        on("bound", announce("B", until=UNTIL), bound(0, "eth0", "eth1")),
        on("moving", whole, frames("B", UNTIL - 1)),
        [led, replace(led, at=seconds(50), holder="node-b")],
        on("crowded", whole, [frame(Mac(bytes([2, 1, 0, 0, 0, n])), UNTIL - 5, Kind.REPLY) for n in range(20)]),
        on("crowded", [frame(VRRP, UNTIL - 2), frame("H", UNTIL - 1)], service(0, "", mode=Mode.DHCP, hwaddr="H")),
        on("hostile", announce("X", until=UNTIL), service(0, HOSTILE), lease(0, "")),
        on("six", announce("A", until=UNTIL, kinds=(Kind.NA,))),
    )
    run = play(inputs, until=UNTIL, core=core)
    core.watch(UNHEARD)
    return run


def _snapshot() -> Snapshot:
    snapshot = RUN.core.snapshot()
    # Of all at once it can be told where they are bound, or of none.
    return replace(snapshot, vips=(*snapshot.vips[:-1], replace(snapshot.vips[-1], bound=None)))


RUN = _run()
SNAPSHOT = _snapshot()


def history(limit: int = 1000) -> History:
    kept = History(limit)
    for event in RUN.events:
        kept.add(at=event.at, vip=event.vip, record=event_record(event, to_wall))
    return kept
