"""Two VIPs, two jobs, two clusters in one Prometheus: neither takes the other's alerts or words."""

from __future__ import annotations

import pytest

from tests.alerts.events import move
from tests.alerts.fleet import DEVICE, NODE_1, NODE_2, NODE_3, NODES, VIP, count, fleet, state, watch, wire
from tests.alerts.scenario import Story
from tests.alerts.texts import all_agree, by_source, moved
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(8)
OTHER = "2001:db8::100"


def trouble(story: Story, vip: str = VIP) -> Story:
    """Of nearly every kind: silent, contested, another node named by the wire, a mismatch, a stranger, a probe."""
    state(story, AT, "contested", on=(NODE_1,), vip=vip)
    state(story, AT, "silent", on=(NODE_2, NODE_3), vip=vip)
    count(story, AT, "vip_contests_total", vip=vip)
    count(story, AT, "vip_sightings_total", vip=vip, kind="probe")
    wire(story, AT, NODE_3, on=(NODE_3,), vip=vip)
    story.at(AT, "vip_mismatch", 1, vip=vip, check="lease")
    story.at(AT, "vip_requirement_met", 0, vip=vip, requirement="same_subnet")
    story.at(AT, "vip_claimant_info", 1, vip=vip, mac="06:00:00:00:00:99", holder="", class_="foreign")
    return story.watched(until=AT + minutes(12))


def any_trouble(story: Story, vip: str = VIP) -> Story:
    """What most of these say is for other tests; here it counts for whom they are raised."""
    story.fires(
        "VIPContested",
        since=AT,
        until=None,
        vip=vip,
        description=(
            f"VIP {vip} is contested, or began to be within the last 5 minutes. Claimants of the last 10 minutes:\n"
            "- 02:00:00:00:00:01 (node-1, node)\n"
            "- 06:00:00:00:00:99 (no known node, foreign)"
        ),
    )
    for name, labels in (
        ("VIPSilent", {}),
        ("VIPObserversDisagree", {}),
        ("VIPLeaseMismatch", {"check": "lease"}),
        ("VIPRequirementNotMet", {"requirement": "same_subnet"}),
        ("VIPForeignClaimant", {}),
        ("VIPDuplicateAddressProbe", {"kind": "probe"}),
    ):
        story.ragged(name, since=AT, until=None, vip=vip, **labels)
    return story


def test_trouble_with_one_vip_is_none_with_another(story, play) -> None:
    """And the other one moves meanwhile, as it may."""
    for node in NODES:
        watch(story, node, vip=OTHER, holder=NODE_2)
    any_trouble(trouble(story))
    move(story, AT, NODE_2, NODE_3, vip=OTHER)
    moved(story, AT, NODE_2, NODE_3, vip=OTHER)
    play(story)


@pytest.mark.parametrize("apart", ["job", "cluster"])
def test_trouble_in_one_fleet_is_none_in_another(look, play, apart) -> None:
    """Both watch the same address, as clusters in different places may."""
    here, there = two_fleets(look, apart)
    any_trouble(trouble(here))
    move(there, AT, NODE_3, NODE_1)
    moved(there, AT, NODE_3, NODE_1)
    play(here.beside(there))


@pytest.mark.parametrize("apart", ["job", "cluster"])
def test_descriptions_tell_of_their_own_fleet_only(look, play, apart) -> None:
    here, there = two_fleets(look, apart)
    for story, holder, blind in ((here, NODE_1, NODE_2), (there, NODE_3, NODE_1)):
        story.at(AT, "vip_mismatch", 1, vip=VIP, check="mac")
        story.at(END, "vip_mismatch", 0, vip=VIP, check="mac")
        story.fires(
            "VIPArpMismatch",
            since=AT,
            until=END,
            vip=VIP,
            check="mac",
            description=(
                "VIP 192.0.2.100 is announced from a MAC that Kubernetes does not expect. "
                f"Who holds it, by source:\n{all_agree(holder)}"
            ),
        )
        story.at(AT, "vip_exporter_kubernetes_up", 0, on=(blind,))
        story.fires(
            "VIPExporterKubernetesStale",
            since=AT,
            until=None,
            description=(
                f"What exporters of {story.job} know from Kubernetes is old, so contradictions to it are not raised:\n"
                f"- {blind}:10150: requests fail"
            ),
        )
    play(here.beside(there).watched(until=AT + minutes(13)))


def two_fleets(look, apart: str) -> tuple[Story, Story]:
    if apart == "job":
        return fleet(pods=look.pods), fleet(pods=look.pods, job="other", holder=NODE_3)
    return (
        fleet(pods=look.pods, extra={"cluster": "east"}),
        fleet(pods=look.pods, extra={"cluster": "west"}, holder=NODE_3),
    )


def test_a_silent_fleet_beside_one_that_hears(look, play) -> None:
    """A majority is one of the fleet's own observers."""
    here = fleet(pods=look.pods, extra={"cluster": "east"})
    there = fleet(pods=look.pods, extra={"cluster": "west"})
    state(here, AT, "silent")
    wire(here, AT, None)
    state(here, END, "held")
    wire(here, END, NODE_1)
    sources = by_source(wire=None, lease=NODE_1, annotation=NODE_1, local=NODE_1)
    here.fires(
        "VIPSilent",
        since=AT,
        until=END,
        vip=VIP,
        description=f"VIP 192.0.2.100 is announced by nobody. Who holds it, by source:\n{sources}",
    )
    play(here.beside(there))


def test_two_namespaces_with_the_same_job_are_one_fleet(look, play) -> None:
    """The alerts' own label `namespace` takes the place of the targets', so nothing may differ by that alone."""
    here = fleet(nodes=(NODE_1,), extra={"namespace": "one"})
    there = fleet(nodes=(NODE_2,), extra={"namespace": "two"})
    for story, node in ((here, NODE_1), (there, NODE_2)):
        story.at(AT, "vip_exporter_capture_up", 0, device=DEVICE)
        story.at(END, "vip_exporter_capture_up", 1, device=DEVICE)
        story.fires(
            "VIPExporterBlind",
            since=AT,
            until=END,
            observer=node,
            device=DEVICE,
            description=(
                f"{node} hears nothing on mgmt-br: the interface is down or gone, or the exporter may not listen."
            ),
        )
    here.fires(
        "VIPAllObserversBlind",
        since=AT,
        until=END,
        description="All exporters of vip-exporter are blind: nothing is known of any VIP but what Kubernetes says.",
    )
    play(here.beside(there))
