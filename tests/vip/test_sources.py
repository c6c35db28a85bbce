"""The sources beside the wire: lease, vipHost, this host and an earlier run, each alone and against the others.

The default period is 3 s: grace is 7 s, a holder is silent after more than 10 s; the settle time is 15 s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest

from exporter.vip.model import Input, IPAddress, LeaseSeen, Mac, Mode, Requirement, ServiceRef, Source, State, seconds
from exporter.vip.snapshot import LeaseState
from tests.vip.more import (
    LEASE,
    SUBNET,
    believed,
    check_row,
    heard,
    host,
    host_lost,
    known,
    kubernetes,
    lease_gone,
    leases,
    link,
    met,
    mismatch_events,
    mismatches,
    named,
    of_name,
    remembered,
    wish,
)
from tests.vip.situations import (
    JUST,
    NEW_VIP,
    SERVICE,
    VIP,
    VIP6,
    Row,
    Run,
    Shows,
    announce,
    bound,
    capture,
    frame,
    frames,
    in_seconds,
    intent_fresh,
    interleave,
    lease,
    letter_of,
    new_core,
    node,
    nodes,
    play,
    service,
    service_gone,
)

AB = nodes(0, "A", "B")
"""Two nodes, the mac of each known."""
SHARED = {"mode": Mode.DHCP, "hwaddr": "H", "announces_hwaddr": True}
"""Every node announces from one mac."""
OTHER = ServiceRef("kube-system", "rke2-traefik")

# --- the fused holder -------------------------------------------------------------------------------------------------

FUSED = [
    Row(
        "the mac of an own interface makes the wire name this node, against all others",
        interleave(
            host(0, link("mgmt-br", "A", SUBNET)),
            service(0, "node-b"),
            leases(0, "node-b", expires=100),
            announce("A", until=20),
        ),
        {10: Shows("held", "A", holder="node-a")},
        observer="node-a",
    ),
    Row(
        "a mac heard for a node's address makes the wire name it, against all others",
        interleave(
            nodes(0, known("A"), known("B")),
            heard(0, "A"),
            service(0, "node-b"),
            leases(0, "node-b", expires=100),
            announce("A", until=20),
        ),
        {10: Shows("held", "A", holder="node-a")},
    ),
    Row(
        "an expired lease names nobody from the moment after its expiry, and neither does vipHost",
        interleave(service(0, "node-a"), leases(0, "node-a", expires=20), announce("X", until=60)),
        {20: Shows("held", "X", holder="node-a"), 20 + JUST: Shows("held", "X", holder="")},
    ),
    Row(
        "the lease is gone: vipHost counts again, though the lease had expired",
        interleave(service(0, "node-a"), leases(0, "node-b", expires=20), announce("X", until=60), lease_gone(30)),
        {10: Shows("held", "X", holder="node-b"), 25: Shows("held", "X"), 31: Shows("held", "X", holder="node-a")},
    ),
    Row(
        "a lease that cannot be confirmed is believed past its expiry, and vipHost beside it",
        interleave(
            service(0, "node-a"),
            leases(0, "node-a", expires=15),
            announce("X", until=200),
            kubernetes(10, answers=False),
            leases(10, "node-a", expires=15, confirmed=False),
        ),
        {200: Shows("held", "X", holder="node-a", events="vip_seen")},
    ),
    Row(
        "Kubernetes answers again and the lease was not renewed meanwhile: expired after all",
        interleave(
            service(0, "node-a"),
            leases(0, "node-a", expires=15),
            announce("X", until=200),
            kubernetes(10, answers=False),
            leases(10, "node-a", expires=15, confirmed=False),
            kubernetes(100, answers=True),
            leases(100, "node-a", expires=15),
        ),
        {99: Shows("held", "X", holder="node-a"), 100: Shows("held", "X", holder="")},
    ),
    Row(
        "Kubernetes answers again and the lease was renewed: nothing has changed",
        interleave(
            service(0, "node-a"),
            leases(0, "node-a", expires=15),
            announce("X", until=200),
            kubernetes(10, answers=False),
            leases(10, "node-a", expires=15, confirmed=False),
            kubernetes(100, answers=True),
            leases(100, "node-a", expires=114),
        ),
        {110: Shows("held", "X", holder="node-a", events="vip_seen"), 120: Shows("held", "X", holder="")},
    ),
    Row(
        "the lease is between two holders: A, nobody, A is no move",
        interleave(
            service(0, "node-a", **SHARED),
            leases(0, "node-a"),
            announce("H", until=90),
            leases(30, ""),
            leases(35, "node-a"),
        ),
        {
            32: Shows("held", "H", holder="node-a"),
            90: Shows("held", "H", holder="node-a", claimants="H", events="vip_seen"),
        },
    ),
    Row(
        "the lease is between two holders: A, nobody, B is one move",
        interleave(
            service(0, "node-a", **SHARED),
            leases(0, "node-a"),
            announce("H", until=90),
            leases(30, ""),
            leases(33, "node-b"),
            service(34, "node-b", **SHARED),
        ),
        {90: Shows("held", "H", holder="node-b", moves=1, events="vip_seen vip_moved")},
    ),
    Row(
        "vipHost is ahead of a lease that nobody holds: one move in all",
        interleave(
            service(0, "node-a", **SHARED),
            leases(0, "node-a"),
            announce("H", until=90),
            leases(30, ""),
            service(32, "node-b", **SHARED),
            leases(40, "node-b"),
        ),
        {90: Shows("held", "H", holder="node-b", moves=1, events="vip_seen vip_moved")},
    ),
    Row(
        "nobody holds the lease for a minute, then B: one move",
        interleave(
            service(0, "node-a", **SHARED),
            leases(0, "node-a"),
            announce("H", until=190),
            leases(30, ""),
            leases(90, "node-b"),
            service(91, "node-b", **SHARED),
        ),
        {190: Shows("held", "H", holder="node-b", moves=1, events="vip_seen vip_moved")},
    ),
    Row(
        "the lease expires and its old holder takes it again: no move",
        interleave(
            service(0, "node-a", **SHARED),
            leases(0, "node-a", expires=15),
            announce("H", until=90),
            leases(40, "node-a", expires=200),
        ),
        {
            30: Shows("held", "H", holder=""),
            90: Shows("held", "H", holder="node-a", events="vip_seen"),
        },
    ),
    Row(
        "the lease expires and another takes it: one move",
        interleave(
            service(0, "node-a", **SHARED),
            leases(0, "node-a", expires=15),
            announce("H", until=90),
            leases(40, "node-b", expires=200),
            service(41, "node-b", **SHARED),
        ),
        {90: Shows("held", "H", holder="node-b", moves=1, events="vip_seen vip_moved")},
    ),
    Row(
        "names written in every way are one node's",
        interleave(
            AB,
            service(0, "NODE-A.example.com"),
            leases(0, "Node-A"),
            bound(0, "eth0"),
            announce("A", until=60),
            leases(20, "node-a.example.com"),
            service(25, "node-a"),
        ),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
        observer="node-a.EXAMPLE.com",
    ),
    Row(
        "two full names that differ in their domain are two nodes",
        interleave(
            service(0, "node-a.one.example"),
            leases(0, "node-a.two.example"),
            announce("X", until=60),
        ),
        {
            15: Shows("held", "X", holder="node-a.two.example"),
            60: Shows("held", "X", holder="node-a.two.example", mismatches="lease"),
        },
    ),
    Row(
        "a name that begins with another is another node's",
        interleave(service(0, "node-1"), leases(0, "node-10"), announce("X", until=60)),
        {60: Shows("held", "X", holder="node-10", mismatches="lease")},
    ),
]

WITHOUT_MACS = [
    Row(
        f"no mac is known; {'lease' if elected else 'no lease'}; "
        f"vipHost goes over {before} s before A's last frame, B speaks {silence} s after it: a move",
        interleave(
            service(0, "node-a"),
            leases(0, "node-a") + leases(60 - before, "node-b") if elected else [],
            announce("A", until=60),
            service(60 - before, "node-b"),
            announce("B", from_=60 + silence, until=180),
        ),
        {180: Shows("held", "B", holder="node-b", claimants="B", moves=1)},
    )
    for elected in (True, False)
    for before in (-5, -0.5, 0.5, 5)
    for silence in (5, 9, 12, 20, 60)
]

# --- the mac in DHCP mode, by version ---------------------------------------------------------------------------------


def dhcp_row(words: str, version: bool | None, who: str, mismatches: str, *, all_known: bool = True) -> Row:
    """vipHost is node-a, and `who` announces."""
    candidates = [known("A", "A"), known("B", "B")] + ([] if all_known else [known("C")])
    holder = {"A": "node-a", "B": "node-b"}.get(who, "node-a")
    return Row(
        f"DHCP, {words}",
        interleave(
            nodes(0, *candidates),
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=version),
            announce(who, until=60),
        ),
        {
            15: Shows("held", who, holder=holder),
            60: Shows("held", who, holder=holder, mismatches=mismatches),
        },
    )


DHCP = [
    dhcp_row("0.8.2 or later, hwaddr announced", True, "H", ""),
    dhcp_row("0.8.2 or later, the holder's own mac", True, "A", "mac"),
    dhcp_row("0.8.2 or later, another node's mac", True, "B", "host mac"),
    dhcp_row("0.8.2 or later, a stranger's mac", True, "X", "mac"),
    dhcp_row("0.8.2 or later, a mac that may be a node's", True, "X", "mac", all_known=False),
    dhcp_row("0.8.1 or earlier, the holder's own mac", False, "A", ""),
    dhcp_row("0.8.1 or earlier, another node's mac", False, "B", "host"),
    dhcp_row("0.8.1 or earlier, a mac that may be a node's", False, "X", "", all_known=False),
    dhcp_row("version unknown, hwaddr announced", None, "H", ""),
    dhcp_row("version unknown, the holder's own mac", None, "A", ""),
    dhcp_row("version unknown, another node's mac", None, "B", "host mac"),
    dhcp_row("version unknown, a stranger's mac", None, "X", "mac"),
    dhcp_row("version unknown, a mac that may be a node's", None, "X", "", all_known=False),
    Row(
        "the version becomes known: what was no mismatch is one, the settle time later",
        interleave(
            AB,
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H"),
            announce("A", until=120),
            service(40, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            service(80, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=False),
        ),
        {
            55: Shows("held", "A", holder="node-a"),
            55 + JUST: Shows("held", "A", holder="node-a", mismatches="mac"),
            80: Shows("held", "A", holder="node-a", events="vip_seen mismatch_started mismatch_ended"),
        },
    ),
    Row(
        "DHCP without hwaddr: nothing to compare the mac with",
        interleave(AB, service(0, "node-a", mode=Mode.DHCP, announces_hwaddr=True), announce("A", until=60)),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "mode unknown: nothing to compare the mac with",
        interleave(
            AB, service(0, "node-a", mode=Mode.UNKNOWN, hwaddr="H", announces_hwaddr=True), announce("A", until=60)
        ),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
]

# --- direction --------------------------------------------------------------------------------------------------------

DIRECTION = [
    Row(
        "one mac, and only this node's own frames: this node",
        interleave(AB, service(0, "node-a", **SHARED), leases(0, "node-a"), announce("H", until=60, outgoing=True)),
        {60: Shows("held", "H", holder="node-a", events="vip_seen")},
        observer="node-a",
    ),
    Row(
        "one mac, this node and another announce: the wire names nobody, the lease does, and nothing has moved",
        interleave(
            AB,
            service(0, "node-b", **SHARED),
            leases(0, "node-b"),
            announce("H", until=120, outgoing=True),
            announce("H", from_=1, until=120),
        ),
        {120: Shows("held", "H", holder="node-b")},
        observer="node-a",
    ),
    Row(
        "the same where the lease names this node",
        interleave(
            AB,
            service(0, "node-a", **SHARED),
            leases(0, "node-a"),
            announce("H", until=120, outgoing=True),
            announce("H", from_=31, until=120),
        ),
        {30: Shows("held", "H", holder="node-a"), 120: Shows("held", "H", holder="node-a")},
        observer="node-a",
    ),
    Row(
        "the other falls silent: the frames that leave this node name it again",
        interleave(
            AB,
            service(0, "node-a", **SHARED),
            leases(0, "node-a"),
            announce("H", until=120, outgoing=True),
            announce("H", from_=31, until=61),
        ),
        {120: Shows("held", "H", holder="node-a", events="vip_seen")},
        observer="node-a",
    ),
    Row(
        "one mac, this node has taken over, and capture blinks before the lease has followed: still one move",
        interleave(
            AB,
            capture(0, up=True),
            service(0, "node-a", **SHARED),
            leases(0, "node-a"),
            announce("H", until=57),
            announce("H", from_=60, until=120, outgoing=True),
            service(60, "node-b", **SHARED),
            capture(66.5, up=False),
            capture(67, up=True),
            leases(75, "node-b"),
        ),
        {
            120: Shows("held", "H", holder="node-b", claimants="H", moves=1, events="vip_seen vip_moved"),
        },
        observer="node-b",
        listening=False,
    ),
    Row(
        "one mac, and the first frame heard leaves this node while vipHost names another: no move",
        interleave(AB, service(0, "node-b", **SHARED), announce("H", from_=1, until=10, outgoing=True)),
        {10: Shows("held", "H", holder="node-a", events="vip_seen")},
        observer="node-a",
    ),
]

# --- what is bound here -----------------------------------------------------------------------------------------------

BOUND = [
    Row(
        "bound here, the lease names another: the lease is believed, and it is a mismatch beyond the settle time",
        interleave(bound(0, "mgmt-br"), host(0, link("mgmt-br", "A")), leases(0, "node-b"), announce("X", until=60)),
        {15: Shows("held", "X", holder="node-b"), 15 + JUST: Shows("held", "X", holder="node-b", mismatches="bound")},
        observer="node-a",
    ),
    Row(
        "bound on several devices of another node than the holder: one mismatch, until the last is gone",
        interleave(
            AB,
            announce("A", until=90),
            bound(10, "mgmt-br", "vip-1a2b3c4d"),
            bound(40, "vip-1a2b3c4d"),
            bound(50),
        ),
        {
            49: Shows("held", "A", holder="node-a", mismatches="bound", events="vip_seen mismatch_started"),
            50: Shows("held", "A", holder="node-a", events="vip_seen mismatch_started mismatch_ended"),
        },
        observer="node-b",
    ),
    Row(
        "what is bound cannot be told any more before it is a mismatch: none",
        interleave(AB, announce("A", until=90), bound(10, "mgmt-br"), host(10), host_lost(20)),
        {90: Shows("held", "A", holder="node-a", events="vip_seen")},
        observer="node-b",
    ),
    Row(
        "a duplicated macvlan: one mac on the wire, the lease names another, the VIP is bound here",
        interleave(
            AB,
            service(0, "node-a", **SHARED),
            leases(0, "node-a"),
            announce("H", until=90),
            bound(0, "vip-1a2b3c4d"),
            host(0, link("mgmt-br", "B", SUBNET), link("vip-1a2b3c4d", "H", "192.0.2.10/32")),
        ),
        {90: Shows("held", "H", holder="node-a", mismatches="bound", events="vip_seen mismatch_started")},
        observer="node-b",
    ),
    Row(
        "the wire has moved on, and capture goes down before the others have followed: still one move",
        interleave(
            AB,
            capture(0, up=True),
            leases(0, "node-a"),
            bound(0, "mgmt-br"),
            host(0, link("mgmt-br", "A", SUBNET)),
            announce("A", until=30, outgoing=True),
            announce("B", from_=32, until=38),
            capture(39, up=False),
            leases(45, "node-b"),
            bound(45),
        ),
        {
            38: Shows("held", "B", holder="node-b", moves=1),
            44: Shows("unknown", moves=1),
            120: Shows("unknown", holder="node-b", moves=1, events="vip_seen vip_moved"),
        },
        observer="node-a",
        listening=False,
    ),
    Row(
        "a stale bound address on the node that the VIP left",
        interleave(
            AB,
            service(0, "node-a"),
            leases(0, "node-a"),
            bound(0, "mgmt-br"),
            host(0, link("mgmt-br", "A", SUBNET)),
            announce("A", until=30, outgoing=True),
            leases(31, "node-b"),
            service(31, "node-b"),
            announce("B", from_=32, until=90),
        ),
        {
            47: Shows("held", "B", holder="node-b", moves=1),
            47 + 2 * JUST: Shows("held", "B", holder="node-b", moves=1, mismatches="bound"),
        },
        observer="node-a",
    ),
]

TABLE = [*FUSED, *WITHOUT_MACS, *DHCP, *DIRECTION, *BOUND]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.words)
def test_row(row: Row) -> None:
    """Each moment of the row shows what it must."""
    check_row(row)


def test_strongest_first() -> None:
    """Wire, lease, annotation, local: as each goes, the next names the holder."""
    run = Run(new_core(observer="node-c"))
    run.feed(
        interleave(
            nodes(0, "A", "B", "C", node("M", name="node-m")),
            service(0, "node-m"),
            leases(0, "node-b", expires=40),
            bound(0, "eth0"),
            announce("A", until=20),
        )
    )
    assert named(run) == {"wire": "node-a", "lease": "node-b", "annotation": "node-m", "local": "node-c"}
    assert (run.vip().holder, run.vip().holder_source) == ("node-a", Source.WIRE)
    run.until(31)
    assert (run.vip().holder, run.vip().holder_source) == ("node-b", Source.LEASE)
    run.until(41)
    assert (run.vip().holder, run.vip().holder_source) == ("node-c", Source.LOCAL)
    run.feed(lease_gone(42))
    assert (run.vip().holder, run.vip().holder_source) == ("node-m", Source.ANNOTATION)
    run.feed(service(43, ""))
    assert (run.vip().holder, run.vip().holder_source) == ("node-c", Source.LOCAL)
    run.feed(bound(44))
    assert (run.vip().holder, run.vip().holder_source) == ("", None)


def test_a_source_that_names_nobody_is_not_shown_with_a_node() -> None:
    run = play([*service(0, "node-a"), *leases(0, "node-b", expires=10)], until=20)
    assert named(run) == {}
    assert believed(run, Source.LOCAL) is None


def test_what_a_lease_says_is_shown() -> None:
    """Its own account, of whom, since when and how often: it is a cross-check, not the exporter's count."""
    run = Run(new_core())
    run.feed(leases(50, "node-a", expires=65, transitions=7, acquired=-300))
    assert run.vip().lease == LeaseState(LEASE, "node-a", True, seconds(65), seconds(-300), 7)
    run.until(66)
    assert run.vip().lease == LeaseState(LEASE, "node-a", False, seconds(65), seconds(-300), 7)
    run.feed(leases(70, "", expires=85, transitions=7))
    assert run.vip().lease == LeaseState(LEASE, "", True, seconds(85), None, 7)
    run.feed(leases(71, "node-b", expires=86, transitions=8, acquired=71))
    assert run.vip().lease == LeaseState(LEASE, "node-b", True, seconds(86), seconds(71), 8)
    run.feed(lease_gone(72))
    assert run.vip().lease is None


def test_a_lease_that_cannot_be_confirmed_is_shown_as_fresh() -> None:
    """As far as can be told."""
    run = play([*leases(0, "node-a", expires=15), *leases(10, "node-a", expires=15, confirmed=False)], until=500)
    lease = run.vip().lease
    assert lease is not None
    assert (lease.holder, lease.fresh, lease.expires) == ("node-a", True, seconds(15))


def test_renewals_are_nothing_new() -> None:
    """A lease that is renewed every two seconds moves nothing, and its holder is named since the first of them."""
    renewals = [one for at in range(0, 60, 2) for one in leases(at, "node-a", expires=at + 15, transitions=3)]
    run = play(interleave(renewals, announce("X", until=59)))
    assert dict(run.vip().source_moves) == dict.fromkeys(Source, 0)
    lease = believed(run, Source.LEASE)
    assert lease is not None
    assert lease.since == 0
    assert run.names() == ["vip_seen"]


@pytest.mark.parametrize("through", ["directly", "empty", "expired", "unconfirmed", "gone"])
def test_a_lease_goes_over_once_whatever_lies_between(through: str) -> None:
    """One move of the lease, however it got from A to B; and none from A to A."""
    between = {
        "directly": [],
        "empty": leases(20, ""),
        "expired": [],
        "unconfirmed": leases(20, "node-a", expires=25, confirmed=False),
        "gone": lease_gone(20),
    }[through]
    for to, moves in (("node-b", 1), ("node-a", 0)):
        expires = 15 if through == "expired" else 25
        run = play([*leases(0, "node-a", expires=expires), *between, *leases(22, to, expires=37)])
        assert run.vip().source_moves[Source.LEASE] == moves


def test_a_take_over_of_the_lease_alone_is_no_move_while_the_wire_names_the_holder() -> None:
    """The wire is stronger: the lease's own moves are counted apart."""
    run = play(interleave(AB, leases(0, "node-a"), announce("A", until=60), leases(30, "node-b")))
    assert (run.vip().holder, run.vip().moves) == ("node-a", 0)
    assert run.vip().source_moves[Source.LEASE] == 1


# --- mismatches: each begins once, and ends -----------------------------------------------------------------------

OLD_DHCP = {"mode": Mode.DHCP, "hwaddr": "H", "announces_hwaddr": False}


@dataclass(frozen=True)
class Contradiction:
    """Two sources contradict each other from 40 s on, and agree again from 80 s on."""

    check: str
    before: list[Input]
    broken: list[Input]
    """At 40 s."""
    mended: list[Input]
    """At 80 s."""
    observer: str = ""
    vip: IPAddress = VIP
    from_intent: bool = True

    def play(self, *more: list[Input], mend: bool = False, until: float, spared: float | None = None) -> Run:
        """Told to a core, with more beside it; `spared`: from then on nobody announces."""
        core = new_core(observer=self.observer)
        wire = announce("A", until=until if spared is None else spared)
        run = Run(core)
        run.feed(interleave(AB, self.before, wire, self.broken, *([self.mended] if mend else []), *more))
        run.until(until)
        return run


CONTRADICTIONS = [
    Contradiction(
        "host", service(0, "node-a", **OLD_DHCP), service(40, "node-b", **OLD_DHCP), service(80, "node-a", **OLD_DHCP)
    ),
    Contradiction(
        "mac",
        service(0, "node-a", mode=Mode.DHCP, hwaddr="A", announces_hwaddr=True),
        service(40, "node-a", **SHARED),
        service(80, "node-a", mode=Mode.DHCP, hwaddr="A", announces_hwaddr=True),
    ),
    Contradiction("lease", service(0, "node-a") + leases(0, "node-a"), leases(40, "node-b"), leases(80, "node-a")),
    Contradiction(
        "address",
        service(0, "node-a"),
        service(40, "node-a", addresses=(NEW_VIP,)),
        service(80, "node-a", addresses=(VIP,)),
        vip=NEW_VIP,
    ),
    Contradiction("bound", bound(0) + host(0), bound(40, "eth0"), bound(80), observer="node-b", from_intent=False),
]
each = pytest.mark.parametrize("one", CONTRADICTIONS, ids=lambda one: one.check)


@each
def test_a_contradiction_is_a_mismatch_beyond_the_settle_time(one: Contradiction) -> None:
    """Not before, once, and since its beginning; nothing else is."""
    run = one.play(until=55)
    assert mismatches(run, one.vip) == {}
    run.until(55 + JUST)
    assert mismatches(run, one.vip) == {one.check: 40.0}
    (event,) = of_name(run, "mismatch_started", one.vip)
    assert (event.fields["check"], event.since) == (one.check, seconds(40))
    assert seconds(55) < event.at <= seconds(55 + JUST)


@each
def test_a_mismatch_ends_when_the_sources_agree(one: Contradiction) -> None:
    run = one.play(mend=one.check != "address", until=79 if one.check == "address" else 100)
    if one.check == "address":
        # Nobody announces the old address any more: agreed when that has fallen silent.
        run.until(95)
    assert mismatches(run, one.vip) == {}
    (start, _), (end, at) = mismatch_events(run, one.check, one.vip)
    assert (start, end) == ("started", "ended")
    assert 79 <= at <= 89


@each
def test_a_contradiction_that_is_mended_within_the_settle_time_is_none(one: Contradiction) -> None:
    """Exactly at its end, too."""
    if one.check == "address":
        run = one.play(until=200, spared=44)  # silent at 52
    else:
        mended = [replace(step, at=seconds(55)) for step in one.mended]
        run = one.play(mended, until=200)
    assert mismatch_events(run, one.check, one.vip) == []


@each
def test_stale_intent_begins_no_mismatch(one: Contradiction) -> None:
    """What is seen here without Kubernetes is a mismatch all the same."""
    run = one.play(intent_fresh(45, False), until=200)
    assert bool(mismatch_events(run, one.check, one.vip)) is not one.from_intent


@each
def test_intent_that_is_not_current_begins_no_mismatch(one: Contradiction) -> None:
    """Kubernetes does not answer: nobody knows what it would say. When it does, the settle time begins anew."""
    run = one.play(kubernetes(45, answers=False), kubernetes(100, answers=True), until=200)
    ((name, at),) = mismatch_events(run, one.check, one.vip)
    assert name == "started"
    if one.from_intent:
        assert 115 <= at <= 115 + JUST
    else:
        assert 55 <= at <= 55 + JUST


@each
def test_what_has_changed_while_kubernetes_was_away_has_the_settle_time_from_its_return(one: Contradiction) -> None:
    """It is told at once when Kubernetes answers again."""
    broken = [replace(step, at=seconds(100)) for step in one.broken]
    plain = replace(one, broken=[])
    run = plain.play(kubernetes(45, answers=False), kubernetes(100, answers=True), broken, until=115)
    assert mismatch_events(run, one.check, one.vip) == []
    run.until(115 + JUST)
    assert mismatches(run, one.vip) == {one.check: 100.0}


@each
@pytest.mark.parametrize("length", [0.0, 0.1, 10.0, 30.0])
def test_a_short_outage_does_not_end_a_mismatch(one: Contradiction, length: float) -> None:
    """It does not end and start again: it is one."""
    run = one.play(kubernetes(60, answers=False), kubernetes(60 + length, answers=True), until=200)
    assert [name for name, _ in mismatch_events(run, one.check, one.vip)] == ["started"]
    assert mismatches(run, one.vip) == {one.check: 40.0}


@each
def test_a_mismatch_ends_when_intent_is_stale(one: Contradiction) -> None:
    run = one.play(kubernetes(60, answers=False), kubernetes(120, answers=False, fresh=False), until=200)
    names = mismatch_events(run, one.check, one.vip)
    assert [name for name, _ in names] == (["started", "ended"] if one.from_intent else ["started"])
    if one.from_intent:
        assert names[-1][1] == 120


@pytest.mark.parametrize(
    "one", [one for one in CONTRADICTIONS if one.check in ("host", "mac", "lease")], ids=lambda one: one.check
)
def test_a_mismatch_is_answered_when_kubernetes_is_back(one: Contradiction) -> None:
    """It stays while nobody can tell, and ends with what Kubernetes says then."""
    mended = [replace(step, at=seconds(100)) for step in one.mended]
    run = one.play(kubernetes(60, answers=False), kubernetes(100, answers=True), mended, until=100)
    assert mismatch_events(run, one.check)[1:] == [("ended", 100)]
    assert mismatches(run) == {}


@pytest.mark.parametrize("answers", [True, False])
def test_a_lease_that_cannot_be_confirmed_contradicts_nobody(answers: bool) -> None:
    """It may long have gone over."""
    run = play(
        interleave(
            AB,
            service(0, "node-a"),
            leases(0, "node-b", expires=15),
            announce("A", until=200),
            kubernetes(10, answers=answers),
            leases(10, "node-b", expires=15, confirmed=False),
        )
    )
    assert run.names() == ["vip_seen"]


def test_bound_against_a_lease_that_cannot_be_confirmed_is_no_mismatch() -> None:
    """The holder is the lease's, and whether that is so still nobody can tell."""
    run = play(
        interleave(
            leases(0, "node-b", expires=15),
            announce("X", until=200),
            kubernetes(10, answers=False),
            leases(10, "node-b", expires=15, confirmed=False),
            bound(20, "eth0"),
        ),
        core=new_core(observer="node-a"),
    )
    assert run.names() == ["vip_seen"]
    assert run.vip().holder == "node-b"


def test_in_static_mode_another_node_on_the_wire_is_host_and_mac() -> None:
    """Beyond the settle time of the wire's move, where vipHost stays behind."""
    run = play(interleave(AB, service(0, "node-a"), announce("A", until=30), announce("B", from_=32, until=90)))
    assert set(mismatches(run)) == {"host", "mac"}
    assert run.vip().holder == "node-b"


# --- handover and lag -----------------------------------------------------------------------------------------------


def test_a_split_brain_is_no_move_to_the_node_that_begins_it() -> None:
    """B binds the address and announces it, untold, beside A: on B's own observer that is a contest too."""
    told = interleave(AB, service(0, "node-a"), leases(0, "node-a"), bound(0), host(0, link("eth0", "B")))
    wire = interleave(announce("A", until=60), announce("B", from_=31.5, until=60, outgoing=True))
    run = play(interleave(told, bound(31, "eth0"), wire), core=new_core(observer="node-b"))
    assert (run.vip().state, run.vip().moves, run.vip().contests) == (State.CONTESTED, 0, 1)
    assert run.vip().last_move is None


def test_a_move_without_a_measured_handover_has_none() -> None:
    """A to B is seen on the wire. Then B falls silent, and lease and annotation go over to A: nothing measured that."""
    on_the_wire = interleave(
        AB,
        service(0, "node-a"),
        leases(0, "node-a"),
        announce("A", until=30),
        leases(33, "node-b"),
        service(33, "node-b"),
        announce("B", from_=34, until=60),
    )
    assert in_seconds(play(on_the_wire).vip().last_handover) == 4.0
    moved_unheard = interleave(leases(100, "node-a"), service(100, "node-a"))
    run = play([*on_the_wire, *moved_unheard], until=140)
    assert (run.vip().moves, run.vip().holder, run.vip().last_handover) == (2, "node-a", None)


@pytest.mark.parametrize("ahead", [100.0, 20.0, 10.0, -3.0])
def test_the_handover_of_a_long_silence(ahead: float) -> None:
    """A falls silent and B speaks much later, lease and vipHost ahead of it: the silence is the handover's length."""
    run = play(
        interleave(
            AB,
            service(0, "node-a"),
            leases(0, "node-a"),
            announce("A", until=30),
            leases(150 - ahead, "node-b"),
            service(150 - ahead, "node-b"),
            announce("B", from_=150, until=200),
        )
    )
    snapshot = run.core.snapshot()
    assert (run.vip().moves, in_seconds(run.vip().last_handover)) == (1, 120.0)
    assert (sum(snapshot.handover.counts), snapshot.handover.total) == (1, 120.0)
    assert (sum(snapshot.annotation_lag.counts), snapshot.annotation_lag.total) == (1, max(0.0, -ahead))


# --- what is bound on this node ---------------------------------------------------------------------------------------


def test_what_was_bound_before_the_vip_was_watched_counts_once_it_is() -> None:
    run = Run(new_core(watch=(), observer="node-a"))
    run.feed(bound(0, "mgmt-br") + host(0, link("mgmt-br", "A", SUBNET)) + service(5, "node-a"))
    assert run.vip().bound == ("mgmt-br",)
    assert named(run)["local"] == "node-a"
    run.feed(bound(6))
    assert run.vip().bound == ()


def test_what_was_unbound_before_the_vip_was_watched_is_not_bound() -> None:
    run = Run(new_core(watch=(), observer="node-a"))
    run.feed(bound(0, "mgmt-br") + host(0) + bound(3) + service(5, ""))
    assert run.vip().bound == ()
    assert named(run) == {}


def test_nothing_is_said_of_what_is_bound_before_the_host_is_seen() -> None:
    run = Run(new_core(observer="node-a"))
    assert run.vip().bound is None
    run.feed(host(1, link("mgmt-br", "A", SUBNET)))
    assert run.vip().bound == ()
    run.feed(host_lost(2))
    assert run.vip().bound is None
    run.feed(bound(3, "mgmt-br") + host(3, link("mgmt-br", "A", SUBNET)))
    assert run.vip().bound == ("mgmt-br",)


def test_a_vip_that_is_watched_later_knows_the_host_as_well() -> None:
    """Seen before it was watched, not bound; or never seen."""
    run = Run(new_core(watch=(), observer="node-a"))
    run.feed(host(1) + service(5, ""))
    assert run.vip().bound == ()
    blind = Run(new_core(watch=(), observer="node-a"))
    blind.feed(service(5, ""))
    assert blind.vip().bound is None


def test_what_was_bound_before_the_host_was_lost_is_forgotten() -> None:
    """Nobody knows it any more: no source, no mismatch."""
    run = play(bound(0, "mgmt-br") + host(0) + host_lost(5), core=new_core(observer="node-a"))
    assert run.vip().bound is None
    assert named(run) == {}
    run.feed(host(9))
    assert run.vip().bound == ()


def test_a_host_that_is_seen_again_without_the_address_unbinds_it() -> None:
    """After the host was lost, an address for which no BoundSeen has come since is not bound."""
    run = Run(new_core(watch=(), observer="node-a"))
    run.feed(bound(0, "mgmt-br") + host(0) + host_lost(5) + host(9) + service(10, ""))
    assert run.vip().bound == ()


def test_binding_at_start_is_no_move() -> None:
    """The local source finds the address bound; before that it knew nothing."""
    run = play(
        interleave(bound(1, "mgmt-br"), host(1, link("mgmt-br", "A")), announce("A", from_=2, until=60)),
        core=new_core(observer="node-a"),
    )
    assert run.vip().source_moves[Source.LOCAL] == 0
    assert (run.vip().moves, run.names()) == (0, ["vip_seen"])


def test_several_devices() -> None:
    run = Run(new_core(observer="node-a"))
    run.feed(bound(0, "mgmt-br", "vip-1a2b3c4d") + host(0))
    assert set(run.vip().bound or ()) == {"mgmt-br", "vip-1a2b3c4d"}
    run.feed(bound(1, "mgmt-br"))
    assert run.vip().bound == ("mgmt-br",)
    assert named(run) == {"local": "node-a"}
    run.feed(bound(2))
    assert (run.vip().bound, named(run)) == ((), {})


def test_what_is_bound_of_an_address_that_nobody_watches_makes_no_vip() -> None:
    run = play(bound(0, "lo", vip=NEW_VIP) + host(0), core=new_core(observer="node-a"))
    assert [vip.address for vip in run.core.snapshot().vips] == [VIP]


def test_the_local_source_names_nobody_where_the_observer_has_no_name() -> None:
    run = play(bound(0, "eth0") + host(0))
    assert (run.vip().holder, run.vip().bound) == ("", ("eth0",))


# --- requirements -----------------------------------------------------------------------------------------------------


def test_distinct_from_nodes() -> None:
    """Absent while no node's address is known; a node that is not a candidate counts as well."""
    distinct = Requirement.DISTINCT_FROM_NODES
    assert met(play(service(0, "node-a")), distinct) is None
    assert met(play(nodes(0, known("A"), known("B")) + service(0, "node-a")), distinct) is True
    worker = known("B", addresses=[str(VIP)], candidate=False)
    run = play(nodes(0, known("A"), worker) + service(0, "node-a"))
    assert met(run, distinct) is False
    run.feed(nodes(5, known("A"), known("B")))
    assert met(run, distinct) is True


NET, FAR = "192.0.2.0/24", "203.0.113.0/24"


@pytest.mark.parametrize(
    ("words", "address", "networks", "own", "expected"),
    [
        ("in the network of the nodes", "192.0.2.10", [NET], ["192.0.2.1"], True),
        ("outside it", "203.0.113.9", [NET], ["192.0.2.1"], False),
        ("in a network of this node that no node's address is in", "203.0.113.9", [NET, FAR], ["192.0.2.1"], False),
        ("in the second of two networks of nodes", "203.0.113.9", [NET, FAR], ["192.0.2.1", "203.0.113.1"], True),
        ("its own /32 is no network of a node", "203.0.113.9", [NET, "203.0.113.9/32"], ["192.0.2.1"], False),
        ("its own /32 beside the network", "192.0.2.10", [NET, "192.0.2.10/32"], ["192.0.2.1"], True),
        ("another family is not compared", "2001:db8::10", [NET], ["192.0.2.1"], None),
        ("IPv6, in the network", "2001:db8::10", [NET, "2001:db8::/64"], ["192.0.2.1", "2001:db8::1"], True),
        ("IPv6, outside it", "2001:db8:1::10", [NET, "2001:db8::/64"], ["192.0.2.1", "2001:db8::1"], False),
        ("IPv6, link-local is no node's network", "2001:db8::10", [NET, "fe80::/64"], ["192.0.2.1"], None),
        ("no network known", "192.0.2.10", [], ["192.0.2.1"], None),
        ("no node's address known", "192.0.2.10", [NET], [], None),
        ("no node's address in any network", "192.0.2.10", [NET], ["198.51.100.1"], None),
    ],
)
def test_same_subnet(words: str, address: str, networks: list[str], own: list[str], expected: bool | None) -> None:
    """The VIP is in a network of this node that a node's own address is in too; nothing is said where none is known."""
    vip = ip_address(address)
    run = play(
        interleave(
            nodes(0, known("A", addresses=own)),
            host(0, *(link(f"eth{number}", "A", network) for number, network in enumerate(networks))),
            service(0, "node-a", addresses=(vip,)),
        ),
        core=new_core(observer="node-a", watch=()),
    )
    assert met(run, Requirement.SAME_SUBNET, vip) is expected


def test_same_subnet_with_the_nodes_addresses_as_32() -> None:
    """Addresses without a network prove nothing good of the VIP."""
    run = play(
        interleave(nodes(0, known("A")), host(0, link("eth0", "A", "192.0.2.1/32")), service(0, "node-a")),
        core=new_core(observer="node-a"),
    )
    assert met(run, Requirement.SAME_SUBNET) is not True


def test_same_subnet_is_not_told_without_the_host() -> None:
    run = play(nodes(0, known("A")) + service(0, "node-a"), core=new_core(observer="node-a"))
    assert met(run, Requirement.SAME_SUBNET) is None


def test_heard_here() -> None:
    """Absent while nothing could have been heard, false where others say held and nothing is, true with the frames."""
    heard_here = Requirement.HEARD_HERE
    run = Run(new_core(listening=False))
    run.feed(service(0, "node-a") + leases(0, "node-a"))
    run.until(60)
    assert met(run, heard_here) is not False
    run.feed(capture(60, up=True))
    run.until(74)
    assert met(run, heard_here) is not False
    run.until(76)
    assert met(run, heard_here) is False
    run.feed(frames("A", 80, 83))
    assert met(run, heard_here) is True
    run.until(100)
    assert run.vip().state is State.SILENT
    assert met(run, heard_here) is False


def test_heard_here_says_nothing_where_nobody_is_said_to_hold_it() -> None:
    run = play(service(0, ""), until=100)
    assert run.vip().state is State.SILENT
    assert met(run, Requirement.HEARD_HERE) is not False


def test_load_balancer_service() -> None:
    """True for a Service of that type; false for one that is none any more, and where only the wish is left."""
    required = Requirement.LOAD_BALANCER_SERVICE
    assert met(play(service(0, "node-a")), required) is True
    assert met(play(service(0, "node-a") + service(1, "node-a", load_balancer=False)), required) is False
    assert met(play(wish(0)), required) is False
    assert met(play(wish(0) + service(1, "node-a")), required) is True
    assert met(play(service(0, "node-a") + wish(1)), required) is True
    assert met(play(wish(0) + service(1, "node-a") + service_gone(2)), required) is False
    assert met(play(wish(0) + service(1, "node-a", load_balancer=False, addresses=())), required) is False


def test_load_balancer_service_of_two() -> None:
    """One Service hands its address to another, as in an upgrade from ingress-expose to rke2-traefik."""
    run = play(
        interleave(
            service(0, "node-a"),
            announce("A", until=40),
            service(10, "node-a", ref=OTHER),
            service(20, "node-a", load_balancer=False, addresses=()),
        )
    )
    assert met(run, Requirement.LOAD_BALANCER_SERVICE) is True


def test_load_balancer_service_is_not_told_where_there_is_no_kubernetes() -> None:
    """An entry of the intent file, or a control-plane VIP, stands for no Service: its name has no namespace."""
    run = play(service(0, "node-a", ref=ServiceRef("", str(VIP))))
    assert met(run, Requirement.LOAD_BALANCER_SERVICE) is None


# --- a shared address, and the wish -----------------------------------------------------------------------------------


def test_two_services_are_one_vip_until_both_are_gone() -> None:
    run = Run(new_core(watch=()))
    run.feed(service(0, "node-a") + service(1, "node-a", ref=OTHER))
    assert [(vip.address, set(vip.services)) for vip in run.core.snapshot().vips] == [(VIP, {SERVICE, OTHER})]
    run.feed(announce("A", from_=2, until=30))
    run.feed(service_gone(31))
    run.until(60)
    assert [(vip.address, vip.services) for vip in run.core.snapshot().vips] == [(VIP, (OTHER,))]
    run.feed(service_gone(61, OTHER))
    run.until(100)
    assert run.core.snapshot().vips == ()


@pytest.mark.parametrize("first", [True, False])
def test_of_two_services_the_one_that_says_something_speaks(first: bool) -> None:
    """vipHost stands on one of them; the other's silence does not contradict it."""
    says, other = service(0, "node-a"), service(0, "", ref=OTHER)
    run = play([*says, *other] if first else [*other, *says])
    assert named(run) == {"annotation": "node-a"}


def test_two_services_that_follow_one_after_the_other_are_one_move() -> None:
    """The second is told again between, for some other change of it, and does not yet name the new holder."""
    run = play(
        interleave(
            service(0, "node-a", **SHARED),
            service(0, "node-a", **SHARED, ref=OTHER),
            announce("H", until=90),
            service(30, "node-b", **SHARED),
            service(30.5, "node-a", **SHARED, ref=OTHER, period=3),
            service(31, "node-b", **SHARED, ref=OTHER, period=3),
        )
    )
    assert (run.vip().moves, run.vip().holder) == (1, "node-b")


def test_a_service_that_is_told_again_does_not_speak_louder() -> None:
    """Nothing deletes the vipHost of a Service that kube-vip no longer handles, and Services are listed anew."""
    run = play(
        interleave(
            service(0, "node-a", **SHARED),
            service(0, "node-a", **SHARED, ref=OTHER),
            announce("H", until=190),
            service(30, "node-b", **SHARED, ref=OTHER),
            *(service(at, "node-a", **SHARED) for at in (60, 120)),
            *(service(at, "node-b", **SHARED, ref=OTHER) for at in (60.1, 120.1)),
        )
    )
    assert (run.vip().moves, run.vip().holder) == (1, "node-b")


@pytest.mark.parametrize("first", [True, False])
def test_the_wish_never_overrides_a_service(first: bool) -> None:
    """Mode, vipHost and hwaddr are the Service's, whichever came first; the wish is no Service."""
    says, wished = service(0, "node-a", **SHARED), wish(0, mode=Mode.STATIC)
    run = play(([*says, *wished] if first else [*wished, *says]) + announce("H", until=10), core=new_core(watch=()))
    vip = run.vip()
    assert (vip.mode, vip.services) == (Mode.DHCP, (SERVICE,))
    assert named(run) == {"annotation": "node-a"}
    assert [str(one.claimant_class) for one in vip.claimants] == ["hwaddr"]


def test_a_wish_that_changes_does_not_override_a_service() -> None:
    run = play(wish(0) + service(1, "node-a", **SHARED) + wish(2, mode=Mode.STATIC) + announce("H", from_=3, until=60))
    assert run.vip().mode is Mode.DHCP
    assert run.names() == ["vip_seen"]


def test_the_wish_alone_is_watched() -> None:
    """Before there is a Service: the address is a VIP, and nothing names its holder but the wire."""
    run = play(interleave(AB, wish(0), announce("A", until=20)), core=new_core(watch=()))
    assert (run.vip().holder, run.vip().state) == ("node-a", State.HELD)
    assert run.vip().services == ()


def test_a_wish_for_another_address_than_the_service_has() -> None:
    """Each address is a VIP of its own; the wish's has no Service."""
    run = play(service(0, "node-a") + wish(1, addresses=(NEW_VIP,)), core=new_core(watch=()))
    assert met(run, Requirement.LOAD_BALANCER_SERVICE) is True
    assert met(run, Requirement.LOAD_BALANCER_SERVICE, NEW_VIP) is False
    assert run.vip(NEW_VIP).mismatches == ()


# --- an earlier run ---------------------------------------------------------------------------------------------------


def restart(*inputs: list[Input], mac: str | None = "A", holder: str = "node-a", until: float = 60) -> Run:
    """The program starts at 0 and remembers: that node with that mac for 1,000 s, last heard 20 s ago."""
    run = Run(new_core())
    run.feed(interleave(remembered(0, holder, mac, since=-1000, heard=-20), *inputs))
    run.until(until)
    return run


def test_the_remembered_holder_announces() -> None:
    """Held, no move, since when it was remembered; the first frame is seen, not returned."""
    run = restart(AB, announce("A", from_=1, until=60))
    vip = run.vip()
    assert (vip.state, vip.moves, vip.holder) == (State.HELD, 0, "node-a")
    assert in_seconds(vip.holder_since) == -1000
    assert run.names() == ["vip_seen"]


def test_the_remembered_holder_announces_with_the_first_frame() -> None:
    assert restart(AB, frames("A", 1), until=1).vip().state is State.HELD


@pytest.mark.parametrize("resolved", [True, False])
def test_another_than_the_remembered_holder_announces(resolved: bool) -> None:
    """It moved meanwhile: counted once, from the remembered node and mac; how long it took nobody knows."""
    run = restart(AB if resolved else [], lease(0, "node-b"), announce("B", from_=1, until=60))
    vip = run.vip()
    assert (vip.state, vip.moves, vip.holder, vip.contests, vip.withdrawn_claims) == (State.HELD, 1, "node-b", 0, 0)
    (event,) = of_name(run, "vip_moved")
    assert (event.fields["from"], event.fields["to"]) == ("node-a", "node-b")
    assert [letter_of(str(event.fields[name])) for name in ("from_mac", "to_mac")] == ["A", "B"]
    assert vip.last_handover is None
    assert sum(run.core.snapshot().handover.counts) == 0
    assert in_seconds(vip.holder_since) == 1


def test_one_frame_of_another_than_the_remembered_holder_is_no_move() -> None:
    """It must speak twice, as always."""
    run = restart(AB, frames("B", 1), until=5)
    assert (run.vip().moves, run.vip().state) == (0, State.MOVING)
    run.feed(frames("B", 6))
    run.until(20)
    assert run.vip().moves == 1


def test_a_stray_frame_beside_the_remembered_holder() -> None:
    """The remembered one goes on: nothing has moved."""
    run = restart(AB, frames("B", 1), announce("A", from_=2, until=60))
    assert (run.vip().moves, run.vip().holder, run.vip().withdrawn_claims) == (0, "node-a", 1)


def test_both_the_remembered_holder_and_another_go_on() -> None:
    run = restart(AB, announce("B", from_=1, until=60), announce("A", from_=2, until=60))
    assert (run.vip().state, run.vip().moves, run.vip().contests) == (State.CONTESTED, 0, 1)


@pytest.mark.parametrize(("now", "moves"), [("node-b", 1), ("node-a", 0), ("NODE-A.example.com", 0)])
@pytest.mark.parametrize("source", ["lease", "annotation"])
def test_one_mac_on_every_node_and_the_remembered_holder(now: str, moves: int, source: str) -> None:
    """The wire looks the same; the lease, or vipHost where there is none, tells that it moved meanwhile."""
    said = service(0, now if source == "annotation" else "", **SHARED)
    run = restart(AB, said, lease(0, now) if source == "lease" else [], announce("H", from_=1, until=60), mac="H")
    assert run.vip().moves == moves
    assert len(of_name(run, "vip_moved")) == moves
    assert run.vip().holder == ("node-b" if moves else "node-a")


def test_one_mac_on_every_node_and_a_lease_that_comes_late() -> None:
    """Kubernetes answers some seconds after the first frames: still one move, and then none."""
    run = restart(
        AB,
        announce("H", from_=1, until=120),
        service(9, "node-b", **SHARED),
        lease(9.5, "node-b"),
        mac="H",
        until=120,
    )
    assert (run.vip().moves, run.vip().holder) == (1, "node-b")


def test_nothing_remembered_is_no_move() -> None:
    run = play(interleave(AB, service(0, "node-b", **SHARED), lease(0, "node-b"), announce("H", until=60)))
    assert (run.vip().moves, run.vip().holder) == (0, "node-b")


def test_the_remembered_node_with_another_mac() -> None:
    """Both macs are known to be one node's: a mac change, no move."""
    run = restart(nodes(0, "AX", "B"), announce("X", from_=1, until=60))
    vip = run.vip()
    assert (vip.mac_changes, vip.moves, vip.holder, letter_of(vip.holder_mac)) == (1, 0, "node-a", "X")
    assert in_seconds(vip.holder_since) == -1000


def test_the_remembered_node_with_another_mac_by_the_lease_s_word() -> None:
    """The macs are not known; the lease names the remembered node all the time: the same holder."""
    run = restart(lease(0, "node-a"), service(0, "node-a"), announce("X", from_=1, until=60))
    assert (run.vip().mac_changes, run.vip().moves, run.vip().holder) == (1, 0, "node-a")


def test_nothing_is_heard_of_what_is_remembered() -> None:
    """Unknown for 5P of working capture, then silent; the other sources name the holder; nothing has moved."""
    run = restart(AB, service(0, "node-a"), lease(0, "node-a"), until=15)
    assert run.vip().state is State.UNKNOWN
    assert (run.vip().holder, run.vip().holder_source) == ("node-a", Source.LEASE)
    run.until(100)
    vip = run.vip()
    assert (vip.state, vip.holder, vip.moves, vip.holder_mac) == (State.SILENT, "node-a", 0, "")
    run.feed(lease_gone(101))
    assert (run.vip().holder, run.vip().holder_source) == ("node-a", Source.ANNOTATION)


def test_nothing_but_the_memory_names_no_holder() -> None:
    """What an earlier run knew is no source: unknown is an answer."""
    run = restart(AB, until=100)
    assert (run.vip().holder, run.vip().holder_source, run.vip().holder_mac) == ("", None, "")


@pytest.mark.parametrize("heard_later", [False, True])
def test_it_moved_meanwhile_and_nothing_is_heard(heard_later: bool) -> None:
    """The lease names another than is remembered: one move, and none more when the wire shows it."""
    later = announce("B", from_=70, until=120) if heard_later else []
    run = restart(AB, service(0, "node-b"), lease(0, "node-b"), later, until=120)
    assert (run.vip().moves, run.vip().holder) == (1, "node-b")


def test_the_lease_names_another_but_the_remembered_one_announces() -> None:
    """The wire is stronger: nothing has moved."""
    run = restart(AB, service(0, "node-b"), lease(0, "node-b"), announce("A", from_=1, until=60))
    assert (run.vip().moves, run.vip().holder) == (0, "node-a")


@pytest.mark.parametrize(("holder", "mac"), [("", "A"), ("node-a", None)])
@pytest.mark.parametrize(("who", "moves"), [("A", 0), ("B", 1)])
def test_half_is_remembered(holder: str, mac: str | None, who: str, moves: int) -> None:
    """Only the mac, or only the node: either tells whether it moved."""
    run = restart(AB, lease(0, f"node-{who.lower()}"), announce(who, from_=1, until=60), holder=holder, mac=mac)
    assert (run.vip().moves, run.vip().mac_changes, run.vip().state) == (moves, 0, State.HELD)
    assert len(of_name(run, "vip_moved")) == moves


def test_a_one_shot_announcer_has_moved_meanwhile() -> None:
    """One frame is enough where they do not repeat."""
    run = Run(new_core(period=0))
    run.feed(interleave(AB, remembered(0, "node-a", "A", since=-1000, heard=-900), frames("B", 5)))
    run.until(30)
    assert (run.vip().moves, run.vip().holder, run.vip().state) == (1, "node-b", State.HELD)


def test_memory_that_comes_before_the_vip_is_watched() -> None:
    """It is found by its Service later; memory of an address that nobody watches makes no VIP."""
    run = Run(new_core(watch=()))
    run.feed(remembered(0, "node-a", "A", since=-1000, heard=-20))
    run.feed(remembered(0, "node-a", "A", since=-1000, heard=-20, vip=NEW_VIP))
    run.feed(service(1, "node-a") + announce("A", from_=2, until=10))
    assert [vip.address for vip in run.core.snapshot().vips] == [VIP]
    assert in_seconds(run.vip().holder_since) == -1000


def test_memory_and_a_short_silence() -> None:
    """Remembered, nothing heard for long, then the same one: seen, not moved, and still since then."""
    run = restart(AB, announce("A", from_=100, until=130), until=130)
    vip = run.vip()
    assert (vip.state, vip.moves, in_seconds(vip.holder_since)) == (State.HELD, 0, -1000)
    assert of_name(run, "vip_moved") == []


def test_a_move_after_the_restart_is_an_ordinary_one() -> None:
    """The memory has been confirmed: what follows has its handover as always."""
    run = restart(AB, announce("A", from_=1, until=31), announce("B", from_=33, until=90), until=90)
    assert (run.vip().moves, in_seconds(run.vip().last_handover)) == (1, 2.0)
    assert sum(run.core.snapshot().handover.counts) == 1


def test_memory_counts_once() -> None:
    """A move during the downtime, then one back: two in all."""
    run = restart(AB, announce("B", from_=1, until=31), announce("A", from_=33, until=90), until=90)
    assert (run.vip().moves, run.vip().holder) == (2, "node-a")
    assert sum(run.core.snapshot().handover.counts) == 1


def test_memory_of_an_ipv6_vip() -> None:
    run = Run(new_core(watch=(VIP6,)))
    run.feed(
        interleave(
            AB,
            remembered(0, "node-a", "A", since=-1000, heard=-20, vip=VIP6),
            announce("B", from_=1, until=60, vip=VIP6),
        )
    )
    assert run.vip(VIP6).moves == 1


def test_own_frames_against_memory() -> None:
    """One mac on every node; the frames leave this node, another is remembered: one move, whenever the lease comes."""
    run = Run(new_core(observer="node-b"))
    run.feed(
        interleave(
            AB,
            remembered(0, "node-a", "H", since=-1000, heard=-20),
            service(0, "", **SHARED),
            announce("H", from_=1, until=90, outgoing=True),
            lease(40, "node-b"),
        )
    )
    assert (run.vip().moves, run.vip().holder) == (1, "node-b")


# --- strangers' words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "..", "a.", "-", "192.0.2.1", "\N{LATIN SMALL LETTER SHARP S}", "x" * 253])
def test_any_name_is_taken(name: str) -> None:
    """Whatever lease and vipHost say, nothing is raised, and a name is one node with itself."""
    run = play(interleave(AB, service(0, name), leases(0, name), announce("X", until=60)))
    assert mismatch_events(run, "lease") == []


def test_a_frame_of_a_router_is_no_node() -> None:
    """A virtual router mac resolves to nobody; the lease names the holder."""
    run = play(interleave(AB, leases(0, "node-b"), [frame(Mac(bytes.fromhex("00005e000101")), at) for at in range(9)]))
    assert (run.vip().holder, run.vip().holder_source) == ("node-b", Source.LEASE)


def test_inputs_for_addresses_that_nobody_watches_change_nothing() -> None:
    lease_seen = LeaseSeen(seconds(1), NEW_VIP, "node-a")
    run = play([lease_seen, *lease_gone(2, NEW_VIP), *remembered(3, "node-a", "A", since=-1, heard=-1, vip=NEW_VIP)])
    assert [vip.address for vip in run.core.snapshot().vips] == [VIP]
