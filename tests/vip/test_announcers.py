"""Who announced a VIP, and when: exact while it is little, bounded and never wrong about counts when it is much."""

from __future__ import annotations

import random
from ipaddress import ip_address

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
    assert [one.claimant.mac for one in shown(announcers).announcers] == [format_mac(mac) for mac in macs[4:]]


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


def test_thousands_of_vips_stay_small() -> None:
    announcers = Announcers()
    vips = [ip_address(f"10.1.{number // 250}.{number % 250}") for number in range(1000)]
    for turn in range(200):
        for vip in vips:
            for mac in (A, B):
                announcers.hear(turn * 8 * SECOND, vip, mac)
    kept = sum(len(one.stretches) for vip in vips for one in announcers.heard([vip], whose)[vip].announcers)
    assert kept <= 2 * max(MOST_TOGETHER, 2000 * FEWEST_STRETCHES)
