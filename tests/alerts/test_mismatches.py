"""The mismatch alerts, one for each check."""

from __future__ import annotations

import pytest

from tests.alerts.events import restart
from tests.alerts.fleet import CHECKS, DEVICE, NODE_1, NODE_2, NODE_3, VIP, bind
from tests.alerts.scenario import Story
from tests.alerts.texts import all_agree
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(7)
BY_SOURCE = f"Who holds it, by source:\n{all_agree(NODE_1)}"
ALERTS = {
    "mac": (
        "VIPArpMismatch",
        f"VIP 192.0.2.100 is announced from a MAC that Kubernetes does not expect. {BY_SOURCE}",
    ),
    "host": (
        "VIPHolderMismatch",
        f"VIP 192.0.2.100 is not announced by the node that kube-vip.io/vipHost names. {BY_SOURCE}",
    ),
    "lease": (
        "VIPLeaseMismatch",
        f"The Lease for VIP 192.0.2.100 names another node than kube-vip.io/vipHost does. {BY_SOURCE}",
    ),
    "address": (
        "VIPAddressMismatch",
        f"VIP 192.0.2.100 is the Service's new address, but its old one is still announced. {BY_SOURCE}",
    ),
    "bound": (
        "VIPBoundMismatch",
        f"VIP 192.0.2.100 is bound on a node that is not its holder:\n- node-1 on mgmt-br\n{BY_SOURCE}",
    ),
}


def mismatch(story: Story, check: str, at: int, value: float, *, on: tuple[str, ...] = ()) -> Story:
    return story.at(at, "vip_mismatch", value, on=on, vip=VIP, check=check)


def told(story: Story, check: str, *, since: int = AT, until: int = END) -> Story:
    name, description = ALERTS[check]
    return story.fires(name, since=since, until=until, vip=VIP, check=check, description=description)


def test_each_check_has_an_alert() -> None:
    assert set(ALERTS) == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_a_mismatch_has_an_alert_of_its_own(story, play, check) -> None:
    mismatch(story, check, AT, 1)
    mismatch(story, check, END, 0)
    told(story, check)
    play(story)


@pytest.mark.parametrize("node", [NODE_1, NODE_3])
def test_one_observer_is_enough(story, play, node) -> None:
    for check in CHECKS:
        mismatch(story, check, AT, 1, on=(node,))
        mismatch(story, check, END, 0, on=(node,))
        told(story, check)
    play(story)


@pytest.mark.parametrize(("begin", "seconds"), [(AT + 2, 45), (AT + 16, 30)])
def test_a_mismatch_of_less_than_a_minute_passes(story, play, begin, seconds) -> None:
    for check in CHECKS:
        mismatch(story, check, begin, 1)
        mismatch(story, check, begin + seconds, 0)
    play(story.watched(until=END))


def test_a_mismatch_goes_on_while_one_observer_restarts(story, play) -> None:
    mismatch(story, "lease", AT, 1)
    restart(story, AT + minutes(3), NODE_2)
    mismatch(story, "lease", AT + minutes(3), 0, on=(NODE_2,))
    mismatch(story, "lease", AT + minutes(3) + 35, 1, on=(NODE_2,))
    mismatch(story, "lease", END, 0)
    told(story, "lease", until=AT + minutes(3))
    story.ragged("VIPLeaseMismatch", since=AT, until=AT + minutes(5), vip=VIP, check="lease")
    told(story, "lease", since=AT + minutes(4))
    play(story)


def test_the_address_left_behind_on_a_node_that_is_not_the_holder(story, play) -> None:
    """The holder itself has no exporter, so its own address is not known of."""
    story.gone(AT, on=(NODE_1,))
    bind(story, AT, (DEVICE,), on=NODE_3)
    mismatch(story, "bound", AT + 15, 1, on=(NODE_3,))
    mismatch(story, "bound", END, 0, on=(NODE_3,))
    bind(story, END, (), on=NODE_3)
    story.fires(
        "VIPBoundMismatch",
        since=AT + 15,
        until=END,
        vip=VIP,
        check="bound",
        description=(
            "VIP 192.0.2.100 is bound on a node that is not its holder:\n- node-3 on mgmt-br\n"
            "Who holds it, by source:\n"
            "- annotation: node-1 (observers: 2)\n"
            "- lease: node-1 (observers: 2)\n"
            "- local: node-3 (observers: 1)\n"
            "- wire: node-1 at 02:00:00:00:00:01 (observers: 2)"
        ),
    )
    play(story)


def test_several_mismatches_at_once_are_told_apart(story, play) -> None:
    for check in CHECKS:
        mismatch(story, check, AT, 1)
        mismatch(story, check, END, 0)
        told(story, check)
    play(story)
