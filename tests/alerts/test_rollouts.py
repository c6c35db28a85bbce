"""What is done on purpose raises nothing but VIPMoved: rollouts of exporters and kube-vip, restarts, a node added."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.alerts.events import move, restart
from tests.alerts.fleet import NODE_1, NODE_2, NODE_3, NODES, VIP, count, fleet, join, state
from tests.alerts.texts import moved
from tests.alerts.timeline import minutes

pytestmark = [pytest.mark.every_way, pytest.mark.seldom_evaluated]
AT = minutes(6)
JUST_AFTER_THE_EVALUATION = Fraction(1, 15)


def moved_often(story, *, times: int) -> None:
    """The observers have counted much in a past that no window reaches."""
    story.at(0, "vip_moves_total", times, vip=VIP)
    story.at(0, "vip_contests_total", times, vip=VIP)
    story.at(0, "vip_sightings_total", times, vip=VIP, kind="probe")


def test_a_rollout_of_the_exporters(story, play) -> None:
    moved_often(story, times=40)
    for number, node in enumerate(NODES):
        restart(story, AT + 45 * number, node)
    play(story.watched(until=minutes(20)))


def test_a_rollout_of_another_version(story, play) -> None:
    for number, node in enumerate(NODES):
        restart(story, AT + 45 * number, node)
        story.instead(
            AT + 45 * number,
            "vip_exporter_build_info",
            on=(node,),
            like="observer",
            version="1.1",
            revision="def",
            pythonversion="3.12",
            observer=node,
        )
    play(story.watched(until=minutes(12)))


def test_all_exporters_at_once(story, play) -> None:
    moved_often(story, times=40)
    for node in NODES:
        restart(story, AT, node, away=40)
    play(story.watched(until=minutes(20)))


def test_a_rollout_of_the_exporters_just_after_a_move(story, play) -> None:
    """Those that are new know nothing of it; the last one that does tells of it."""
    move(story, AT, NODE_1, NODE_2)
    for number, node in enumerate(NODES):
        restart(story, AT + 60 + 60 * number, node)
    moved(story, AT, NODE_1, NODE_2, until=AT + 60)
    story.ragged("VIPMoved", since=AT + 60, until=AT + 180 + 60, vip=VIP, from_=NODE_1, to=NODE_2)
    play(story)


@pytest.mark.parametrize("node", [NODE_1, NODE_3])
def test_a_restart_of_the_observer_that_counted_most_amid_moves(story, play, node) -> None:
    story.at(0, "vip_moves_total", 7, vip=VIP)
    story.at(0, "vip_moves_total", 400, on=(node,), vip=VIP)
    story.at(0, "vip_contests_total", 90, on=(node,), vip=VIP)
    story.at(0, "vip_sightings_total", 60, on=(node,), vip=VIP, kind="probe")
    move(story, AT, NODE_1, NODE_2)
    restart(story, AT + 30, node)
    move(story, AT + 90, NODE_2, NODE_1)
    moved(story, AT, NODE_1, NODE_2, until=AT + 30)
    story.ragged("VIPMoved", since=AT + 30, until=AT + 97, vip=VIP, from_=NODE_1, to=NODE_2)
    moved(story, AT + 90, NODE_2, NODE_1)
    play(story.watched(until=AT + minutes(15)))


def test_a_single_observer_restarts(look, play) -> None:
    story = fleet(nodes=(NODE_1,), pods=look.pods)
    moved_often(story, times=40)
    restart(story, AT, NODE_1)
    play(story.watched(until=minutes(20)))


def test_a_node_is_added(story, play) -> None:
    moved_often(story, times=40)
    join(story, "node-4", at=AT)
    state(story, AT, "unknown", on=("node-4",))
    state(story, AT + 3, "held", on=("node-4",))
    play(story.watched(until=minutes(20)))


def test_a_rollout_of_kube_vip_moves_the_vip_three_times(story, play) -> None:
    moved_often(story, times=40)
    story.watched(until=AT + minutes(18))
    for number, (origin, target) in enumerate([(NODE_1, NODE_2), (NODE_2, NODE_3), (NODE_3, NODE_1)]):
        at = AT + 60 * number
        move(story, at, origin, target, silence=3)
        moved(story, at, origin, target, until=at + 67 if number < 2 else None)
    play(story)


def test_a_node_is_added_during_a_rollout_of_kube_vip(story, play) -> None:
    """Its counter is young, so that what little Prometheus saw of it must not be stretched to a fourth move."""
    join(story, "node-4", at=AT - 60, phase=JUST_AFTER_THE_EVALUATION)
    for number in range(3):
        count(story, AT - 40 + 40 * number, "vip_moves_total", vip=VIP)
    play(story.watched(until=AT + minutes(12)))


def test_an_exporter_that_lived_for_a_minute_during_a_rollout_of_kube_vip(story, play) -> None:
    join(story, "node-4", at=AT - 60, phase=JUST_AFTER_THE_EVALUATION)
    for number in range(3):
        count(story, AT - 50 + 20 * number, "vip_moves_total", vip=VIP)
    story.gone(AT + 70, on=("node-4",))
    play(story.watched(until=AT + minutes(12)))
