"""With --metrics.detail=summary: the alerts that can work do, and none misfires for want of the rest."""

from __future__ import annotations

import pytest

from tests.alerts.conftest import Look
from tests.alerts.events import move, restart
from tests.alerts.fleet import CHECKS, NODE_1, NODE_2, NODE_3, VIP, count, fleet, state
from tests.alerts.scenario import Story
from tests.alerts.texts import clock
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(9)


@pytest.fixture
def story(look: Look) -> Story:
    return fleet(pods=look.pods, summary=True)


def test_all_is_well_through_restarts(story, play) -> None:
    restart(story, AT, NODE_1)
    restart(story, AT + 45, NODE_2)
    play(story.watched(until=END))


def test_a_clean_move(story, play) -> None:
    move(story, AT, NODE_1, NODE_2)
    story.fires(
        "VIPMoved",
        since=AT + 7,
        until=AT + minutes(10),
        vip=VIP,
        from_=NODE_1,
        to=NODE_2,
        description=(
            f"VIP 192.0.2.100 moved from node-1 to node-2, {clock(AT)}.\n"
            "Where a provider routes it by hand (a floating IP), it has to be moved there now. By source:"
        ),
    )
    play(story)


def test_a_silent_majority(story, play) -> None:
    """What is bound and who is named is not told, so nobody can say that it is unheld."""
    state(story, AT, "silent", on=(NODE_2, NODE_3))
    state(story, END, "held")
    story.fires(
        "VIPSilent",
        since=AT,
        until=END,
        vip=VIP,
        description="VIP 192.0.2.100 is announced by nobody. Who holds it, by source:",
    )
    play(story)


def test_a_silent_minority(story, play) -> None:
    state(story, AT, "silent", on=(NODE_2,))
    state(story, END, "held")
    play(story)


def test_a_contest(story, play) -> None:
    count(story, AT, "vip_contests_total", vip=VIP)
    state(story, AT, "contested", on=(NODE_1,))
    state(story, END, "held")
    story.fires(
        "VIPContested",
        since=AT,
        until=END,
        vip=VIP,
        description=(
            "VIP 192.0.2.100 is contested, or began to be within the last 5 minutes. Claimants of the last 10 minutes:"
        ),
    )
    play(story)


def test_flapping(story, play) -> None:
    for number in range(4):
        count(story, AT + 20 * number, "vip_moves_total", vip=VIP)
    story.fires(
        "VIPFlapping",
        since=AT + 60,
        until=AT + minutes(15),
        vip=VIP,
        description="VIP 192.0.2.100 moved 4 times within 15 minutes.",
    )
    play(story)


NAMES = {
    "mac": ("VIPArpMismatch", "VIP 192.0.2.100 is announced from a MAC that Kubernetes does not expect."),
    "host": ("VIPHolderMismatch", "VIP 192.0.2.100 is not announced by the node that kube-vip.io/vipHost names."),
    "lease": ("VIPLeaseMismatch", "The Lease for VIP 192.0.2.100 names another node than kube-vip.io/vipHost does."),
    "address": (
        "VIPAddressMismatch",
        "VIP 192.0.2.100 is the Service's new address, but its old one is still announced.",
    ),
}


def test_mismatches(story, play) -> None:
    for check in CHECKS:
        story.at(AT, "vip_mismatch", 1, on=(NODE_3,), vip=VIP, check=check)
        story.at(END, "vip_mismatch", 0, on=(NODE_3,), vip=VIP, check=check)
    for check, (name, text) in NAMES.items():
        story.fires(name, since=AT, until=END, vip=VIP, check=check, description=f"{text} Who holds it, by source:")
    story.fires(
        "VIPBoundMismatch",
        since=AT,
        until=END,
        vip=VIP,
        check="bound",
        description="VIP 192.0.2.100 is bound on a node that is not its holder:\nWho holds it, by source:",
    )
    play(story)
