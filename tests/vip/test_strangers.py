"""A stranger holds the wire while Kubernetes names a node: who can tell that it is not that node, and what follows."""

from __future__ import annotations

import pytest

from exporter.vip.agreement import Answer, answer
from exporter.vip.model import ClaimantClass, Input, Mac, Mode, State
from tests.vip.more import (
    ADDRESS,
    SUBNET,
    check_row,
    heard,
    host,
    host_lost,
    known,
    kubernetes,
    leases,
    link,
    mismatch_events,
    mismatches,
    of_name,
    remembered,
)
from tests.vip.situations import (
    JUST,
    SETTLE,
    Row,
    Run,
    Shows,
    announce,
    bound,
    frame,
    in_seconds,
    interleave,
    lease,
    new_core,
    nodes,
    play,
    service,
)

HERE = interleave(nodes(0, known("A"), known("B")), host(0, link("mgmt-br", "A", SUBNET)), heard(0, "B"))
"""As node-a knows it: its own interface, and what it heard of the other one."""
THERE = interleave(nodes(0, known("A"), known("B")), heard(0, "A"), heard(0, "B"))
"""As heard from elsewhere."""
NAMED = interleave(
    service(0, "node-a"), *(leases(at, "node-a", expires=at + 15, acquired=-500) for at in range(0, 120, 5))
)
"""Lease and annotation name node-a all along."""
TOLD = Shows("held", "X", holder="node-a", claimants="X", mismatches="host mac")
NOT_TOLD = Shows("held", "X", holder="node-a", claimants="X", events="vip_seen")
ROUTER = Mac(bytes.fromhex("00005e000101"))


def router(*, until: int, from_: int = 0) -> list[Input]:
    return [frame(ROUTER, at) for at in range(from_, until + 1, 3)]


# --- mismatches -------------------------------------------------------------------------------------------------------

ROWS = [
    Row(
        "from the start, on the node that is named: mismatch host, and in static mode mac",
        interleave(HERE, NAMED, announce("X", until=60)),
        {SETTLE: NOT_TOLD, SETTLE + JUST: TOLD, 60: TOLD},
        observer="node-a",
    ),
    Row(
        "the same, and no lease is known",
        interleave(HERE, service(0, "node-a"), announce("X", until=60)),
        {60: TOLD},
        observer="node-a",
    ),
    Row(
        "the same, and the annotation writes the name in full and in capitals",
        interleave(HERE, service(0, "NODE-A.example.com"), announce("X", until=60)),
        {60: TOLD},
        observer="node-a",
    ),
    Row(
        "the same in DHCP mode up to kube-vip 0.8.1: mismatch host",
        interleave(
            HERE,
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=False),
            lease(0, "node-a"),
            announce("X", until=60),
        ),
        {60: Shows("held", "X", holder="node-a", mismatches="host")},
        observer="node-a",
    ),
    Row(
        "it is named, but elsewhere: a stranger may be its second interface, or its bridge's new mac",
        interleave(THERE, NAMED, announce("X", until=60)),
        {60: NOT_TOLD},
    ),
    Row(
        "elsewhere, though the macs are configured: they may have changed since",
        interleave(nodes(0, known("A", "A"), known("B", "B")), NAMED, announce("X", until=60)),
        {60: NOT_TOLD},
    ),
    Row(
        "on another node than the one that is named",
        interleave(
            nodes(0, known("A"), known("B")),
            host(0, link("mgmt-br", "B", SUBNET)),
            heard(0, "A"),
            NAMED,
            announce("X", until=60),
        ),
        {60: NOT_TOLD},
        observer="node-b",
    ),
    Row(
        "the mac of a candidate is still unknown: never a mismatch",
        interleave(
            nodes(0, known("A"), known("B")),
            host(0, link("mgmt-br", "A", SUBNET)),
            NAMED,
            announce("X", until=90),
            heard(60, "B"),
        ),
        {60: NOT_TOLD, 75: NOT_TOLD, 75 + JUST: TOLD},
        observer="node-a",
    ),
    Row(
        "no node is known",
        interleave(host(0, link("mgmt-br", "A", SUBNET)), NAMED, announce("X", until=60)),
        {60: NOT_TOLD},
        observer="node-a",
    ),
    Row(
        "no node may hold the VIP",
        interleave(
            nodes(0, known("A", candidate=False)),
            host(0, link("mgmt-br", "A", SUBNET)),
            NAMED,
            announce("X", until=60),
        ),
        {60: NOT_TOLD},
        observer="node-a",
    ),
    Row(
        "two nodes claim the mac, so it is no stranger's",
        interleave(
            nodes(0, known("A"), known("B"), known("C")),
            host(0, link("mgmt-br", "A", SUBNET)),
            *(heard(0, letter) for letter in "BC"),
            *(heard(1, "X", ADDRESS[letter]) for letter in "BC"),
            NAMED,
            announce("X", until=60),
        ),
        {60: NOT_TOLD},
        observer="node-a",
    ),
    Row(
        "this node's interfaces are not known: its own mac was only heard",
        interleave(THERE, NAMED, announce("X", until=60)),
        {60: NOT_TOLD},
        observer="node-a",
    ),
    Row(
        "they cannot be told any more: the mismatch ends",
        interleave(HERE, NAMED, announce("X", until=60), host_lost(40)),
        {
            40 - JUST: TOLD,
            40: Shows(
                "held",
                "X",
                holder="node-a",
                events="vip_seen mismatch_started mismatch_started mismatch_ended mismatch_ended",
            ),
        },
        observer="node-a",
    ),
    Row(
        "the frames leave this node: it is this node's, whatever the mac",
        interleave(HERE, NAMED, announce("X", until=60, outgoing=True)),
        {60: NOT_TOLD},
        observer="node-a",
    ),
    Row(
        "they leave it, and are reflected too",
        interleave(HERE, NAMED, announce("X", until=60, outgoing=True), announce("X", from_=0.1, until=60)),
        {60: NOT_TOLD},
        observer="node-a",
    ),
    Row(
        "the mac that every node has in turn",
        interleave(
            HERE,
            service(0, "node-a", mode=Mode.DHCP, hwaddr="X", announces_hwaddr=True),
            lease(0, "node-a"),
            announce("X", until=60),
        ),
        {60: NOT_TOLD},
        observer="node-a",
    ),
    Row(
        "the annotation is a leftover beside an expired lease",
        interleave(HERE, service(0, "node-a"), leases(0, "node-a", expires=5), announce("X", until=60)),
        {60: Shows("held", "X", claimants="X", events="vip_seen")},
        observer="node-a",
    ),
    Row(
        "only the lease names the node: nothing that it could be compared with",
        interleave(HERE, leases(0, "node-a", expires=100), announce("X", until=60)),
        {60: NOT_TOLD},
        observer="node-a",
    ),
    Row(
        "Kubernetes does not answer, and later is stale: not raised",
        interleave(
            HERE,
            NAMED,
            announce("X", until=119),
            kubernetes(10, answers=False),
            kubernetes(60, answers=False, fresh=False),
            kubernetes(80, answers=True),
        ),
        {60: NOT_TOLD, 80 + SETTLE: NOT_TOLD, 80 + SETTLE + JUST: TOLD},
        observer="node-a",
    ),
    Row(
        "the bridge of the named node takes another mac, which nobody has told elsewhere: a mac change, no mismatch",
        interleave(THERE, NAMED, announce("A", until=30), announce("X", from_=33, until=110)),
        {110: Shows("held", "X", "node-a", claimants="X", mac_changes=1, events="vip_seen mac_changed")},
    ),
    Row(
        "the same on the node itself",
        interleave(
            HERE,
            NAMED,
            announce("A", until=30, outgoing=True),
            host(32, link("mgmt-br", "X", SUBNET)),
            announce("X", from_=33, until=110, outgoing=True),
        ),
        {110: Shows("held", "X", "node-a", claimants="X", mac_changes=1, events="vip_seen mac_changed")},
        observer="node-a",
    ),
    Row(
        "the same, and its frames are reflected",
        interleave(
            HERE,
            NAMED,
            announce("A", until=30, outgoing=True),
            announce("A", from_=0.1, until=30.1),
            host(32, link("mgmt-br", "X", SUBNET)),
            announce("X", from_=33, until=110, outgoing=True),
            announce("X", from_=33.1, until=110),
        ),
        {110: Shows("held", "X", "node-a", claimants="X", mac_changes=1, events="vip_seen mac_changed")},
        observer="node-a",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_row(row: Row) -> None:
    """Each moment of the row shows what it must."""
    check_row(row)


@pytest.mark.parametrize("known_macs", [THERE, []], ids=["all macs known", "no mac known"])
def test_a_router_s_mac_is_no_node_s_wherever_it_is_heard(known_macs: list[Input]) -> None:
    run = play(interleave(known_macs, NAMED, router(until=119)))
    assert mismatches(run) == {"host": 0, "mac": 0}
    assert mismatch_events(run, "host") == [("started", SETTLE)]
    assert answer(run.vip()) is Answer.DISAGREEMENT


def test_a_router_s_mac_that_nobody_contradicts_is_no_disagreement() -> None:
    """VRRP may be how this VIP works."""
    run = play(interleave(THERE, router(until=60)))
    assert mismatches(run) == {}
    assert answer(run.vip()) is Answer.AGREED


# --- moves ------------------------------------------------------------------------------------------------------------


def test_a_stranger_takes_over_and_gives_back_as_the_named_node_sees_it() -> None:
    """The lease goes on naming the node, but cannot make its own what is certainly not: two moves, and a mismatch."""
    run = Run(new_core(observer="node-a"))
    run.feed(
        interleave(
            HERE,
            NAMED,
            announce("A", until=30, outgoing=True),
            announce("X", from_=33, until=80),
            announce("A", from_=82, until=119, outgoing=True),
        )
    )
    assert [(event.fields["from"], event.fields["to"]) for event in of_name(run, "vip_moved")] == [
        ("node-a", ""),
        ("", "node-a"),
    ]
    assert (run.vip().moves, run.vip().mac_changes, run.vip().holder) == (2, 0, "node-a")
    assert [name for name, _ in mismatch_events(run, "host")] == ["started", "ended"]
    assert run.vip().mismatches == ()


@pytest.mark.parametrize(
    ("holder", "mac", "moves"),
    [("node-a", "A", 2), ("", "X", 1), ("node-a", "X", 1)],
    ids=["the node", "the stranger", "the stranger, as the node"],
)
def test_a_stranger_across_a_restart(holder: str, mac: str, moves: int) -> None:
    """Whatever was remembered: the mismatch is raised, and the node's return is a move."""
    run = Run(new_core(observer="node-a"))
    inputs = interleave(
        HERE,
        remembered(0, holder, mac, since=-100, heard=-20),
        NAMED,
        announce("X", from_=1, until=60),
        announce("A", from_=61, until=119, outgoing=True),
    )
    run.feed(step for step in inputs if step.at <= 60e9)
    assert mismatches(run).keys() == {"host", "mac"}
    run.feed(step for step in inputs if step.at > 60e9)
    assert (run.vip().moves, run.vip().mac_changes, run.vip().holder) == (moves, 0, "node-a")
    assert in_seconds(run.vip().holder_since) == 61
    assert run.vip().mismatches == ()


def test_the_node_s_own_mac_from_before_a_restart_is_no_stranger_s() -> None:
    """The bridge took another one meanwhile, and what it had is not among the interfaces any more."""
    run = play(
        interleave(
            HERE,
            remembered(0, "node-a", "X", since=-100, heard=-20),
            NAMED,
            announce("A", from_=1, until=119, outgoing=True),
        ),
        core=new_core(observer="node-a"),
    )
    assert (run.vip().moves, run.vip().mac_changes, run.vip().state) == (0, 1, State.HELD)


def test_a_router_gives_back() -> None:
    """Its mac was never the node's: a move, though the lease named the node all along."""
    run = play(interleave(THERE, NAMED, router(until=60), announce("A", from_=63, until=119)))
    assert (run.vip().moves, run.vip().mac_changes, run.vip().holder) == (1, 0, "node-a")


# --- since when -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("acquired", [-500, 20])
def test_since_when_is_the_lease_s_word_and_not_the_stranger_s(acquired: float) -> None:
    """The lease names the holder, so it says since when: also where it was acquired after the stranger began."""
    run = play(
        interleave(HERE, service(0, "node-a"), leases(25, "node-a", acquired=acquired), announce("X", until=60)),
        core=new_core(observer="node-a"),
    )
    assert (run.vip().holder, run.vip().holder_source) == ("node-a", "lease")
    assert in_seconds(run.vip().holder_since) == acquired


@pytest.mark.parametrize("frames", [announce("X", from_=5, until=60), router(from_=5, until=60)], ids=["X", "router"])
def test_since_when_a_stranger_holds_it_where_nobody_names_a_node(frames: list[Input]) -> None:
    run = play(interleave(HERE, frames), core=new_core(observer="node-a"))
    assert (run.vip().holder, in_seconds(run.vip().holder_since)) == ("", 5)


# --- class ------------------------------------------------------------------------------------------------------------


def test_a_mac_that_several_nodes_claim_is_not_foreign() -> None:
    """Every candidate is known by a mac of its own as well; this one is somebody's, if nobody knows whose."""
    both = [heard(1, "X", ADDRESS[letter]) for letter in "AB"]
    run = play(interleave(THERE, *both, announce("X", from_=2, until=20)))
    assert [one.claimant_class for one in run.vip().claimants] == [ClaimantClass.UNRESOLVED]


def test_bound_here_and_announced_by_a_stranger() -> None:
    """This node thinks that it is the holder and has the address; the one who announces is not this node."""
    run = play(interleave(HERE, NAMED, bound(0, "mgmt-br"), announce("X", until=119)), core=new_core(observer="node-a"))
    assert mismatches(run) == {"host": 0, "mac": 0}
