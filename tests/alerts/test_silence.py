"""VIPSilent: most do not hear the VIP, though somebody holds it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.alerts.events import deaf, hearing, nobody_holds
from tests.alerts.fleet import NODE_1, NODE_2, NODE_3, NODES, VIP, bind, fleet, intent, join, state
from tests.alerts.texts import by_source, not_heard, silent
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(12)


def test_held_by_lease_and_annotation_but_announced_by_nobody(story, play) -> None:
    deaf(story, AT)
    hearing(story, END)
    silent(story, AT, END, by_source(wire=None, lease=NODE_1, annotation=NODE_1, local=NODE_1))
    play(story)


@pytest.mark.parametrize("source", ["lease", "annotation"])
def test_named_by_one_source_though_bound_nowhere(story, play, source) -> None:
    """The lease still renews, but the data path is dead; or there is no lease, and the annotation is all there is."""
    nobody_holds(story, AT)
    intent(story, AT, NODE_1, sources=(source,))
    if source == "annotation":
        story.without(AT, "vip_lease_expiry_timestamp_seconds")
    deaf(story, AT)
    hearing(story, END)
    silent(story, AT, END, f"- {source}: node-1 (observers: 3)")
    play(story)


def test_bound_on_a_node_though_nobody_is_named(story, play) -> None:
    """kube-vip was killed, and what it bound stays behind."""
    intent(story, AT, None)
    deaf(story, AT)
    hearing(story, END)
    silent(story, AT, END, "- local: node-1 (observers: 1)")
    play(story)


def test_without_kubernetes_and_without_knowing_what_is_bound_it_is_silent(story, play) -> None:
    """Nobody can tell that nobody holds it."""
    nobody_holds(story, AT)
    story.without(AT, "vip_bound")
    deaf(story, AT)
    hearing(story, END)
    silent(story, AT, END, "")
    play(story)


def test_a_silence_of_a_minute_and_a_half_passes(story, play) -> None:
    """By the scrapes of a slow Prometheus too: what it learns late it unlearns late."""
    deaf(story, AT)
    hearing(story, AT + 60)
    play(story.watched(until=END))


def test_two_of_three_silent_and_one_that_hears_itself(story, play) -> None:
    """The node's announcements do not leave it: two others do not hear it, so nobody can reach it."""
    deaf(story, AT, on=(NODE_2, NODE_3))
    hearing(story, END, on=(NODE_2, NODE_3))
    sources = (
        "- annotation: node-1 (observers: 3)\n"
        "- lease: node-1 (observers: 3)\n"
        "- local: node-1 (observers: 1)\n"
        "- wire: node-1 at 02:00:00:00:00:01 (observers: 1)"
    )
    silent(story, AT, END, sources)
    not_heard(story, NODE_2, AT, END, sources)
    not_heard(story, NODE_3, AT, END, sources)
    play(story)


def test_who_does_not_know_does_not_call_it_silent(story, play) -> None:
    """Two are blind, or have just begun; what the third one misses may be its own fault."""
    deaf(story, AT, on=(NODE_2,))
    state(story, AT, "unknown", on=(NODE_1, NODE_3))
    hearing(story, AT + minutes(4))
    play(story.watched(until=END))


def test_half_of_the_observers_are_no_majority(look, play) -> None:
    story = fleet(nodes=(NODE_1, NODE_2), pods=look.pods)
    deaf(story, AT, on=(NODE_2,))
    hearing(story, AT + minutes(4), on=(NODE_2,))
    play(story.watched(until=END))


def test_a_single_observer_is_its_own_majority(look, play) -> None:
    story = fleet(nodes=(NODE_1,), pods=look.pods)
    deaf(story, AT)
    hearing(story, END)
    silent(story, AT, END, by_source(wire=None, lease=NODE_1, annotation=NODE_1, local=NODE_1, observers=1))
    play(story)


def test_a_contest_is_no_silence(story, play) -> None:
    """One observer hears a contest of two that the others do not hear."""
    deaf(story, AT, on=(NODE_2,))
    state(story, AT, "moving", on=(NODE_1, NODE_3))
    hearing(story, AT + minutes(4))
    play(story.watched(until=END))


@pytest.mark.parametrize("node", NODES)
def test_silence_goes_on_while_an_observer_restarts(story, play, node) -> None:
    deaf(story, AT)
    story.gone(AT + minutes(5), on=(node,), until=AT + minutes(5) + 20)
    state(story, AT + minutes(5) + 20, "unknown", on=(node,))
    state(story, AT + minutes(5) + 35, "silent", on=(node,))
    everyone = by_source(wire=None, lease=NODE_1, annotation=NODE_1, local=NODE_1)
    silent(story, AT, AT + minutes(5), everyone)
    story.ragged("VIPSilent", since=AT, until=AT + minutes(9), vip=VIP)
    silent(story, AT + minutes(5), None, everyone)
    play(story.watched(until=END))


def test_exporters_that_find_it_silent_from_the_start_wait_as_well(look, play) -> None:
    story = fleet(pods=look.pods)
    for node in NODES:
        story.gone(0, on=(node,), until=AT)
    deaf(story, AT)
    hearing(story, AT + 60)
    play(story.watched(until=END))


def test_scrapes_just_after_the_evaluation_count(look, play) -> None:
    """What was said nearly a minute ago stands."""
    story = fleet(nodes=(), pods=look.pods)
    for node in NODES:
        join(story, node, phase=Fraction(1, 15))
    bind(story, AT, (), on=NODE_1)
    deaf(story, AT)
    hearing(story, END)
    silent(story, AT, END, by_source(wire=None, lease=NODE_1, annotation=NODE_1))
    play(story)
