"""How much is made of frames about nodes' own addresses."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.vip.model import SECOND, IPAddress, Mac, NeighbourSeen
from exporter.wire.decode import IgnoreReason
from exporter.wire.neighbours import FRAMES_A_SECOND, TOLD_A_SECOND, Neighbours
from tests.wire.frames import MAC, NODE, NODE6, NODE_MAC

START = 1_000 * SECOND
REPEATED, FLOOD = IgnoreReason.NEIGHBOUR_REPEATED, IgnoreReason.NEIGHBOUR_FLOOD


def mac(number: int) -> Mac:
    return Mac(b"\x02\x01" + number.to_bytes(4, "big"))


class Heard:
    """A `Neighbours`, told of frames by their seconds after the start."""

    def __init__(self) -> None:
        self.neighbours = Neighbours()

    def __call__(self, second: float, address: IPAddress = NODE, mac: Mac = NODE_MAC) -> IgnoreReason | None:
        """Why the frame is not worth telling; None: it is told, unchanged."""
        at = START + round(second * SECOND)
        seen = NeighbourSeen(at, address, mac)
        outcome = self.neighbours.judge(seen, at)
        if isinstance(outcome, IgnoreReason):
            return outcome
        assert outcome is seen
        return None

    def listens(self, second: float) -> bool:
        return self.neighbours.listen(START + round(second * SECOND))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_told_when_new(heard: Heard) -> None:
    """Each MAC of each address is news once, and again half a minute after it was last told."""
    assert heard(0) is None
    assert heard(0) is REPEATED
    assert heard(0, NODE6) is None
    assert heard(1, NODE, MAC) is None
    assert heard(29.9) is REPEATED
    assert heard(30) is None
    assert heard(30.5, NODE, MAC) is REPEATED
    assert heard(59.9) is REPEATED
    assert heard(60) is None


def test_random_macs(heard: Heard) -> None:
    """Of one address ten are told in a second; another address is none the worse for it."""
    verdicts = [heard(0.001 * number, NODE, mac(number)) for number in range(100)]
    assert verdicts == [None] * TOLD_A_SECOND + [FLOOD] * 90
    assert heard(0.1, NODE6) is None
    assert heard(0.999, NODE, mac(200)) is FLOOD
    assert heard(1.0, NODE, mac(200)) is None
    assert heard(1.0, NODE, mac(200)) is REPEATED


def test_macs_are_forgotten(heard: Heard) -> None:
    """Eight MACs are remembered for an address; beyond, the one told longest ago is new again."""
    assert [heard(number, NODE, mac(number)) for number in range(8)] == [None] * 8
    assert [heard(8, NODE, mac(number)) for number in range(8)] == [REPEATED] * 8
    assert heard(9, NODE, mac(8)) is None
    assert heard(10, NODE, mac(1)) is REPEATED
    assert heard(10, NODE, mac(0)) is None
    assert heard(11, NODE, mac(1)) is None


def test_a_flood_is_not_listened_to(heard: Heard) -> None:
    """More than 200 frames within a second: nothing is listened to for half a minute, then everything is again."""
    verdicts = [heard(0.001 * number, IPv4Address(1 + number), mac(number)) for number in range(201)]
    assert verdicts == [None] * FRAMES_A_SECOND + [FLOOD]
    assert not heard.listens(0.3)
    assert heard(5, NODE6) is FLOOD
    assert not heard.listens(30.199)
    assert heard.listens(30.2)
    assert heard(30.2, NODE6) is None


def test_many_frames_are_no_flood(heard: Heard) -> None:
    """Two hundred frames a second may come for ever, repeated or not."""
    for number in range(2000):
        heard(number / 200, NODE, mac(number % 3))
    assert heard.listens(10)


@pytest.mark.parametrize("reason", [IgnoreReason.BAD_SHA, IgnoreReason.OTHER_VLAN, IgnoreReason.BAD_CHECKSUM])
def test_malformed_frames_count(heard: Heard, reason: IgnoreReason) -> None:
    """A flood of frames that break a rule is a flood; each keeps its own reason, listened to or not."""
    for number in range(300):
        assert heard.neighbours.judge(reason, START + number * SECOND // 1000) is reason
    assert not heard.listens(0.3)
    assert heard.neighbours.judge(reason, START + SECOND) is reason


def test_forgets_whoever_left(heard: Heard) -> None:
    """An address that is no neighbour's any more is forgotten; if it comes back, it is news."""
    heard(0)
    heard(0, NODE6)
    heard.neighbours.keep({NODE6})
    heard.neighbours.keep({NODE, NODE6})
    assert heard(1) is None
    assert heard(1, NODE6) is REPEATED


frames = st.tuples(st.floats(0, 2), st.sampled_from((NODE, NODE6)), st.integers(0, 40))


@given(st.lists(frames, max_size=400))
def test_bounds(times: list[tuple[float, IPAddress, int]]) -> None:
    """Whatever comes: at most ten a second are told of an address, and none when nothing is listened to."""
    heard = Heard()
    told: dict[IPAddress, list[float]] = {NODE: [], NODE6: []}
    reasons: Counter[IgnoreReason | None] = Counter()
    for second, address, number in sorted(times, key=lambda frame: frame[0]):
        reason = heard(second, address, mac(number))
        reasons[reason] += 1
        if reason is None:
            assert heard.listens(second)
            told[address].append(round(second * SECOND))
    assert set(reasons) <= {None, REPEATED, FLOOD}
    for moments in told.values():
        later = zip(moments, moments[TOLD_A_SECOND:], strict=False)
        assert all(eleventh - first >= SECOND for first, eleventh in later)
