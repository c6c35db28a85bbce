"""Which node a mac belongs to: configured, one of this node's own interfaces, or heard from a node's own address."""

from __future__ import annotations

import random

import pytest

from exporter.vip.model import ClaimantClass, Input, Mac, Mode, Node, Source, State, format_mac, seconds
from exporter.vip.nodes import NEIGHBOUR_AGE
from tests.vip.more import (
    ADDRESS,
    SUBNET,
    believed,
    check_row,
    heard,
    host,
    host_lost,
    known,
    leases,
    link,
    named,
    node_macs,
)
from tests.vip.situations import (
    JUST,
    VIP,
    VIP6,
    Row,
    Run,
    Shows,
    announce,
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
from tests.vip.test_properties import elements

AGE = NEIGHBOUR_AGE / 1e9
KNOWN = nodes(0, known("A"), known("B"))
"""Two nodes, their addresses known and their macs not."""
SHARED = {"mode": Mode.DHCP, "hwaddr": "H", "announces_hwaddr": True}

ROWS = [
    Row(
        "a frame for a node's own address teaches its mac: the wire names the node from then on",
        interleave(KNOWN, announce("A", until=20), heard(10, "A")),
        {
            10 - JUST: Shows("held", "A", holder=""),
            10: Shows("held", "A", holder="node-a"),
            20: Shows("held", "A", holder="node-a"),
        },
    ),
    Row(
        "a frame heard before the VIP is announced counts as well",
        interleave(KNOWN, heard(1, "A"), announce("A", from_=5, until=20)),
        {5: Shows("held", "A", holder="node-a")},
    ),
    Row(
        "a frame for an address of no node teaches nothing",
        interleave(KNOWN, heard(1, "A", "192.0.2.77"), announce("A", until=20)),
        {20: Shows("held", "A", holder="")},
    ),
    Row(
        "a mac heard for a node's IPv4 address is its mac for an IPv6 VIP too",
        interleave(KNOWN, heard(1, "A"), announce("A", until=20, vip=VIP6)),
        {20: Shows("held", "A", holder="node-a")},
        vip=VIP6,
    ),
    Row(
        "a mac heard for a node's IPv6 address",
        interleave(
            nodes(0, known("A", addresses=["192.0.2.1", "2001:db8::1"])),
            heard(1, "A", "2001:db8::1"),
            announce("A", until=20),
        ),
        {20: Shows("held", "A", holder="node-a")},
    ),
    Row(
        "a node that may not hold the VIP is named where it does",
        interleave(
            nodes(0, known("A"), known("B", candidate=False)), heard(0, "A"), heard(0, "B"), announce("B", until=20)
        ),
        {20: Shows("held", "B", holder="node-b")},
    ),
    Row(
        "heard from two nodes' addresses, a mac names neither; the lease does",
        interleave(
            KNOWN,
            lease(0, "node-b"),
            heard(1, "X", ADDRESS["A"]),
            announce("X", until=20),
            heard(10, "X", ADDRESS["B"]),
        ),
        {9: Shows("held", "X", holder="node-a"), 11: Shows("held", "X", holder="node-b")},
    ),
    Row(
        "a configured mac beats a frame that claims it for another node",
        interleave(nodes(0, known("A", "A"), known("B")), announce("A", until=20), heard(10, "A", ADDRESS["B"])),
        {20: Shows("held", "A", holder="node-a")},
    ),
    Row(
        "the mac of an own interface beats a frame that claims it for another node",
        interleave(KNOWN, host(0, link("mgmt-br", "A", SUBNET)), announce("A", until=20), heard(10, "A", ADDRESS["B"])),
        {20: Shows("held", "A", holder="node-a")},
        observer="node-a",
    ),
    Row(
        "the mac of an own interface names this node, though the frames come from outside",
        interleave(host(0, link("mgmt-br", "A", SUBNET)), lease(0, "node-b"), announce("A", until=20)),
        {20: Shows("held", "A", holder="node-a")},
        observer="node-a",
    ),
    Row(
        "two nodes with one configured mac: it names neither",
        interleave(nodes(0, known("A", "X"), known("B", "X")), announce("X", until=20)),
        {20: Shows("held", "X", holder="")},
    ),
    Row(
        "an own interface with a mac that is configured for another node: it names neither",
        interleave(
            nodes(0, known("A"), known("B", "A")), host(0, link("mgmt-br", "A", SUBNET)), announce("A", until=20)
        ),
        {20: Shows("held", "A", holder="")},
        observer="node-a",
    ),
    Row(
        "the bridge of this node takes another mac while it holds the VIP: a mac change, no move",
        interleave(
            KNOWN,
            host(0, link("mgmt-br", "A", SUBNET)),
            announce("A", until=30, outgoing=True),
            host(32, link("mgmt-br", "X", SUBNET)),
            announce("X", from_=33, until=60, outgoing=True),
        ),
        {60: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1, events="vip_seen mac_changed")},
        observer="node-a",
    ),
    Row(
        "the same heard by another node: the new mac speaks for the same address",
        interleave(
            KNOWN,
            heard(1, "A"),
            announce("A", until=30),
            heard(34, "X", ADDRESS["A"]),
            announce("X", from_=33, until=60),
        ),
        {60: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1, events="vip_seen mac_changed")},
    ),
    Row(
        "a second mac of the holder's node is heard for its address before the episode is a contest: flux",
        interleave(
            KNOWN,
            heard(0, "A"),
            announce("A", until=80),
            announce("X", from_=31, until=80),
            heard(36, "X", ADDRESS["A"]),
        ),
        {
            35: Shows("moving", "A", holder="node-a", claimants="A X"),
            80: Shows("held", "A", holder="node-a", claimants="A X", events="vip_seen"),
        },
    ),
    Row(
        "the mac of the old holder's node is learned only then: two macs of one node are flux",
        interleave(
            KNOWN,
            announce("A", until=80),
            announce("X", from_=31, until=80),
            heard(33, "A"),
            heard(36, "X", ADDRESS["A"]),
        ),
        {80: Shows("held", "A", holder="node-a", claimants="A X", events="vip_seen")},
    ),
    Row(
        "it is learned when the contest is on: that ends without a move",
        interleave(
            KNOWN,
            heard(0, "A"),
            announce("A", until=80),
            announce("X", from_=31, until=80),
            heard(50, "X", ADDRESS["A"]),
        ),
        {
            49: Shows("contested", claimants="A X", contests=1),
            80: Shows(
                "held",
                "A",
                holder="node-a",
                claimants="A X",
                contests=1,
                events="vip_seen contest_started contest_ended",
            ),
        },
    ),
    Row(
        "the new holder's mac is learned within the episode: a move like any other",
        interleave(KNOWN, heard(0, "A"), announce("A", until=30), announce("B", from_=32, until=60), heard(34, "B")),
        {60: Shows("held", "B", holder="node-b", moves=1, handover=2, moved_at=32, events="vip_seen vip_moved")},
    ),
    Row(
        "both macs are learned within the episode, and belong to two nodes: a move",
        interleave(KNOWN, announce("A", until=30), announce("B", from_=32, until=60), heard(33, "A"), heard(34, "B")),
        {60: Shows("held", "B", holder="node-b", moves=1, handover=2, moved_at=32, events="vip_seen vip_moved")},
    ),
    Row(
        "the macs are learned while the old holder's release overlap goes on: it claims nothing all the same",
        interleave(
            KNOWN,
            lease(0, "node-a"),
            announce("A", until=37),
            lease(31, "node-b"),
            announce("B", from_=31.5, until=80),
            heard(34, "A"),
            heard(34, "B"),
        ),
        {
            80: Shows("held", "B", holder="node-b", claimants="B", moves=1, moved_at=31.5, events="vip_seen vip_moved"),
        },
    ),
    Row(
        "two macs that were one node's turn out to be two nodes': contested while both go on",
        interleave(
            nodes(0, node("AX"), node("B")),
            announce("A", until=90),
            announce("X", from_=1, until=90),
            nodes(40, node("A"), node("X")),
        ),
        {39: Shows("held", "A", holder="node-a", claimants="A X"), 90: Shows("contested", claimants="A X", contests=1)},
    ),
    Row(
        "this node's name as it calls itself, and as Kubernetes does: one node",
        interleave(
            nodes(0, known("A"), known("B")),
            host(0, link("mgmt-br", "A", SUBNET)),
            service(0, "node-a"),
            lease(0, "node-a"),
            announce("A", until=60, outgoing=True),
            heard(5, "A"),
        ),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
        observer="NODE-A.example.com",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_row(row: Row) -> None:
    """Each moment of the row shows what it must."""
    check_row(row)


# --- what is known of the nodes ---------------------------------------------------------------------------------------


def test_each_mac_shows_where_it_was_learned() -> None:
    """Configured and heard ones without a device, own ones with it; a mac without address is none."""
    run = play(
        interleave(
            nodes(0, known("A", "A"), known("B"), known("C")),
            host(1, link("mgmt-br", "C", SUBNET), link("lo", None, "127.0.0.0/8")),
            heard(2, "B"),
        ),
        core=new_core(observer="node-c"),
    )
    assert node_macs(run) == {("node-a", "A", ""), ("node-b", "B", ""), ("node-c", "C", "mgmt-br")}
    assert {one.name: one.macs for one in run.core.snapshot().nodes} == {
        f"node-{letter.lower()}": (format_mac(mac_of(letter)),) for letter in "ABC"
    }


def test_nodes_are_shown_with_their_addresses_and_whether_they_are_candidates() -> None:
    run = play(nodes(0, known("A"), known("B", candidate=False)))
    assert [
        (one.name, [str(address) for address in one.addresses], one.candidate) for one in run.core.snapshot().nodes
    ] == [
        ("node-a", ["192.0.2.1"], True),
        ("node-b", ["192.0.2.2"], False),
    ]


def test_what_was_heard_ages_out() -> None:
    """A mac is forgotten some time after its last frame, not after its first; the wire then names nobody."""
    run = play(interleave(KNOWN, frames("A", 1), heard(2, "A"), heard(60, "A")), core=new_core(period=0))
    run.until(2 + AGE + 1)
    assert (run.vip().holder, node_macs(run)) == ("node-a", {("node-a", "A", "")})
    run.until(60 + AGE - 1)
    assert (run.vip().holder, node_macs(run)) == ("node-a", {("node-a", "A", "")})
    run.until(60 + AGE + 1)
    assert (run.vip().holder, node_macs(run)) == ("", set())
    assert (run.vip().moves, run.vip().mac_changes) == (0, 0)
    run.feed(heard(60 + AGE + 10, "A"))
    assert run.vip().holder == "node-a"


def test_what_is_configured_or_an_own_interface_never_ages() -> None:
    core = new_core(observer="node-b")
    run = play(
        interleave(nodes(0, known("A", "A"), known("B")), host(0, link("mgmt-br", "B"))), core=core, until=9 * AGE
    )
    assert node_macs(run) == {("node-a", "A", ""), ("node-b", "B", "mgmt-br")}


def test_a_mac_heard_from_two_nodes_is_reported() -> None:
    """It is shown with both nodes, and names the one that is left when the other's frames are long ago."""
    inputs = interleave(KNOWN, frames("X", 1), heard(2, "X", ADDRESS["A"]), heard(100, "X", ADDRESS["B"]))
    run = play(inputs, core=new_core(period=0))
    assert run.vip().holder == ""
    assert {mac: set(claim) for mac, claim in run.core.snapshot().shared_macs.items()} == {
        format_mac(mac_of("X")): {"node-a", "node-b"}
    }
    run.until(50 + AGE)
    assert run.vip().holder == "node-b"
    assert dict(run.core.snapshot().shared_macs) == {}


def test_a_mac_configured_for_two_nodes_is_reported() -> None:
    run = play(nodes(0, known("A", "AX"), known("B", "BX")))
    assert {mac: set(claim) for mac, claim in run.core.snapshot().shared_macs.items()} == {
        format_mac(mac_of("X")): {"node-a", "node-b"}
    }


def test_a_node_that_is_gone_takes_its_heard_macs_away() -> None:
    run = play(
        interleave(KNOWN, heard(1, "A"), heard(1, "B"), announce("A", until=9), nodes(10, known("B")), frames("A", 12))
    )
    assert run.vip().holder == ""
    assert node_macs(run) == {("node-b", "B", "")}


def test_an_address_that_goes_to_another_node_takes_its_mac_along() -> None:
    """The mac was node-a's because it spoke for an address that is node-b's now."""
    run = play(
        interleave(
            KNOWN,
            heard(1, "X", ADDRESS["A"]),
            announce("X", until=9),
            nodes(10, known("A", addresses=["192.0.2.9"]), known("B", addresses=[ADDRESS["A"]])),
            frames("X", 12),
        )
    )
    assert run.vip().holder != "node-a"
    run.feed(heard(13, "X", ADDRESS["A"]))
    assert run.vip().holder == "node-b"


def test_a_link_that_changes_its_mac_forgets_the_old_one() -> None:
    core = new_core(observer="node-a")
    run = play([*host(0, link("mgmt-br", "A")), *host(1, link("mgmt-br", "X")), *frames("A", 2)], core=core)
    assert node_macs(run) == {("node-a", "X", "mgmt-br")}
    assert run.vip().holder == ""


def test_two_links_with_one_mac() -> None:
    """A bridge and its VLAN have one mac; it is this node's all the same."""
    core = new_core(observer="node-a")
    run = play([*host(0, link("mgmt-br", "A"), link("mgmt-br.42", "A")), *frames("A", 2)], core=core)
    assert run.vip().holder == "node-a"
    assert {device for _, _, device in node_macs(run)} >= {"mgmt-br"}
    assert dict(run.core.snapshot().shared_macs) == {}


@pytest.mark.parametrize("own", [False, True])
def test_an_own_mac_that_is_heard_and_configured_too_is_one_node_s(own: bool) -> None:
    """All ways of knowing agree, so nothing is shared."""
    core = new_core(observer="node-a" if own else "node-b")
    run = play(
        interleave(
            nodes(0, known("A", "A"), known("B")),
            heard(1, "A"),
            host(2, link("eth0", "A" if own else "B")),
            frames("A", 3),
        ),
        core=core,
    )
    assert run.vip().holder == "node-a"
    assert dict(run.core.snapshot().shared_macs) == {}


# --- strangers --------------------------------------------------------------------------------------------------------


def flood(address: str, count: int, *, from_: float, every: float) -> list[Input]:
    chance = random.Random(address)
    return [
        one
        for number in range(count)
        for one in heard(from_ + number * every, Mac(b"\x06" + chance.randbytes(5)), address)
    ]


@pytest.mark.parametrize("addresses", [[ADDRESS["A"]], [ADDRESS["A"], ADDRESS["B"]]])
def test_a_flood_of_macs_for_a_nodes_address_is_bounded(addresses: list[str]) -> None:
    """However many random macs speak for a node's address, few are kept, and the node's own is one of them."""
    run = play(interleave(KNOWN, heard(0, "A"), heard(1, "A"), heard(1, "B")))
    before = elements(run.core)
    storm = interleave(
        *(flood(address, 3000, from_=5, every=0.02) for address in addresses),
        *(heard(at, "A") for at in range(5, 65, 10)),
        announce("A", until=65),
    )
    largest = 0
    for number, step in enumerate(storm):
        run.core.observe(step)
        if number % 100 == 0:
            largest = max(largest, elements(run.core))
            assert ("node-a", "A", "") in node_macs(run)
    assert len(node_macs(run)) <= 64
    assert largest - before < 1500
    assert run.vip().holder == "node-a"
    assert (run.vip().moves, run.vip().contests) == (0, 0)


def test_a_flood_that_comes_first_does_not_keep_the_node_s_mac_out_for_ever() -> None:
    """The real mac comes when the flood is over: sooner or later it is known."""
    run = play(interleave(KNOWN, flood(ADDRESS["A"], 1000, from_=1, every=0.02)))
    at = 30.0
    while at < 2 * AGE + 100:
        run.feed(heard(at, "A"))
        at += 60
    assert ("node-a", "A", "") in node_macs(run)


# --- one mac on every node --------------------------------------------------------------------------------------------

BOTH = interleave(KNOWN, heard(0, "A"), heard(0, "B"))


@pytest.mark.parametrize("version", [True, None])
@pytest.mark.parametrize("by", [("A",), ("A", "B")])
def test_the_shared_mac_that_is_heard_from_nodes_names_none(version: bool | None, by: tuple[str, ...]) -> None:
    """The macvlan speaks for the node's address as well: hwaddr is still everyone's, the lease names the holder."""
    said = {**SHARED, "announces_hwaddr": version}
    run = play(
        interleave(
            BOTH,
            service(0, "node-b", **said),
            lease(0, "node-b"),
            announce("H", until=40),
            *(heard(10 + number, "H", ADDRESS[letter]) for number, letter in enumerate(by)),
        )
    )
    assert run.vip().holder == "node-b"
    assert run.vip().holder_source is Source.LEASE
    assert [one.claimant_class for one in run.vip().claimants] == [ClaimantClass.HWADDR]
    assert [one.holder for one in run.vip().claimants] == [""]
    assert [event.name for event in run.events] == ["vip_seen"]


@pytest.mark.parametrize("version", [True, None])
def test_the_shared_mac_on_an_own_macvlan_names_nobody(version: bool | None) -> None:
    """The ex-leader's macvlan stays up with the same mac, while the frames come from outside."""
    said = {**SHARED, "announces_hwaddr": version}
    run = play(
        interleave(
            KNOWN,
            host(0, link("mgmt-br", "A", SUBNET), link("vip-1a2b3c4d", "H")),
            service(0, "node-b", **said),
            lease(0, "node-b"),
            announce("H", until=60),
        ),
        core=new_core(observer="node-a"),
    )
    assert (run.vip().holder, run.vip().holder_source) == ("node-b", Source.LEASE)
    assert run.names() == ["vip_seen"]


def test_the_shared_mac_that_leaves_this_node_is_this_node() -> None:
    """Direction decides where the mac cannot: the lease says another."""
    run = play(
        interleave(
            KNOWN,
            host(0, link("mgmt-br", "A", SUBNET), link("vip-1a2b3c4d", "H")),
            service(0, "node-b", **SHARED),
            lease(0, "node-b"),
            announce("H", until=60, outgoing=True),
        ),
        core=new_core(observer="node-a"),
    )
    wire = believed(run, Source.WIRE)
    assert wire is not None
    assert wire.node == "node-a"
    assert (run.vip().holder, run.vip().holder_source) == ("node-a", Source.WIRE)
    assert "host" in {str(one.check) for one in run.vip().mismatches}


def test_the_wire_cannot_name_a_node_by_the_shared_mac_and_says_so() -> None:
    """It shows the mac and no node; nothing is invented where no other source speaks."""
    run = play(interleave(BOTH, service(0, **SHARED), announce("H", until=20)))
    wire = believed(run, Source.WIRE)
    assert wire is not None
    assert (wire.node, wire.mac) == ("", format_mac(mac_of("H")))
    assert (run.vip().holder, run.vip().holder_source) == ("", None)


def test_a_hwaddr_that_changes_frees_the_old_one() -> None:
    """A mac is everyone's only as long as it is the hwaddr."""
    run = play(
        interleave(
            BOTH,
            service(0, "node-a", mode=Mode.DHCP, hwaddr="A", announces_hwaddr=True),
            announce("A", until=40),
            service(20, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
        )
    )
    assert named(run)["wire"] == "node-a"


# --- classes ----------------------------------------------------------------------------------------------------------

FHRP = ["00005e000101", "00005e0001ff", "00005e000201", "00000c07ac00", "00000c07acff"]


@pytest.mark.parametrize(
    ("words", "who", "inputs", "expected"),
    [
        ("all candidates heard", "X", interleave(KNOWN, heard(0, "A"), heard(0, "B")), ClaimantClass.FOREIGN),
        ("one candidate not heard", "X", interleave(KNOWN, heard(0, "A")), ClaimantClass.UNRESOLVED),
        (
            "heard, configured and an own interface",
            "X",
            interleave(nodes(0, known("A"), known("B", "B"), known("C")), heard(0, "A"), host(0, link("eth0", "C"))),
            ClaimantClass.FOREIGN,
        ),
        (
            "the one that is not heard may not hold the VIP",
            "X",
            interleave(nodes(0, known("A"), known("B", candidate=False)), heard(0, "A")),
            ClaimantClass.FOREIGN,
        ),
        (
            "the only one heard may not hold the VIP",
            "X",
            interleave(nodes(0, known("A"), known("B", candidate=False)), heard(0, "B")),
            ClaimantClass.UNRESOLVED,
        ),
        ("no nodes known", "X", nodes(0), ClaimantClass.UNRESOLVED),
        ("a node's", "A", interleave(KNOWN, heard(0, "A")), ClaimantClass.NODE),
        (
            "that of a node which may not hold the VIP",
            "B",
            interleave(nodes(0, known("A"), known("B", candidate=False)), heard(0, "B")),
            ClaimantClass.NODE,
        ),
        ("an own interface's", "C", interleave(nodes(0, known("C")), host(0, link("eth0", "C"))), ClaimantClass.NODE),
        *(
            (f"router {mac}", Mac(bytes.fromhex(mac)), interleave(KNOWN, heard(0, "A")), ClaimantClass.FHRP)
            for mac in FHRP
        ),
        *((f"router {mac}, all known", Mac(bytes.fromhex(mac)), BOTH, ClaimantClass.FHRP) for mac in FHRP),
        ("nearly a router's", Mac(bytes.fromhex("00005e000301")), BOTH, ClaimantClass.FOREIGN),
        ("nearly a router's", Mac(bytes.fromhex("00000c07ab01")), BOTH, ClaimantClass.FOREIGN),
        ("hwaddr", "H", interleave(BOTH, service(0, **SHARED)), ClaimantClass.HWADDR),
        ("hwaddr, not all nodes known", "H", interleave(KNOWN, service(0, **SHARED)), ClaimantClass.HWADDR),
        (
            "a left-over hwaddr in static mode",
            "H",
            interleave(BOTH, service(0, **{**SHARED, "mode": Mode.STATIC})),
            ClaimantClass.FOREIGN,
        ),
    ],
)
def test_class_of_a_claimant(words: str, who: str | Mac, inputs: list[Input], expected: ClaimantClass) -> None:
    """A stranger is foreign only where no candidate's mac is left to learn."""
    run = play([*inputs, frame(who, 1)], core=new_core(observer="node-c"))
    assert [one.claimant_class for one in run.vip().claimants] == [expected]
    assert [one.claimant_class for one in run.vip().listed_claimants] == [expected]
    assert {name: count for name, count in run.vip().claims.items() if count} == {expected: 1}


def test_class_follows_what_is_learned() -> None:
    """Unresolved while a candidate is unknown, foreign when all are known, unresolved again when one has aged out."""
    run = play(interleave(KNOWN, heard(0, "A"), frames("X", 1)), core=new_core(period=0))

    def now() -> ClaimantClass:
        run.feed(frames("X", run.core.now / 1e9 + 1))
        return run.vip().claimants[0].claimant_class

    assert now() is ClaimantClass.UNRESOLVED
    run.feed(heard(10, "B"))
    assert now() is ClaimantClass.FOREIGN
    run.feed(heard(2000, "A"))
    run.until(10 + AGE + 1)
    assert now() is ClaimantClass.UNRESOLVED


def test_a_node_without_name_resolution_is_no_reason_to_be_foreign() -> None:
    """A shared mac is known, but of neither node: a stranger may be either's."""
    run = play(interleave(KNOWN, heard(0, "Y", ADDRESS["A"]), heard(0, "Y", ADDRESS["B"]), frames("X", 1)))
    assert [one.claimant_class for one in run.vip().claimants] == [ClaimantClass.UNRESOLVED]


def test_a_node_that_was_heard_with_the_shared_mac_only_is_not_known() -> None:
    """Its own mac may be any, so a stranger may be that node."""
    run = play(interleave(KNOWN, service(0, **SHARED), heard(0, "A"), heard(0, "H", ADDRESS["B"]), frames("X", 1)))
    assert [one.claimant_class for one in run.vip().claimants] == [ClaimantClass.UNRESOLVED]


def test_what_is_known_of_nodes_survives_the_loss_of_the_host() -> None:
    """Only what is bound cannot be told any more; macs that were heard are still known."""
    run = play(
        interleave(KNOWN, heard(0, "B"), host(0, link("eth0", "A")), announce("B", until=20), host_lost(10)),
        core=new_core(observer="node-a"),
    )
    assert run.vip().holder == "node-b"
    assert run.vip().bound is None


def test_a_mac_learned_late_moves_nobody() -> None:
    """A's mac is learned long after A was seen: the wire names it from then on, and that is no move."""
    run = Run(new_core())
    run.feed(interleave(KNOWN, lease(0, "node-a"), service(0, "node-a"), announce("A", until=60), heard(31, "A")))
    assert named(run) == {"wire": "node-a", "lease": "node-a", "annotation": "node-a"}
    assert (run.vip().moves, dict(run.vip().source_moves)) == (0, dict.fromkeys(Source, 0))
    assert run.names() == ["vip_seen"]


def test_a_mac_that_turns_out_to_be_another_node_s_is_no_move() -> None:
    """The lease named node-a while the wire could name nobody; the mac turns out to be node-b's. Nothing moved."""
    run = Run(new_core())
    run.feed(interleave(KNOWN, leases(0, "node-a"), announce("B", until=60), heard(31, "B")))
    assert (run.vip().holder, run.vip().holder_source) == ("node-b", Source.WIRE)
    assert (run.vip().moves, run.vip().state) == (0, State.HELD)


def test_nodes_that_are_told_again_change_nothing() -> None:
    """Nodes are listed anew every few minutes: what was heard of them stays."""
    run = play(
        interleave(
            KNOWN,
            heard(1, "A"),
            announce("A", until=60),
            *(nodes(at, known("A"), known("B")) for at in range(2, 60, 7)),
        )
    )
    assert run.vip().holder == "node-a"
    assert run.names() == ["vip_seen"]
    assert run.core.now == seconds(60)


def test_a_node_that_gets_another_address_keeps_its_configured_mac() -> None:
    moved = Node("node-a", known("A", addresses=["192.0.2.9"]).addresses, (mac_of("A"),))
    run = play(interleave(nodes(0, known("A", "A"), known("B")), announce("A", until=20), nodes(10, moved, known("B"))))
    assert run.vip().holder == "node-a"


def test_frames_for_the_vip_itself_teach_nothing() -> None:
    """The VIP is no node's own address, even where a node carries it among its addresses for a while."""
    run = play(interleave(KNOWN, heard(1, "X", str(VIP)), announce("X", until=20)))
    assert node_macs(run) == set()
