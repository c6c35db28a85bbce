"""VIPContested and VIPFlapping."""

from __future__ import annotations

import pytest

from tests.alerts.events import restart, tells
from tests.alerts.fleet import MACS, NODE_1, NODE_2, NODE_3, VIP, claims, count, fleet, state, wire
from tests.alerts.scenario import Story
from tests.alerts.texts import clock, moved
from tests.alerts.timeline import minutes

AT = minutes(5)
NODE_1_CLAIMS = f"- {MACS[NODE_1]} (node-1, node)"
NODE_2_CLAIMS = f"- {MACS[NODE_2]} (node-2, node)"


def contest(story: Story, begin: int, end: int, *, on: tuple[str, ...] = ()) -> Story:
    """node-2 announces beside node-1 from seven seconds before `begin` up to `end`."""
    count(story, begin, "vip_contests_total", on=on, vip=VIP)
    state(story, begin, "contested", on=on)
    wire(story, begin, None, on=on)
    claims(story, begin - 7, NODE_2, until=end, on=on)
    state(story, end, "held", on=on)
    return wire(story, end, NODE_1, on=on)


def contested(story: Story, since: int, until: int, *claimants: str, vip: str = VIP) -> Story:
    return story.fires(
        "VIPContested",
        since=since,
        until=until,
        vip=vip,
        description="\n".join(
            [
                f"VIP {vip} is contested, or began to be within the last 5 minutes. Claimants of the last 10 minutes:",
                *claimants,
            ]
        ),
    )


@pytest.mark.parametrize("seconds", [4, minutes(2), minutes(20)])
def test_a_contest_pages_at_once_and_for_five_minutes_after_its_beginning_or_until_it_ends(
    story, play, seconds
) -> None:
    """The shortest one begins and ends between two scrapes: no scrape ever finds the state `contested`."""
    contest(story, AT + 2, AT + 2 + seconds)
    contested(story, AT + 2, AT + 2 + max(seconds, minutes(5)), NODE_1_CLAIMS, NODE_2_CLAIMS)
    play(story)


def test_one_observer_is_enough(story, play) -> None:
    contest(story, AT, AT + minutes(8), on=(NODE_3,))
    contested(story, AT, AT + minutes(8), NODE_1_CLAIMS, NODE_2_CLAIMS)
    play(story)


def test_a_contest_goes_on_while_an_observer_that_sees_it_restarts(story, play) -> None:
    contest(story, AT, AT + minutes(15))
    restart(story, AT + minutes(7), NODE_1)
    state(story, AT + minutes(7) + 23, "contested", on=(NODE_1,))
    state(story, AT + minutes(15), "held", on=(NODE_1,))
    claims(story, AT + minutes(7) + 20, NODE_2, until=AT + minutes(15), on=(NODE_1,))
    contested(story, AT, AT + minutes(15), NODE_1_CLAIMS, NODE_2_CLAIMS)
    play(story)


def test_claimants_without_a_node_are_named_by_their_macs(story, play) -> None:
    story.instead(AT - 7, "vip_claimant_info", like="vip", vip=VIP, mac=MACS[NODE_1], holder="", class_="unresolved")
    stranger = "06:00:00:00:00:99"
    story.at(AT - 7, "vip_claimant_info", 1, vip=VIP, mac=stranger, holder="", class_="unresolved")
    count(story, AT, "vip_contests_total", vip=VIP)
    contested(
        story,
        AT,
        AT + minutes(5),
        f"- {MACS[NODE_1]} (no known node, unresolved)",
        f"- {stranger} (no known node, unresolved)",
    )
    play(story)


def test_a_claimant_that_only_some_observers_know_is_told_as_they_know_it(story, play) -> None:
    contest(story, AT, AT + 5)
    mac = MACS[NODE_2]
    story.without(AT - 7, "vip_claimant_info", on=(NODE_3,), vip=VIP, mac=mac)
    claims(story, AT - 7, "", mac=mac, class_="unresolved", on=(NODE_3,))
    contested(story, AT, AT + minutes(5), NODE_1_CLAIMS, f"- {mac} (no known node, unresolved)", NODE_2_CLAIMS)
    play(story)


def test_a_withdrawn_claim_is_no_contest(story, play) -> None:
    state(story, AT, "moving")
    claims(story, AT, NODE_2, until=AT)
    state(story, AT + 7, "held")
    play(story)


def test_a_contest_of_before_prometheus_watched_is_no_news(story, play) -> None:
    story.at(0, "vip_contests_total", 12, vip=VIP)
    play(story.watched(until=minutes(8)))


# --- flapping ---------------------------------------------------------------------------------------------------------


def flap(story: Story, times: int, *, first: int = AT, every: int = 20, on: tuple[str, ...] = ()) -> int:
    """So many moves, only counted. Returns when the last one is."""
    for number in range(times):
        count(story, first + every * number, "vip_moves_total", on=on, vip=VIP)
    return first + every * (times - 1)


def flapping(story: Story, times: int, *, since: int, until: int, severity: str = "warning", last: str = "") -> Story:
    return story.fires(
        "VIPFlapping",
        severity=severity,
        since=since,
        until=until,
        vip=VIP,
        description=(
            f"VIP 192.0.2.100 moved {times} times within 15 minutes.{last}\n"
            f"- announced from {MACS[NODE_1]} (node-1, node)"
        ),
    )


@pytest.mark.parametrize("on", [(), (NODE_2,)], ids=["all", "one"])
def test_four_moves_within_a_quarter_of_an_hour_warn(story, play, on) -> None:
    """It is over when the first of them is as long ago."""
    last = flap(story, 4, on=on)
    flapping(story, 4, since=last, until=AT + minutes(15))
    play(story)


@pytest.mark.parametrize("every", [1, 20, minutes(2), minutes(4)])
def test_three_moves_are_none_too_many(story, play, every) -> None:
    """However the window lies: what Prometheus extrapolates must not make a fourth."""
    flap(story, 3, every=every)
    play(story.watched(until=AT + minutes(20)))


def test_four_moves_in_more_than_a_quarter_of_an_hour_are_none_too_many(story, play) -> None:
    flap(story, 4, every=minutes(5) + 30)
    play(story.watched(until=AT + minutes(30)))


def test_nine_moves_are_not_yet_critical(story, play) -> None:
    last = flap(story, 9, every=10)
    story.ragged("VIPFlapping", since=AT + 30, until=AT + minutes(15) + 80, vip=VIP)
    play(story.watched(until=last + minutes(15)))


def test_ten_moves_are_critical_and_the_warning_stays(story, play) -> None:
    last = flap(story, 10, every=10)
    flapping(story, 10, since=last, until=AT + minutes(15), severity="critical")
    story.ragged("VIPFlapping", since=AT + 30, until=last, vip=VIP)
    flapping(story, 10, since=last, until=AT + minutes(15))
    story.ragged("VIPFlapping", since=AT + minutes(15) - 60, until=AT + minutes(15) + 60, vip=VIP)
    play(story)


def test_the_moves_of_two_observers_are_not_added_up(story, play) -> None:
    """Both hear the same broadcasts."""
    flap(story, 2, on=(NODE_1,))
    flap(story, 3, on=(NODE_2,))
    play(story.watched(until=AT + minutes(18)))


def test_moves_before_and_after_a_restart_of_the_only_observer_are_added_up(look, play) -> None:
    """Its target has no labels of a pod, so that it is the same series, which begins anew."""
    story = fleet(nodes=(NODE_1,))
    flap(story, 2)
    restart(story, AT + 120, NODE_1)
    last = flap(story, 3, first=AT + 200)
    story.always("VIPFlapping", since=AT + 60, delay=last - AT - 60, until=AT + minutes(15))
    play(story)


def test_flapping_tells_of_the_last_move(story, play) -> None:
    last = flap(story, 4)
    tells(story, last, NODE_2, NODE_1, settled=last)
    moved(story, last, NODE_2, NODE_1, holder=NODE_1, since=last)
    flapping(
        story,
        4,
        since=last,
        until=AT + minutes(15),
        last=f"\n- last from node-2 to node-1, {clock(last)}",
    )
    play(story)
