"""Edges of the rules on claims: both sides of a boundary, what falls in one moment, and the moment in which it is told.

Each row keeps a line of `exporter/vip/claims.py` or `period.py` from being changed unnoticed (docs/mutation.md).
"""

from __future__ import annotations

import pytest

from exporter.vip.model import Input, Mode, Node, State, format_mac, seconds
from tests.vip.more import check_row, heard, known, leases, mismatch_events, mismatches, of_name, remembered
from tests.vip.situations import (
    JUST,
    NEW_VIP,
    VIP,
    Row,
    Run,
    Shows,
    announce,
    capture,
    frame,
    frames,
    interleave,
    lease,
    letter_of,
    mac_of,
    new_core,
    node,
    nodes,
    play,
    service,
)

AB = nodes(0, "A", "B")
SHARED = {"mode": Mode.DHCP, "hwaddr": "H", "announces_hwaddr": True}
A_ALONE = Shows("held", "A", holder="node-a", claimants="A")

SLOWER = frames("A", *range(0, 28, 9), *range(52, 153, 25))
"""Paces of 9 s and then of 25 s, which let intervals of up to 75 s pass without silence."""

PERIOD = [
    Row(
        "intervals of exactly 60 s teach",
        SLOWER + announce("A", from_=212, until=572, every=60),
        {152: Shows("held", "A", period=25), 572: Shows("held", "A", period=60, events="vip_seen")},
    ),
    Row(
        "intervals of more than 60 s do not",
        SLOWER + announce("A", from_=212 + JUST, until=573, every=60 + JUST),
        {572.1: Shows("held", "A", period=25, events="vip_seen")},
    ),
    Row(
        "intervals longer than grace teach too, though each time the claim had lapsed",
        announce("A", until=27, every=9),
        {27: Shows("held", "A", claimants="A", period=9)},
    ),
    Row(
        "what is heard while a period is configured teaches nothing for later",
        interleave(service(0, "", period=4), announce("A", until=20, every=5), service(20, "")),
        {19: Shows("held", "A", period=4), 20: Shows("held", "A", period=3)},
    ),
    Row(
        "the very last frame makes the learned period shorter: lapse and silence come by the new one",
        announce("A", until=27, every=9) + announce("A", from_=27.5, until=29, every=0.5),
        {
            29: Shows("held", "A", claimants="A", period=0.5),
            36: Shows("held", "A", claimants=""),
            39 + JUST: Shows("silent", events="vip_seen vip_silent"),
        },
    ),
]

ONE_MOMENT = [
    Row(
        "old holder and rival fall silent in one moment, the rival's claim being older: the holder lapses first",
        frames("A", 0) + frames("B", 6) + frames("A", 8) + frames("B", 8),
        {15 - JUST: Shows("moving", "A", claimants="A B"), 15: Shows("held", "B", moves=1, moved_at=6)},
    ),
    Row(
        "two rivals fall silent in one moment: the one that came first lapses first",
        frames("A", 0) + frames("C", 10) + frames("B", 11) + frames("C", 13) + frames("B", 13),
        {20: Shows("held", "B", moves=1, withdrawn=1, moved_at=11)},
    ),
    *(
        Row(
            f"two rivals came and fell silent together, {words}: the lower mac lapses first",
            frames("A", 0) + [frame(who, at) for at in (10, 13) for who in order],
            {20: Shows("held", "C", moves=1, withdrawn=1, moved_at=10)},
        )
        for words, order in (("C before B", "CB"), ("B before C", "BC"))
    ),
    Row(
        "a shorter period makes claims overdue together: they lapse in the order of their last frames",
        interleave(
            service(0, period=10),
            leases(0, "", expires=24),  # something to fall due in between
            frames("A", 0, 9),
            frames("C", 7, 12),
            frames("B", 8, 10),
            service(25, period=3),
        ),
        {
            25 - JUST: Shows("moving", "A", claimants="A B C"),
            25 + JUST: Shows("silent", moves=1, withdrawn=1, moved_at=7),
        },
    ),
    Row(
        "overdue together, and the first to lapse decides the move: the old holder's claim is over with it",
        interleave(
            AB,
            service(0, "node-z", period=10),  # whose mismatch with the lease falls due in between
            lease(0, "node-a"),
            frames("A", 0, 5),
            frames("C", 4),
            frames("B", 6),
            lease(6.5, "node-b"),
            service(16, "node-z", period=3),
        ),
        {
            15: Shows("moving", "A", holder="node-a", claimants="A B C"),
            16 + JUST: Shows("silent", holder="node-b", moves=1, withdrawn=1, moved_at=6, mismatches="lease"),
        },
    ),
]

SHORTER = [
    Row(
        f"a shorter period makes both sides of a contest overdue{words}: the one heard last survives",
        interleave(
            service(0, period=10),
            leases(0, "", expires=expires),
            frames("A", 0, 15, 25),
            frames("B", 1, 16, 28),
            service(40, period=3),
        ),
        {
            40 - JUST: Shows("contested", contests=1, claimants="A B"),
            40 + JUST: Shows("silent", contests=1, moves=1, moved_at=1),
        },
    )
    for words, expires in (("", 100), (", and something else fell due in between", 38))
] + [
    Row(
        "a shorter period makes all but one overdue, which is at odds with a claim that is over: that one is left",
        interleave(
            service(0, period=10), frames("A", 0, 15), frames("B", 1, 14), frames("C", 2, 18), service(23.5, period=3)
        ),
        {
            23.4: Shows("moving", "A", claimants="A B C"),
            23.6: Shows("held", "C", contests=1, moves=1, moved_at=2, withdrawn=1, claimants="C"),
        },
    ),
]
"""Another period is configured while claims are open: each lapses at its own moment, though that has passed."""

HOLDER = [
    Row(
        "one node's two macs leave it in turn, unknown both: one party, nothing has begun",
        interleave(announce("A", until=60, outgoing=True), announce("X", from_=1, until=60, outgoing=True)),
        {60: Shows("held", "A", holder="node-a", claimants="A X", events="vip_seen")},
        observer="node-a",
    ),
    Row(
        "a silent holder that is heard again by its other mac has returned",
        interleave(nodes(0, node("AX"), "B"), announce("A", until=30), announce("X", from_=300, until=306)),
        {
            299: Shows("silent"),
            300: Shows("held", "A", holder="node-a", claimants="X", events="vip_seen vip_silent vip_returned"),
            306: Shows(
                "held",
                "X",
                holder="node-a",
                claimants="X",
                mac_changes=1,
                events="vip_seen vip_silent vip_returned mac_changed",
            ),
        },
    ),
    Row(
        "the same where both leave this very node, and nobody knows either",
        announce("A", until=30, outgoing=True) + frames("X", 300, outgoing=True),
        {300: Shows("held", "A", holder="node-a", claimants="X", events="vip_seen vip_silent vip_returned")},
        observer="node-a",
    ),
    Row(
        "the shared mac goes on without a pause, from here now: the wire names this node when the other is silent",
        interleave(service(0, **SHARED), announce("H", until=30), announce("H", from_=33, until=60, outgoing=True)),
        {
            36: Shows("held", "H", holder="", claimants="H"),
            37: Shows("held", "H", holder=""),
            39: Shows("held", "H", holder="node-a", claimants="H"),
        },
        observer="node-a",
    ),
    Row(
        "frames of the shared mac from here exactly grace after the last from elsewhere do not name this node yet",
        interleave(service(0, **SHARED), frames("H", 0, 1), frames("H", 8, 8 + JUST, outgoing=True)),
        {8: Shows("held", "H", holder=""), 8 + JUST: Shows("held", "H", holder="node-a")},
        observer="node-a",
    ),
    Row(
        "what an earlier run remembered changes nothing once the holder was heard",
        interleave(AB, frames("A", 0, 3), remembered(4, "node-b", "B", since=-100, heard=-10), frames("A", 6)),
        {6: Shows("held", "A", holder="node-a", claimants="A", events="vip_seen")},
    ),
    Row(
        "a frame that comes while capture does not work says nothing of now",
        interleave(frames("A", 1), capture(2, up=True), frames("A", 5)),
        {1: Shows("unknown"), 5: Shows("held", "A", claimants="A")},
        listening=False,
    ),
]


@pytest.mark.parametrize("row", [*PERIOD, *ONE_MOMENT, *SHORTER, *HOLDER], ids=lambda row: row.words)
def test_row(row: Row) -> None:
    check_row(row)


# --- two macs of one node ---------------------------------------------------------------------------------------------

BOTH = nodes(0, "A", node("BY"))
SAME_NODE = [
    Row(
        "the new holder's two macs are one claimant: it moves to the one that came first, since its first frame",
        interleave(BOTH, announce("A", until=30), announce("Y", from_=32, until=60), announce("B", from_=33, until=60)),
        {60: Shows("held", "Y", holder="node-b", claimants="B Y", moves=1, handover=2, moved_at=32)},
    ),
    Row(
        "one of the new claimant's two macs falls silent: no claim is withdrawn",
        interleave(BOTH, announce("A", until=33), frames("B", 31), announce("Y", from_=32, until=60)),
        {60: Shows("held", "Y", holder="node-b", moves=1, handover=0, events="vip_seen vip_moved")},
    ),
    Row(
        "the later of a claimant's two macs tells whether it goes on: two new claimants are a contest",
        interleave(
            BOTH,
            announce("A", until=30),
            frames("B", 31, 37.9),
            frames("Y", 33, 36, 39.2, 42),
            announce("C", from_=32, until=44),
        ),
        {
            39.1: Shows("moving", "A", holder="node-a", claimants="B C Y"),
            41: Shows("contested", holder="", claimants="B C Y", contests=1),
        },
    ),
    Row(
        "a contest's survivor has two macs: it holds by the one that came first",
        interleave(
            BOTH,
            announce("A", until=50),
            announce("B", from_=32, until=80),
            announce("Y", from_=31, until=80),
        ),
        {50: Shows("contested", contests=1, claimants="A B Y"), 80: Shows("held", "Y", "node-b", moves=1, contests=1)},
    ),
    Row(
        "the holder's other mac outlasts a contest: the change of the mac is told with its end",
        interleave(
            nodes(0, node("AX"), "B"),
            announce("A", until=42),
            announce("X", from_=41, until=70),
            frames("B", 32, 35, 40, 45, 50),
        ),
        {
            57 - JUST: Shows("contested", contests=1, claimants="B X"),
            57: Shows("held", "X", holder="node-a", contests=1, claimants="X", mac_changes=1),
        },
    ),
    Row(
        "the holder's mac falls silent, and of two others of its node the one heard last takes its place",
        interleave(nodes(0, node("AXY")), frames("A", 0), frames("X", 1, 3), frames("Y", 2, 4)),
        {7: Shows("held", "Y", holder="node-a", claimants="X Y", mac_changes=1)},
    ),
    Row(
        "two frames of the node's other mac are enough to take its place",
        interleave(nodes(0, node("AX")), frames("A", 0), frames("X", 1, 3)),
        {7: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1)},
    ),
    Row(
        "one frame is not",
        interleave(nodes(0, node("AX")), frames("A", 0), frames("X", 3)),
        {9: Shows("held", "A", holder="node-a", claimants="X")},
    ),
    Row(
        "one frame is where announcers do not repeat",
        interleave(nodes(0, node("AX")), frames("A", 0), frames("X", 3)),
        {7: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1)},
        period=0,
    ),
    Row(
        "a frame of the holder's other mac puts its silence off",
        interleave(nodes(0, node("AX")), announce("A", until=30), frames("X", 34)),
        {41 - JUST: Shows("held", "A", holder="node-a", claimants="X", events="vip_seen")},
    ),
    Row(
        "a mac that turns out to be another node's does not take the place of the holder's",
        interleave(nodes(0, node("AX")), frames("A", 0), frames("X", 1, 2), nodes(3, "A", node("X", name="node-x"))),
        {8: Shows("held", "A", holder="node-a", claimants="X")},
    ),
]

# --- episodes ---------------------------------------------------------------------------------------------------------

EPISODES = [
    Row(
        "one that was withdrawn comes back before the episode ends: the move carries its first frame in the episode",
        announce("A", until=30) + frames("B", 32) + frames("C", 38) + frames("B", 41, 44),
        {45: Shows("held", "B", claimants="B", moves=1, withdrawn=2, handover=2, moved_at=32)},
    ),
    Row(
        "withdrawn twice, and back again: still its first frame in the episode",
        announce("A", until=30)
        + interleave(frames("B", 32, 41, 50, 53), frames("C", 38), frames("D", 44), frames("E", 49)),
        {56: Shows("held", "B", claimants="B", moves=1, withdrawn=5, handover=2, moved_at=32)},
    ),
    Row(
        "two new claimants go on, one of them lapsed since: a contest",
        interleave(
            announce("A", until=9),
            frames("B", 10, 13, 16, 19.5),
            frames("C", 12, 15, 18.9, 26.8),
            frames("D", 20),
        ),
        {
            26.7: Shows("moving", "A", claimants="D", withdrawn=2),
            26.8: Shows("contested", claimants="C D", withdrawn=2, contests=1),
        },
    ),
    Row(
        "a new claimant that comes back is not at odds with itself",
        interleave(
            announce("A", until=9),
            frames("C", 10, 13, 16, 18, 26),
            frames("D", 12),
            frames("E", 18),
            frames("F", 24),
        ),
        {26: Shows("moving", "A", claimants="C F", withdrawn=3)},
    ),
    Row(
        "two of four fall silent in one moment: the contest goes on between the others",
        interleave(
            announce("A", until=60),
            announce("B", from_=1, until=60),
            announce("C", from_=2, until=32),
            announce("D", from_=2, until=32),
        ),
        {38: Shows("contested", contests=1, claimants="A B C D"), 39: Shows("contested", contests=1, claimants="A B")},
    ),
    Row(
        "a contest's survivor had lapsed and come back: it has held since its first frame in the episode",
        interleave(
            announce("A", until=60),
            announce("C", from_=33, until=60),
            frames("B", 32, 35, 38, 41),
            announce("B", from_=56, until=90),
        ),
        {49: Shows("contested", contests=1, claimants="A C"), 90: Shows("held", "B", moves=1, contests=1, moved_at=32)},
    ),
    Row(
        "a lease that went over with the old holder's and the new one's frames in one moment does not settle it",
        interleave(AB, lease(0, "node-a"), announce("A", until=30), frames("B", 30, 33), lease(33.5, "node-b")),
        {
            36: Shows("moving", "A", holder="node-a", claimants="A B"),
            37: Shows("held", "B", holder="node-b", moves=1, moved_at=30),
        },
    ),
    Row(
        "settled early: the old holder's claim is over at once, and its node's other mac is release overlap too",
        interleave(
            nodes(0, node("AX"), "B"),
            lease(0, "node-a"),
            announce("A", until=30),
            lease(32, "node-b"),
            announce("B", from_=33, until=60),
            frames("X", 35),
        ),
        {
            33: Shows("held", "B", holder="node-b", claimants="B", moves=1, handover=3),
            35: Shows("held", "B", holder="node-b", claimants="B", moves=1),
        },
    ),
    Row(
        "settled early: the old mac's frames are overlap though nobody knows any more whose it is",
        interleave(
            AB,
            lease(0, "node-a"),
            announce("A", until=30),
            lease(32, "node-b"),
            announce("B", from_=33, until=60),
            nodes(34, "B"),
            frames("A", 35),
        ),
        {35: Shows("held", "B", holder="node-b", claimants="B", moves=1, handover=3)},
    ),
    Row(
        "settled early: only the old holder's frames are release overlap",
        interleave(
            AB,
            lease(0, "node-a"),
            announce("A", until=30),
            lease(32, "node-b"),
            announce("B", from_=33, until=60),
            frames("C", 35),
        ),
        {35: Shows("moving", "B", holder="node-b", claimants="B C", moves=1)},
    ),
    Row(
        "the lease vouches for no mac of an announcer that does not repeat: one frame is a move",
        interleave(AB, lease(0, "node-a"), frames("A", 0), frames("X", 60)),
        {60: Shows("held", "X", holder="", moves=1, handover=60, moved_at=60)},
        period=0,
    ),
    Row(
        "the lease vouches for the holder until vipHost goes over: a move at once",
        interleave(
            nodes(0, "A", Node("node-b")),
            service(0, "node-a"),
            lease(0, "node-a"),
            announce("A", until=30),
            announce("X", from_=33, until=45),
            service(40, "node-b"),
        ),
        {
            40 - JUST: Shows("moving", "A", holder="node-a", claimants="X"),
            40: Shows("held", "X", holder="node-b", claimants="X", moves=1, handover=3, moved_at=33),
        },
    ),
    Row(
        "the lease has named the holder since long before its mac fell silent, if not for ever: a mac change",
        interleave(lease(0, "node-b"), lease(20, "node-a"), announce("A", until=60), announce("X", from_=63, until=90)),
        {90: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1)},
    ),
    Row(
        "after a restart the lease vouches for no other node than was remembered",
        interleave(
            AB,
            remembered(0, "node-a", "A", since=-100, heard=-20),
            lease(0, "node-b"),
            announce("X", from_=1, until=40),
        ),
        {40: Shows("held", "X", holder="node-b", claimants="X", moves=1)},
    ),
    Row(
        "after a restart the lease vouches for the remembered node's new mac, which is seen once",
        interleave(
            AB,
            remembered(0, "node-a", "A", since=-100, heard=-20),
            lease(0, "node-a"),
            announce("X", from_=1, until=40),
        ),
        {40: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1, events="mac_changed")},
    ),
    Row(
        "the lease vouches for another mac after a long silence: held again",
        interleave(AB, lease(0, "node-a"), announce("A", until=30), announce("X", from_=300, until=330)),
        {
            299: Shows("silent", holder="node-a"),
            330: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1),
        },
    ),
    Row(
        "capture is back: unknown until somebody is heard, and nobody claims it while nothing can be heard",
        interleave(
            capture(0, up=True), announce("A", until=9), capture(10, up=False), capture(20, up=True), frames("A", 25)
        ),
        {
            9: Shows("held", "A", claimants="A"),
            10: Shows("unknown", claimants=""),
            20: Shows("unknown", claimants=""),
            25: Shows("held", "A", claimants="A"),
        },
        listening=False,
    ),
]


@pytest.mark.parametrize("row", [*SAME_NODE, *EPISODES], ids=lambda row: row.words)
def test_further_row(row: Row) -> None:
    check_row(row)


# --- the moment in which it is told -----------------------------------------------------------------------------------


def test_silence_begins_with_its_first_nanosecond() -> None:
    """More than 10 s without the holder, more than 15 s with nobody at all; the event names the mac."""
    heard, never = play(frames("A", 0), until=30), play([], until=30)
    assert [(event.at, event.fields["mac"]) for event in of_name(heard, "vip_silent")] == [
        (seconds(10) + 1, format_mac(mac_of("A")))
    ]
    assert [(event.at, event.fields["mac"]) for event in of_name(never, "vip_silent")] == [(seconds(15) + 1, "")]


def test_a_mac_that_the_lease_vouches_for_is_the_holders_when_the_settle_time_is_over() -> None:
    """In that moment, not with its next frame."""
    run = play(interleave(AB, service(0, "node-a"), leases(0, "node-a"), announce("A", until=30)))
    run.feed(announce("X", from_=33, until=60))
    assert [event.at for event in of_name(run, "mac_changed")] == [seconds(48) + 1]


def test_the_change_of_a_mac_ends_the_episode() -> None:
    run = play(interleave(AB, service(0, "node-a"), leases(0, "node-a"), announce("A", until=30)))
    run.feed(announce("X", from_=33, until=48))
    run.until(48 + JUST)
    assert (run.vip().state, letter_of(run.vip().holder_mac)) == ("held", "X")


def test_the_lease_cannot_vouch_for_a_mac_of_which_an_earlier_run_knew_no_node() -> None:
    """Another one is no new MAC of the same holder, but a move."""
    run = play(remembered(0, "", "A", since=-100, heard=-20) + lease(0, "node-b") + announce("X", from_=1, until=40))
    assert (run.vip().moves, run.vip().mac_changes) == (1, 0)


def test_a_mac_change_is_told_when_the_old_mac_lapses() -> None:
    """Its node's other mac goes on; the next frame of that comes later."""
    run = play(interleave(nodes(0, node("AX")), announce("A", until=30), announce("X", from_=2, until=60)))
    assert [event.at for event in of_name(run, "mac_changed")] == [seconds(37)]


def test_a_mismatch_dates_from_the_frame_with_which_a_silent_holder_returns() -> None:
    run = play(
        interleave(
            AB,
            service(0, "node-a"),
            announce("A", until=30),
            service(60, "node-b"),
            announce("A", from_=100, until=130),
        )
    )
    assert mismatches(run) == {"host": 100.0, "mac": 100.0}


def test_a_mismatch_dates_from_the_frame_that_changes_the_holders_mac() -> None:
    """The node's second mac becomes the holder's with its second frame after the first one's lapse."""
    run = play(
        interleave(
            nodes(0, node("AX"), "B"),
            service(0, "node-a", mode=Mode.DHCP, hwaddr="A", announces_hwaddr=True),
            announce("A", until=30),
            announce("X", from_=36, until=70, every=4),
        )
    )
    assert mismatches(run) == {"mac": 40.0}


def test_a_mismatch_ends_with_the_frame_that_changes_the_holders_mac_to_the_right_one() -> None:
    """Both leave this node, so they are one node's, whoever else has the shared one."""
    run = play(
        interleave(
            AB,
            service(0, "node-a", **SHARED),
            announce("A", until=18, outgoing=True),
            frames("H", 20, 26, outgoing=True),
        ),
        core=new_core(observer="node-a"),
    )
    assert mismatch_events(run, "mac") == [("started", 15.0), ("ended", 26.0)]


def test_a_mismatch_dates_from_the_frame_that_shows_who_sends_the_shared_mac() -> None:
    """This node has taken over, while vipHost names another."""
    run = play(
        interleave(
            AB,
            service(0, "node-b", **SHARED),
            announce("H", until=30),
            announce("H", from_=40, until=70, outgoing=True),
        ),
        core=new_core(observer="node-a"),
    )
    assert mismatches(run) == {"host": 40.0}


def test_a_mismatch_ends_with_the_frame_after_which_nobody_knows_who_sends_the_shared_mac() -> None:
    run = play(
        interleave(AB, service(0, "node-b", **SHARED), announce("H", until=70, outgoing=True), frames("H", 50.5)),
        core=new_core(observer="node-a"),
    )
    assert mismatch_events(run, "host") == [("started", 15.0), ("ended", 50.5)]


@pytest.mark.parametrize("state", [State.MOVING, State.CONTESTED])
def test_an_address_that_was_given_up_stays_watched_whatever_its_state(state: State) -> None:
    """Somebody announces it, if not for sure who: it is not silent."""
    run = play(
        interleave(
            AB,
            service(0, "node-a"),
            announce("A", until=60),
            announce("B", from_=31 if state is State.CONTESTED else 42, until=60),
            service(44, "node-a", addresses=(NEW_VIP,)),
        ),
        core=new_core(watch=()),
    )
    assert run.vip(VIP).state in (state, State.CONTESTED)
    run = Run(new_core(watch=()))
    steps = interleave(
        AB,
        service(0, "node-a"),
        announce("A", until=44),
        announce("B", from_=31 if state is State.CONTESTED else 42, until=44),
        service(44, "node-a", addresses=(NEW_VIP,)),
    )
    run.feed(steps)
    assert (run.vip(VIP).state, run.vip(NEW_VIP).state) == (state, State.UNKNOWN)


def test_the_holders_present_mac_alone_teaches_the_period() -> None:
    """Its node's other mac has a rhythm of its own; after a lapse, too, only the holder's intervals count."""
    run = play(
        interleave(nodes(0, node("AX")), announce("A", until=60, every=5), announce("X", from_=1, until=60, every=2))
    )
    assert run.vip().period == seconds(5)


def test_a_holder_that_is_heard_again_after_its_lapse_and_before_its_silence_begins_another_claim() -> None:
    run = play(frames("A", 0, 10))
    assert (sum(run.vip().claims.values()), len(run.vip().claimants), run.names()) == (2, 1, ["vip_seen"])


def test_what_is_heard_though_nothing_can_be_heard_teaches_no_period() -> None:
    """Frames that were on their way when the interface went down: nobody holds the VIP."""
    run = play(announce("A", until=20, every=5), core=new_core(listening=False))
    assert (run.vip().state, run.vip().period) == ("unknown", seconds(3))


def test_a_mac_change_that_an_episode_held_up_is_told_when_that_ends() -> None:
    """A's claim lapses while a stranger's is open; the change to X is told with the stranger's lapse."""
    run = play(
        interleave(
            nodes(0, node("AX")),
            announce("A", until=30),
            announce("X", from_=31.5, until=60),
            frames("B", 33),
        )
    )
    assert [(event.name, event.at) for event in run.events if event.at > seconds(30)] == [
        ("claim_withdrawn", seconds(40)),
        ("mac_changed", seconds(40)),
    ]


def test_a_second_stranger_keeps_the_lease_from_vouching_for_the_first() -> None:
    """Time goes on beyond the moment in which the lease would have decided."""
    run = play(
        interleave(
            AB,
            service(0, "node-a"),
            leases(0, "node-a"),
            announce("A", until=30),
            announce("X", from_=33, until=42),
            announce("C", from_=42, until=48),
        ),
        until=48.5,
    )
    assert (run.vip().state, run.vip().mac_changes) == ("moving", 0)


# --- the cap of claimants ---------------------------------------------------------------------------------------------

CROWD = "BCDEFGHIJKLMNOPQ"
"""Sixteen, none of them the holder."""


def crowd(at: float, letters: str = CROWD) -> list[Input]:
    return [frame(mac_of(letter), at + 0.01 * number) for number, letter in enumerate(letters)]


def live(run: Run) -> set[str]:
    return {one.mac for one in run.vip().claimants}


def test_a_holder_that_comes_back_to_a_full_table_gets_a_place() -> None:
    """Its claim had lapsed, and all sixteen of the others have spoken twice."""
    run = play([*frames("A", 0), *crowd(10), *crowd(12), *frames("A", 13)])
    assert format_mac(mac_of("A")) in live(run)
    assert (len(live(run)), run.vip().claimants_overflow) == (16, 1)
    assert format_mac(mac_of("B")) not in live(run)


def test_the_holders_other_mac_is_refused_where_all_spoke_twice() -> None:
    """Only the mac that holds the VIP has a right to a place."""
    run = play([*nodes(0, node("AX")), *frames("A", 0), *crowd(1, CROWD[:15]), *crowd(2, CROWD[:15]), *frames("X", 3)])
    assert format_mac(mac_of("X")) not in live(run)
    assert (len(live(run)), run.vip().claimants_overflow) == (16, 1)


def test_a_new_holder_is_listed_however_many_are() -> None:
    """Sixteen others were heard within ten minutes, and keep their slots."""
    listed = [*frames("A", 0), *crowd(1, CROWD[:15]), *frames("A", 7), *frames("Z", 20, 23, 26, 29)]
    run = play(listed)
    assert (letter_of(run.vip().holder_mac), run.vip().moves) == ("Z", 1)
    assert format_mac(mac_of("Z")) in {one.mac for one in run.vip().listed_claimants}
    assert len(run.vip().listed_claimants) == 16


def test_the_holders_new_mac_is_listed_however_many_are() -> None:
    run = play(
        [*nodes(0, node("AX")), *frames("A", 0), *crowd(1, CROWD[:15]), *frames("A", 7, 10), *frames("X", 12, 15)]
    )
    run.until(17)
    assert (letter_of(run.vip().holder_mac), run.vip().mac_changes) == ("X", 1)
    assert format_mac(mac_of("X")) in {one.mac for one in run.vip().listed_claimants}
    assert len(run.vip().listed_claimants) == 16


@pytest.mark.parametrize(("others", "moved_at"), [(15, 1), (16, 18)])
def test_the_last_sixteen_claims_that_an_episode_saw_end_are_remembered(others: int, moved_at: float) -> None:
    """Z was withdrawn first of all, and comes back: it has held since its first frame, as far as that is known."""
    back = 2 + others
    passing = [frame(mac_of(letter), 2 + number) for number, letter in enumerate(CROWD[:others])]
    run = play([*frames("A", 0), *frames("Z", 1), *passing, *frames("Z", back, back + 3)], until=back + 6)
    assert (letter_of(run.vip().holder_mac), run.vip().moves) == ("Z", 1)
    assert run.last("vip_moved").since == seconds(moved_at)


def test_a_holder_that_lapses_in_a_contest_is_no_claim_to_be_remembered() -> None:
    """Z's was the first of sixteen: it has held since its first frame, since all sixteen are remembered."""
    passing = [frame(mac_of(letter), 13 + number) for number, letter in enumerate("EFGHIJKLMNOPQ")]
    run = play(
        interleave(
            announce("A", until=30),
            announce("B", from_=1, until=45),
            announce("C", from_=2, until=45),
            frames("Z", 12),
            passing,
            announce("Z", from_=38, until=60),
        ),
        until=60,
    )
    assert (letter_of(run.vip().holder_mac), run.vip().contests, run.vip().moves) == ("Z", 1, 1)
    assert run.last("vip_moved").since == seconds(12)


# --- whose a mac is ---------------------------------------------------------------------------------------------------


def test_what_leaves_this_node_is_a_nodes_though_its_mac_is_nobodys() -> None:
    run = play([*AB, *announce("X", until=9, outgoing=True)], core=new_core(observer="node-a"))
    assert [one.claimant_class for one in run.vip().claimants] == ["node"]
    assert (run.vip().claims["node"], run.vip().claims["foreign"]) == (1, 0)


def test_a_mismatch_dates_from_the_frame_that_tells_whose_the_holders_mac_is_though_its_claim_has_lapsed() -> None:
    """It announces seldom: between lapse and silence it is still the holder."""
    known_by_address = nodes(0, known("A"), known("B"))
    run = play(
        interleave(known_by_address, service(0, "node-b", period=20), frames("A", 0), heard(42, "A")),
        core=new_core(settle=5),
        until=50,
    )
    assert mismatches(run) == {"host": 42.0, "mac": 42.0}
