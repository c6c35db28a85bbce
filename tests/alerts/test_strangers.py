"""VIPForeignClaimant, VIPDuplicateAddressProbe, VIPRequirementNotMet."""

from __future__ import annotations

import pytest

from tests.alerts.events import restart
from tests.alerts.fleet import MACS, NODE_1, NODE_2, NODE_3, REQUIREMENTS, SLOT, VIP, claims, count
from tests.alerts.scenario import Story
from tests.alerts.texts import all_agree
from tests.alerts.timeline import minutes

AT = minutes(5)
STRANGER = "06:00:00:00:00:99"
ROUTER = "00:00:5e:00:01:2a"


def foreign(story: Story, since: int, until: int, *lines: str) -> Story:
    return story.fires(
        "VIPForeignClaimant",
        since=since,
        until=until,
        vip=VIP,
        description="\n".join(["VIP 192.0.2.100 is announced from MACs that belong to no node:", *lines]),
    )


@pytest.mark.parametrize("on", [(), (NODE_3,)], ids=["all", "one"])
def test_a_single_frame_of_a_stranger(story, play, on) -> None:
    """He is listed for ten minutes; the nodes beside him are not named."""
    claims(story, AT, "", mac=STRANGER, class_="foreign", until=AT, on=on)
    foreign(story, AT, AT + SLOT, f"- {STRANGER} (foreign)")
    play(story)


def test_a_routers_virtual_mac_beside_a_node(story, play) -> None:
    claims(story, AT, "", mac=ROUTER, class_="fhrp", until=AT)
    foreign(story, AT, AT + SLOT, f"- {ROUTER} (fhrp)")
    play(story)


def test_a_routers_virtual_mac_beside_the_services_own(story, play) -> None:
    """In DHCP mode the claimant's class is `hwaddr`."""
    story.without(0, "vip_claimant_info")
    claims(story, 0, NODE_1, class_="hwaddr")
    claims(story, AT, "", mac=ROUTER, class_="fhrp", until=AT)
    foreign(story, AT, AT + SLOT, f"- {ROUTER} (fhrp)")
    play(story)


def test_a_stranger_and_a_router(story, play) -> None:
    claims(story, AT, "", mac=ROUTER, class_="fhrp", until=AT)
    claims(story, AT, "", mac=STRANGER, class_="foreign", until=AT)
    foreign(story, AT, AT + SLOT, f"- {ROUTER} (fhrp)", f"- {STRANGER} (foreign)")
    play(story)


def test_a_routers_virtual_mac_alone_is_how_vrrp_works(story, play) -> None:
    story.without(0, "vip_claimant_info")
    claims(story, 0, "", mac=ROUTER, class_="fhrp")
    play(story.watched(until=minutes(10)))


@pytest.mark.parametrize("class_", ["node", "hwaddr"])
def test_whom_another_observer_knows_is_no_stranger(story, play, class_) -> None:
    claims(story, AT, "", mac=MACS[NODE_2], class_="foreign", until=AT, on=(NODE_3,))
    claims(story, AT, NODE_2, class_=class_, until=AT, on=(NODE_1, NODE_2))
    play(story)


def test_whom_another_observer_knows_is_not_named_beside_a_stranger(story, play) -> None:
    claims(story, AT, "", mac=MACS[NODE_2], class_="foreign", until=AT, on=(NODE_3,))
    claims(story, AT, NODE_2, until=AT, on=(NODE_1, NODE_2))
    claims(story, AT, "", mac=STRANGER, class_="foreign", until=AT)
    foreign(story, AT, AT + SLOT, f"- {STRANGER} (foreign)")
    play(story)


@pytest.mark.parametrize(("class_", "holder"), [("unresolved", ""), ("node", NODE_2), ("hwaddr", NODE_2)])
def test_other_claimants_are_no_strangers(story, play, class_, holder) -> None:
    claims(story, AT, holder, mac=MACS[NODE_2], class_=class_, until=AT)
    play(story)


# --- probes -----------------------------------------------------------------------------------------------------------


def probed(story: Story, *, since: int, until: int) -> Story:
    return story.fires(
        "VIPDuplicateAddressProbe",
        since=since,
        until=until,
        vip=VIP,
        kind="probe",
        description=(
            "VIP 192.0.2.100 was probed for within the last 10 minutes by a host that does not hold it and is about to "
            "use it.\n"
            f"Its MAC is in the exporters' event probe_seen. Who holds the VIP, by source:\n{all_agree(NODE_1)}"
        ),
    )


@pytest.mark.parametrize("on", [(), (NODE_3,)], ids=["all", "one"])
@pytest.mark.parametrize("probes", [1, 3])
def test_probes_of_a_stranger(story, play, probes, on) -> None:
    """A single one is enough."""
    count(story, AT, "vip_sightings_total", by=probes, on=on, vip=VIP, kind="probe")
    probed(story, since=AT, until=AT + minutes(10))
    play(story)


@pytest.mark.parametrize("kind", ["own_probe", "ordinary_request", "ordinary_reply"])
def test_other_frames_are_no_probes(story, play, kind) -> None:
    count(story, AT, "vip_sightings_total", by=50, vip=VIP, kind=kind)
    play(story)


def test_probes_of_long_ago_are_no_news_not_even_after_a_restart(story, play) -> None:
    story.at(0, "vip_sightings_total", 9, vip=VIP, kind="probe")
    restart(story, AT, NODE_1)
    play(story.watched(until=minutes(10)))


# --- requirements -----------------------------------------------------------------------------------------------------

SENTENCES = {
    "distinct_from_nodes": "it is also a node's own address.",
    "same_subnet": "it lies outside the nodes' subnet.",
    "load_balancer_service": "its Service is gone, or is no LoadBalancer any more.",
}


def requirement(story: Story, name: str, at: int, value: float | None, *, on: tuple[str, ...] = ()) -> Story:
    return story.at(at, "vip_requirement_met", value, on=on, vip=VIP, requirement=name)


def unmet(story: Story, name: str, *, since: int, until: int) -> Story:
    return story.fires(
        "VIPRequirementNotMet",
        since=since,
        until=until,
        vip=VIP,
        requirement=name,
        description=f"VIP 192.0.2.100: {SENTENCES[name]}\nWho holds it, by source:\n{all_agree(NODE_1)}",
    )


def test_every_requirement_has_its_sentence() -> None:
    assert {*SENTENCES, "heard_here"} == set(REQUIREMENTS)


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("on", [(), (NODE_2,)], ids=["all", "one"])
def test_a_requirement_that_is_not_met(story, play, name, on) -> None:
    requirement(story, name, AT, 0, on=on)
    requirement(story, name, AT + minutes(14), 1, on=on)
    unmet(story, name, since=AT, until=AT + minutes(14))
    play(story)


def test_a_requirement_that_is_not_met_for_eight_minutes_passes(story, play) -> None:
    requirement(story, "load_balancer_service", AT, 0)
    requirement(story, "load_balancer_service", AT + minutes(8), 1)
    play(story)


def test_a_requirement_that_nothing_is_known_of(story, play) -> None:
    for name in SENTENCES:
        requirement(story, name, AT, None)
    play(story.watched(until=AT + minutes(8)))
