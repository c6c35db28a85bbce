"""VIPUnheld: most do not hear the VIP, and nobody holds it; and how it goes with VIPSilent."""

from __future__ import annotations

import pytest

from tests.alerts.events import deaf, hearing, move, nobody_holds
from tests.alerts.fleet import DEVICE, LEASE, NODE_1, NODE_2, NODE_3, VIP, bind, intent
from tests.alerts.scenario import Story
from tests.alerts.texts import all_agree, by_source, moved, silent, slow, unheld
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(12)


def test_neither_announced_nor_named_nor_bound(story, play) -> None:
    nobody_holds(story, AT)
    deaf(story, AT)
    hearing(story, END)
    bind(story, END, (DEVICE,), on=NODE_1)
    intent(story, END, NODE_1)
    unheld(story, AT, END)
    play(story)


@pytest.mark.parametrize("believed", [True, False], ids=["annotation", "no-annotation"])
def test_the_holder_dies_while_the_api_is_away(story, play, believed) -> None:
    """Nobody can tell whether the Lease was renewed, so exporters go on naming its holder; but its time is over."""
    story.gone(AT, on=(NODE_1,))
    rest = (NODE_2, NODE_3)
    story.at(AT, "vip_lease_expiry_timestamp_seconds", AT + LEASE, on=rest, vip=VIP)
    story.at(AT, "vip_exporter_kubernetes_up", 0, on=rest)
    if not believed:
        intent(story, AT + minutes(2), None, sources=("annotation",), on=rest)
    back = AT + minutes(8)
    move(story, back, NODE_1, NODE_2, silence=back - AT, on=rest)
    story.at(back, "vip_exporter_kubernetes_up", 1, on=rest)
    unheld(story, AT + LEASE + 1, back)
    moved(story, back, NODE_1, NODE_2, observers=2)
    slow(story, back, NODE_1, NODE_2, length="8m 0s", sources=all_agree(NODE_2, observers=2))
    play(story)


@pytest.mark.parametrize("api", [True, False], ids=["", "without-api"])
def test_the_holder_dies_while_prometheus_is_away(story, play, api) -> None:
    """What its exporter said last is still shown for five minutes, and must not stand for long."""
    rest = (NODE_2, NODE_3)
    away = AT - 5
    story.unwatched(away, away + 45)
    story.gone(AT, on=(NODE_1,))
    if api:
        intent(story, AT + LEASE, None, on=rest)
    else:
        story.at(AT, "vip_lease_expiry_timestamp_seconds", AT + LEASE, on=rest, vip=VIP)
    back = AT + minutes(8)
    move(story, back, NODE_1, NODE_2, silence=back - AT, on=rest)
    story.always("VIPUnheld", since=AT, delay=away + 150 + 60 - AT, until=back)
    story.ragged("VIPSilent", since=AT + minutes(3), until=AT + minutes(6), vip=VIP)
    moved(story, back, NODE_1, NODE_2, observers=2)
    slow(story, back, NODE_1, NODE_2, length="8m 0s", sources=all_agree(NODE_2, observers=2))
    play(story)


def test_a_lease_that_one_observer_sees_renewed_is_no_old_one(story, play) -> None:
    """Only the others' connection to the API is gone."""
    bind(story, AT, (), on=NODE_1)
    rest = (NODE_2, NODE_3)
    story.at(AT, "vip_lease_expiry_timestamp_seconds", AT + LEASE, on=rest, vip=VIP)
    deaf(story, AT)
    hearing(story, END)
    silent(story, AT, END, by_source(wire=None, lease=NODE_1, annotation=NODE_1))
    play(story)


def test_the_lease_runs_out_a_while_after_the_last_announcement(story, play) -> None:
    deaf(story, AT)
    nobody_holds(story, AT + 45)
    hearing(story, END)
    unheld(story, AT + 45, END)
    play(story)


def test_silent_at_first_then_nobody_holds_it(story, play) -> None:
    """The one alert stays until the other is sure to be there."""
    change = AT + minutes(8)
    deaf(story, AT)
    nobody_holds(story, change)
    hearing(story, END)
    silent(story, AT, change, by_source(wire=None, lease=NODE_1, annotation=NODE_1, local=NODE_1))
    story.ragged("VIPSilent", since=change, until=change + minutes(2), vip=VIP)
    unheld(story, change, END)
    play(story)


def test_nobody_holds_it_then_somebody_does_in_silence(story, play) -> None:
    change = AT + minutes(6)
    deaf(story, AT)
    nobody_holds(story, AT)
    bound_and_named(story, change)
    hearing(story, END)
    unheld(story, AT, change)
    silent(story, change, END, by_source(wire=None, lease=NODE_1, annotation=NODE_1, local=NODE_1))
    play(story)


@pytest.mark.parametrize("seconds", [30, 75, 100])
def test_a_lease_that_comes_and_goes_does_not_hide_that_nobody_announces(story, play, seconds) -> None:
    """Who holds it by name changes all the time; that nobody announces it has been so for long."""
    deaf(story, AT)
    times = minutes(12) // seconds
    for number in range(times):
        (nobody_holds if number % 2 else bound_and_named)(story, AT + seconds * number)
    end = AT + seconds * times
    bound_and_named(story, end)
    hearing(story, end)
    story.always("VIPSilent|VIPUnheld", since=AT, delay=minutes(3), until=end)
    play(story)


def bound_and_named(story: Story, at: int) -> Story:
    intent(story, at, NODE_1)
    return bind(story, at, (DEVICE,), on=NODE_1)
