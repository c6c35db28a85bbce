"""The core as a whole: what it watches, what it asks to be told of, and how VIPs that follow each other are joined.

Each test keeps a line of `exporter/vip/core.py` from being changed unnoticed (docs/mutation.md).
"""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from exporter.vip.core import Core
from exporter.vip.model import CaptureChanged, Input, Kind, Mode, ServiceRef, seconds
from tests.vip.more import (
    ADDRESS,
    SUBNET,
    heard,
    host,
    host_lost,
    known,
    kubernetes,
    leases,
    link,
    mismatch_events,
    mismatches,
    node_macs,
)
from tests.vip.situations import (
    NEW_VIP,
    VIP,
    VIP6,
    Run,
    announce,
    bound,
    capture,
    frame,
    frames,
    intent_fresh,
    interleave,
    mac_of,
    new_core,
    node,
    nodes,
    play,
    service,
    service_gone,
)

AB = nodes(0, "A", "B")
OTHER = ServiceRef("kube-system", "rke2-traefik")
KNOWN = nodes(0, known("A"), known("B"))


@pytest.mark.parametrize(
    ("words", "before", "inputs"),
    [
        ("a Service with another address", service(0), service(1, addresses=(NEW_VIP,))),
        ("a Service with one more", service(0), service(1, addresses=(VIP, NEW_VIP))),
        ("a VIP that is given up", service(0, addresses=(NEW_VIP,)), service(1, addresses=())),
        ("a Service that is gone", service(0), service_gone(1)),
        ("another VLAN", service(0), service(1, vlan=7)),
        ("other nodes", KNOWN, nodes(1, known("A"))),
    ],
)
def test_the_generation_changes_with_what_has_to_be_heard(words: str, before: list[Input], inputs: list[Input]) -> None:
    """The kernel's filter is made anew then."""
    run = play(before, core=new_core(watch=()))
    generation = run.core.generation
    run.feed(inputs)
    assert run.core.generation != generation


def test_the_generation_changes_with_an_address_to_watch_and_when_one_has_fallen_silent() -> None:
    core = new_core(watch=())
    generations = [core.generation]
    core.watch(VIP)
    generations.append(core.generation)
    run = play(interleave(service(0, addresses=(NEW_VIP,)), frames("A", 0, vip=NEW_VIP), service_gone(1)), core=core)
    generations.append(core.generation)
    run.until(30)
    generations.append(core.generation)
    assert core.watched() == {VIP: None}
    assert len(set(generations)) == 4


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        ("vipHost", service(1, "node-b")),
        ("an announcement", frames("A", 1)),
        ("what is bound", bound(1, "eth0") + host(1)),
    ],
)
def test_the_generation_stays_with_what_else_changes(words: str, inputs: list[Input]) -> None:
    """A new filter costs time."""
    run = play(service(0, "node-a"))
    generation = run.core.generation
    run.feed(inputs)
    assert run.core.generation == generation


def test_the_nodes_own_addresses_are_to_be_heard_but_for_watched_ones() -> None:
    run = play(nodes(0, known("A"), known("B", addresses=[str(VIP)])))
    assert run.core.neighbours() == {ip_address(ADDRESS["A"])}


def test_what_is_watched_has_the_vlan_of_its_service() -> None:
    run = play(service(0, addresses=(NEW_VIP,), vlan=7))
    assert run.core.watched() == {VIP: None, NEW_VIP: 7}


# --- one VIP after another --------------------------------------------------------------------------------------------


def test_an_address_that_was_given_up_unheard_says_nothing_more() -> None:
    run = play(interleave(service(0), service_gone(5)), core=new_core(watch=()), until=60)
    assert (run.core.watched(), run.events) == ({}, [])


def test_the_mismatch_with_an_old_address_ends_when_that_is_no_longer_watched() -> None:
    """Its announcer does not repeat, so it never falls silent by itself."""
    run = play(
        interleave(service(0, period=0), frames("A", 0), service(30, period=0, addresses=(NEW_VIP,))),
        core=new_core(watch=(), settle=5),
        until=60,
    )
    assert mismatch_events(run, "address", NEW_VIP) == [("started", 35.0), ("ended", 40.0)]
    assert run.core.watched() == {NEW_VIP: None}


def test_the_mismatch_with_an_old_address_ends_in_the_moment_in_which_that_falls_silent() -> None:
    run = play(
        interleave(service(0), announce("A", until=60), service(30, addresses=(NEW_VIP,))),
        core=new_core(watch=()),
        until=90,
    )
    assert [event.at for event in run.events if event.name == "mismatch_ended"] == [seconds(70) + 1]


def test_that_moment_does_not_wait_for_what_is_due_at_the_new_address() -> None:
    """Which is announced as well."""
    run = play(
        interleave(
            service(0),
            announce("A", until=60),
            service(30, addresses=(NEW_VIP,)),
            announce("A", from_=31.5, until=90, vip=NEW_VIP),
        ),
        core=new_core(watch=()),
    )
    assert [event.at for event in run.events if event.name == "mismatch_ended"] == [seconds(70) + 1]


def test_an_old_address_that_is_announced_again_while_it_is_watched_contradicts_again() -> None:
    """It is watched for another reason too."""
    run = play(
        interleave(
            service(0),
            announce("A", until=60),
            service(30, addresses=(NEW_VIP,)),
            announce("A", from_=200, until=230),
        )
    )
    assert mismatch_events(run, "address", NEW_VIP) == [("started", 45.0), ("ended", 70.0), ("started", 215.0)]
    assert mismatches(run, NEW_VIP) == {"address": 200.0}


def test_each_family_of_a_service_has_its_own_predecessor() -> None:
    run = play(
        interleave(
            service(0, addresses=(VIP, VIP6)),
            announce("A", until=60),
            service(30, addresses=(NEW_VIP, VIP6)),
        )
    )
    assert (set(mismatches(run, NEW_VIP)), set(mismatches(run, VIP6))) == ({"address"}, set())


def test_an_address_that_a_service_keeps_succeeds_none() -> None:
    run = play(
        interleave(service(0, addresses=(VIP, NEW_VIP)), announce("A", until=60), service(30, addresses=(NEW_VIP,)))
    )
    assert mismatches(run, NEW_VIP) == {}


def test_an_address_that_another_service_goes_on_with_has_no_successor() -> None:
    run = play(
        interleave(service(0), service(0, ref=OTHER), announce("A", until=60), service(30, addresses=(NEW_VIP,)))
    )
    assert mismatches(run, NEW_VIP) == {}


def test_an_address_that_was_silent_when_it_was_given_up_has_no_successor() -> None:
    """Whoever announces it later, while it is watched for another reason."""
    run = play(interleave(service(0), service(30, addresses=(NEW_VIP,)), announce("A", from_=40, until=90)))
    assert mismatches(run, NEW_VIP) == {}


def test_a_service_that_was_never_seen_can_be_gone() -> None:
    run = play(service_gone(0))
    assert (run.core.watched(), run.events) == ({VIP: None}, [])


@pytest.mark.parametrize(
    ("words", "change"),
    [("vipHost", service(100, "node-b")), ("the lease", leases(100, "node-b"))],
)
def test_a_mismatch_starts_in_its_very_moment_though_nothing_else_falls_due(words: str, change: list[Input]) -> None:
    run = play([*service(0, "node-a"), *leases(0, "node-a"), *change], until=200)
    assert [event.at for event in run.events if event.name == "mismatch_started"] == [seconds(115) + 1]


@pytest.mark.parametrize("fresh", [True, False])
def test_the_settle_time_begins_anew_when_kubernetes_answers_again(fresh: bool) -> None:
    """While it did not, nobody could tell what it would have said."""
    inputs = [*service(0, "node-a"), *leases(0, "node-b"), *kubernetes(5, answers=False, fresh=fresh)]
    run = play(inputs + kubernetes(7, answers=True), until=30)
    assert mismatches(run) == {"lease": 7.0}


# --- what the nodes and this host say ---------------------------------------------------------------------------------


def test_a_mismatch_ends_when_the_mac_that_told_the_node_is_forgotten() -> None:
    """An hour after it was heard last: from then on nobody knows whose the announcer is."""
    run = play(
        interleave(KNOWN, heard(0, "A"), service(0, "node-b", period=0), frames("A", 0), heard(100, "A")), until=4000
    )
    assert mismatch_events(run, "host") == [("started", 15.0), ("ended", 3700.0)]


def test_a_mac_is_forgotten_in_its_moment_whatever_else_falls_due() -> None:
    run = play(interleave(KNOWN, heard(0, "A"), service(0, "node-b"), announce("A", until=3700)))
    assert mismatch_events(run, "host") == [("started", 15.0), ("ended", 3600.0)]


def test_a_mismatch_dates_from_the_frame_that_tells_the_announcers_node() -> None:
    run = play(interleave(KNOWN, service(0, "node-b"), announce("A", until=60), heard(40.5, "A")))
    assert mismatches(run) == {"host": 40.5, "mac": 40.5}


def test_an_episode_is_decided_by_the_frame_with_which_the_new_claimants_node_is_forgotten() -> None:
    """X may be node-c's from then on, to which the annotation has gone over. Y takes X's place among node-b's MACs."""
    speakers = [heard(0.1 * number, who, ADDRESS["B"]) for number, who in enumerate("XDEFDEF")]
    run = play(
        interleave(
            nodes(0, known("A", "A"), known("B"), known("C")),
            *speakers,
            service(1, "node-a"),
            announce("A", from_=1, until=10),
            service(11, "node-c"),
            frames("X", 12),
        )
    )
    assert (run.vip().state, run.vip().moves) == ("moving", 0)
    run.feed(heard(13, "Y", ADDRESS["B"]))
    assert (run.vip().holder, run.vip().moves) == ("node-c", 1)


def test_a_mismatch_dates_from_the_frame_with_which_every_candidates_mac_is_known() -> None:
    """A stranger is a stranger only then: up to kube-vip 0.8.1 a mac that may be the holder's contradicts nobody."""
    run = play(
        interleave(
            KNOWN,
            heard(0, "A"),
            service(0, mode=Mode.DHCP, hwaddr="H"),
            announce("X", until=60),
            heard(40.5, "B"),
        )
    )
    assert mismatches(run) == {"mac": 40.5}


def test_a_mismatch_dates_from_the_moment_in_which_no_service_hides_a_candidates_mac_any_more() -> None:
    """The MAC of node-b was another Service's too, so that it was not known to be node-b's."""
    run = play(
        interleave(
            nodes(0, "A", "B"),
            service(0, addresses=[NEW_VIP], mode=Mode.DHCP, hwaddr="B", ref=OTHER),
            service(0, mode=Mode.DHCP, hwaddr="H"),
            announce("X", until=60),
            service_gone(40.5, ref=OTHER),
        )
    )
    assert mismatches(run) == {"mac": 40.5}


def test_a_mismatch_dates_from_the_moment_in_which_an_interface_told_the_announcers_node() -> None:
    run = play(
        interleave(KNOWN, service(0, "node-b"), announce("A", until=60), host(0), host(40.5, link("br0", "A", SUBNET))),
        core=new_core(observer="node-a"),
    )
    assert mismatches(run) == {"host": 40.5, "mac": 40.5}


def test_the_mac_of_the_hwaddr_belongs_to_nobody_as_long_as_a_service_has_it() -> None:
    shared = {"mode": Mode.DHCP, "hwaddr": "A", "announces_hwaddr": True}
    run = play(AB)
    assert ("node-a", "A", "") in node_macs(run)
    run.feed(service(1, **shared))
    assert ("node-a", "A", "") not in node_macs(run)
    run.feed(service(2))
    assert ("node-a", "A", "") in node_macs(run)
    run.feed(service(3, **shared))
    assert ("node-a", "A", "") not in node_macs(run)
    run.feed(service_gone(4))
    assert ("node-a", "A", "") in node_macs(run)
    run.feed(service(5, mode=Mode.STATIC, hwaddr="A"))
    assert ("node-a", "A", "") in node_macs(run)


HWADDR_OF_ANOTHER = service(0, addresses=[NEW_VIP], mode=Mode.DHCP, hwaddr="X")


def test_an_episode_ends_with_the_service_that_hid_whose_the_other_mac_is() -> None:
    """In that moment: A and X are one node's again."""
    run = play(
        interleave(nodes(0, "AX", "B"), HWADDR_OF_ANOTHER, announce("A", until=9), frames("X", 8), service_gone(10))
    )
    assert (run.vip().state, run.vip().holder) == ("held", "node-a")


def test_nobody_is_at_odds_with_whose_mac_turns_out_to_be_the_holders_own() -> None:
    """Both go on beyond the grace time, the one before, the other after it is known."""
    run = play(
        interleave(
            nodes(0, "AX", "B"),
            HWADDR_OF_ANOTHER,
            frames("A", 0, 2, 7, 11),
            frames("X", 1, 5, 8.5, 12),
            service_gone(10),
        )
    )
    assert (run.vip().contests, run.names()) == (0, ["vip_seen"])


def test_a_watched_address_that_is_a_nodes_own_tells_that_nodes_mac() -> None:
    """By mistake; a probe for it is somebody else's and tells nothing."""
    run = play(nodes(0, known("A", addresses=[str(VIP)])) + frames("A", 1) + [frame("X", 2, Kind.PROBE)])
    assert node_macs(run) == {("node-a", "A", "")}


def test_macs_that_several_nodes_have_are_shown_with_the_nodes() -> None:
    run = play(nodes(0, node("AX"), node("BX")))
    assert run.core.shared_macs() == {mac_of("X").hex(":"): ("node-a", "node-b")}
    assert run.core.snapshot().shared_macs == run.core.shared_macs()


def test_an_own_mac_is_shown_with_each_of_its_interfaces_a_heard_one_with_none() -> None:
    run = play(KNOWN + host(0, link("eth0", "A"), link("br0", "A")) + heard(1, "B"), core=new_core(observer="node-a"))
    assert node_macs(run) == {("node-a", "A", "eth0"), ("node-a", "A", "br0"), ("node-b", "B", "")}


def test_a_mac_of_this_node_that_another_claims_too_is_shown_with_an_interface_here_only() -> None:
    run = play(nodes(0, known("A"), known("B", "A")) + host(0, link("eth0", "A")), core=new_core(observer="node-a"))
    assert node_macs(run) == {("node-a", "A", "eth0"), ("node-b", "A", "")}


def test_nodes_are_shown_with_all_that_is_known_of_them() -> None:
    run = play(nodes(0, known("A", "AX"), known("B", candidate=False)))
    shown = [(one.name, one.addresses, one.candidate, one.macs) for one in run.core.snapshot().nodes]
    macs = (mac_of("A").hex(":"), mac_of("X").hex(":"))
    assert shown == [
        ("node-a", (ip_address(ADDRESS["A"]),), True, macs),
        ("node-b", (ip_address(ADDRESS["B"]),), False, ()),
    ]


def test_what_is_bound_is_not_known_again_after_the_host_was_lost() -> None:
    """Of a VIP that is watched later, too."""
    run = play(bound(0, "eth0", vip=NEW_VIP) + host(0) + host_lost(5), core=new_core(observer="node-a"))
    run.core.watch(NEW_VIP)
    assert (run.vip().bound, run.vip(NEW_VIP).bound) == (None, None)


# --- capture and freshness --------------------------------------------------------------------------------------------


def test_capture_that_does_not_work_is_told_with_its_reason() -> None:
    core = new_core(listening=False)
    run = play([CaptureChanged(0, "eth0", False, "no such device"), *capture(5, up=True)], core=core)
    assert [(str(event.name), event.at, dict(event.fields)) for event in run.events] == [
        ("capture_lost", 0, {"device": "eth0", "reason": "no such device"}),
        ("capture_restored", seconds(5), {"device": "eth0"}),
    ]


def test_capture_that_goes_on_as_it_was_is_no_news() -> None:
    core = new_core(listening=False)
    run = play(capture(0, up=True) + capture(1, up=True) + capture(2, up=False) + capture(3, up=False), core=core)
    assert run.names(None) == ["capture_lost"]


def test_one_of_two_interfaces_is_enough_to_hear() -> None:
    run = Run(new_core(listening=False))
    run.feed(capture(0, up=True, device="eth0") + capture(0, up=True, device="eth1") + frames("A", 1))
    run.feed(capture(2, up=False, device="eth0"))
    assert run.vip().state == "held"
    run.feed(capture(3, up=False, device="eth1"))
    assert run.vip().state == "unknown"
    run.feed(capture(4, up=True, device="eth0"))
    run.until(19.5)
    assert run.vip().state == "silent"


def test_a_second_interface_does_not_put_silence_off() -> None:
    """It begins 15 s after the first one was up."""
    run = play(capture(3, up=True) + capture(12, up=True, device="eth1"), core=new_core(listening=False), until=30)
    assert [event.at for event in run.events if event.name == "vip_silent"] == [seconds(18) + 1]


def test_a_mismatch_ends_when_what_kubernetes_said_is_stale() -> None:
    run = play(interleave(AB, service(0, "node-b"), announce("A", until=60), intent_fresh(40.5, False)))
    assert mismatch_events(run, "host") == [("started", 15.0), ("ended", 40.5)]


def test_only_announcements_are_discovered() -> None:
    """Then the address is watched for good."""
    run = play([frame("A", 0, Kind.ORDINARY_REPLY)], core=new_core(watch=(), discover=True))
    assert run.core.watched() == {}
    run.feed(frames("A", 1) + service(2) + service_gone(3))
    run.until(60)
    assert run.core.watched() == {VIP: None}
    assert play(frames("A", 0), core=new_core(watch=())).core.watched() == {}


def test_inputs_are_taken_at_the_greatest_time_so_far() -> None:
    run = play(frames("A", 10, 5))
    assert run.core.now == seconds(10)
    assert run.vip().last_announcement == seconds(10)


def test_vips_are_shown_in_the_order_of_their_addresses() -> None:
    low = ip_address("::5")
    core = new_core(watch=(VIP6, low, NEW_VIP, VIP))
    assert [vip.address for vip in core.snapshot().vips] == [VIP, NEW_VIP, low, VIP6]


def test_what_is_known_of_a_mac_that_announced_is_told_at_any_time() -> None:
    run = play([*AB, *frames("A", 1), *frames("B", 2)], until=100)
    assert run.core.whose(VIP, mac_of("B")).holder == "node-b"


def test_sources_settle_for_fifteen_seconds_unless_told_otherwise() -> None:
    core = Core(at=0, listening=True)
    core.watch(VIP)
    run = play(service(0, "node-a") + leases(0, "node-b"), core=core, until=20)
    assert [event.at for event in run.events if event.name == "mismatch_started"] == [seconds(15) + 1]
    assert core.now == seconds(20)


def test_frames_are_not_heard_from_the_start_unless_told_so() -> None:
    core = Core(at=0)
    core.watch(VIP)
    core.tick(seconds(100))
    assert core.snapshot().vips[0].state == "unknown"
    assert (core.observe(frame("A", 101, vip=NEW_VIP)), core.watched()) == ((), {VIP: None})


def test_an_observer_without_a_name_is_no_node() -> None:
    core = Core(at=0, listening=True)
    core.watch(VIP)
    run = play(bound(0, "eth0") + host(0, link("eth0", "A")), core=core)
    assert (run.vip().sources, node_macs(run)) == ((), set())
