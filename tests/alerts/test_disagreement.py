"""VIPObserversDisagree: one VIP, two holders by the wire, and what only looks like it."""

from __future__ import annotations

from tests.alerts.events import move
from tests.alerts.fleet import MACS, NODE_1, NODE_2, NODE_3, VIP, bind, intent, wire
from tests.alerts.scenario import Story
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(9)
OTHER_MAC = "02:00:00:00:01:01"
"""A second one of node-1, such as a macvlan's."""


def disagree(story: Story, holders: int, *lines: str, since: int = AT, until: int = END) -> Story:
    return story.fires(
        "VIPObserversDisagree",
        since=since,
        until=until,
        vip=VIP,
        description="\n".join(
            [
                f"VIP 192.0.2.100 has {holders} holders, depending on where one listens: the segment may be split.",
                *lines,
            ]
        ),
    )


def test_observers_hear_different_nodes(story, play) -> None:
    wire(story, AT, NODE_3, on=(NODE_3,))
    wire(story, END, NODE_1, on=(NODE_3,))
    disagree(
        story,
        2,
        "- node-1 at 02:00:00:00:00:01 (observers: 2)",
        "- node-3 at 02:00:00:00:00:03 (observers: 1)",
    )
    play(story)


def test_each_observer_hears_itself(story, play) -> None:
    for node in (NODE_2, NODE_3):
        wire(story, AT, node, on=(node,))
    wire(story, END, NODE_1)
    disagree(
        story,
        3,
        "- node-1 at 02:00:00:00:00:01 (observers: 1)",
        "- node-2 at 02:00:00:00:00:02 (observers: 1)",
        "- node-3 at 02:00:00:00:00:03 (observers: 1)",
    )
    play(story)


def test_one_mac_that_two_nodes_have_is_two_holders(story, play) -> None:
    """With DHCP from kube-vip 0.8.2 on all announce from the same MAC; each node knows of its own frames."""
    for node in (NODE_1, NODE_2):
        wire(story, AT, node, mac=OTHER_MAC, on=(node,))
    wire(story, AT, "", mac=OTHER_MAC, on=(NODE_3,))
    wire(story, END, NODE_1)
    disagree(
        story,
        2,
        f"- unknown node at {OTHER_MAC} (observers: 1)",
        f"- node-1 at {OTHER_MAC} (observers: 1)",
        f"- node-2 at {OTHER_MAC} (observers: 1)",
    )
    play(story)


def test_macs_that_nobody_knows_are_two_holders(story, play) -> None:
    wire(story, AT, "", mac=MACS[NODE_1])
    wire(story, AT, "", mac=MACS[NODE_3], on=(NODE_3,))
    wire(story, END, NODE_1)
    disagree(
        story,
        2,
        "- unknown node at 02:00:00:00:00:01 (observers: 2)",
        "- unknown node at 02:00:00:00:00:03 (observers: 1)",
    )
    play(story)


def test_a_known_node_and_a_mac_that_nobody_knows_are_two_holders(story, play) -> None:
    wire(story, AT, "", mac=MACS[NODE_3], on=(NODE_3,))
    wire(story, END, NODE_1, on=(NODE_3,))
    disagree(
        story,
        2,
        "- node-1 at 02:00:00:00:00:01 (observers: 2)",
        "- unknown node at 02:00:00:00:00:03 (observers: 1)",
    )
    play(story)


def test_who_does_not_know_the_holders_mac_does_not_disagree(story, play) -> None:
    wire(story, AT, "", mac=MACS[NODE_1], on=(NODE_2, NODE_3))
    play(story.watched(until=END))


def test_nobody_knows_the_holders_mac(story, play) -> None:
    wire(story, AT, "", mac=MACS[NODE_1])
    play(story.watched(until=END))


def test_two_macs_of_one_node_are_one_holder(story, play) -> None:
    wire(story, AT, NODE_1, mac=OTHER_MAC, on=(NODE_2,))
    wire(story, AT, "", mac=OTHER_MAC, on=(NODE_3,))
    play(story.watched(until=END))


def test_a_nodes_short_name_is_its_full_one(story, play) -> None:
    wire(story, AT, "node-1.example.org", mac=MACS[NODE_1], on=(NODE_3,))
    play(story.watched(until=END))


def test_full_names_of_two_nodes_are_two_holders(story, play) -> None:
    wire(story, AT, "node-1.example.org", mac=MACS[NODE_1])
    wire(story, AT, "node-3.example.org", mac=MACS[NODE_3], on=(NODE_3,))
    wire(story, END, NODE_1)
    disagree(
        story,
        2,
        "- node-1.example.org at 02:00:00:00:00:01 (observers: 2)",
        "- node-3.example.org at 02:00:00:00:00:03 (observers: 1)",
    )
    play(story)


def test_names_that_are_addresses_are_not_shortened(story, play) -> None:
    wire(story, AT, "10.0.0.1", mac=MACS[NODE_1])
    wire(story, AT, "10.0.0.2", mac=MACS[NODE_2], on=(NODE_2,))
    wire(story, END, NODE_1)
    disagree(
        story,
        2,
        "- 10.0.0.1 at 02:00:00:00:00:01 (observers: 2)",
        "- 10.0.0.2 at 02:00:00:00:00:02 (observers: 1)",
    )
    play(story)


def test_an_observer_that_hears_nothing_names_nobody(story, play) -> None:
    wire(story, AT, None, on=(NODE_3,))
    play(story.watched(until=END))


def test_other_sources_may_name_whomever_they_like(story, play) -> None:
    intent(story, AT, NODE_2, on=(NODE_2,))
    play(story.watched(until=END))


def test_two_minutes_of_disagreement_pass(story, play) -> None:
    wire(story, AT, NODE_3, on=(NODE_3,))
    wire(story, AT + minutes(1) + 50, NODE_1, on=(NODE_3,))
    play(story.watched(until=END))


def test_a_segment_splits_and_one_side_takes_it_for_a_move(story, play) -> None:
    """That one move does not put off the alert."""
    move(story, AT, NODE_1, NODE_3, silence=17, on=(NODE_3,))
    wire(story, END, NODE_1, on=(NODE_3,))
    bind(story, AT, (), on=NODE_3)
    story.ragged("VIPMoved", since=AT, until=AT + minutes(10), vip=VIP, from_=NODE_1, to=NODE_3)
    disagree(
        story,
        2,
        "- node-1 at 02:00:00:00:00:01 (observers: 2)",
        "- node-3 at 02:00:00:00:00:03 (observers: 1)",
        since=AT + 7,
    )
    play(story)
