"""VIPNotHeardOnNode: one observer does not hear what others hear."""

from __future__ import annotations

from tests.alerts.events import deaf, hearing, restart
from tests.alerts.fleet import NODE_1, NODE_2, NODE_3, VIP, state
from tests.alerts.texts import not_heard
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(12)
SOURCES = (
    "- annotation: node-1 (observers: 3)\n"
    "- lease: node-1 (observers: 3)\n"
    "- local: node-1 (observers: 1)\n"
    "- wire: node-1 at 02:00:00:00:00:01 (observers: 2)"
)


def test_one_deaf_observer_of_three(story, play) -> None:
    """Who does not hear the VIP does not silence it for the others."""
    deaf(story, AT, on=(NODE_3,))
    hearing(story, END, on=(NODE_3,))
    not_heard(story, NODE_3, AT, END, SOURCES)
    play(story)


def test_what_the_others_hear_meanwhile_does_not_begin_it_anew(story, play) -> None:
    """They find it moving now and then."""
    deaf(story, AT, on=(NODE_3,))
    for second, now in ((60, "moving"), (150, "held"), (400, "moving"), (500, "held")):
        state(story, AT + second, now, on=(NODE_1, NODE_2))
    hearing(story, END, on=(NODE_3,))
    not_heard(story, NODE_3, AT, END, SOURCES)
    play(story)


def test_deaf_for_four_minutes_passes(story, play) -> None:
    deaf(story, AT, on=(NODE_3,))
    hearing(story, AT + minutes(3) + 50, on=(NODE_3,))
    play(story.watched(until=END))


def test_where_nobody_can_tell_no_single_node_is_deaf(story, play) -> None:
    """None of them has heard anything so far."""
    deaf(story, AT)
    state(story, AT, "unknown")
    play(story.watched(until=END))


def test_an_observer_without_other_evidence_cannot_say_that_it_is_deaf(story, play) -> None:
    deaf(story, AT, on=(NODE_3,))
    story.without(AT, "vip_requirement_met", on=(NODE_3,), requirement="heard_here")
    play(story.watched(until=END))


def test_restarts_of_the_others_do_not_begin_it_anew(story, play) -> None:
    deaf(story, AT, on=(NODE_3,))
    restart(story, AT + minutes(3), NODE_1)
    restart(story, AT + minutes(4), NODE_2)
    hearing(story, END, on=(NODE_3,))
    not_heard(story, NODE_3, AT, END, SOURCES)
    play(story)


def test_the_deaf_one_is_told_by_its_node_not_by_its_pod(story, play) -> None:
    """It restarts, and is deaf again: the same alert, after a pause."""
    deaf(story, AT, on=(NODE_3,))
    restart(story, AT + minutes(7), NODE_3)
    state(story, AT + minutes(7), "silent", on=(NODE_3,))
    not_heard(story, NODE_3, AT, AT + minutes(7), SOURCES)
    story.ragged(
        "VIPNotHeardOnNode",
        since=AT + minutes(7),
        until=AT + minutes(14),
        vip=VIP,
        observer=NODE_3,
        requirement="heard_here",
    )
    not_heard(story, NODE_3, AT + minutes(8), None, SOURCES)
    play(story.watched(until=AT + minutes(16)))
