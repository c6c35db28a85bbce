"""Who is counted from and when, where sources and wire show a move apart from each other, or only one of them does.

Each test keeps a line of `exporter/vip/verdict.py` from being changed unnoticed (docs/mutation.md).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from exporter.vip.model import Mode, format_mac
from tests.vip.more import host, host_lost, kubernetes, leases, of_name, remembered
from tests.vip.situations import (
    Run,
    announce,
    bound,
    capture,
    frames,
    in_seconds,
    interleave,
    mac_of,
    new_core,
    nodes,
    play,
    service,
)

ABC = nodes(0, "A", "B", "C")
SHARED: dict[str, Any] = {"mode": Mode.DHCP, "hwaddr": "H", "announces_hwaddr": True}
"""All nodes have the MAC H."""


def moved(run: Run) -> list[tuple[float, str, str]]:
    """Second, node before and node after of each move."""
    events = of_name(run, "vip_moved")
    return [(round(event.at / 1e9, 3), str(event.fields["from"]), str(event.fields["to"])) for event in events]


def lags(run: Run) -> tuple[int, float]:
    """How many lags of the annotation were measured, and their sum in seconds."""
    lag = run.core.snapshot().annotation_lag
    return sum(lag.counts), lag.total


# --- MACs of no known node: the sources say who it is -----------------------------------------------------------------


def test_the_first_node_that_a_source_ever_names_is_counted_from_however_late() -> None:
    run = play(interleave(service(0), announce("X", until=60), service(40, "node-a")))
    assert (run.vip().counted_from, run.vip().moves) == ("node-a", 0)


def test_a_source_that_follows_the_first_frame_says_who_announces() -> None:
    run = play(interleave(leases(0, "node-c"), announce("X", from_=1, until=60), leases(10, "node-b")))
    assert (run.vip().counted_from, run.vip().moves) == ("node-c", 0)


@pytest.mark.parametrize(("at", "expected"), [(8, "node-b"), (60, "node-a")])
def test_a_source_speaks_for_the_first_holder_if_it_went_over_about_its_first_frame(at: float, expected: str) -> None:
    """What goes over later does not say that the MAC which goes on is another node's."""
    run = play(interleave(announce("X", until=90), leases(3, "node-a"), leases(at, "node-b")))
    assert (run.vip().counted_from, run.vip().moves) == (expected, 0)


def test_a_source_speaks_for_the_first_holder_if_it_went_over_shortly_before_its_first_frame() -> None:
    run = play(interleave(leases(0, "node-a"), leases(5, "node-b"), announce("X", from_=8, until=60)))
    assert run.vip().counted_from == "node-b"


def test_the_new_holder_is_the_node_to_which_a_source_went_over_now_not_one_that_another_names_since_long_ago() -> None:
    run = play(
        interleave(
            service(0, "node-a"),
            leases(0, "node-a"),
            announce("X", until=60),
            leases(20, "node-d"),
            service(61, "node-c"),
            announce("Y", from_=63, until=90),
        )
    )
    assert moved(run) == [(63, "node-a", "node-c")]


def test_the_old_holder_is_the_node_that_was_counted_from_whatever_the_source_that_goes_over_named() -> None:
    run = play(
        interleave(
            leases(0, "node-a"),
            service(0, "node-b"),
            announce("X", until=60),
            service(61, "node-c"),
            announce("Y", from_=63, until=90),
        )
    )
    assert moved(run) == [(63, "node-a", "node-c")]


def test_a_source_that_named_nobody_before_it_was_ahead_of_the_wire_does_not_name_the_old_holder() -> None:
    run = play(
        interleave(service(0), announce("X", until=60), service(58, "node-a"), announce("Y", from_=63, until=90))
    )
    assert moved(run) == [(63, "", "node-a")]


def test_the_old_holder_is_the_node_that_the_source_named_before_it_was_ahead_of_the_wire() -> None:
    """The lease was first seen when it had gone over, so its node was taken for that of the MAC from before."""
    run = play(
        interleave(
            service(0, "node-c"),
            announce("X", until=60),
            service(61, "node-a"),
            leases(61, "node-a"),
            announce("Y", from_=63, until=90),
        )
    )
    assert moved(run) == [(63, "node-c", "node-a")]


def test_the_old_holder_is_the_node_whose_mac_became_known_in_its_silence() -> None:
    run = play(interleave(announce("B", until=30), nodes(80, "B"), announce("X", from_=100, until=130)))
    assert moved(run) == [(103, "node-b", "")]


def test_the_last_move_is_told_by_node_on_the_side_where_the_mac_is_known() -> None:
    run = play(interleave(nodes(0, "A"), announce("X", until=30), announce("A", from_=33, until=60)))
    move = run.vip().last_move
    assert move is not None
    assert (move.origin, move.target) == (format_mac(mac_of("X")), "node-a")


def test_what_leaves_this_node_is_its_own_whatever_the_mac() -> None:
    run = play(frames("X", 0, outgoing=True), core=new_core(observer="node-c"))
    assert run.last("vip_seen").fields["holder"] == "node-c"


# --- a source that stays behind ---------------------------------------------------------------------------------------


def test_a_source_that_follows_the_old_holder_as_late_as_the_new_ones_first_frame_did_not_go_back_to_it() -> None:
    run = play(
        interleave(
            nodes(0, "A"), frames("A", 0), service(1, "node-b"), service(3, "node-a"), announce("X", from_=3, until=30)
        )
    )
    assert (moved(run), run.vip().holder) == ([(7, "node-a", "")], "")


def test_an_annotation_did_not_stay_behind_if_the_new_mac_proves_to_be_that_of_the_node_which_it_names() -> None:
    run = play(
        interleave(service(0, "node-a"), announce("X", until=30), announce("A", from_=33, until=120), nodes(45, "A"))
    )
    assert of_name(run, "mismatch_started") == []


def test_a_source_that_went_elsewhere_while_a_move_was_judged_shows_none_when_the_wire_falls_silent() -> None:
    run = play(
        interleave(
            ABC,
            service(0, "node-a"),
            announce("A", until=30),
            announce("B", from_=33, until=60),
            service(36, "node-c"),
        ),
        until=200,
    )
    assert moved(run) == [(37, "node-a", "node-b")]


# --- a source that was ahead while the wire was mute ------------------------------------------------------------------


def test_a_move_that_was_counted_is_not_counted_again_when_the_wire_that_came_back_falls_silent() -> None:
    told = interleave(ABC, leases(0, "node-a"), announce("A", until=30), leases(100, "node-b"), frames("A", 130, 133))
    run = play(told, until=300)
    assert moved(run) == [(115, "node-a", "node-b")]


def test_that_one_source_went_elsewhere_is_no_move_to_the_node_that_another_names() -> None:
    run = play(service(0, "node-b") + leases(0, "node-a") + service(1, "node-c"), until=60)
    assert run.vip().moves == 0


def test_a_change_counts_after_the_settle_time_also_where_nothing_can_be_heard() -> None:
    run = play(leases(0, "node-a") + leases(20, "node-b"), core=new_core(listening=False), until=34.999)
    assert run.vip().moves == 0
    run.until(35)
    assert run.vip().moves == 1


def test_a_move_on_the_wire_to_another_node_than_the_one_ahead_is_another_move() -> None:
    told = interleave(
        ABC, leases(0, "node-a"), announce("A", until=30), leases(100, "node-b"), announce("C", from_=130, until=160)
    )
    assert play(told).vip().moves == 2


def test_the_node_ahead_is_counted_from_when_its_mac_is_of_no_known_node_and_no_source_names_it_any_more() -> None:
    told = interleave(
        leases(0, "node-a"),
        announce("X", until=30),
        leases(100, "node-b", expires=120),
        announce("Y", from_=130, until=160),
    )
    run = play(told)
    assert (run.vip().counted_from, run.vip().moves) == ("node-b", 1)


def test_the_sides_of_a_contest_are_told_by_their_macs_though_a_source_was_ahead() -> None:
    told = interleave(
        ABC,
        leases(0, "node-a"),
        announce("A", until=30),
        leases(100, "node-b"),
        announce("B", from_=130, until=160),
        announce("C", from_=131, until=160),
    )
    (started,) = of_name(play(told), "contest_started")
    assert (started.fields["from"], started.fields["from_mac"]) == ("node-a", format_mac(mac_of("A")))


def test_what_was_heard_although_capture_was_called_down_shows_when_it_is_up_again() -> None:
    told = [*ABC, *frames("A", 0), *capture(1, up=False), *frames("B", 2, 5), *capture(6, up=True)]
    run = play(told)
    assert (run.vip().holder, run.vip().holder_source, run.vip().moves) == ("node-b", "wire", 1)


# --- what a take-over explains, told by what settles the next one -----------------------------------------------------


def test_a_source_that_named_the_new_holder_already_has_nothing_to_follow_so_its_next_change_is_news() -> None:
    """It settles the move to C at once, six seconds after that to B, which B alone would hold up."""
    told = interleave(
        ABC,
        service(0, "node-b"),
        announce("A", until=30),
        announce("B", from_=33, until=39),
        service(40, "node-c"),
        announce("C", from_=42, until=60),
    )
    assert [one[0] for one in moved(play(told))] == [37, 42]


def test_nor_has_the_source_that_was_ahead_of_the_wire() -> None:
    told = interleave(
        leases(0, "node-a"),
        announce("X", until=30),
        leases(100, "node-b"),
        announce("Y", from_=130, until=136),
        leases(138, "node-c"),
        announce("Z", from_=140, until=160),
    )
    assert moved(play(told)) == [(115, "node-a", "node-b"), (140, "node-b", "node-c")]


# --- one MAC for all --------------------------------------------------------------------------------------------------


def test_the_direction_of_its_first_frame_shows_at_once_that_this_node_has_it() -> None:
    told = interleave(
        leases(0, "node-c"), service(5, "node-b", **SHARED), service(20, "node-a", **SHARED), host(0)
    ) + frames("H", 60, outgoing=True)
    run = play(told, core=new_core(observer="node-a"))
    assert (run.vip().holder, run.vip().holder_source, run.vip().moves) == ("node-a", "wire", 1)


ORDERS = [
    (wire, lease, annotation)
    for wire, lease, annotation in product((0, 7, 15), repeat=3)
    if not min(wire, lease, annotation)
]


@pytest.mark.parametrize("known", [(), ("A", "B")])
@pytest.mark.parametrize("macs", ["HB", "AH"])
def test_a_move_between_nodes_of_which_one_has_the_mac_of_all_counts_once_in_any_order(
    macs: str, known: tuple[str, ...]
) -> None:
    """The cluster is being upgraded: kube-vip announces from `hwaddr` since 0.8.2 only."""
    old, new = macs
    failed = {}
    for wire, lease, annotation in ORDERS:
        told = interleave(
            nodes(0, *known),
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H"),
            leases(0, "node-a"),
            announce(old, from_=wire % 3, until=57 + wire),
            announce(new, from_=60 + wire, until=150),
            leases(60 + lease, "node-b"),
            service(60 + annotation, "node-b", mode=Mode.DHCP, hwaddr="H"),
        )
        run = play(told, until=200)
        if (found := (run.vip().moves, len(moved(run)), run.vip().counted_from)) != (1, 1, "node-b"):
            failed[wire, lease, annotation] = found
    assert failed == {}


def test_after_a_move_that_was_counted_under_the_mac_of_all_a_mac_of_a_third_node_is_another_move() -> None:
    told = interleave(
        ABC,
        service(0, "node-a", **SHARED),
        announce("H", until=60),
        service(61, "node-b", **SHARED),
        announce("C", from_=63, until=90),
    )
    assert [one[2] for one in moved(play(told))] == ["node-b", "node-c"]


@pytest.mark.parametrize(("counted", "moves"), [(48, 1), (47, 2)])
def test_a_move_counted_under_the_mac_of_all_is_the_wires_own_within_the_settle_time(counted: int, moves: int) -> None:
    told = interleave(
        service(0, "node-a", **SHARED),
        announce("H", until=60),
        service(counted, "node-b", **SHARED),
        announce("Y", from_=63, until=90),
    )
    assert play(told).vip().moves == moves


def test_two_moves_on_the_wire_within_the_settle_time_are_two_though_the_first_was_to_the_mac_of_all() -> None:
    told = interleave(
        service(0, **SHARED),
        announce("X", until=30),
        announce("H", from_=33, until=36),
        announce("Y", from_=39, until=60),
    )
    assert play(told).vip().moves == 2


# --- the lag of the annotation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "inputs", "expected"),
    [
        ("it names the first node of all", [*service(0), *service(40, "node-b")], (1, 7)),
        ("nobody is ever named", [], (0, 0)),
        ("it went over before the first frame", service(0, "node-a") + service(31, "node-b"), (1, 0)),
    ],
)
def test_the_lag_behind_a_mac_of_no_known_node(words: str, inputs: list, expected: tuple[int, float]) -> None:
    run = play(interleave(inputs, announce("X", until=30), announce("Y", from_=33, until=60)))
    assert lags(run) == expected


def test_an_annotation_that_was_counted_long_before_a_mac_of_no_known_node_spoke_has_no_lag() -> None:
    told = interleave(
        service(0, "node-a"), announce("X", until=30), service(100, "node-b"), announce("Y", from_=130, until=160)
    )
    assert lags(play(told)) == (1, 0)


def test_the_first_holder_ever_heard_has_no_lag_though_the_annotation_went_over_just_before() -> None:
    run = play(interleave(service(0), service(10, "node-a"), announce("X", from_=14, until=60)))
    assert lags(run) == (0, 0)


def test_each_move_has_its_own_lag() -> None:
    told = interleave(
        ABC,
        service(0, "node-a"),
        announce("A", until=30),
        announce("B", from_=33, until=60),
        service(36, "node-b"),
        announce("C", from_=63, until=90),
        service(70, "node-c"),
    )
    assert lags(play(told)) == (2, 10)


@pytest.mark.parametrize(
    ("words", "inputs", "expected"),
    [
        ("it is first seen after the move: when it changed is not known", service(40, "node-b"), (0, 0)),
        (
            "it goes elsewhere first: that does not follow the wire",
            service(0, "node-a") + service(40, "node-c") + service(50, "node-b"),
            (1, 17),
        ),
        (
            "the lease follows the wire before",
            leases(0, "node-a") + service(0, "node-a") + leases(45, "node-b") + service(50, "node-b"),
            (1, 17),
        ),
    ],
)
def test_the_lag_is_that_of_the_annotations_change_to_the_wires_holder(
    words: str, inputs: list, expected: tuple[int, float]
) -> None:
    run = play(interleave(ABC, inputs, announce("A", until=30), announce("B", from_=33, until=60)))
    assert lags(run) == expected


# --- since when -------------------------------------------------------------------------------------------------------


def since(run: Run) -> float | None:
    return in_seconds(run.vip().holder_since)


def test_the_source_that_is_believed_says_since_when() -> None:
    """The lease names the same node, but from before the move: only the annotation went back to it."""
    run = play(
        interleave(
            service(0, "node-a"),
            leases(0, "node-a"),
            announce("X", until=30),
            kubernetes(31, answers=False),
            announce("Y", from_=33, until=60),
            kubernetes(70, answers=True),
            service(80, "node-c"),
            service(81, "node-a"),
        ),
        until=90,
    )
    assert (run.vip().holder, run.vip().holder_source, since(run)) == ("node-a", "annotation", 81)


def test_under_the_mac_of_all_a_source_that_names_another_node_does_not_say_since_when() -> None:
    told = service(0, "node-c", **SHARED) + frames("H", 30, outgoing=True)
    assert since(play(told, core=new_core(observer="node-b"))) == 30


def test_a_lease_that_nobody_holds_does_not_say_since_when() -> None:
    assert since(play(leases(0, "", acquired=-50) + frames("X", 5))) == 5


# --- after a restart --------------------------------------------------------------------------------------------------


def past(holder: str, mac: str | None) -> list:
    return remembered(0, holder, mac, since=-100, heard=-5)


def test_the_remembered_mac_goes_on_so_nothing_moved_though_a_source_names_another_node() -> None:
    """It is of no known node: it stands for whom it stood for before."""
    run = play(interleave(past("node-a", "X"), leases(0, "node-b"), announce("X", from_=1, until=60)))
    assert run.vip().moves == 0


def test_what_a_source_names_beside_one_that_agrees_with_what_was_remembered_counts() -> None:
    run = play(past("node-a", None) + service(0, "node-a") + leases(0, "node-b"), until=60)
    assert moved(run) == [(15, "node-a", "node-b")]


def test_what_is_said_first_waits_for_the_settle_time_though_the_wire_speaks() -> None:
    """One MAC for all: the wire does not tell who it is."""
    run = play(
        interleave(past("node-c", None), service(5, "node-a", **SHARED), announce("H", from_=6, until=60)), until=60
    )
    assert moved(run) == [(20, "node-c", "node-a")]


def test_news_that_was_taken_back_is_not_waited_for() -> None:
    """The direction of its frames shows that this node has it; the lease named a third, then the remembered one."""
    told = interleave(
        host(0),
        past("node-b", None),
        service(0, **SHARED),
        leases(0, "node-c"),
        announce("H", from_=1, until=60, outgoing=True),
        leases(5, "node-b"),
    )
    assert moved(play(told, core=new_core(observer="node-a"), until=60)) == [(5, "node-b", "node-a")]


def test_what_is_bound_here_counts_after_a_restart_though_it_could_not_be_told_for_a_while() -> None:
    told = past("node-b", None) + bound(0) + host_lost(1) + host(5) + bound(5, "eth0")
    assert moved(play(told, core=new_core(observer="node-a"), until=60)) == [(20, "node-b", "node-a")]


def test_the_remembered_node_is_the_old_holder_though_its_mac_is_anothers_by_now() -> None:
    told = interleave(nodes(0, "A", "BX"), past("node-c", "X"), announce("Y", from_=5, until=30))
    assert moved(play(told)) == [(8, "node-c", "")]


def test_the_node_of_a_remembered_mac_is_the_old_holder_where_no_name_was_remembered() -> None:
    told = interleave(ABC, past("", "A"), announce("B", from_=5, until=30))
    assert moved(play(told)) == [(8, "node-a", "node-b")]
