"""VIPBoundOnSeveralNodes: the same nodes have the VIP bound for long, and what only looks like it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from tests.alerts.events import move, restart
from tests.alerts.fleet import DEVICE, NODE_1, NODE_2, NODE_3, NODES, VIP, bind, fleet, join
from tests.alerts.scenario import Story
from tests.alerts.texts import by_source, moved
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(9)
SPACINGS = [(20, 13), (45, 37), (60, 37), (90, 20), (145, 50)]
"""Of moves, and the first one's offset, seconds.

Not 30, nor nearly so, nor 15: there and back takes a minute then, or half of one, and so do the scrapes of a slow
Prometheus. Each scrape finds a node as the one before did; two nodes that have it bound whenever they are asked may as
well have it all the time.
"""


def bound(story: Story, nodes: int, *lines: str, local: Sequence[str], until: int = END) -> Story:
    """VIPBoundOnSeveralNodes. All but what is bound names node-1.

    Args:
        local: nodes that have it bound.
    """
    elsewhere = [f"- local: {node} (observers: 1)" for node in local]
    return story.fires(
        "VIPBoundOnSeveralNodes",
        since=AT,
        until=until,
        vip=VIP,
        description="\n".join(
            [
                f"VIP 192.0.2.100 is bound on {nodes} nodes:",
                *lines,
                "Who holds it, by source:",
                *by_source(wire=None, lease=NODE_1, annotation=NODE_1).splitlines(),
                *elsewhere,
                *by_source(wire=NODE_1).splitlines(),
            ]
        ),
    )


def test_bound_on_two_nodes(story, play) -> None:
    """Where the mismatch `bound` is raised too, this says it all."""
    bind(story, AT, ("vip-1234abcd",), on=NODE_2)
    story.at(AT + 15, "vip_mismatch", 1, on=(NODE_2,), vip=VIP, check="bound")
    bind(story, END, (), on=NODE_2)
    story.at(END, "vip_mismatch", 0, on=(NODE_2,), vip=VIP, check="bound")
    bound(story, 2, "- node-1 on mgmt-br", "- node-2 on vip-1234abcd", local=(NODE_1, NODE_2))
    play(story)


def test_bound_on_three_nodes_one_of_them_twice(story, play) -> None:
    bind(story, AT, (DEVICE,), on=NODE_2)
    bind(story, AT, (DEVICE, "mgmt-br.42"), on=NODE_3)
    bind(story, END, (), on=NODE_2)
    bind(story, END, (), on=NODE_3)
    bound(
        story,
        3,
        "- node-1 on mgmt-br",
        "- node-2 on mgmt-br",
        "- node-3 on mgmt-br",
        "- node-3 on mgmt-br.42",
        local=NODES,
    )
    play(story)


def test_bridge_and_macvlan_of_one_node_are_one(story, play) -> None:
    bind(story, AT, (DEVICE, "vip-1234abcd"), on=NODE_1)
    play(story.watched(until=END))


def test_a_node_on_which_it_stays_bound_for_less_than_three_minutes(story, play) -> None:
    """kube-vip takes it away late, but does."""
    bind(story, AT, (DEVICE,), on=NODE_2)
    bind(story, AT + minutes(2) + 50, (), on=NODE_2)
    play(story.watched(until=END))


@pytest.mark.every_way
@pytest.mark.parametrize("node", [NODE_1, NODE_2])
def test_it_goes_on_while_the_exporter_of_one_of_these_nodes_restarts(story, play, node) -> None:
    """The alert neither ends nor comes again, then or when the windows reach back to that."""
    end = AT + minutes(14)
    bind(story, AT, (DEVICE,), on=NODE_2)
    restart(story, AT + minutes(6), node)
    bind(story, end, (), on=NODE_2)
    story.always("VIPBoundOnSeveralNodes", since=AT, delay=minutes(4), until=end)
    play(story)


def test_scrapes_just_after_the_evaluation_count(look, play) -> None:
    """What was said nearly a minute ago stands."""
    story = fleet(nodes=(), pods=look.pods)
    for node in NODES:
        join(story, node, phase=Fraction(1, 15))
    bind(story, AT, (DEVICE,), on=NODE_2)
    bind(story, END, (), on=NODE_2)
    story.always("VIPBoundOnSeveralNodes", since=AT, delay=minutes(4), until=END)
    play(story)


def test_two_nodes_have_it_bound_while_it_moves_between_them(story, play) -> None:
    """Each has it all the time, and they announce it in turns: nothing puts the alert off but that one lets go."""
    times = 8
    end = AT + 145 * times
    for number in range(times):
        origin, target = ((NODE_1, NODE_2), (NODE_2, NODE_1))[number % 2]
        at = AT + 145 * number
        move(story, at, origin, target)
        bind(story, at, (DEVICE,), on=origin)
        story.ragged("VIPMoved", since=at, until=at + 145 + 60, vip=VIP, from_=origin, to=target)
    story.ragged("VIPMoved", since=end, until=None, vip=VIP, from_=NODE_2, to=NODE_1)
    story.ragged("VIPFlapping", since=AT, until=None, vip=VIP)
    bind(story, end, (), on=NODE_2)
    story.always("VIPBoundOnSeveralNodes", since=AT, delay=minutes(4), until=end)
    play(story)


# --- moves ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", range(0, 60, 20))
def test_a_move_between_the_scrapes_of_two_nodes(story, play, offset) -> None:
    """The new holder was asked after it, the old one before it: for an interval both have it bound."""
    at = AT + offset
    move(story, at, NODE_1, NODE_2)
    bind(story, at + 2, (), on=NODE_1)
    moved(story, at, NODE_1, NODE_2)
    play(story)


@pytest.mark.parametrize(("every", "offset"), SPACINGS)
def test_a_flapping_vip_has_one_holder_at_a_time(story, play, every, offset) -> None:
    """With scrapes a minute apart some tell of the one node and some of the other, as it happens, each time."""
    for number in range(minutes(10) // every):
        origin, target = ((NODE_1, NODE_2), (NODE_2, NODE_1))[number % 2]
        move(story, AT + offset + every * number, origin, target)
    for severity in ("warning", "critical"):
        story.ragged("VIPFlapping", severity=severity, since=AT, until=AT + minutes(30), vip=VIP)
    for origin, target in ((NODE_1, NODE_2), (NODE_2, NODE_1)):
        story.ragged("VIPMoved", since=AT, until=AT + minutes(30), vip=VIP, from_=origin, to=target)
    play(story)


@pytest.mark.parametrize("delay", [10, 80])
def test_the_holder_dies_and_the_next_ones_exporter_is_new(look, play, delay) -> None:
    """What the dead one said last and what the new one says first are of different times."""
    story = fleet(nodes=(NODE_1, NODE_3), pods=look.pods)
    story.gone(AT, on=(NODE_1,))
    move(story, AT + 17, NODE_1, NODE_2, silence=17, on=(NODE_3,))
    join(story, NODE_2, at=AT + 17 + delay, holder=NODE_2)
    story.ragged("VIPMoved", since=AT + 17, until=AT + 17 + minutes(10), vip=VIP, from_=NODE_1, to=NODE_2)
    play(story)


@pytest.mark.every_way
@pytest.mark.parametrize("seconds", [45, 90])
@pytest.mark.parametrize("before", [5, 40])
def test_prometheus_is_away_during_a_move(story, play, seconds, before) -> None:
    """Of the series that ended meanwhile the last samples stay for five minutes: nobody marks them as stale."""
    story.unwatched(AT - before, AT - before + seconds)
    move(story, AT, NODE_1, NODE_2)
    moved(story, AT, NODE_1, NODE_2, since=AT + seconds)
    story.ragged("VIPMoved", since=AT, until=AT + minutes(10), vip=VIP, from_=NODE_1, to=NODE_2)
    play(story)


def test_a_segment_splits_and_both_sides_have_it_bound(story, play) -> None:
    """That one of them takes it for a move puts nothing off."""
    wired = AT + 7
    move(story, AT, NODE_1, NODE_3, silence=17, on=(NODE_3,))
    story.ragged("VIPMoved", since=AT, until=AT + minutes(10), vip=VIP, from_=NODE_1, to=NODE_3)
    story.ragged("VIPObserversDisagree", since=wired, until=None, vip=VIP)
    bind(story, END, (), on=NODE_3)
    story.always("VIPBoundOnSeveralNodes", since=AT, delay=minutes(4), until=END)
    play(story)
