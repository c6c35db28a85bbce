"""Who announced a VIP, and when: exact while it is little, bounded and never wrong about counts when it is much."""

from __future__ import annotations

import random
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.vip.announcers import (
    FEWEST_STRETCHES,
    MOST_STRETCHES,
    MOST_TOGETHER,
    SAME_STRETCH,
    Announced,
    Announcers,
)
from exporter.vip.model import SECOND, ClaimantClass, Mac, format_mac, seconds
from exporter.vip.snapshot import Claimant
from tests.vip.situations import VIP, mac_of

A, B = mac_of("A"), mac_of("B")


def whose(_vip, mac: Mac) -> Claimant:
    return Claimant(format_mac(mac), "", ClaimantClass.UNRESOLVED)


def shown(announcers: Announcers, vip=VIP) -> Announced:
    return announcers.heard([vip], whose)[vip]


def lines(announcers: Announcers) -> dict[str, list[tuple[float, float]]]:
    return {
        one.claimant.mac[-2:]: [(begin / SECOND, end / SECOND) for begin, end in one.stretches]
        for one in shown(announcers).announcers
    }


def test_announcements_within_the_grace_time_are_one_stretch() -> None:
    announcers = Announcers()
    for at in (0, 3, 10, 17.5, 40):
        announcers.hear(seconds(at), VIP, A)
    announcers.hear(seconds(41), VIP, B)
    assert lines(announcers) == {"41": [(0, 10), (17.5, 17.5), (40, 40)], "42": [(41, 41)]}
    assert [one.frames for one in shown(announcers).announcers] == [5, 1]


def test_a_vip_that_nobody_announced_is_missing() -> None:
    assert Announcers().heard([VIP], whose) == {}


def test_a_flood_is_counted_and_leaves_those_that_repeat_themselves() -> None:
    announcers, source = Announcers(), random.Random(1)
    announcers.hear(0, VIP, A)
    announcers.hear(seconds(3), VIP, A)
    for number in range(10_000):
        announcers.hear(seconds(4) + number * SECOND // 500, VIP, Mac(b"\x06" + source.randbytes(5)))
    found = shown(announcers)
    assert len(found.announcers) == 16
    assert found.announcers[0].claimant.mac == format_mac(A)
    assert found.others + sum(one.frames for one in found.announcers) == 10_002


def test_a_holder_keeps_its_place_among_any_number_of_others() -> None:
    announcers = Announcers()
    announcers.hear(0, VIP, A)
    announcers.hold(0, VIP, A)
    others = [Mac(b"\x06" + number.to_bytes(5, "big")) for number in range(40)]
    for number in range(80):  # each twice in a row, so that none gives way
        announcers.hear(seconds(number), VIP, others[number // 2])
    announcers.hear(seconds(400), VIP, B)
    assert format_mac(B) not in {one.claimant.mac for one in shown(announcers).announcers}
    announcers.hold(seconds(400), VIP, B)
    found = {one.claimant.mac for one in shown(announcers).announcers}
    assert {format_mac(A), format_mac(B)} < found
    assert len(found) == 16


def test_more_holders_than_places_push_out_the_one_heard_longest_ago() -> None:
    announcers = Announcers()
    macs = [Mac(b"\x06" + number.to_bytes(5, "big")) for number in range(20)]
    for number, mac in enumerate(macs):
        announcers.hear(seconds(number), VIP, mac)
        announcers.hold(seconds(number), VIP, mac)
    found = shown(announcers)
    assert [one.claimant.mac for one in found.announcers] == [format_mac(mac) for mac in macs[4:]]
    assert (found.others, [one.frames for one in found.announcers]) == (4, [1] * 16)


def test_a_vip_that_nobody_announced_has_no_holder() -> None:
    announcers = Announcers()
    announcers.hold(0, VIP, A)
    assert announcers.heard([VIP], whose) == {}


def crowd(announcers: Announcers, *times: float, count: int = 16) -> list[Mac]:
    """So many, heard one after the other, half a second apart, from each of the times on."""
    macs = [Mac(b"\x06" + number.to_bytes(5, "big")) for number in range(count)]
    for begin in times:
        for number, mac in enumerate(macs):
            announcers.hear(seconds(begin + number / 2), VIP, mac)
    return macs


def test_one_that_was_heard_once_gives_way_the_oldest_first() -> None:
    announcers = Announcers()
    macs = crowd(announcers, 0)
    announcers.hear(seconds(9), VIP, macs[0])
    announcers.hear(seconds(9.5), VIP, A)
    found = shown(announcers)
    expected = [macs[0], *macs[2:], A]
    assert [one.claimant.mac for one in found.announcers] == [format_mac(mac) for mac in expected]
    assert (found.others, sum(one.frames for one in found.announcers)) == (1, 17)


@pytest.mark.parametrize(
    ("words", "held", "after", "taken"),
    [
        ("ten minutes", False, seconds(600), False),
        ("more than ten minutes", False, seconds(600) + 1, True),
        ("more than ten minutes, and each has held the VIP", True, seconds(600) + 1, False),
    ],
)
def test_of_those_that_were_heard_twice_the_one_heard_longest_ago_gives_way(
    words: str, held: bool, after: int, taken: bool
) -> None:
    """It was heard last that long ago, and began last of all."""
    announcers = Announcers()
    announcers.hear(0, VIP, B)
    macs = crowd(announcers, 1000, count=15)
    announcers.hear(seconds(1020), VIP, macs[14])
    for mac in [*macs[:14], B]:
        announcers.hear(seconds(1030), VIP, mac)
    if held:
        for mac in [*macs, B]:
            announcers.hold(seconds(1030), VIP, mac)
    announcers.hear(seconds(1020) + after, VIP, A)
    found = {one.claimant.mac for one in shown(announcers).announcers}
    assert (format_mac(A) in found, format_mac(macs[14]) in found) == (taken, not taken)
    assert len(found) == 16


def test_a_holder_is_shown_in_the_order_in_which_it_began_though_it_had_no_place_then() -> None:
    announcers = Announcers()
    macs = crowd(announcers, 0, 0)
    announcers.hear(seconds(7.9), VIP, A)
    announcers.hold(seconds(3.2), VIP, A)
    found = [one.claimant.mac for one in shown(announcers).announcers]
    assert found == [format_mac(mac) for mac in [*macs[1:7], A, *macs[7:]]]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 25), st.booleans()), max_size=120))
def test_no_announcement_is_lost_or_counted_twice(steps) -> None:
    announcers, now = Announcers(), 0
    for gap, number, held in steps:
        now += gap * SECOND
        mac = Mac(b"\x06" + number.to_bytes(5, "big"))
        announcers.hear(now, VIP, mac)
        if held:
            announcers.hold(now, VIP, mac)
    if steps:
        found = shown(announcers)
        assert found.others >= 0
        assert found.others + sum(one.frames for one in found.announcers) == len(steps)
        for one in found.announcers:
            assert (one.stretches[0][0], one.stretches[-1][1]) == (one.first, one.last)
            assert all(begin <= end for begin, end in one.stretches)


def test_too_many_stretches_close_their_shortest_gaps() -> None:
    announcers, at = Announcers(), 0
    gaps = [8 * SECOND] * 999
    gaps[500] = 3600 * SECOND
    announcers.hear(at, VIP, A)
    for gap in gaps:
        at += gap
        announcers.hear(at, VIP, A)
    (one,) = shown(announcers).announcers
    assert len(one.stretches) <= MOST_STRETCHES
    between = [begin - end for (_, end), (begin, _) in zip(one.stretches, one.stretches[1:], strict=False)]
    assert max(between) == 3600 * SECOND
    assert min(between) > SAME_STRETCH
    assert one.frames == 1000


def lasting(number: int) -> tuple[float, float]:
    """How long the stretch of that number is, in seconds, and how long the pause after it."""
    return {50: (0, 12), 100: (7, 8), 150: (5, 9), 151: (0, 15)}.get(number, (5, 15))


@pytest.mark.parametrize("count", [256, 257])
def test_of_more_than_256_stretches_those_with_the_shortest_pause_between_them_become_one(count: int) -> None:
    """Neither how long they are nor how soon the next one begins or ends tells."""
    announcers, at = Announcers(), 0.0
    expected: list[tuple[float, float]] = []
    for number in range(count):
        length, pause = lasting(number)
        for moment in sorted({at, at + length}):
            announcers.hear(seconds(moment), VIP, A)
        expected.append((at, at + length))
        at += length + pause
    if count == 257:
        expected[100:102] = [(expected[100][0], expected[101][1])]
    assert lines(announcers) == {"41": expected}


def others(announcers: Announcers, count: int) -> None:
    """So many announce other VIPs, sixteen one VIP."""
    for number in range(count):
        announcers.hear(0, ip_address(0x0A000000 + number // 16), mac_of("ABCDEFGHIJKLMNOP"[number % 16]))


@pytest.mark.parametrize(
    ("lanes", "announced", "kept"),
    [
        (2048, 64, 64),
        (2048, 65, 33),
        (2049, 62, 62),
        (2049, 63, 32),
        (8200, 16, 16),
        (8200, 17, 9),
    ],
)
def test_the_more_macs_there_are_the_sooner_stretches_become_one(lanes: int, announced: int, kept: int) -> None:
    """All have 65,536 together, and at least eight each; twice its share, and a MAC is back at its share."""
    announcers = Announcers()
    others(announcers, lanes - 1)
    for number in range(announced):
        announcers.hear(seconds(8 * number), VIP, B)
    assert len(shown(announcers).announcers[0].stretches) == kept


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(("lanes", "kept"), [(2048, 64), (2049, 33)])
def test_macs_that_have_given_way_take_no_room(lanes: int, kept: int, held: bool) -> None:
    """Each of a crowd is heard once, or even holds the other VIP once: sixteen of them are left."""
    announcers, other = Announcers(), ip_address("192.0.2.20")
    for number in range(600):
        mac = Mac(b"\x06" + number.to_bytes(5, "big"))
        announcers.hear(number, other, mac)
        if held:
            announcers.hold(number, other, mac)
    others(announcers, lanes - 16 - 1)
    for number in range(64):
        announcers.hear(seconds(8 * number), VIP, B)
    assert len(shown(announcers).announcers[0].stretches) == kept


def test_thousands_of_vips_stay_small() -> None:
    announcers = Announcers()
    vips = [ip_address(f"10.1.{number // 250}.{number % 250}") for number in range(1000)]
    for turn in range(200):
        for vip in vips:
            for mac in (A, B):
                announcers.hear(turn * 8 * SECOND, vip, mac)
    kept = sum(len(one.stretches) for vip in vips for one in announcers.heard([vip], whose)[vip].announcers)
    assert kept <= 2 * max(MOST_TOGETHER, 2000 * FEWEST_STRETCHES)
