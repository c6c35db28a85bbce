"""Cases that are easy to miss: deadlines that have passed, names known late, MACs that the lease vouches for."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from exporter.vip.model import Check, Input, Mode, Requirement, ServiceRef, seconds
from tests.vip.more import (
    SUBNET,
    check_row,
    heard,
    host,
    known,
    leases,
    link,
    mismatches,
    named,
    of_name,
    remembered,
    wish,
)
from tests.vip.situations import (
    NEW_VIP,
    VIP,
    VIP6,
    Row,
    Shows,
    announce,
    bound,
    capture,
    frames,
    in_seconds,
    interleave,
    lease,
    new_core,
    node,
    nodes,
    play,
    service,
    service_gone,
)

NEW_VIP6 = ip_address("2001:db8::101")
OTHER = ServiceRef("kube-system", "rke2-traefik")


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["B", "AB"])
def test_a_contest_after_a_restart_does_not_keep_time_from_going_on(who: str) -> None:
    """The lease names another node than was remembered, and for longer than the settle time nothing is decided."""
    rivals = [announce(letter, until=120, from_=1 + 0.5 * number) for number, letter in enumerate(who + "C")]
    run = play(
        interleave(
            remembered(0, "node-a", "A", since=-100, heard=-5),
            service(0, "node-b"),
            leases(0, "node-b"),
            *rivals,
        ),
        until=300,
    )
    assert (run.vip().contests, run.vip().state) == (1, "silent")


def test_a_leftover_annotation_does_not_keep_time_from_going_on() -> None:
    """Once the wire is silent it is the only source, and it named its node long before the wire's."""
    run = play(
        interleave(nodes(0, "A", "B"), service(0, "node-b"), announce("A", until=40)),
        until=300,
    )
    assert (run.vip().state, run.vip().moves) == ("silent", 0)


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_written_before_the_nodes_are_known_become_the_nodes_own() -> None:
    """Whether Services, Leases or Nodes are listed first must not show in a label."""
    said = interleave(
        bound(0, "br0"),
        host(0, link("br0", "A", SUBNET)),
        service(0, "node-a"),
        leases(0, "Node-A"),
    )
    full = nodes(0, node("A", name="node-a.lab.example"), node("B", name="node-b.lab.example"))
    late = play([*said, *full], core=new_core(observer="node-a"))
    early = play([*full, *said], core=new_core(observer="node-a"))
    own = dict.fromkeys(("lease", "annotation", "local"), "node-a.lab.example")
    assert named(late) == named(early) == own
    assert late.vip().holder == early.vip().holder == "node-a.lab.example"
    assert late.vip().source_moves == early.vip().source_moves


@pytest.mark.parametrize(
    ("known_as", "written", "own"),
    [
        (("node-a.one", "node-a"), "Node-A", "node-a"),
        (("node-a.one", "node-a.two"), "node-a", "node-a"),
        (("node-a.one", "node-a.two"), "node-a.TWO", "node-a.two"),
        (("node-a", "node-b"), "node-a.one", "node-a"),
        (("node-a.one",), "node-a.two", "node-a.two"),
        (("10.0.0.1",), "10", "10"),
    ],
)
def test_a_short_name_is_one_nodes_or_nobodys(known_as: tuple[str, ...], written: str, own: str) -> None:
    """The exact name comes first; a short one that fits several nodes stays as it was written."""
    run = play(nodes(0, *(node("ABC"[number], name=name) for number, name in enumerate(known_as))))
    run.feed(service(1, written))
    assert named(run) == {"annotation": own}


# --- whose MAC --------------------------------------------------------------------------------------------------------


def _lease_of_a(until: int) -> list[Input]:
    return [one for at in range(0, until, 5) for one in leases(at, "node-a", expires=at + 15)]


SAME_NODE = [
    Row(
        "kube-vip is upgraded to 0.8.2 or later on the holder: from its own mac to hwaddr",
        interleave(
            nodes(0, known("A", "A"), known("B", "B")),
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=False),
            service(30, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            _lease_of_a(100),
            announce("A", until=30),
            announce("H", from_=36, until=90),
        ),
        {90: Shows("held", "H", "node-a", mac_changes=1, events="vip_seen mac_changed")},
    ),
    Row(
        "the Service goes from static to DHCP and keeps its address",
        interleave(
            nodes(0, known("A", "A"), known("B", "B")),
            service(0, "node-a"),
            service(30, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            _lease_of_a(100),
            announce("A", until=30),
            announce("H", from_=36, until=90),
        ),
        {90: Shows("held", "H", "node-a", mac_changes=1, events="vip_seen mac_changed")},
    ),
    Row(
        "... and back to static",
        interleave(
            nodes(0, known("A", "A"), known("B", "B")),
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            service(30, "node-a"),
            _lease_of_a(100),
            announce("H", until=30),
            announce("A", from_=36, until=90),
        ),
        {90: Shows("held", "A", "node-a", mac_changes=1, events="vip_seen mac_changed")},
    ),
    Row(
        "from a mac of no known node to one of the node that the lease names all along",
        interleave(
            nodes(0, known("A", "A"), known("B", "B")),
            service(0, "node-a"),
            _lease_of_a(100),
            announce("X", until=30),
            announce("A", from_=36, until=90),
        ),
        {90: Shows("held", "A", "node-a", mac_changes=1, events="vip_seen mac_changed")},
    ),
    Row(
        "the same, but the lease goes over to that node: a move",
        interleave(
            nodes(0, known("A", "A"), known("B", "B")),
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=False),
            service(30, "node-b", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            [one for one in _lease_of_a(100) if one.at < 30_000_000_000],
            leases(33, "node-b"),
            announce("A", until=30),
            announce("H", from_=36, until=90),
        ),
        {90: Shows("held", "H", "node-b", moves=1, moved_at=36, events="vip_seen vip_moved")},
    ),
    Row(
        "from a mac of another node than the lease names: it cannot be the same one's new mac",
        interleave(
            nodes(0, known("A", "A"), known("B", "B")),
            service(0, "node-a"),
            _lease_of_a(100),
            announce("B", until=30),
            announce("X", from_=36, until=90),
        ),
        {90: Shows("held", "X", "node-a", moves=1, moved_at=36)},
    ),
]


@pytest.mark.parametrize("row", SAME_NODE, ids=lambda row: row.words)
def test_the_lease_vouches_for_its_own_node_only(row: Row) -> None:
    """A new MAC of the node that the lease names all along is no move, whatever class of MAC it is."""
    run = check_row(row)
    for event in of_name(run, "vip_moved"):
        assert event.fields["from"] != event.fields["to"]


# --- Services ---------------------------------------------------------------------------------------------------------


def test_the_hwaddr_of_a_service_that_is_gone_may_be_a_nodes_again() -> None:
    run = play(
        interleave(
            nodes(0, known("A"), known("B", "B")),
            heard(0, "H", "192.0.2.1"),
            service(0, mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True, ref=OTHER, addresses=(NEW_VIP,)),
            service(0, "node-a"),
            announce("H", until=30),
            service_gone(10, OTHER),
        ),
        until=31,
    )
    assert run.vip().holder_source == "wire"
    assert run.vip().holder == "node-a"


def test_the_vlan_of_an_entry_that_is_gone_is_watched_no_more() -> None:
    core = new_core(watch=())
    play([*service(0, vlan=5), *service(0, vlan=7, ref=OTHER)], core=core)
    before = core.generation
    core.observe(service_gone(1, OTHER)[0])
    assert core.watched() == {VIP: 5}
    assert core.generation != before


def test_each_family_has_a_successor_of_its_own() -> None:
    """The Service goes over to two new addresses, and only the old one of IPv6 is announced on."""
    run = play(
        interleave(
            service(0, addresses=(VIP, VIP6)),
            announce("A", until=15),
            announce("A", until=90, vip=VIP6),
            service(16, addresses=(NEW_VIP, NEW_VIP6)),
            announce("A", from_=18, until=90, vip=NEW_VIP),
        ),
        until=90,
        core=new_core(watch=()),
    )
    assert Check.ADDRESS in mismatches(run, NEW_VIP6)
    assert Check.ADDRESS not in mismatches(run, NEW_VIP)


def test_an_address_of_another_family_succeeds_where_there_is_none_of_its_own() -> None:
    run = play(
        interleave(service(0, addresses=(VIP,)), announce("A", until=60), service(16, addresses=(VIP6,))),
        until=60,
        core=new_core(watch=()),
    )
    assert Check.ADDRESS in mismatches(run, VIP6)


def test_no_move_is_told_from_a_node_to_itself() -> None:
    """Only vipHost named the old holder, and a known MAC of that very node takes over: whose was the old MAC?"""
    run = play(
        interleave(
            nodes(0, node("A")), service(0, "node-a"), announce("X", until=30), announce("A", until=90, from_=33)
        ),
        until=90,
    )
    (event,) = of_name(run, "vip_moved")
    assert (event.fields["from"], event.fields["to"]) == ("", "node-a")


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_a_wish_says_nothing_of_services_that_were_not_read() -> None:
    run = play(interleave(wish(0, load_balancer=None), announce("A", until=12)), until=12)
    assert Requirement.LOAD_BALANCER_SERVICE not in run.vip().requirements
    run.feed(wish(13))
    assert run.vip().requirements[Requirement.LOAD_BALANCER_SERVICE] is False


def test_a_leftover_annotation_is_no_evidence_that_somebody_holds_it() -> None:
    """The lease has expired, and with it the annotation: whether the VIP should be heard here cannot be said."""
    run = play(interleave(nodes(0, "A"), service(0, "node-a"), lease(0, "node-a", expires=3)), until=20)
    assert Requirement.HEARD_HERE not in run.vip().requirements


def test_since_when_on_the_node_that_announces_the_shared_mac() -> None:
    """The wire names this node by the direction of its frames; since when, the lease knows."""
    shared = {"mode": Mode.DHCP, "hwaddr": "M", "announces_hwaddr": True}
    run = play(
        interleave(nodes(0, "A"), service(0, "node-a", **shared), lease(2, "node-a"), frames("M", 1, 4, outgoing=True)),
        core=new_core(observer="node-a"),
    )
    assert (run.vip().holder, run.vip().holder_source) == ("node-a", "wire")
    assert in_seconds(run.vip().holder_since) == 2
    alone = play(interleave(service(0, **shared), frames("M", 1, 4, outgoing=True)), core=new_core(observer="node-a"))
    assert in_seconds(alone.vip().holder_since) == 1


def test_an_expired_lease_does_not_say_since_when() -> None:
    """A stranger took the VIP: the old lease's time is not his."""
    run = play(interleave(leases(5, "node-a", expires=8, acquired=1), announce("X", from_=9, until=21)))
    assert (run.vip().holder, in_seconds(run.vip().holder_since)) == ("", 9)


def test_a_move_that_is_found_out_late_is_explained_by_what_was_said_meanwhile() -> None:
    """Frames that were on their way when the interface went down are judged when it is up again."""
    run = play(
        interleave(
            nodes(0, "A", "BX"),
            service(0),
            capture(114, up=False),
            frames("Y", 115),
            service(140, "node-a"),
            frames("X", 141, 171),
            capture(174, up=True),
        ),
        until=274,
    )
    assert [event.at for event in of_name(run, "vip_moved")] == [seconds(174)]


@pytest.mark.parametrize("service_first", [True, False])
def test_a_move_while_the_program_was_down_counts_whatever_is_known_first(service_first: bool) -> None:
    """That the address is bound here may be known before any Service has it."""
    past = remembered(0, "node-b", "B", since=-100, heard=-5)
    here = bound(0, "eth0") + host(0, link("eth0", "A"))
    wanted = service(0) + leases(0, "node-a")
    core = new_core(observer="node-a", watch=(), listening=False)
    run = play(past + (wanted + here if service_first else here + wanted), core=core, until=60)
    assert (run.vip().holder, run.vip().moves) == ("node-a", 1)


# --- what a move explains ---------------------------------------------------------------------------------------------


def test_a_source_that_named_the_new_holder_long_before_has_nothing_to_follow() -> None:
    """Its next change, soon after the move, is news: it settles the next move at once."""
    run = play(
        interleave(
            nodes(0, "A", "B", "C"),
            lease(0, "node-a"),
            announce("A", until=60),
            lease(20, "node-b"),
            announce("B", from_=63, until=69),
            lease(70, "node-c"),
            frames("C", 71),
        )
    )
    assert [event.fields["to"] for event in of_name(run, "vip_moved")] == ["node-b", "node-c"]


def test_an_annotation_that_followed_one_move_speaks_for_no_other() -> None:
    """The lease named the holder, whose MAC is no known node's; a further unknown one must outlast it."""
    run = play(
        interleave(
            service(0, "node-a"),
            lease(0, "node-a"),
            announce("A", until=60),
            lease(62, "node-b"),
            announce("X", from_=63, until=66),
            service(66, "node-b"),
            frames("Y", 68),
        )
    )
    assert (run.vip().state, run.vip().moves) == ("moving", 1)


def test_an_annotation_that_goes_over_to_a_third_node_does_not_follow_the_move() -> None:
    """It lags until it names the holder."""
    run = play(
        interleave(
            nodes(0, "A", "B", "C"),
            service(0, "node-a"),
            announce("A", until=60),
            service(61, "node-c"),
            announce("B", from_=63, until=90),
            service(70, "node-b"),
        )
    )
    assert run.core.snapshot().annotation_lag.total == pytest.approx(7)
