"""What events say, field by field, and what a snapshot says of holder, handover and lag.

Each test keeps a line of `exporter/vip/verdict.py` from being changed unnoticed (docs/mutation.md).
"""

from __future__ import annotations

from typing import Any

import pytest

from exporter.vip.model import Input, Mac, Mode, Requirement, Source, format_mac, seconds
from tests.vip.more import host, kubernetes, lease_gone, leases, met, mismatches, remembered
from tests.vip.situations import (
    NEW_VIP,
    VIP,
    Run,
    announce,
    bound,
    frame,
    frames,
    in_seconds,
    intent_fresh,
    interleave,
    mac_of,
    new_core,
    node,
    nodes,
    play,
    service,
)

ABC = nodes(0, "A", "B", "C")
ROUTED = [frame(Mac(bytes.fromhex("00005e000101")), at) for at in range(0, 31, 3)]
SHARED = {"mode": Mode.DHCP, "hwaddr": "H", "announces_hwaddr": True}
A, B, C, H, X = (format_mac(mac_of(letter)) for letter in "ABCHX")


def told(run: Run, name: str = "") -> list[tuple[str, float, dict[str, Any], float | None]]:
    """Name, second, fields and since when, of each event, or of those of one name."""
    return [
        (str(event.name), round(event.at / 1e9, 3), dict(event.fields), in_seconds(event.since))
        for event in run.events
        if name in ("", event.name)
    ]


def test_a_long_story_field_by_field() -> None:
    """A stray claim, a contest that B wins, its silence and return, and C after a silence."""
    run = play(
        interleave(
            ABC,
            announce("A", until=60),
            frames("X", 20, 21),
            announce("B", from_=40, until=70),
            frames("C", 45, 52),
            announce("B", from_=200, until=230),
            announce("C", from_=300, until=330),
        ),
        until=400,
    )
    assert told(run) == [
        ("vip_seen", 0, {"mac": A, "holder": "node-a"}, None),
        (
            "claim_withdrawn",
            28,
            {"mac": X, "claimant": "", "frames": 2, "holder": "node-a", "holder_mac": A},
            None,
        ),
        ("contest_started", 49, {"from": "node-a", "to": "node-b", "from_mac": A, "to_mac": B}, None),
        ("contest_ended", 67, {"from": "node-a", "to": "node-b", "from_mac": A, "to_mac": B}, None),
        (
            "vip_moved",
            67,
            {
                "from": "node-a",
                "to": "node-b",
                "from_mac": A,
                "to_mac": B,
                "source": "wire",
                "handover_seconds": 0,
            },
            40,
        ),
        ("vip_silent", 80, {"mac": B, "holder": "node-b"}, None),
        ("vip_returned", 200, {"mac": B, "holder": "node-b", "silence_seconds": 130}, None),
        ("vip_silent", 240, {"mac": B, "holder": "node-b"}, None),
        (
            "vip_moved",
            303,
            {
                "from": "node-b",
                "to": "node-c",
                "from_mac": B,
                "to_mac": C,
                "source": "wire",
                "handover_seconds": 70,
            },
            300,
        ),
        ("vip_silent", 340, {"mac": C, "holder": "node-c"}, None),
    ]


def test_a_contest_that_the_holder_from_before_survives_names_it_on_both_sides() -> None:
    run = play(interleave(ABC, announce("A", until=80), announce("B", from_=31, until=50)))
    (ended,) = told(run, "contest_ended")
    assert ended[2] == {"from": "node-a", "to": "node-a", "from_mac": A, "to_mac": A}


def test_a_contest_of_macs_of_no_known_node_names_the_holder_that_a_source_names() -> None:
    run = play(interleave(leases(0, "node-a"), announce("A", until=80), announce("B", from_=31, until=50)))
    started, ended = told(run, "contest_started"), told(run, "contest_ended")
    assert [one[2] for one in (*started, *ended)] == [
        {"from": "node-a", "to": "", "from_mac": A, "to_mac": B},
        {"from": "node-a", "to": "node-a", "from_mac": A, "to_mac": A},
    ]


@pytest.mark.parametrize(("last", "expected"), [("B", B), ("C", C)])
def test_a_contest_starts_with_the_claimant_that_was_heard_last(last: str, expected: str) -> None:
    """B and C have a frame beyond grace before A has."""
    late = {"B": 38.5, "C": 38.5} | {last: 39.5}
    inputs = interleave(frames("A", 0, 30, 36), frames("B", 31, late["B"]), frames("C", 32, late["C"]), frames("A", 40))
    started = told(play(announce("A", until=27) + inputs[1:]), "contest_started")
    assert [(one[1], one[2]["to_mac"]) for one in started] == [(40, expected)]


def test_the_end_of_a_contest_names_the_survivors_first_mac() -> None:
    run = play(
        interleave(
            nodes(0, "A", node("BX")),
            announce("A", until=50),
            announce("X", from_=31, until=80),
            announce("B", from_=32, until=80),
        )
    )
    (ended,) = told(run, "contest_ended")
    assert ended[2] == {"from": "node-a", "to": "node-b", "from_mac": A, "to_mac": X}


def test_the_change_of_a_mac_field_by_field() -> None:
    run = play(interleave(nodes(0, node("AX")), announce("A", until=30), announce("X", from_=2, until=60)))
    assert told(run, "mac_changed") == [
        ("mac_changed", 37, {"from": "node-a", "to": "node-a", "from_mac": A, "to_mac": X}, None)
    ]


def test_the_return_of_a_mac_of_no_known_node_names_the_holder_that_a_source_named() -> None:
    run = play(interleave(leases(0, "node-a"), announce("A", until=30), frames("A", 100)))
    assert [one[2] for one in told(run) if one[0] in ("vip_silent", "vip_returned")] == [
        {"mac": A, "holder": "node-a"},
        {"mac": A, "holder": "node-a", "silence_seconds": 70},
    ]


def test_a_withdrawn_claim_of_a_known_node_names_it() -> None:
    run = play(interleave(ABC, announce("A", until=60), frames("B", 20)))
    (withdrawn,) = told(run, "claim_withdrawn")
    assert withdrawn[2] == {"mac": B, "claimant": "node-b", "frames": 1, "holder": "node-a", "holder_mac": A}


def test_a_move_that_only_the_lease_shows_field_by_field() -> None:
    """Under one mac: since the lease went over, and no handover was measured."""
    run = play(interleave(service(0, **SHARED), leases(0, "node-a"), announce("H", until=60), leases(31, "node-b")))
    assert told(run, "vip_moved") == [
        (
            "vip_moved",
            31,
            {"from": "node-a", "to": "node-b", "from_mac": H, "to_mac": H, "source": "lease"},
            31,
        )
    ]
    vip = run.vip()
    assert vip.last_handover is None
    assert vip.last_move is not None
    assert (vip.last_move.origin, vip.last_move.target, vip.last_move.at) == ("node-a", "node-b", seconds(31))


def test_a_move_while_the_wire_is_silent_has_no_mac() -> None:
    run = play(leases(0, "node-a") + leases(100, "node-b"), until=200)
    assert told(run, "vip_moved") == [
        ("vip_moved", 115, {"from": "node-a", "to": "node-b", "from_mac": "", "to_mac": "", "source": "lease"}, 100)
    ]


def test_a_move_between_macs_of_no_known_node_names_the_macs() -> None:
    run = play(announce("A", until=30) + announce("B", from_=33, until=60))
    assert told(run, "vip_moved") == [
        (
            "vip_moved",
            37,
            {"from": "", "to": "", "from_mac": A, "to_mac": B, "source": "wire", "handover_seconds": 3},
            33,
        )
    ]
    move = run.vip().last_move
    assert move is not None
    assert (move.origin, move.target) == (A, B)


@pytest.mark.parametrize("ahead", [True, False])
def test_a_move_between_macs_of_no_known_node_names_the_nodes_that_the_lease_named(ahead: bool) -> None:
    """The lease has followed by then, or was there first."""
    run = play(
        interleave(
            leases(0, "node-a"),
            announce("A", until=30),
            announce("B", from_=33, until=60),
            leases(32 if ahead else 34, "node-b"),
        )
    )
    (moved,) = told(run, "vip_moved")
    assert (moved[2]["from"], moved[2]["to"]) == ("node-a", "node-b")
    assert run.vip().holder == "node-b"


# --- the holder, and since when ---------------------------------------------------------------------------------------


def since(run: Run) -> float | None:
    return in_seconds(run.vip().holder_since)


@pytest.mark.parametrize(
    ("words", "inputs", "expected"),
    [
        ("nobody", [], None),
        ("the wire, from its first frame", ABC + frames("A", 5, 8), 5),
        ("the lease, from its acquisition", leases(10, "node-a", acquired=-50), -50),
        ("the lease, from when it was read", leases(10, "node-a"), 10),
        ("an acquisition in the future counts as now", leases(10, "node-a", acquired=20), 10),
        (
            "wire and lease: the elder, where watching began in its midst",
            ABC + leases(0, "node-a", acquired=-50) + frames("A", 5),
            -50,
        ),
        ("wire and another's lease: the wire", ABC + leases(0, "node-b", acquired=-50) + frames("A", 5), 5),
        ("wire and an expired lease: the wire", ABC + leases(0, "node-a", acquired=-50, expires=3) + frames("A", 5), 5),
        ("a mac of no known node, and a lease", leases(0, "node-a", acquired=-50) + frames("A", 5), -50),
        ("vipHost", service(7, "node-a"), 7),
        (
            "one mac for all: since the lease names this one",
            [*service(0, **SHARED), *leases(0, "node-a"), *frames("H", 5), *leases(6, "node-b")],
            6,
        ),
        (
            "after a move: its first frame, whatever the lease says",
            interleave(
                ABC, announce("A", until=30), announce("B", from_=33, until=60), leases(35, "node-b", acquired=-50)
            ),
            33,
        ),
    ],
)
def test_since_when_the_holder_has_it(words: str, inputs: list[Input], expected: float | None) -> None:
    assert since(play(inputs)) == expected


# --- lag and handover -------------------------------------------------------------------------------------------------


def lags(run: Run) -> float:
    """Their sum, seconds."""
    return run.core.snapshot().annotation_lag.total


def count(run: Run) -> int:
    return sum(run.core.snapshot().annotation_lag.counts)


@pytest.mark.parametrize(
    ("words", "change", "lag"),
    [
        ("after the wire", 36, 3),
        ("long after it", 63, 30),
        ("with it", 33, 0),
        ("before it: never below 0", 31, 0),
        ("long before it", 5, 0),
    ],
)
def test_the_lag_of_the_annotation_is_measured_once_from_the_wires_first_frame(
    words: str, change: float, lag: float
) -> None:
    run = play(
        interleave(
            ABC,
            service(0, "node-a"),
            announce("A", until=30),
            announce("B", from_=33, until=120),
            service(change, "node-b"),
            service(100, "node-c"),
        )
    )
    assert (count(run), lags(run)) == (1, lag)


def test_the_first_holder_ever_heard_has_no_lag() -> None:
    """It was no move."""
    run = play(interleave(ABC, service(0, "node-b"), announce("A", from_=1, until=60), service(30, "node-a")))
    assert count(run) == 0


def test_a_lag_that_was_never_ended_is_not_that_of_the_next_move() -> None:
    run = play(
        interleave(
            ABC,
            service(0, "node-a"),
            announce("A", until=30),
            announce("B", from_=33, until=60),
            announce("C", from_=63, until=90),
            service(72, "node-c"),
        )
    )
    assert (count(run), lags(run)) == (1, 9)


def test_handovers_are_counted_by_their_length() -> None:
    run = play(
        interleave(ABC, announce("A", until=30), announce("B", from_=32, until=60), announce("A", from_=70, until=90))
    )
    handover = run.core.snapshot().handover
    assert handover.bounds == (1, 2, 5, 10, 20, 60, 300, 3600)
    assert (handover.counts, handover.total) == ((0, 1, 0, 0, 1, 0, 0, 0, 0), 13)


def test_an_annotation_that_is_told_again_as_it_was_ends_no_lag() -> None:
    """Something else of the Service has changed; nor does the lease end it."""
    run = play(
        interleave(
            ABC,
            service(0, "node-a"),
            leases(0, "node-a"),
            announce("A", until=30),
            announce("B", from_=33, until=90),
            leases(36, "node-b"),
            service(40, "node-a", load_balancer=False),
            service(45, "node-b"),
        )
    )
    assert (count(run), lags(run)) == (1, 12)


# --- after a restart --------------------------------------------------------------------------------------------------


def test_what_is_said_first_after_a_restart_is_a_change_where_it_differs_from_what_was_remembered() -> None:
    """One that says the same has not moved."""
    run = play(remembered(0, "node-a", None, since=-100, heard=-5) + leases(0, "node-b") + service(0, "node-a"))
    moves = run.vip().source_moves
    assert (moves[Source.LEASE], moves[Source.ANNOTATION]) == (1, 0)
    run.until(14)
    assert run.vip().moves == 0
    run.until(16)
    assert (run.vip().moves, run.vip().holder) == (1, "node-b")


def test_what_was_remembered_of_nobody_is_no_holder() -> None:
    run = play(remembered(0, "", None, since=-100, heard=-5) + leases(0, "node-b"), until=60)
    assert (run.vip().moves, run.vip().counted_from, run.vip().source_moves[Source.LEASE]) == (0, "node-b", 0)
    run = play([*ABC, *remembered(0, "", None, since=-100, heard=-5), *frames("A", 1, 4)])
    assert (run.vip().moves, run.vip().holder) == (0, "node-a")


def test_what_was_remembered_is_counted_from_until_somebody_is_named() -> None:
    run = play(remembered(0, "node-a", "A", since=-100, heard=-5))
    assert (run.vip().counted_from, run.vip().holder) == ("node-a", "")


def test_what_was_remembered_does_not_speak_against_what_is_known() -> None:
    run = play(leases(0, "node-b") + remembered(1, "node-a", None, since=-100, heard=-5), until=60)
    assert (run.vip().moves, run.vip().counted_from) == (0, "node-b")


# --- sources that stay behind, or are ahead ---------------------------------------------------------------------------


def test_a_source_that_names_the_node_from_before_a_move_between_unknown_macs_names_nobody() -> None:
    """It has not followed, wherever it came from. Gone back to that node after the move, it is believed."""
    run = Run(new_core())
    run.feed(
        interleave(
            service(0, "node-c"),
            announce("C", until=30),
            announce("A", from_=33, until=60),
            service(34, "node-a"),
            announce("B", from_=63, until=120),
        )
    )
    assert (run.vip().moves, run.vip().holder) == (2, "")
    run.feed(service(121, "node-d") + service(122, "node-a"))
    assert run.vip().holder == "node-a"


def test_the_mismatch_of_an_annotation_that_was_left_behind_ends_when_the_wire_falls_silent() -> None:
    run = play(
        interleave(service(0, "node-a"), announce("A", until=30), announce("B", from_=33, until=60)),
        until=90,
    )
    ends = [event for event in told(run, "mismatch_ended") if event[2]["check"] == "host"]
    assert [one[1] for one in ends] == [70]


def test_a_source_is_believed_though_the_mac_that_all_nodes_have_is_new_to_the_wire() -> None:
    """kube-vip was upgraded: the move to that mac says nothing of the node."""
    run = play(
        interleave(ABC, service(0, "node-a", **SHARED), announce("A", until=30), announce("H", from_=33, until=60))
    )
    assert (run.vip().holder, run.vip().holder_source) == ("node-a", "annotation")


def test_a_source_beside_a_move_that_only_the_lease_showed_is_believed() -> None:
    """vipHost did not follow the lease; then there is no lease any more."""
    run = play(service(0, "node-a") + leases(0, "node-a") + leases(100, "node-b"), until=150)
    assert (run.vip().moves, run.vip().holder) == (1, "node-b")
    run.feed(lease_gone(150))
    assert run.vip().holder == "node-a"


def test_a_holder_to_whom_the_lease_went_in_silence_stays_it_while_its_first_frame_is_judged() -> None:
    """The move was counted: the wire, which still stands for the old one, does not take it back."""
    run = Run(new_core())
    run.feed(interleave(ABC, leases(0, "node-a"), announce("A", until=30), leases(100, "node-b"), frames("B", 130)))
    assert (run.vip().state, run.vip().holder, run.vip().moves) == ("moving", "node-b", 1)
    run.feed(frames("B", 133, 136, 139))
    assert (run.vip().state, run.vip().holder, run.vip().moves) == ("held", "node-b", 1)


def test_a_move_to_the_node_that_was_ahead_counts_again_once_the_old_one_has_come_back() -> None:
    """The lease went over in silence, which is one move. But A returns, so that B's taking over is another."""
    run = play(
        interleave(
            ABC,
            leases(0, "node-a"),
            announce("A", until=30),
            leases(100, "node-b"),
            announce("A", from_=130, until=160),
            announce("B", from_=163, until=200),
        )
    )
    assert [(one[1], one[2]["source"]) for one in told(run, "vip_moved")] == [(115, "lease"), (167, "wire")]


def test_a_lease_that_goes_over_during_a_contest_counts_when_that_ends() -> None:
    run = play(
        interleave(
            ABC, leases(0, "node-a"), announce("A", until=80), announce("B", from_=31, until=90), leases(50, "node-b")
        )
    )
    assert [(one[0], one[1]) for one in told(run)[2:]] == [("contest_ended", 85), ("vip_moved", 85)]
    assert (run.vip().holder, run.vip().moves) == ("node-b", 1)


def test_an_annotation_moves_nothing_while_the_lease_is_between_two_holders() -> None:
    run = play(service(0, "node-a") + leases(0, "node-a") + leases(100, "") + service(101, "node-b"), until=140)
    assert run.vip().moves == 0
    run.feed(leases(150, "node-c"))
    run.until(200)
    assert [(one[2]["from"], one[2]["to"]) for one in told(run, "vip_moved")] == [("node-a", "node-c")]


def test_a_lease_that_went_over_before_the_wires_last_move_moves_nothing_when_that_falls_silent() -> None:
    run = play(
        interleave(
            ABC, leases(0, "node-a"), leases(5, "node-c"), announce("A", until=30), announce("B", from_=33, until=60)
        ),
        until=200,
    )
    assert (run.vip().holder, run.vip().moves) == ("node-c", 1)


def test_a_lease_that_went_over_while_the_wire_spoke_counts_when_that_falls_silent() -> None:
    run = play(interleave(ABC, leases(0, "node-a"), announce("A", until=30), leases(20, "node-b")), until=200)
    assert [(one[1], one[2]["source"], one[3]) for one in told(run, "vip_moved")] == [(40, "lease", 20)]


# --- mismatches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "inputs", "until", "expected"),
    [
        (
            "vipHost and the wire; in static mode that is the mac's too",
            [*ABC, *service(0, "node-b"), *announce("A", until=30)],
            30,
            [
                {"check": "host", "annotation": "node-b", "wire": "node-a", "mac": A},
                {"check": "mac", "mac": A, "hwaddr": ""},
            ],
        ),
        (
            "hwaddr and the wire",
            [*ABC, *service(0, "node-a", **SHARED), *announce("A", until=30)],
            30,
            [{"check": "mac", "mac": A, "hwaddr": H}],
        ),
        (
            "a router's mac, where the version is not known",
            [*service(0, mode=Mode.DHCP, hwaddr="H"), *ROUTED],
            30,
            [{"check": "mac", "mac": "00:00:5e:00:01:01", "hwaddr": H}],
        ),
        (
            "lease and vipHost",
            [*service(0, "node-a"), *leases(0, "node-b")],
            30,
            [{"check": "lease", "lease": "node-b", "annotation": "node-a"}],
        ),
        (
            "bound here, held by another",
            [*ABC, *bound(0, "eth0"), *host(0), *announce("B", until=30)],
            30,
            [{"check": "bound", "bound_on": "node-a", "holder": "node-b"}],
        ),
        (
            "bound here, and another source than the wire names another",
            [*bound(0, "eth0"), *host(0), *leases(0, "node-b")],
            30,
            [{"check": "bound", "bound_on": "node-a", "holder": "node-b"}],
        ),
    ],
)
def test_a_mismatch_field_by_field(words: str, inputs: list[Input], until: float, expected: list[dict]) -> None:
    run = play(inputs, core=new_core(observer="node-a"), until=until)
    assert [one[2] for one in told(run, "mismatch_started")] == expected


def test_the_mismatch_of_an_address_says_which_is_announced() -> None:
    run = play(interleave(service(0), announce("A", until=60), service(30, addresses=(NEW_VIP,))))
    assert [(one[2], event.vip) for one, event in zip(told(run, "mismatch_started"), run.events[1:], strict=False)] == [
        ({"check": "address", "announced": str(VIP)}, NEW_VIP)
    ]


def test_nothing_of_what_is_stale_is_compared() -> None:
    """What is bound here is: that is known without Kubernetes."""
    run = play(
        [
            *ABC,
            *service(0, "node-b"),
            *leases(0, "node-c"),
            *bound(0, "eth0"),
            *host(0),
            *intent_fresh(1, False),
            *announce("B", from_=2, until=32),
        ],
        core=new_core(observer="node-a"),
    )
    assert set(mismatches(run)) == {"bound"}
    left = play(
        [*service(0, "node-a"), *intent_fresh(1, False), *announce("A", until=30), *announce("B", from_=33, until=60)]
    )
    assert set(mismatches(left)) == set()


@pytest.mark.parametrize("doubt", [kubernetes(20, answers=False), leases(20, "node-b", confirmed=False)])
def test_bound_is_held_back_while_the_holder_is_in_doubt(doubt: list[Input]) -> None:
    """It is the lease's, and Kubernetes does not answer, or the lease was not confirmed."""
    told_so = [*bound(10, "eth0"), *host(10), *leases(10, "node-b")]
    run = play([*told_so, *doubt], core=new_core(observer="node-a"), until=60)
    assert set(mismatches(run)) == set()
    seen = play(
        [*ABC, *told_so, *announce("B", from_=11, until=19), *doubt, *announce("B", from_=21, until=60)],
        core=new_core(observer="node-a"),
    )
    assert set(mismatches(seen)) == {"bound"}


def test_no_mismatch_begins_while_the_vip_is_moving_and_its_time_goes_on() -> None:
    """Sixteen seconds of it, at a period of 10 s: until it is over the wire stands for the old holder."""
    before = [*ABC, *service(0, "node-a", period=10), *bound(0), *host(0), *announce("A", every=10, until=30)]
    run = play(
        [*before, *frames("B", 35), *service(36, "node-c", period=10), *bound(36, "eth0"), *frames("B", 45)],
        core=new_core(observer="node-c", settle=5),
        until=49,
    )
    assert (run.vip().state, set(mismatches(run))) == ("moving", set())
    run.until(55)
    assert set(mismatches(run)) == {"host", "mac", "bound"}


def test_the_first_of_several_mismatches_does_not_wait_for_the_others() -> None:
    run = play(
        [*service(3, "node-a"), *leases(3, "node-b"), *bound(8, "eth0"), *host(8)],
        core=new_core(observer="node-a"),
        until=60,
    )
    assert [(one[1], one[2]["check"]) for one in told(run, "mismatch_started")] == [(18, "lease"), (23, "bound")]


def test_a_requirement_is_not_unmet_by_what_is_stale() -> None:
    """Nothing is heard here, but who says that it should be is not believed any more."""
    said = leases(0, "node-a")
    assert met(play(said, until=30), Requirement.HEARD_HERE) is False
    assert met(play(said + intent_fresh(20, False), until=30), Requirement.HEARD_HERE) is None


@pytest.mark.parametrize("end", [[], intent_fresh(40, False)])
def test_a_mac_that_differs_from_hwaddr_is_compared_while_it_is_announced_and_the_service_can_be_believed(
    end: list[Input],
) -> None:
    run = play(interleave(ABC, service(0, "node-a", **SHARED), announce("A", until=60 if end else 30), end), until=60)
    assert [one[0] for one in told(run) if one[0].startswith("mismatch")] == ["mismatch_started", "mismatch_ended"]
