"""Whether all sources come to one answer, as `who`, `check` and the page say it."""

from __future__ import annotations

import pytest

from exporter.vip.agreement import Answer, answer, beside_nobodys_mac, differ, wire_class
from exporter.vip.model import ClaimantClass, Input, Mac
from tests.vip.more import leases
from tests.vip.situations import announce, capture, frame, interleave, lease, new_core, nodes, play, service

AB = nodes(0, "A", "B")
HELD = announce("A", until=30)
STRANGER = announce("X", until=30)
NAMED = [*AB, *lease(0, "node-a"), *service(0, "node-a")]
OTHERWISE = [*AB, *lease(0, "node-b")]
ROUTER = [frame(Mac(bytes.fromhex("00005e000101")), at) for at in range(0, 31, 3)]


@pytest.mark.parametrize(
    ("words", "inputs", "until", "expected"),
    [
        ("the wire alone names a node", AB + HELD, 30, Answer.AGREED),
        ("the wire alone, by a mac of no known node", HELD, 30, Answer.AGREED),
        ("the lease alone", lease(0, "node-a"), 5, Answer.AGREED),
        (
            "wire, lease and vipHost name one node",
            [*AB, *lease(0, "node-a"), *service(0, "node-a"), *HELD],
            30,
            "agreed",
        ),
        ("one name is short, one is full", [*lease(0, "node-a"), *service(0, "Node-A.lab.example")], 5, Answer.AGREED),
        ("the lease names another", OTHERWISE + HELD, 30, Answer.DISAGREEMENT),
        ("only vipHost does", [*AB, *lease(0, "node-a"), *service(0, "node-b"), *HELD], 30, Answer.DISAGREEMENT),
        (
            "a stranger on the wire, and a node is named",
            [*AB, *lease(0, "node-b"), *announce("X", until=30)],
            30,
            "disagreement",
        ),
        ("a router on the wire, and a node is named", OTHERWISE + ROUTER, 30, Answer.DISAGREEMENT),
        ("a stranger on the wire, and nobody is named", AB + STRANGER, 30, Answer.AGREED),
        (
            "a mac that may be the named node's",
            [*nodes(0, "A"), *nodes(0), *lease(0, "node-b"), *HELD],
            30,
            Answer.AGREED,
        ),
        ("somebody new speaks", [*HELD, *lease(0, "node-b"), frame("B", 31)], 31, Answer.MOVING),
        ("two go on", interleave(announce("A", until=60), announce("B", from_=31, until=60)), 60, Answer.CONTEST),
        ("nobody speaks any more", [*AB, *lease(0, "node-a"), *HELD], 60, Answer.SILENCE),
        ("nothing is known", [], 5, Answer.UNKNOWN),
    ],
)
def test_answer(words: str, inputs: list[Input], until: float, expected: str) -> None:
    assert answer(play(inputs, until=until).vip()) == expected


def test_while_nothing_can_be_heard_the_other_sources_answer() -> None:
    blind = new_core(listening=False)
    assert answer(play(capture(0, up=False) + leases(0, "node-a"), core=blind).vip()) is Answer.AGREED


@pytest.mark.parametrize(
    ("words", "inputs", "expected"),
    [
        ("a stranger", [*AB, *announce("X", until=9)], ClaimantClass.FOREIGN),
        ("a mac that may be anybody's", announce("X", until=9), ClaimantClass.UNRESOLVED),
        ("a router's", ROUTER, ClaimantClass.FHRP),
        ("a node's", [*AB, *announce("A", until=9)], None),
        ("nobody's, though lease and vipHost name a node", [*leases(0, "node-a"), *service(0, "node-a")], None),
        (
            "the holder's, not another claimant's",
            [*AB, *interleave(announce("X", until=60, every=5), [frame("A", 58)])],
            ClaimantClass.FOREIGN,
        ),
        (
            "the holder's, whoever came first",
            [*AB, frame("A", 0), frame("X", 5), frame("X", 8)],
            ClaimantClass.FOREIGN,
        ),
        (
            "the holder's, whose claim is younger than a router's",
            [*AB, frame("X", 0), ROUTER[2], frame("X", 8)],
            ClaimantClass.FOREIGN,
        ),
    ],
)
def test_what_kind_of_mac_the_wires_holder_has(words: str, inputs: list[Input], expected: ClaimantClass | None) -> None:
    """Only where it does not tell the node."""
    assert wire_class(play(inputs).vip()) is expected


def test_nobodys_mac_is_worth_telling_only_beside_a_named_node() -> None:
    stranger = [*AB, *announce("X", until=9)]
    assert not beside_nobodys_mac(play(stranger).vip())
    assert beside_nobodys_mac(play([*stranger, *leases(9, "node-a")]).vip())
    assert not beside_nobodys_mac(play([*announce("X", until=9), *leases(9, "node-a")]).vip())


def test_two_sources_differ_whichever_they_are() -> None:
    """The last of three, too."""
    assert not differ(play([]).vip())
    assert not differ(play(leases(0, "node-a")).vip())
    assert differ(play([*AB, *HELD, *leases(30, "node-a"), *service(30, "node-b")]).vip())
    assert not differ(play([*AB, *HELD, *leases(30, "node-a"), *service(30, "node-a")]).vip())
