"""Every situation of the situations table in docs/decisions.md, and every sentence before it: what happens, what shows.

The default period is 3 s: grace is 7 s, a holder is silent after more than 10 s.
"""

from __future__ import annotations

import random

import pytest

from exporter.vip.model import (
    ClaimantClass,
    FramesMissed,
    IPAddress,
    Kind,
    LeaseGone,
    Mac,
    Mode,
    Node,
    Requirement,
    Source,
    State,
    seconds,
)
from tests.vip.more import host, link
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
    mac_of,
    new_core,
    node,
    nodes,
    play,
    service,
    service_gone,
    shown,
)

AB = nodes(0, "A", "B")
"""Two nodes, the mac of each known."""

ONE_AT_A_TIME = [
    Row(
        "nothing heard yet: unknown, every counter at 0",
        [],
        {0: Shows("unknown", claimants="", events=""), 15: Shows("unknown")},
    ),
    Row(
        "nothing heard for more than 5P of working capture: silent, no holder",
        [],
        {15: Shows("unknown"), 15 + JUST: Shows("silent", claimants="")},
    ),
    Row(
        "nothing heard, period 1 s configured: silent after 5 s",
        [],
        {5: Shows("unknown"), 5 + JUST: Shows("silent")},
        period=1,
    ),
    Row(
        "nothing heard and no working capture: unknown for ever; the 5P begin when capture works",
        capture(100, up=True),
        {99: Shows("unknown"), 114.9: Shows("unknown"), 115.1: Shows("silent")},
        listening=False,
    ),
    Row(
        "nothing heard of a one-shot announcer: never silent by age",
        [],
        {100_000: Shows("unknown")},
        period=0,
    ),
    Row(
        "A announces every P with alternating opcode: held, the first sighting is no move",
        announce("A", until=60),
        {0: Shows("held", "A", claimants="A"), 60: Shows("held", "A", claimants="A", events="vip_seen")},
    ),
    Row(
        "A announces with requests only: held",
        announce("A", until=60, kinds=(Kind.REQUEST,)),
        {60: Shows("held", "A", claimants="A", events="vip_seen")},
    ),
    Row(
        "A announces with gratuitous replies only: held",
        announce("A", until=60, kinds=(Kind.REPLY,)),
        {60: Shows("held", "A", claimants="A", events="vip_seen")},
    ),
    Row(
        "A announces an IPv6 VIP by unsolicited neighbour advertisements: held",
        announce("A", until=60, kinds=(Kind.NA,), vip=VIP6),
        {60: Shows("held", "A", claimants="A", events="vip_seen")},
        vip=VIP6,
    ),
    Row(
        "the announcing mac belongs to one known node: that node is the holder",
        [*AB, *announce("A", until=60)],
        {60: Shows("held", "A", holder="node-a")},
    ),
    Row(
        "two nodes have the announcing mac: the wire cannot name a node",
        [*nodes(0, node("AX"), node("BX")), *announce("X", until=60)],
        {60: Shows("held", "X", holder="")},
    ),
    Row(
        "a claimant is live until grace after its last frame, then lapses; the holder stays until it is silent",
        frames("A", 0),
        {7 - JUST: Shows("held", "A", claimants="A"), 7: Shows("held", "A", claimants="")},
    ),
    Row(
        "silent only after more than max(3P, 10 s): exactly at 10 s still held",
        frames("A", 0),
        {
            10: Shows("held", "A", claimants="", events="vip_seen"),
            10 + JUST: Shows("silent", claimants="", events="vip_seen vip_silent"),
        },
    ),
    Row(
        "the holder speaks exactly at the silence threshold: it was never silent",
        frames("A", 0, 10),
        {10: Shows("held", "A", claimants="A", events="vip_seen")},
    ),
    Row(
        "the holder speaks exactly at grace: it lapses first and is live again, nothing shows",
        frames("A", 0, 7, 14, 21),
        {21: Shows("held", "A", claimants="A", events="vip_seen")},
    ),
    Row(
        "silent for long, then A again: held, vip_returned, no move",
        announce("A", until=30) + announce("A", from_=300, until=330),
        {
            299: Shows("silent"),
            300: Shows("held", "A"),
            330: Shows("held", "A", events="vip_seen vip_silent vip_returned"),
        },
    ),
    Row(
        "silent for long, then B: moving, held by B at its second frame; the handover's length is the silence",
        announce("A", until=30) + announce("B", from_=300, until=330),
        {
            300: Shows("moving", "A", claimants="B"),
            303: Shows("held", "B", claimants="B", moves=1, handover=270, moved_at=300),
            330: Shows("held", "B", moves=1, events="vip_seen vip_silent vip_moved"),
        },
    ),
    Row(
        "silent for long, then one stray frame of X: nothing has moved, silent again, a withdrawn claim",
        announce("A", until=30) + frames("X", 300),
        {
            300: Shows("moving", "A", claimants="X"),
            307: Shows("silent", claimants="", withdrawn=1, events="vip_seen vip_silent claim_withdrawn"),
        },
    ),
]

MOVES = [
    Row(
        "clean move: moving from B's first frame, held by B when A has lapsed, counted once",
        interleave(AB, announce("A", until=30), announce("B", from_=32, until=80)),
        {
            31: Shows("held", "A", holder="node-a"),
            32: Shows("moving", "A", holder="node-a", claimants="A B"),
            37 - JUST: Shows("moving", "A", holder="node-a", claimants="A B"),
            37: Shows("held", "B", holder="node-b", claimants="B", moves=1, handover=2, moved_at=32),
            80: Shows("held", "B", holder="node-b", claimants="B", moves=1, events="vip_seen vip_moved"),
        },
    ),
    Row(
        "release overlap: frames of A within grace of B's first, exactly at grace too, are no contest; handover 0",
        announce("A", until=30) + interleave(frames("A", 33, 36, 39), announce("B", from_=32, until=80)),
        {
            45: Shows("moving", "A", claimants="A B"),
            46: Shows("held", "B", claimants="B", moves=1, handover=0, moved_at=32),
            80: Shows("held", "B", moves=1, events="vip_seen vip_moved"),
        },
    ),
    Row(
        "a frame of A after its lapse has settled the move is a new claim beside B",
        announce("A", until=30) + interleave(frames("A", 39 + JUST), announce("B", from_=32, until=41)),
        {
            37: Shows("held", "B", claimants="B", moves=1),
            39 + JUST: Shows("moving", "B", claimants="A B", moves=1),
        },
    ),
    Row(
        "B begins while A's last frame is just short of grace old: A lapses, B's second frame settles the move",
        frames("A", 0) + frames("B", 7 - JUST, 10),
        {
            7 - JUST: Shows("moving", "A", claimants="A B"),
            7: Shows("moving", "A", claimants="B"),
            10: Shows("held", "B", claimants="B", moves=1, handover=7 - JUST, moved_at=7 - JUST),
        },
    ),
    Row(
        "B begins exactly when A lapses: A lapses first, yet B is beside a known holder and must speak twice",
        frames("A", 0) + frames("B", 7, 10),
        {
            7: Shows("moving", "A", claimants="B"),
            10: Shows("held", "B", claimants="B", moves=1, handover=7, moved_at=7),
        },
    ),
    Row(
        "A and B fall silent at the same moment, B has spoken twice: the old holder lapses first, B remains",
        interleave(announce("A", until=30), frames("B", 29, 30)),
        {
            37 - JUST: Shows("moving", "A", claimants="A B"),
            37: Shows("held", "B", claimants="", moves=1, handover=0, moved_at=29, events="vip_seen vip_moved"),
        },
    ),
    Row(
        "A and B fall silent at the same moment, B has spoken once: nothing has moved, B's claim is withdrawn",
        interleave(announce("A", until=30), frames("B", 30)),
        {
            37: Shows("held", "A", claimants="", withdrawn=1, events="vip_seen claim_withdrawn"),
            40 + JUST: Shows("silent", withdrawn=1, events="vip_seen claim_withdrawn vip_silent"),
        },
    ),
    Row(
        "one stray announcement of X while A goes on: withdrawn at grace, held by A",
        interleave(announce("A", until=60), frames("X", 31)),
        {
            31: Shows("moving", "A", claimants="A X"),
            38 - JUST: Shows("moving", "A", claimants="A X"),
            38: Shows("held", "A", claimants="A", withdrawn=1),
            60: Shows("held", "A", withdrawn=1, events="vip_seen claim_withdrawn"),
        },
    ),
    Row(
        "X speaks again exactly at grace: its first claim is withdrawn, then it makes another",
        interleave(announce("A", until=60), frames("X", 31, 38)),
        {
            38: Shows("moving", "A", claimants="A X", withdrawn=1),
            45: Shows("held", "A", claimants="A", withdrawn=2),
            60: Shows("held", "A", withdrawn=2, events="vip_seen claim_withdrawn claim_withdrawn"),
        },
    ),
    Row(
        "X speaks again just within grace: one claim, withdrawn once",
        interleave(announce("A", until=60), frames("X", 31, 38 - JUST)),
        {
            45 - 2 * JUST: Shows("moving", "A", claimants="A X"),
            45 - JUST: Shows("held", "A", claimants="A", withdrawn=1),
        },
    ),
    Row(
        "one stray announcement of X, then A falls silent too: nothing has moved",
        interleave(announce("A", until=30), frames("X", 31)),
        {
            37: Shows("moving", "A", claimants="X"),
            38: Shows("held", "A", claimants="", withdrawn=1),
            40 + JUST: Shows("silent", withdrawn=1, events="vip_seen claim_withdrawn vip_silent"),
        },
    ),
    Row(
        "one frame of X after A has lapsed but before it is silent: the claim outlives the threshold, then silent",
        interleave(announce("A", until=30), frames("X", 39)),
        {
            39: Shows("moving", "A", claimants="X"),
            46 - JUST: Shows("moving", "A", claimants="X"),
            46: Shows("silent", claimants="", withdrawn=1, events="vip_seen claim_withdrawn vip_silent"),
        },
    ),
    Row(
        "A stops, B sends one frame, C takes over: one move from A to C, B's claim withdrawn",
        announce("A", until=30) + frames("B", 32) + announce("C", from_=34, until=80),
        {
            38: Shows("moving", "A", claimants="B C"),
            39: Shows("held", "C", claimants="C", moves=1, withdrawn=1, handover=4, moved_at=34),
            80: Shows("held", "C", moves=1, withdrawn=1, events="vip_seen claim_withdrawn vip_moved"),
        },
    ),
    Row(
        "while two new claimants are live nothing settles; when one lapses the other has moved",
        announce("A", until=30) + interleave(frames("B", 31, 34, 37), announce("C", from_=32, until=60)),
        {
            37: Shows("moving", "A", claimants="B C"),
            44 - JUST: Shows("moving", "A", claimants="B C"),
            44: Shows("held", "C", claimants="C", moves=1, withdrawn=1, moved_at=32, handover=2),
        },
    ),
    Row(
        "A to B to A to B, clean each time, every 15 s: one move each, never a contest",
        interleave(
            announce("A", until=12),
            announce("B", from_=15, until=27),
            announce("A", from_=30, until=42),
            announce("B", from_=45, until=75),
        ),
        {
            20: Shows("held", "B", moves=1),
            35: Shows("held", "A", moves=2),
            50: Shows("held", "B", moves=3),
            75: Shows("held", "B", moves=3, claimants="B", events="vip_seen vip_moved vip_moved vip_moved"),
        },
    ),
    Row(
        "a late frame is taken at the greatest time so far",
        [*announce("A", until=30), *frames("B", 33), *frames("A", 20), *frames("B", 36, 39)],
        {
            39: Shows("moving", "A", claimants="A B"),
            40: Shows("held", "B", moves=1, handover=0, moved_at=33, claimants="B"),
        },
    ),
]

SECOND_SOURCES = [
    Row(
        "vipHost changes during the episode while A has not spoken since B's first frame: settles at once",
        interleave(
            AB, service(0, "node-a"), announce("A", until=30), announce("B", from_=32, until=60), service(33, "node-b")
        ),
        {
            32: Shows("moving", "A", holder="node-a", claimants="A B"),
            33: Shows("held", "B", holder="node-b", moves=1, handover=2, moved_at=32),
            60: Shows("held", "B", holder="node-b", claimants="B", moves=1, events="vip_seen vip_moved"),
        },
    ),
    Row(
        "vipHost changed within the settle time before B's first frame: settles with that frame",
        interleave(
            AB, service(0, "node-a"), announce("A", until=27), service(28, "node-b"), announce("B", from_=32, until=60)
        ),
        {
            30: Shows("held", "A", holder="node-a"),
            32: Shows("held", "B", holder="node-b", moves=1, handover=5, moved_at=32),
            60: Shows("held", "B", holder="node-b", claimants="B", moves=1, events="vip_seen vip_moved"),
        },
    ),
    Row(
        "vipHost changed exactly the settle time before B's first frame: settles with that frame",
        interleave(
            AB, service(0, "node-a"), announce("A", until=30), service(17, "node-b"), announce("B", from_=32, until=60)
        ),
        {32: Shows("held", "B", holder="node-b", moves=1), 60: Shows("held", "B", holder="node-b", moves=1)},
    ),
    Row(
        "vipHost changed longer before: it settles nothing, and is a mismatch until B has moved",
        interleave(
            AB,
            service(0, "node-a"),
            announce("A", until=30),
            service(17 - JUST, "node-b"),
            announce("B", from_=32, until=60),
        ),
        {
            37 - JUST: Shows("moving", "A", holder="node-a", claimants="A B", mismatches="host mac"),
            37: Shows("held", "B", holder="node-b", moves=1),
        },
    ),
    Row(
        "the lease is a second source as well",
        interleave(
            AB, lease(0, "node-a"), announce("A", until=30), lease(31, "node-b"), announce("B", from_=32, until=60)
        ),
        {
            32: Shows("held", "B", holder="node-b", moves=1, handover=2),
            60: Shows("held", "B", holder="node-b", moves=1),
        },
    ),
    Row(
        "vipHost names B since long ago and did not change: no early settling",
        interleave(AB, service(0, "node-b"), announce("A", until=10), announce("B", from_=12, until=40)),
        {
            12: Shows("moving", "A", holder="node-a"),
            16: Shows("held", "B", holder="node-b", moves=1),
        },
    ),
    Row(
        "A has spoken since B's first frame: vipHost's change does not settle it early, A's lapse does",
        interleave(
            AB,
            service(0, "node-a"),
            announce("A", until=33),
            announce("B", from_=32, until=60),
            service(34, "node-b"),
        ),
        {
            39: Shows("moving", "A", holder="node-a", claimants="A B"),
            40: Shows("held", "B", holder="node-b", moves=1, handover=0, moved_at=32),
        },
    ),
    Row(
        "after an early settling, frames of A within grace of B's first are release overlap: no new claim",
        interleave(
            AB,
            service(0, "node-a"),
            announce("A", until=30),
            service(31, "node-b"),
            announce("B", from_=32, until=60),
            frames("A", 33, 39),
        ),
        {
            33: Shows("held", "B", holder="node-b", moves=1),
            39: Shows("held", "B", holder="node-b", moves=1),
            60: Shows("held", "B", holder="node-b", claimants="B", moves=1, events="vip_seen vip_moved"),
        },
    ),
    Row(
        "after an early settling, a frame of A later than grace after B's first is a new claim",
        interleave(
            AB,
            service(0, "node-a"),
            announce("A", until=30),
            service(31, "node-b"),
            announce("B", from_=32, until=60),
            frames("A", 39 + JUST),
        ),
        {
            39 + JUST: Shows("moving", "B", holder="node-b", claimants="A B", moves=1),
            60: Shows("held", "B", holder="node-b", moves=1, withdrawn=1, events="vip_seen vip_moved claim_withdrawn"),
        },
    ),
    Row(
        "while two new claimants are live, vipHost's change settles nothing",
        interleave(
            nodes(0, "A", "B", "C"),
            service(0, "node-a"),
            announce("A", until=30),
            frames("B", 31),
            announce("C", from_=32, until=60),
            service(33, "node-c"),
        ),
        {
            38 - JUST: Shows("moving", "A", holder="node-a", claimants="B C"),
            38: Shows("held", "C", holder="node-c", moves=1, withdrawn=1, moved_at=32),
        },
    ),
    Row(
        "vipHost changes to B although A goes on alone: no move on the wire, a mismatch beyond the settle time",
        interleave(AB, service(0, "node-a"), announce("A", until=60), service(20, "node-b")),
        {
            35: Shows("held", "A", holder="node-a"),
            35 + JUST: Shows(
                "held", "A", holder="node-a", mismatches="host mac", events="vip_seen mismatch_started mismatch_started"
            ),
        },
    ),
    *(
        Row(
            f"clean move with vipHost {abs(offset)} s {'before' if offset < 0 else 'after'} B's first: one in all",
            interleave(
                AB,
                service(0, "node-a"),
                announce("A", until=30),
                announce("B", from_=32, until=80),
                service(32 + offset, "node-b"),
            ),
            {80: Shows("held", "B", holder="node-b", claimants="B", moves=1, events="vip_seen vip_moved")},
        )
        for offset in (-10, -6, -3, -1, 0, 1, 3, 6, 10)
    ),
    *(
        Row(
            f"the same where no node's mac is known, {offset:+} s: one in all",
            interleave(
                service(0, "node-a"),
                announce("A", until=30),
                announce("B", from_=32, until=80),
                service(32 + offset, "node-b"),
            ),
            {80: Shows("held", "B", holder="node-b", claimants="B", moves=1)},
        )
        for offset in (-10, -3, 0, 3)
    ),
]

CONTESTS = [
    Row(
        "A and B interleave beyond grace: contested, once, and the wire names no holder",
        interleave(AB, announce("A", until=120), announce("B", from_=31, until=120)),
        {
            36: Shows("moving", "A", holder="node-a", claimants="A B"),
            39: Shows("moving", "A", holder="node-a", claimants="A B"),
            40: Shows("contested", claimants="A B", contests=1),
            120: Shows("contested", claimants="A B", contests=1, events="vip_seen contest_started"),
        },
    ),
    Row(
        "frames exactly at grace after the first rival frame do not make a contest",
        interleave(announce("A", until=30), frames("A", 33, 36, 38), frames("B", 31, 34, 38)),
        {44: Shows("moving", "A", claimants="A B"), 45: Shows("held", "B", moves=1, claimants="")},
    ),
    Row(
        "frames of both just later than grace after the first rival frame do",
        interleave(announce("A", until=30), frames("A", 33, 36, 38 + JUST), frames("B", 31, 34, 38 + 2 * JUST)),
        {38 + JUST: Shows("moving", "A"), 38 + 2 * JUST: Shows("contested", claimants="A B", contests=1)},
    ),
    Row(
        "only the old holder speaks later than grace: no contest, the rival's claim is withdrawn",
        interleave(announce("A", until=60), frames("B", 31, 34, 38)),
        {44: Shows("moving", "A", claimants="A B"), 45: Shows("held", "A", claimants="A", withdrawn=1)},
    ),
    Row(
        "new claimants are counted together: C's late frame makes the contest, though B, the first rival, is gone",
        interleave(announce("A", until=60), frames("B", 31), frames("C", 36, 40)),
        {
            38: Shows("moving", "A", claimants="A C", withdrawn=1),
            40: Shows("contested", claimants="A C", contests=1, withdrawn=1),
        },
    ),
    Row(
        "A lapsed: two new claimants, each with a frame later than grace after the later one's first, are a contest",
        interleave(announce("A", until=30), announce("B", from_=31, until=60), announce("C", from_=33, until=60)),
        {
            42: Shows("moving", "A", claimants="B C"),
            43: Shows("contested", claimants="B C", contests=1),
            60: Shows("contested", contests=1, events="vip_seen contest_started"),
        },
    ),
    Row(
        "A lapsed: frames of two new claimants exactly at grace after the later one's first are none yet",
        interleave(announce("A", until=30), frames("B", 31, 37, 40), frames("C", 33, 38, 40)),
        {46: Shows("moving", "A", claimants="B C")},
    ),
    Row(
        "rule 2 waits for the old holder to lapse, then the frames already heard decide",
        interleave(
            announce("A", until=30),
            frames("A", 33, 36, 38),
            announce("B", from_=31, until=60),
            announce("C", from_=32, until=60),
        ),
        {
            45 - JUST: Shows("moving", "A", claimants="A B C"),
            45: Shows("contested", claimants="B C", contests=1),
        },
    ),
    Row(
        "the contest ends and the holder from before survives: no move",
        interleave(AB, announce("A", until=90), announce("B", from_=31, until=61)),
        {
            68 - JUST: Shows("contested", claimants="A B", contests=1),
            68: Shows("held", "A", holder="node-a", claimants="A", contests=1),
            90: Shows("held", "A", holder="node-a", contests=1, events="vip_seen contest_started contest_ended"),
        },
    ),
    Row(
        "the contest ends and the other survives: one move",
        interleave(AB, announce("A", until=60), announce("B", from_=31, until=90)),
        {
            67 - JUST: Shows("contested", claimants="A B", contests=1),
            67: Shows("held", "B", holder="node-b", claimants="B", contests=1, moves=1),
            90: Shows("held", "B", holder="node-b", contests=1, moves=1),
        },
    ),
    Row(
        "all stop: the last heard survives",
        interleave(announce("A", until=60), announce("B", from_=31, until=61)),
        {
            67: Shows("held", "B", claimants="B", contests=1, moves=1),
            68: Shows("held", "B", claimants="", contests=1, moves=1),
            71 + JUST: Shows("silent", contests=1, moves=1),
        },
    ),
    Row(
        "all stop and the holder from before was heard last: it survives",
        interleave(announce("A", until=60), announce("B", from_=31, until=58)),
        {65: Shows("held", "A", claimants="A", contests=1), 70 + JUST: Shows("silent", contests=1)},
    ),
    Row(
        "all stop at the same moment: the holder from before survives",
        interleave(announce("A", until=60), announce("B", from_=30, until=60)),
        {
            67 - JUST: Shows("contested", claimants="A B", contests=1),
            67: Shows("held", "A", claimants="", contests=1),
            70 + JUST: Shows("silent", contests=1, events="vip_seen contest_started contest_ended vip_silent"),
        },
    ),
    Row(
        "claimants leave and join: still one contest, the same holder from before, no withdrawn claims",
        interleave(
            announce("A", until=90),
            announce("B", from_=31, until=52),
            announce("C", from_=50, until=70),
            frames("X", 55),
        ),
        {
            59: Shows("contested", claimants="A C X", contests=1),
            62: Shows("contested", claimants="A C", contests=1),
            90: Shows("held", "A", contests=1, events="vip_seen contest_started contest_ended"),
        },
    ),
    Row(
        "the holder from before leaves and comes back within one contest: it survives without a move",
        interleave(
            announce("A", until=45),
            announce("B", from_=31, until=70),
            announce("C", from_=40, until=70),
            announce("A", from_=65, until=95),
        ),
        {
            60: Shows("contested", claimants="B C", contests=1),
            70: Shows("contested", claimants="A B C", contests=1),
            95: Shows("held", "A", claimants="A", contests=1),
        },
    ),
    Row(
        "a contest that ended can be followed by another: two contests",
        interleave(announce("A", until=150), announce("B", from_=31, until=60), announce("B", from_=90, until=120)),
        {80: Shows("held", "A", contests=1), 110: Shows("contested", contests=2), 150: Shows("held", "A", contests=2)},
    ),
    Row(
        "contested: the wire names nobody, the lease does",
        interleave(AB, lease(0, "node-b"), announce("A", until=60), announce("B", from_=20, until=60)),
        {60: Shows("contested", holder="node-b", claimants="A B", contests=1)},
    ),
]

PERIODS = [
    Row(
        "the default period is 3 s until three intervals are known",
        announce("A", until=10, every=5),
        {10: Shows("held", "A", period=3)},
    ),
    Row(
        "three intervals teach the period: grace is 2P, silence comes after 3P",
        announce("A", until=15, every=5),
        {
            15: Shows("held", "A", period=5, claimants="A"),
            25 - JUST: Shows("held", "A", claimants="A"),
            25: Shows("held", "A", claimants=""),
            30: Shows("held", "A", period=5),
            30 + JUST: Shows("silent"),
        },
    ),
    Row(
        "a short learned period never takes grace below 7 s nor silence below 10 s",
        announce("A", until=10, every=1),
        {
            10: Shows("held", "A", period=1),
            17 - JUST: Shows("held", "A", claimants="A", period=1),
            20: Shows("held", "A"),
        },
    ),
    Row(
        "the median of the intervals, not their mean",
        frames("A", 0, 4, 8, 9, 13, 17),
        {17: Shows("held", "A", period=4)},
    ),
    Row(
        "the last nine intervals only: five of the new pace make the median",
        announce("A", until=60, every=2) + announce("A", from_=64, until=76, every=4),
        {76: Shows("held", "A", period=2)},
    ),
    Row(
        "the fifth interval of the new pace among the last nine changes it",
        announce("A", until=60, every=2) + announce("A", from_=64, until=80, every=4),
        {80: Shows("held", "A", period=4)},
    ),
    Row(
        "intervals of exactly 0.5 s teach",
        announce("A", until=5, every=0.5),
        {5: Shows("held", "A", period=0.5)},
    ),
    Row(
        "intervals below 0.5 s do not",
        announce("A", until=5, every=0.4),
        {5: Shows("held", "A", period=3)},
    ),
    Row(
        "a burst between regular frames does not disturb what is learned",
        interleave(announce("A", until=20, every=5), frames("A", 5.1, 10.1, 15.1)),
        {20: Shows("held", "A", period=4.9)},
    ),
    Row(
        "another claimant's frames never teach, nor the holder's while not held",
        interleave(
            announce("A", until=30), announce("X", from_=31, until=36, every=1), frames("A", 32, 33, 34, 35, 36, 37)
        ),
        {37: Shows("moving", "A", claimants="A X", period=3)},
    ),
    Row(
        "what was learned is forgotten on a move",
        announce("A", until=30, every=5) + announce("B", from_=32, until=35),
        {35: Shows("moving", "A", period=5), 40: Shows("held", "B", moves=1, period=3)},
    ),
    Row(
        "a learned period that grows shorter: lapse and silence come by the new period, at their very moment",
        announce("A", until=27, every=9) + announce("A", from_=27.5, until=29.5, every=0.5),
        {
            29.5: Shows("held", "A", claimants="A", period=0.5),
            36.5 - JUST: Shows("held", "A", claimants="A"),
            36.5: Shows("held", "A", claimants=""),
            39.5: Shows("held", "A"),
            39.5 + JUST: Shows("silent", events="vip_seen vip_silent"),
        },
    ),
    Row(
        "configured beats learned: 10 s give 20 s of grace and 30 s until silent",
        announce("A", until=60, every=3),
        {
            60: Shows("held", "A", period=10),
            80 - JUST: Shows("held", "A", claimants="A"),
            80: Shows("held", "A", claimants=""),
            90: Shows("held", "A"),
            90 + JUST: Shows("silent", events="vip_seen vip_silent"),
        },
        period=10,
    ),
    Row(
        "the Service's own configured period beats that of all VIPs",
        interleave(service(0, period=5), announce("A", until=60)),
        {60: Shows("held", "A", period=5), 70 - JUST: Shows("held", "A", claimants="A"), 75 + JUST: Shows("silent")},
        period=10,
    ),
    Row(
        "period 10 s: a clean move settles at 20 s of grace, frames up to then are release overlap",
        interleave(announce("A", until=50, every=10), announce("B", from_=45, until=105, every=10)),
        {70 - JUST: Shows("moving", "A", claimants="A B"), 70: Shows("held", "B", moves=1, handover=0, moved_at=45)},
        period=10,
    ),
    Row(
        "one-shot announcer: held without expiry",
        frames("A", 0, 1, 2),
        {
            9 - JUST: Shows("held", "A", claimants="A"),
            9: Shows("held", "A", claimants=""),
            100_000: Shows("held", "A", events="vip_seen"),
        },
        period=0,
    ),
    Row(
        "one-shot announcer: one frame of B long after makes the move",
        frames("A", 0) + frames("B", 3600),
        {3600: Shows("held", "B", moves=1, handover=3600, moved_at=3600, events="vip_seen vip_moved")},
        period=0,
    ),
    Row(
        "one-shot announcer: a single frame of B soon after A's settles when A's grace of 7 s is over",
        frames("A", 0) + frames("B", 3),
        {7 - JUST: Shows("moving", "A", claimants="A B"), 7: Shows("held", "B", moves=1, moved_at=3, handover=3)},
        period=0,
    ),
    Row(
        "one-shot announcer: a frame of A again after long is neither a move nor a return from silence",
        frames("A", 0, 5000),
        {5000: Shows("held", "A", claimants="A", events="vip_seen")},
        period=0,
    ),
    Row(
        "one-shot announcer: B's one frame while A keeps speaking is withdrawn",
        interleave(announce("A", until=20), frames("B", 4)),
        {11: Shows("held", "A", claimants="A", withdrawn=1), 30: Shows("held", "A", withdrawn=1)},
        period=0,
    ),
    Row(
        "period 0 learns nothing",
        announce("A", until=60, every=5),
        {60: Shows("held", "A", period=0)},
        period=0,
    ),
    Row(
        "MetalLB sends both opcodes at once every 1.1 s for 5 s, then nothing: held",
        interleave(
            announce("A", until=5, every=1.1, kinds=(Kind.REQUEST,)),
            announce("A", until=5, every=1.1, kinds=(Kind.REPLY,)),
        ),
        {1000: Shows("held", "A", events="vip_seen")},
        period=0,
    ),
]

NODES = [
    Row(
        "two macs of one node interleave (flux, macvlan and parent): held, no contest",
        interleave(nodes(0, "AX", "B"), announce("A", until=120), announce("X", from_=1, until=120)),
        {5: Shows("held", "A", holder="node-a", mac_changes=0), 40: Shows("held", "A", holder="node-a")},
    ),
    Row(
        "the mac changes and the node's list of macs says that it is the same node: no move, mac_changes +1",
        interleave(nodes(0, "AX", "B"), announce("A", until=30), announce("X", from_=32, until=80)),
        {80: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1, events="vip_seen mac_changed")},
    ),
    Row(
        "the mac changes, vipHost and lease name the same node and no node's mac is known: no move, mac_changes +1",
        interleave(
            service(0, "node-a"), lease(0, "node-a"), announce("A", until=30), announce("X", from_=32, until=80)
        ),
        {80: Shows("held", "X", holder="node-a", claimants="X", mac_changes=1, events="vip_seen mac_changed")},
    ),
    Row(
        "the mac changes to a stranger's and no source says anything: a move",
        interleave(nodes(0, "A", "B"), announce("A", until=30), announce("X", from_=32, until=80)),
        {80: Shows("held", "X", holder="", claimants="X", moves=1, events="vip_seen vip_moved")},
    ),
    Row(
        "the frames leave this very node: the announcer is this node, whatever its mac",
        announce("X", until=60, outgoing=True),
        {60: Shows("held", "X", holder="node-a")},
        observer="node-a",
    ),
    Row(
        "one mac on every node (DHCP, kube-vip 0.8.2 and later), vipHost from A to B: one move",
        interleave(
            nodes(0, "A", "B"),
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            announce("H", until=80),
            service(30, "node-b", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
        ),
        {
            29: Shows("held", "H", holder="node-a"),
            31: Shows("held", "H", holder="node-b", moves=1),
            80: Shows("held", "H", holder="node-b", claimants="H", moves=1, events="vip_seen vip_moved"),
        },
    ),
    Row(
        "one mac on every node, lease and vipHost both go from A to B: one move in all",
        interleave(
            nodes(0, "A", "B"),
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            lease(0, "node-a"),
            announce("H", until=80),
            lease(30, "node-b"),
            service(33, "node-b", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
        ),
        {80: Shows("held", "H", holder="node-b", claimants="H", moves=1, events="vip_seen vip_moved")},
    ),
    Row(
        "one mac on every node, vipHost to B and back: two moves",
        interleave(
            service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            announce("H", until=80),
            service(30, "node-b", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            service(60, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
        ),
        {80: Shows("held", "H", holder="node-a", moves=2)},
    ),
]

FUSED = [
    Row(
        "the wire is stronger than lease, vipHost and bound address",
        interleave(AB, service(0, "node-b"), lease(0, "node-b"), bound(0, "eth0"), announce("A", until=10)),
        {10: Shows("held", "A", holder="node-a")},
        observer="node-b",
    ),
    Row(
        "the mac belongs to no known node: the lease names the holder",
        interleave(nodes(0, "B", "C"), service(0, "node-b"), lease(0, "node-b"), announce("X", until=10)),
        {10: Shows("held", "X", holder="node-b")},
    ),
    Row(
        "the lease is stronger than vipHost",
        interleave(service(0, "node-b"), lease(0, "node-a"), announce("X", until=10)),
        {10: Shows("held", "X", holder="node-a")},
    ),
    Row(
        "an expired lease names nobody, and then vipHost is not believed either",
        interleave(service(0, "node-a"), lease(0, "node-a", expires=20), announce("X", until=60)),
        {19: Shows("held", "X", holder="node-a"), 21: Shows("held", "X", holder="")},
    ),
    Row(
        "a renewed lease names its holder again",
        interleave(
            service(0, "node-a"),
            lease(0, "node-a", expires=20),
            lease(30, "node-a", expires=50),
            announce("X", until=60),
        ),
        {25: Shows("held", "X", holder=""), 31: Shows("held", "X", holder="node-a"), 51: Shows("held", "X", holder="")},
    ),
    Row(
        "no lease is known: vipHost names the holder",
        interleave(service(0, "node-a"), announce("X", until=10)),
        {10: Shows("held", "X", holder="node-a")},
    ),
    Row(
        "an expired lease: the bound address is the last evidence",
        interleave(service(0, "node-a"), lease(0, "node-a", expires=20), bound(0, "eth0"), announce("X", until=60)),
        {30: Shows("held", "X", holder="node-c")},
        observer="node-c",
    ),
    Row(
        "the bound address alone names this node",
        interleave(bound(0, "eth0"), announce("X", until=10)),
        {10: Shows("held", "X", holder="node-c")},
        observer="node-c",
    ),
    Row(
        "A silent: the wire's holder is gone, vipHost still shows",
        interleave(AB, service(0, "node-a"), announce("A", until=30)),
        {60: Shows("silent", holder="node-a", events="vip_seen vip_silent")},
    ),
    Row(
        "A silent: the lease still shows",
        interleave(AB, lease(0, "node-a"), announce("A", until=30)),
        {60: Shows("silent", holder="node-a")},
    ),
    Row(
        "A silent: the bound address still shows",
        interleave(AB, bound(0, "eth0"), announce("A", until=30)),
        {60: Shows("silent", holder="node-a")},
        observer="node-a",
    ),
    Row(
        "unknown is an answer: no source, no holder",
        announce("A", until=10),
        {10: Shows("held", "A", holder=""), 30: Shows("silent", holder="")},
    ),
]

MISMATCHES = [
    Row(
        "vipHost is not the wire's holder: mismatch only beyond the settle time; in static mode mac and host",
        interleave(AB, service(0, "node-b"), announce("A", until=60)),
        {
            15: Shows("held", "A", holder="node-a"),
            15 + JUST: Shows("held", "A", holder="node-a", mismatches="host mac"),
            60: Shows(
                "held", "A", holder="node-a", mismatches="host mac", events="vip_seen mismatch_started mismatch_started"
            ),
        },
    ),
    Row(
        "the mismatch ends when vipHost is put right",
        interleave(AB, service(0, "node-b"), announce("A", until=60), service(40, "node-a")),
        {
            40: Shows(
                "held",
                "A",
                holder="node-a",
                events="vip_seen mismatch_started mismatch_started mismatch_ended mismatch_ended",
            )
        },
    ),
    Row(
        "hwaddr, DHCP, kube-vip 0.8.1 or earlier, vipHost is not the wire's holder: host alone",
        interleave(
            AB, service(0, "node-b", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=False), announce("A", until=60)
        ),
        {60: Shows("held", "A", holder="node-a", mismatches="host")},
    ),
    Row(
        "vipHost as a full name in capitals is the same node",
        interleave(AB, service(0, "NODE-A.example.com"), announce("A", until=60)),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "hwaddr, DHCP, kube-vip 0.8.2 or later, another mac on the wire beyond the settle time: mismatch mac",
        interleave(
            AB, service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True), announce("A", until=60)
        ),
        {15: Shows("held", "A", holder="node-a"), 15 + JUST: Shows("held", "A", holder="node-a", mismatches="mac")},
    ),
    Row(
        "hwaddr, DHCP, kube-vip 0.8.2 or later, hwaddr on the wire: no mismatch",
        interleave(
            AB, service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True), announce("H", until=60)
        ),
        {60: Shows("held", "H", holder="node-a", events="vip_seen")},
    ),
    Row(
        "hwaddr, DHCP, kube-vip 0.8.1 or earlier: the node's mac on the wire is no mismatch",
        interleave(
            AB, service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=False), announce("A", until=60)
        ),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "hwaddr, DHCP, kube-vip 0.8.1 or earlier and no node's mac known: no mismatch either",
        interleave(service(0, "node-a", mode=Mode.DHCP, hwaddr="H", announces_hwaddr=False), announce("X", until=60)),
        {60: Shows("held", "X", holder="node-a", events="vip_seen")},
    ),
    Row(
        "hwaddr, DHCP, version unknown and the wire's mac is a known mac of the holder: no mismatch",
        interleave(AB, service(0, "node-a", mode=Mode.DHCP, hwaddr="H"), announce("A", until=60)),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "hwaddr left over in static mode means nothing",
        interleave(
            AB, service(0, "node-a", mode=Mode.STATIC, hwaddr="H", announces_hwaddr=True), announce("A", until=60)
        ),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "lease holder is not vipHost beyond the settle time: mismatch lease",
        interleave(AB, service(0, "node-a"), lease(0, "node-b"), announce("A", until=60)),
        {15: Shows("held", "A", holder="node-a"), 60: Shows("held", "A", holder="node-a", mismatches="lease")},
    ),
    Row(
        "lease holder and vipHost differ in case and domain only: the same node",
        interleave(AB, service(0, "Node-A"), lease(0, "node-a.example.com"), announce("A", until=60)),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "an empty lease holder is in transition, no mismatch",
        interleave(AB, service(0, "node-a"), lease(0, "node-a"), lease(20, ""), announce("A", until=60)),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "an expired lease is no mismatch",
        interleave(AB, service(0, "node-a"), lease(0, "node-b", expires=10), announce("A", until=60)),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "the address is bound on this node while the holder is another: mismatch bound",
        interleave(AB, service(0, "node-a"), announce("A", until=60), bound(0, "eth0")),
        {60: Shows("held", "A", holder="node-a", mismatches="bound")},
        observer="node-b",
    ),
    Row(
        "a stranger announces from the start, and vipHost names this node: mismatches host and mac",
        interleave(
            nodes(0, Node("node-a"), "B"),
            host(0, link("mgmt-br", "A")),
            service(0, "node-a"),
            lease(0, "node-a"),
            announce("X", until=60),
        ),
        {15: Shows("held", "X", holder="node-a"), 60: Shows("held", "X", holder="node-a", mismatches="host mac")},
        observer="node-a",
    ),
    Row(
        "the same, but vipHost names another node than this: it may be that node's, so no mismatch",
        interleave(
            nodes(0, "A", Node("node-b")),
            host(0, link("mgmt-br", "B")),
            service(0, "node-a"),
            lease(0, "node-a"),
            announce("X", until=60),
        ),
        {60: Shows("held", "X", holder="node-a", events="vip_seen")},
        observer="node-b",
    ),
    Row(
        "the address is bound on the holder: no mismatch",
        interleave(AB, service(0, "node-a"), announce("A", until=60), bound(0, "eth0")),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
        observer="node-a",
    ),
    Row(
        "the stale address goes: mismatch bound ends",
        interleave(AB, announce("A", until=60), bound(0, "eth0"), bound(40)),
        {39: Shows("held", "A", holder="node-a", mismatches="bound"), 40: Shows("held", "A", holder="node-a")},
        observer="node-b",
    ),
    Row(
        "stale intent is never a mismatch",
        interleave(AB, service(0, "node-a"), announce("A", until=60), intent_fresh(10, False), service(11, "node-b")),
        {60: Shows("held", "A", holder="node-a", events="vip_seen")},
    ),
    Row(
        "intent that goes stale takes its mismatch with it, and brings it back when fresh",
        interleave(AB, service(0, "node-b"), announce("A", until=90), intent_fresh(30, False), intent_fresh(50, True)),
        {
            29: Shows("held", "A", holder="node-a", mismatches="host mac"),
            30: Shows("held", "A", holder="node-a"),
            49: Shows("held", "A", holder="node-a"),
            90: Shows("held", "A", holder="node-a", mismatches="host mac"),
        },
    ),
]

CAPTURE = [
    Row(
        "capture goes down: unknown at once; back, A again: held, no move",
        interleave(
            capture(0, up=True),
            announce("A", until=30),
            capture(31, up=False),
            capture(60, up=True),
            announce("A", from_=61, until=90),
        ),
        {
            30: Shows("held", "A"),
            31: Shows("unknown"),
            59: Shows("unknown"),
            61: Shows("held", "A"),
            90: Shows("held", "A", claimants="A"),
        },
    ),
    Row(
        "capture goes down while contested: unknown; no second contest is invented on its return",
        interleave(
            capture(0, up=True),
            announce("A", until=60),
            announce("B", from_=20, until=45),
            capture(50, up=False),
            capture(51, up=True),
            announce("A", from_=63, until=90),
        ),
        {49: Shows("contested", contests=1), 50: Shows("unknown", contests=1), 90: Shows("held", "A", contests=1)},
    ),
    Row(
        "one of two interfaces goes down: not blind, still held",
        interleave(
            capture(0, up=True), capture(0, up=True, device="eth1"), announce("A", until=60), capture(31, up=False)
        ),
        {60: Shows("held", "A")},
    ),
    Row(
        "Kubernetes goes away: the wire's verdict is unchanged",
        interleave(AB, service(0, "node-a"), announce("A", until=60), intent_fresh(20, False)),
        {60: Shows("held", "A", holder="node-a", claimants="A", events="vip_seen")},
    ),
]

TABLE = [*ONE_AT_A_TIME, *MOVES, *SECOND_SOURCES, *CONTESTS, *PERIODS, *NODES, *FUSED, *MISMATCHES, *CAPTURE]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.words)
def test_situation(row: Row) -> None:
    """Each moment of the row shows what it must."""
    run = Run(new_core(period=row.period, observer=row.observer, listening=row.listening, watch=(row.vip,)))
    left = list(row.inputs)
    for moment, expected in row.shows.items():
        due = [step for step in left if step.at <= seconds(moment)]
        run.feed(due)
        left = left[len(due) :]
        run.until(moment)
        actual, wanted = shown(run, expected, row.vip)
        assert actual == wanted, f"at {moment} s"


# --- what is more than one VIP's state --------------------------------------------------------------------------------


def test_ignored_frame_moves_time() -> None:
    """A probe at 45 s brings the time with it: A has lapsed and fallen silent by then, without any tick."""
    run = play([*announce("A", until=30), frame("Z", 45, Kind.PROBE)])
    assert run.vip().state is State.SILENT
    assert run.names() == ["vip_seen", "vip_silent", "probe_seen"]


def test_no_time_is_added_after_the_last_frame() -> None:
    """Without a tick the verdict stays that of the last frame, however little was heard."""
    run = play(announce("A", until=30))
    assert run.core.now == seconds(30)
    assert run.vip().state is State.HELD


def test_due_lapses_are_handled_in_time_order() -> None:
    """One long step of time gives the events that small steps give, each at its own moment."""
    run = play([*announce("A", until=30), *frames("X", 31)], until=1000)
    moments = [(str(event.name), in_seconds(event.at)) for event in run.events]
    assert moments[:2] == [("vip_seen", 0), ("claim_withdrawn", 38)]
    name, at = moments[2]
    assert name == "vip_silent"
    assert at == pytest.approx(40, abs=1e-6)


def test_event_of_a_move_has_both_ends() -> None:
    """`vip_moved` carries old and new node and mac, and the time of the new holder's first frame."""
    run = play(interleave(AB, announce("A", until=30), announce("B", from_=32, until=60)))
    event = run.last("vip_moved")
    assert dict(event.fields) | {"handover_seconds": 2.0} == dict(event.fields)
    assert (event.fields["from"], event.fields["to"]) == ("node-a", "node-b")
    assert [letter_of(str(event.fields[name])) for name in ("from_mac", "to_mac")] == ["A", "B"]
    assert event.since == seconds(32)
    assert event.at == seconds(37)


def test_event_of_a_contest_has_both_ends() -> None:
    """`contest_started` and `contest_ended` name the holder from before and, at the end, the survivor."""
    run = play(interleave(AB, announce("A", until=60), announce("B", from_=31, until=90)))
    started, ended = run.last("contest_started"), run.last("contest_ended")
    assert started.fields["from"] == "node-a"
    assert (ended.fields["from"], ended.fields["to"]) == ("node-a", "node-b")


def test_event_of_a_return_has_the_length_of_the_silence() -> None:
    """`vip_returned` tells how long A was not heard: from its last frame to its next."""
    run = play(announce("A", until=30) + announce("A", from_=300, until=330))
    assert run.last("vip_returned").fields["silence_seconds"] == 270


def test_event_of_a_withdrawn_claim_names_the_claimant() -> None:
    """`claim_withdrawn` says whose claim it was."""
    run = play(interleave(announce("A", until=60), frames("X", 31)))
    assert letter_of(str(run.last("claim_withdrawn").fields["mac"])) == "X"


def test_mismatch_event_carries_its_beginning() -> None:
    """`mismatch_started` comes after the settle time and says since when the sources differ."""
    run = play(interleave(AB, service(0, "node-a"), announce("A", until=60), service(20, "node-b")))
    event = run.last("mismatch_started")
    assert event.since == seconds(20)
    assert seconds(35) <= event.at <= seconds(35.001)


def test_every_counter_exists_from_the_start() -> None:
    """Announcements by kind, source moves, claims by class: all there and 0 before anything was heard."""
    vip = new_core().snapshot().vips[0]
    assert dict(vip.announcements) == {Kind.REQUEST: 0, Kind.REPLY: 0, Kind.NA: 0}
    assert dict(vip.source_moves) == dict.fromkeys(Source, 0)
    assert dict(vip.claims) == dict.fromkeys(ClaimantClass, 0)
    assert set(vip.sightings.values()) == {0}
    assert set(vip.sightings) == {"probe", "own_probe", "ordinary_request", "ordinary_reply", "solicited_na"}
    assert (vip.moves, vip.mac_changes, vip.contests, vip.withdrawn_claims, vip.claimants_overflow) == (0,) * 5


def test_announcements_are_counted_by_kind() -> None:
    """Each announcement counts, with its own opcode, and the last one's time shows."""
    vip = play(announce("A", until=30)).vip()
    assert dict(vip.announcements) == {Kind.REPLY: 6, Kind.REQUEST: 5, Kind.NA: 0}
    assert vip.last_announcement == seconds(30)


@pytest.mark.parametrize("kind", [Kind.PROBE, Kind.ORDINARY_REQUEST, Kind.ORDINARY_REPLY, Kind.SOLICITED_NA])
def test_only_announcements_claim(kind: Kind) -> None:
    """A probe, an ordinary request or reply of a stranger changes nothing and is counted on its own."""
    stream = [frame("X", at, kind) for at in range(1, 60, 2)]
    run = play(interleave(announce("A", until=60), stream))
    actual, wanted = shown(run, Shows("held", "A", claimants="A"))
    assert actual == wanted
    assert run.vip().sightings[kind] == 30
    assert sum(run.vip().announcements.values()) == 21


def test_ordinary_frames_do_not_keep_a_holder_alive() -> None:
    """Only announcements are claims: A answers on, but announces no more, and falls silent."""
    stream = [frame("A", at, Kind.ORDINARY_REPLY) for at in range(31, 60)]
    assert play([*announce("A", until=30), *stream]).vip().state is State.SILENT


def test_probe_of_a_known_node_is_its_own() -> None:
    """A probe by a mac of a known node is counted apart from those of strangers, which are worth an event."""
    run = play([*AB, frame("A", 1, Kind.PROBE), frame("X", 2, Kind.PROBE)])
    assert run.vip().sightings["own_probe"] == 1
    assert run.vip().sightings["probe"] == 1
    assert run.names() == ["probe_seen"]


@pytest.mark.parametrize(
    ("mac", "known", "expected"),
    [
        (mac_of("A"), [node("A"), node("B")], ClaimantClass.NODE),
        (mac_of("X"), [node("A"), node("B")], ClaimantClass.FOREIGN),
        (mac_of("X"), [node("A"), node("B", candidate=False)], ClaimantClass.FOREIGN),
        (mac_of("X"), [node("A"), Node("node-b")], ClaimantClass.UNRESOLVED),
        (mac_of("X"), [node("A"), Node("node-w", candidate=False)], ClaimantClass.FOREIGN),
        (mac_of("X"), [], ClaimantClass.UNRESOLVED),
        (mac_of("H"), [node("A"), node("B")], ClaimantClass.HWADDR),
        (Mac(bytes.fromhex("00005e000133")), [node("A"), node("B")], ClaimantClass.FHRP),
        (Mac(bytes.fromhex("00005e000233")), [node("A"), node("B")], ClaimantClass.FHRP),
        (Mac(bytes.fromhex("00000c07ac01")), [node("A"), node("B")], ClaimantClass.FHRP),
    ],
)
def test_claimant_class(mac: Mac, known: list, expected: ClaimantClass) -> None:
    """A claimant's class tells a node, the shared hwaddr, a redundancy protocol, a stranger, or that we cannot know."""
    inputs = [*nodes(0, *known), *service(0, mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True), frame(mac, 1)]
    vip = play(inputs).vip()
    assert [claimant.claimant_class for claimant in vip.claimants] == [expected]
    assert vip.claims[expected] == 1


# --- the cap of claimants ---------------------------------------------------------------------------------------------


def flood(count: int, *, from_: float, until: float, seed: int = 7) -> list:
    """Announcements of the VIP, each from another random mac, evenly spread."""
    chance = random.Random(seed)
    step = (until - from_) / count
    return [
        frame(Mac(bytes([0x06]) + chance.randbytes(5)), from_ + number * step, Kind.REPLY) for number in range(count)
    ]


def test_flood_of_random_macs() -> None:
    """100,000 macs beside A: contested once, 16 claimants at most, no move, the rest overflow; held by A after."""
    inputs = interleave(announce("A", until=120), flood(100_000, from_=30, until=90))
    run = Run(new_core())
    seen: set[int] = set()
    for number, step in enumerate(inputs):
        run.feed([step])
        if number % 997 == 0:
            vip = run.vip()
            seen |= {len(vip.claimants), len(vip.listed_claimants)}
            assert any(letter_of(claimant.mac) == "A" for claimant in vip.claimants)
    run.until(89)
    vip = run.vip()
    assert max(seen) == 16
    assert vip.claimants_overflow == 100_000 - 15
    assert sum(vip.announcements.values()) == 100_000 + 41
    assert vip.state is State.HELD
    assert letter_of(vip.holder_mac) == "A"
    assert (vip.moves, vip.contests, vip.withdrawn_claims) == (0, 1, 0)
    assert run.names() == ["vip_seen", "contest_started", "contest_ended"]


def test_flood_is_contested_while_it_lasts() -> None:
    """In the midst of the flood the state is contested and the wire names nobody."""
    vip = play(interleave(announce("A", until=60), flood(2000, from_=30, until=60))).vip()
    assert vip.state is State.CONTESTED
    assert vip.holder_mac == ""
    assert len(vip.claimants) == 16


def test_one_frame_claimant_heard_longest_ago_gives_way() -> None:
    """At the cap the oldest one-frame claimant goes, uncounted as withdrawn; those that spoke twice stay."""
    letters = "BCDEFGHIJKLMNOP"  # with A these are sixteen
    crowd = [frame(mac_of(letter), 1 + 0.1 * number) for number, letter in enumerate(letters)]
    run = play([*frames("A", 0), *crowd, *frames("B", 3), *frames("A", 3.1), *frames("X", 3.2)])
    vip = run.vip()
    live = {bytes.fromhex(claimant.mac.replace(":", "")) for claimant in vip.claimants}
    assert len(live) == 16
    assert {mac_of("A"), mac_of("B"), mac_of("X")} <= live
    assert mac_of("C") not in live
    assert (vip.claimants_overflow, vip.withdrawn_claims) == (1, 0)


def test_newcomer_is_refused_where_all_spoke_twice() -> None:
    """At the cap, when no claimant has spoken only once, the newcomer is refused and its announcement still counts."""
    letters = "BCDEFGHIJKLMNOP"
    crowd = [frame(mac_of(letter), at + 0.1 * number) for at in (1, 3) for number, letter in enumerate(letters)]
    run = play(interleave(frames("A", 0, 3), crowd, frames("X", 5, 5.5)))
    vip = run.vip()
    assert mac_of("X").hex(":") not in {claimant.mac for claimant in vip.claimants}
    assert len(vip.claimants) == 16
    assert (vip.claimants_overflow, vip.withdrawn_claims) == (2, 0)
    assert sum(vip.announcements.values()) == 2 + 30 + 2


def test_holder_with_one_frame_is_never_evicted() -> None:
    """The holder stays though it has spoken once and longest ago."""
    run = play([*frames("A", 0), *flood(100, from_=1, until=2)])
    vip = run.vip()
    assert any(letter_of(claimant.mac) == "A" for claimant in vip.claimants)
    assert letter_of(vip.holder_mac) == "A"
    assert vip.claimants_overflow == 100 - 15


def test_claimant_keeps_its_slot_for_ten_minutes() -> None:
    """A claimant that lapsed stays listed until 10 minutes after its last frame, so that a scrape can see it."""
    run = play(interleave(announce("A", until=630), frames("X", 31)), until=631 - JUST)
    assert [letter_of(claimant.mac) for claimant in run.vip().claimants] == ["A"]
    assert {letter_of(claimant.mac) for claimant in run.vip().listed_claimants} == {"A", "X"}


def test_claimant_slot_ends_after_ten_minutes() -> None:
    """After those 10 minutes it is listed no more."""
    run = play(interleave(announce("A", until=630), frames("X", 31)), until=632)
    assert [letter_of(claimant.mac) for claimant in run.vip().listed_claimants] == ["A"]


def test_claimant_slot_ends_in_silence_too() -> None:
    """Where nobody speaks any more, the slots end all the same."""
    run = play(interleave(announce("A", until=30), frames("X", 31)), until=3600)
    assert run.vip().listed_claimants == ()


# --- requirements, Services, capture ----------------------------------------------------------------------------------


def test_vip_that_is_a_node_address() -> None:
    """A VIP equal to a node's own address fails `distinct_from_nodes`."""
    for address, expected in ((str(VIP), False), ("192.0.2.11", True)):
        run = play(interleave(nodes(0, node("A", addresses=[address])), service(0, "node-a"), announce("A", until=9)))
        assert run.vip().requirements[Requirement.DISTINCT_FROM_NODES] is expected


def test_nothing_heard_here_while_others_say_held() -> None:
    """Deaf: lease and vipHost say that the VIP is held, this observer hears nothing: `heard_here` fails."""
    run = play([*service(0, "node-a"), *lease(0, "node-a")], until=120)
    assert run.vip().requirements[Requirement.HEARD_HERE] is False


def test_heard_here() -> None:
    """An observer that hears the announcements meets `heard_here`."""
    run = play(interleave(service(0, "node-a"), lease(0, "node-a"), announce("A", until=120)))
    assert run.vip().requirements[Requirement.HEARD_HERE] is True


def test_whoever_announces_is_heard_here() -> None:
    """Also a MAC of no node, of which nothing else speaks, and while Kubernetes cannot be asked."""
    run = play(announce("X", until=12), until=12)
    assert run.vip().requirements[Requirement.HEARD_HERE] is True


def test_requirements_are_absent_until_there_is_something_to_say() -> None:
    """Of a VIP that nobody speaks of nothing is required."""
    assert dict(new_core().snapshot().vips[0].requirements) == {}


def test_service_of_another_type() -> None:
    """A Service that is no LoadBalancer any more fails `load_balancer_service`."""
    run = play(service(0, "node-a") + service(5, "node-a", load_balancer=False, addresses=()), core=new_core())
    assert run.vip().requirements.get(Requirement.LOAD_BALANCER_SERVICE) is False


def test_service_deleted_while_announced() -> None:
    """The VIP of a deleted Service stays until it is silent, then vanishes."""
    run = play(interleave(service(0, "node-a"), announce("A", until=60), service_gone(30)), core=new_core(watch=()))
    assert [vip.address for vip in run.core.snapshot().vips] == [VIP]
    run.until(71)
    assert run.core.snapshot().vips == ()


def test_service_deleted_after_silence() -> None:
    """The VIP of a deleted Service vanishes at once where it is silent already."""
    run = play(interleave(service(0, "node-a"), announce("A", until=30), service_gone(60)), core=new_core(watch=()))
    run.until(61)
    assert run.core.snapshot().vips == ()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("heard", [True, False])
def test_one_shot_service_deleted_while_the_vip_is_watched_anyway(heard: bool) -> None:
    """A VIP that is watched without a Service stays when its one-shot Service goes, and time still passes."""
    run = play(interleave(service(1, "node-a", period=0), frames("A", 5) if heard else [], service_gone(10)))
    run.until(1000)
    assert run.core.now == seconds(1000)
    assert run.vip().services == ()


def test_one_shot_service_deleted() -> None:
    """The VIP of a one-shot announcer never falls silent by age, yet vanishes once nobody speaks for it any more."""
    run = play(
        interleave(service(0, "node-a", period=0), frames("A", 1), service_gone(30)), core=new_core(watch=()), until=100
    )
    assert run.core.snapshot().vips == ()


def test_address_of_the_service_changes() -> None:
    """The old address stays watched until silent; `address` is a mismatch of the new one while it is announced."""
    run = Run(new_core(watch=()))
    steps = interleave(
        AB,
        service(0, "node-a"),
        announce("A", until=90),
        service(30, "node-a", addresses=(NEW_VIP,)),
        announce("A", from_=31, until=150, vip=NEW_VIP),
    )
    run.feed([step for step in steps if step.at <= seconds(30)])
    assert run.vip(NEW_VIP).state is State.UNKNOWN
    run.feed([step for step in steps if seconds(30) < step.at <= seconds(60)])
    assert {vip.address for vip in run.core.snapshot().vips} == {VIP, NEW_VIP}
    assert [str(mismatch.check) for mismatch in run.vip(NEW_VIP).mismatches] == ["address"]
    assert run.vip(VIP).mismatches == ()
    run.feed([step for step in steps if step.at > seconds(60)])
    assert [vip.address for vip in run.core.snapshot().vips] == [NEW_VIP]
    assert run.vip(NEW_VIP).mismatches == ()
    assert run.vip(NEW_VIP).state is State.HELD
    assert run.names(NEW_VIP) == ["vip_seen", "mismatch_started", "mismatch_ended"]


def test_address_changes_while_nobody_announces() -> None:
    """Where the old address was silent already there is no mismatch."""
    run = play(
        interleave(
            AB,
            service(0, "node-a"),
            service(30, "node-a", addresses=(NEW_VIP,)),
            announce("A", from_=31, until=150, vip=NEW_VIP),
        ),
        core=new_core(watch=()),
    )
    assert [vip.address for vip in run.core.snapshot().vips] == [NEW_VIP]
    assert run.names(NEW_VIP) == ["vip_seen"]


def test_address_shared_by_two_services() -> None:
    """A VIP that two Services use stays when one of them goes."""
    other = type(SERVICE)("kube-system", "rke2-traefik")
    run = play(service(0, "node-a") + service(1, "node-a", ref=other) + service_gone(2), core=new_core(watch=()))
    run.until(100)
    assert run.vip().services == (other,)


def test_both_families_of_a_service() -> None:
    """A Service with an IPv4 and an IPv6 address has two VIPs, each with its own holder."""
    run = play(
        interleave(service(0, addresses=(VIP, VIP6)), announce("A", until=30), announce("B", until=30, vip=VIP6)),
        core=new_core(watch=()),
    )
    assert [(vip.address, letter_of(vip.holder_mac)) for vip in run.core.snapshot().vips] == [(VIP, "A"), (VIP6, "B")]


def test_capture_lost_and_restored_are_events() -> None:
    """`capture_lost` at once when the interface goes, `capture_restored` when it is back, with its name."""
    run = play(capture(0, up=True) + capture(10, up=False) + capture(20, up=True), core=new_core(listening=False))
    assert run.names(None) == ["capture_lost", "capture_restored"]
    assert {event.fields["device"] for event in run.events} == {"eth0"}


def test_intent_stale_shows() -> None:
    """`vip_intent_stale` follows the freshness of what Kubernetes said, and is absent without a Service."""
    run = play(service(0, "node-a"))
    assert run.vip().intent_stale is False
    run.feed(intent_fresh(10, False))
    assert run.vip().intent_stale is True
    assert new_core().snapshot().vips[0].intent_stale is None


def test_vlan_of_a_vip() -> None:
    """A VIP is watched untagged unless a VLAN id is configured for it."""
    assert play(service(0)).core.watched() == {VIP: None}
    assert play(service(0, vlan=42)).core.watched() == {VIP: 42}


def test_discover_watches_what_is_announced() -> None:
    """With `discover` an announcement makes its address a VIP; a probe or an ordinary reply does not."""
    core = new_core(watch=(), discover=True)
    run = play([frame("A", 1, Kind.PROBE, vip=NEW_VIP), frame("A", 2, Kind.ORDINARY_REPLY), *frames("B", 3)], core=core)
    assert [vip.address for vip in run.core.snapshot().vips] == [VIP]


def test_frames_about_other_addresses_change_nothing() -> None:
    """An address that is not watched leaves no trace."""
    run = play(frames("A", 1, vip=NEW_VIP))
    assert [vip.address for vip in run.core.snapshot().vips] == [VIP]
    assert run.vip().state is State.UNKNOWN


# --- sources ----------------------------------------------------------------------------------------------------------


def test_each_source_shows_whom_it_names() -> None:
    """Every source is shown with its own belief, whatever the verdict is."""
    run = play(
        interleave(AB, service(0, "node-b"), lease(0, "node-b"), bound(0, "eth0"), announce("A", until=10)),
        core=new_core(observer="node-b"),
    )
    assert {source.source: source.node for source in run.vip().sources} == {
        Source.WIRE: "node-a",
        Source.LEASE: "node-b",
        Source.ANNOTATION: "node-b",
        Source.LOCAL: "node-b",
    }
    assert run.vip().holder_source is Source.WIRE


def test_source_moves_are_counted_apart() -> None:
    """A clean move that wire, lease and vipHost all see is one move, and one of each source."""
    run = play(
        interleave(
            AB,
            service(0, "node-a"),
            lease(0, "node-a"),
            announce("A", until=30),
            lease(31, "node-b"),
            announce("B", from_=32, until=60),
            service(33, "node-b"),
        )
    )
    assert run.vip().moves == 1
    assert dict(run.vip().source_moves) == {
        Source.WIRE: 1,
        Source.LEASE: 1,
        Source.ANNOTATION: 1,
        Source.LOCAL: 0,
    }


def test_handover_is_observed_once_for_each_move() -> None:
    """The handover histogram has one observation a move; overlap gives 0."""
    run = play(
        interleave(
            announce("A", until=30),
            announce("B", from_=32, until=60),
            frames("B", 63),
            announce("A", from_=62, until=90),
        )
    )
    distribution = run.core.snapshot().handover
    assert (run.vip().moves, sum(distribution.counts), distribution.total) == (2, 2, 2.0)


def test_annotation_lag_is_never_negative() -> None:
    """vipHost 3 s after the wire is a lag of 3 s; before the wire it is 0."""
    for offset, lag in ((3, 3.0), (-3, 0.0)):
        run = play(
            interleave(
                AB,
                service(0, "node-a"),
                announce("A", until=30),
                announce("B", from_=34, until=60),
                service(34 + offset, "node-b"),
            )
        )
        distribution = run.core.snapshot().annotation_lag
        assert (sum(distribution.counts), distribution.total) == (1, lag)


def test_holder_since_is_the_first_frame_of_the_holder() -> None:
    """The holder of a clean move has the VIP since its first frame, not since the verdict."""
    run = play(interleave(AB, announce("A", until=30), announce("B", from_=32, until=60)))
    assert run.vip().holder_since == seconds(32)


def test_second_watch_of_the_same_core_is_independent() -> None:
    """What happens to one VIP leaves another alone."""
    core = new_core(watch=(VIP, NEW_VIP))
    addresses: list[IPAddress] = [VIP, NEW_VIP]
    run = play(
        interleave(announce("A", until=60), announce("B", from_=31, until=60), announce("A", until=60, vip=NEW_VIP)),
        core=core,
    )
    assert [run.vip(address).state for address in addresses] == [State.CONTESTED, State.HELD]


def test_an_annotation_just_ahead_of_the_wire_names_the_move_rightly() -> None:
    """MACs that resolve to no node; vipHost changes 20 ms before the new holder speaks (kube-vip from 0.9 on)."""
    run = play(
        interleave(
            service(0, vipHost="node-a"),
            announce("A", until=30),
            service(31, vipHost="node-b"),
            announce("B", from_=31.02, until=60),
        ),
        until=60,
    )
    (move,) = [event for event in run.events if event.name == "vip_moved"]
    assert (move.fields["from"], move.fields["to"]) == ("node-a", "node-b")
    assert run.vip().holder == "node-b"


def test_a_change_after_the_first_sighting_still_speaks_for_the_next_move() -> None:
    """The source named a node when the VIP was first seen, so its change within the settle time belongs to a move."""
    run = play(
        interleave(
            service(0, vipHost="node-a"),
            announce("A", from_=1, until=6),
            service(8, vipHost="node-b"),
            announce("B", from_=8.5, until=9),
        ),
        until=9,
    )
    assert (run.vip().state, run.vip().moves, run.vip().holder) == ("held", 1, "node-b")


def test_an_address_mismatch_ends_when_the_old_address_falls_silent_though_it_is_watched_anyway() -> None:
    """The old VIP is pinned (`--vip`, or discovered), so it is never dropped; its silence still ends the mismatch."""
    run = Run(new_core())
    run.feed(service(0))
    run.feed(announce("A", until=20))
    run.feed(service(20, addresses=(NEW_VIP,)))
    run.feed(announce("A", from_=21, until=60))
    run.until(60)
    assert [mismatch.check for mismatch in run.vip(NEW_VIP).mismatches] == ["address"]
    run.until(71)
    assert run.vip().state == "silent"
    assert run.vip(NEW_VIP).mismatches == ()


def test_lost_frames_prove_no_silence() -> None:
    """The kernel dropped frames: that nothing was heard meanwhile is no silence; it begins anew."""
    run = Run(new_core())
    run.feed(announce("A", until=10))
    run.feed([FramesMissed(seconds(18), "eth0")])
    run.until(27.9)
    assert run.vip().state == "held"
    run.until(28.1)
    assert run.vip().state == "silent"


def test_a_lease_that_is_gone_names_nobody() -> None:
    run = Run(new_core())
    run.feed(lease(0, "node-a"))
    assert run.vip().holder == "node-a"
    run.feed([LeaseGone(seconds(1), VIP)])
    assert run.vip().holder == ""
    run.feed(service(2, vipHost="node-b"))
    assert run.vip().holder == "node-b"


def test_an_annotation_that_never_follows_is_a_mismatch_though_no_mac_names_a_node() -> None:
    """A was node-a by the annotation; the wire moved to B, so the annotation's node is not the holder any more."""
    run = Run(new_core())
    run.feed(interleave(service(0, vipHost="node-a"), announce("A", until=30), announce("B", from_=30, until=60)))
    run.until(60)
    assert run.vip().holder == ""
    assert [mismatch.check for mismatch in run.vip().mismatches] == ["host"]
    run.feed(service(61, vipHost="node-b"))
    assert (run.vip().holder, run.vip().mismatches) == ("node-b", ())
