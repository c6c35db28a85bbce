"""Moves: VIPMoved and VIPHandoverSlow. What a clean failover raises, and that it is nothing else."""

from __future__ import annotations

import pytest

from tests.alerts.events import move, restart, tells, told_move
from tests.alerts.fleet import DEVICE, MACS, NODE_1, NODE_2, NODE_3, VIP, bind, fleet, intent, wire
from tests.alerts.texts import moved, slow
from tests.alerts.timeline import minutes

pytestmark = pytest.mark.seldom_evaluated
AT = minutes(5)
ONE_SCRAPE_ALONE = AT + 37
"""A move that, where scrapes are a minute apart, settles after those of node-1 and node-2 and before that of node-3."""


def test_nothing_fires_while_all_is_well(story, play) -> None:
    play(story.watched(until=minutes(20)))


def test_a_clean_move_raises_vipmoved_for_ten_minutes_and_nothing_else(story, play) -> None:
    move(story, AT, NODE_1, NODE_2)
    moved(story, AT, NODE_1, NODE_2)
    play(story)


@pytest.mark.parametrize("silence", [18, 25])
def test_the_holder_crashes_and_the_lease_runs_out(story, play, silence) -> None:
    """The node is gone with its exporter; the VIP is silent until another one has the lease."""
    last = AT
    story.gone(last, on=(NODE_1,))
    rest = (NODE_2, NODE_3)
    intent(story, last + 15, None, on=rest)
    move(story, last + silence, NODE_1, NODE_2, silence=silence, on=rest)
    moved(story, last + silence, NODE_1, NODE_2, observers=2)
    play(story)


def test_the_holders_kube_vip_is_killed_and_its_address_stays_behind_for_a_while(story, play) -> None:
    move(story, AT, NODE_1, NODE_2, silence=17)
    bind(story, AT, (DEVICE,), on=NODE_1)
    bind(story, AT + 40, (), on=NODE_1)
    moved(story, AT, NODE_1, NODE_2)
    play(story)


def test_a_move_between_nodes_that_announce_from_the_same_mac(story, play) -> None:
    """With DHCP from kube-vip 0.8.2 on: only the holder knows its own frames; lease and annotation tell of moves."""
    shared = "02:00:00:00:01:01"
    wire(story, 0, "", mac=shared)
    wire(story, 0, NODE_1, mac=shared, on=(NODE_1,))
    move(story, AT, NODE_1, NODE_2)
    wire(story, AT, "", mac=shared)
    wire(story, AT, NODE_2, mac=shared, on=(NODE_2,))
    moved(
        story,
        AT,
        NODE_1,
        NODE_2,
        wires=f"- wire: unknown node at {shared} (observers: 2)\n- wire: node-2 at {shared} (observers: 1)",
    )
    play(story)


def test_there_and_back_is_told_by_the_latest_move(story, play) -> None:
    move(story, AT, NODE_1, NODE_2)
    move(story, AT + minutes(4), NODE_2, NODE_1)
    moved(story, AT, NODE_1, NODE_2, until=AT + minutes(4) + 7)
    moved(story, AT + minutes(4), NODE_2, NODE_1)
    play(story)


def test_a_move_that_only_one_observer_heard_is_told(story, play) -> None:
    told_move(story, AT, NODE_1, NODE_2, on=(NODE_3,))
    moved(story, AT, NODE_1, NODE_2, holder=NODE_1)
    play(story)


def test_a_move_of_long_ago_is_no_news(story, play) -> None:
    story.at(0, "vip_last_move_timestamp_seconds", -minutes(10), vip=VIP, from_=NODE_1, to=NODE_2)
    story.at(0, "vip_last_handover_seconds", 3600, vip=VIP)
    play(story.watched(until=minutes(10)))


def test_observers_that_know_only_macs_do_not_tell_of_another_move(story, play) -> None:
    """Even where theirs is the only scrape between the move and the first evaluation."""
    at = ONE_SCRAPE_ALONE
    move(story, at, NODE_1, NODE_2)
    tells(story, at, MACS[NODE_1], MACS[NODE_2], on=(NODE_3,))
    moved(story, at, NODE_1, NODE_2)
    play(story)


def test_where_nobody_knows_the_nodes_the_macs_are_told(story, play) -> None:
    told_move(story, AT, MACS[NODE_1], MACS[NODE_2])
    moved(story, AT, MACS[NODE_1], MACS[NODE_2], holder=NODE_1)
    play(story)


def test_there_and_back_with_one_observer_that_knows_only_macs(story, play) -> None:
    """Its news of the second move must not be mistaken for the first, which the others tell by name."""
    back = ONE_SCRAPE_ALONE + minutes(4)
    move(story, AT, NODE_1, NODE_2)
    tells(story, AT, MACS[NODE_1], MACS[NODE_2], on=(NODE_3,))
    move(story, back, NODE_2, NODE_1)
    tells(story, back, MACS[NODE_2], MACS[NODE_1], on=(NODE_3,))
    moved(story, AT, NODE_1, NODE_2, until=back + 7)
    moved(story, back, NODE_2, NODE_1)
    play(story)


@pytest.mark.parametrize("seconds", [100, minutes(4)])
def test_a_move_that_only_an_observer_of_macs_heard_is_told_by_them(story, play, seconds) -> None:
    """A later one than the others tell of by name."""
    move(story, AT, NODE_1, NODE_2)
    later = AT + seconds
    told_move(story, later, MACS[NODE_2], MACS[NODE_1], on=(NODE_3,))
    moved(story, AT, NODE_1, NODE_2, until=later + 7)
    moved(story, later, MACS[NODE_2], MACS[NODE_1], holder=NODE_2)
    play(story)


def test_an_observer_of_macs_whose_clock_is_ahead_tells_of_the_same_move(story, play) -> None:
    move(story, AT, NODE_1, NODE_2)
    tells(story, AT + 9, MACS[NODE_1], MACS[NODE_2], settled=AT + 7, on=(NODE_3,))
    moved(story, AT, NODE_1, NODE_2)
    play(story)


# --- a move that becomes known late -----------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [(), (NODE_3,)], ids=["all", "one"])
def test_a_move_that_becomes_known_a_quarter_of_an_hour_after_it_is_told_for_five_minutes(story, play, on) -> None:
    """The exporters could not tell before who holds it; the time that they tell is when it was."""
    learned = AT + minutes(15)
    told_move(story, AT, NODE_1, NODE_2, settled=learned, on=on)
    moved(story, AT, NODE_1, NODE_2, holder=NODE_1, since=learned, until=learned + minutes(5))
    play(story)


def test_a_move_that_becomes_known_late_to_an_exporter_that_has_just_restarted(look, play) -> None:
    """Its counter fell and rises again."""
    story = fleet(nodes=(NODE_1,))
    story.at(0, "vip_moves_total", 3, vip=VIP)
    at = minutes(15)
    restart(story, at, NODE_1)
    learned = at + 60
    told_move(story, 60, NODE_2, NODE_1, settled=learned)
    moved(story, 60, NODE_2, NODE_1, observers=1, since=learned, until=learned + minutes(5))
    play(story)


# --- slow ones --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("silence", "fires"), [(30, False), (31, True)])
def test_a_handover_is_slow_from_half_a_minute_on(story, play, silence, fires) -> None:
    move(story, AT, NODE_1, NODE_2, silence=silence)
    moved(story, AT, NODE_1, NODE_2)
    if fires:
        slow(story, AT, NODE_1, NODE_2, length="31s")
    play(story)


def test_a_handover_that_only_one_observer_found_slow_is_not(story, play) -> None:
    """Even where its is the only scrape between the move and the first evaluation."""
    at = ONE_SCRAPE_ALONE
    move(story, at, NODE_1, NODE_2)
    story.at(at + 7, "vip_last_handover_seconds", 45, on=(NODE_3,), vip=VIP)
    moved(story, at, NODE_1, NODE_2)
    play(story)


def test_a_slow_handover_is_forgotten_with_the_next_move(story, play) -> None:
    move(story, AT, NODE_1, NODE_2, silence=60)
    again = AT + minutes(5)
    move(story, again, NODE_2, NODE_3)
    moved(story, AT, NODE_1, NODE_2, until=again + 7)
    moved(story, again, NODE_2, NODE_3)
    slow(story, AT, NODE_1, NODE_2, until=again + 7, length="1m 0s")
    play(story)


def test_a_move_without_a_measured_handover_is_not_slow(story, play) -> None:
    move(story, AT, NODE_1, NODE_2)
    story.without(AT, "vip_last_handover_seconds")
    moved(story, AT, NODE_1, NODE_2)
    play(story)
