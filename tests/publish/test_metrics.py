"""The exposition: what the catalogue promises is there, with these names, types and labels, and nothing else."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.publish.catalogue import CATALOGUE, FLEET_METRICS, VIP_METRICS, Type
from exporter.publish.metrics import CaptureStatus, ExporterStatus, Exposition, KubernetesStatus
from exporter.vip.core import Core
from exporter.vip.histogram import Histogram
from exporter.vip.model import (
    SECOND,
    IntentFreshness,
    Kind,
    Mac,
    Mode,
    Node,
    NodesSeen,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
    Sighting,
    parse_mac,
)

VIP = ip_address("192.0.2.100")
VIP6 = ip_address("2001:db8::100")
A, B = parse_mac("02:00:00:00:00:0a"), parse_mac("02:00:00:00:00:0b")


def service(at: int, host: str, *addresses) -> ServiceSeen:
    intent = ServiceIntent(ServiceRef("kube-system", "ingress-expose"), addresses or (VIP,), Mode.STATIC, host)
    return ServiceSeen(at * SECOND, intent)


def core_after_a_move() -> Core:
    """A VIP with everything to say: two sources, nodes, a move with its handover, a mismatch, both probes."""
    core = Core(at=0, listening=True, observer="node-1")
    core.observe(NodesSeen(0, (Node("node-1", (ip_address("192.0.2.11"),), (A,)), Node("node-2", (), (B,)))))
    core.observe(service(0, "node-1"))
    for second in range(0, 30, 3):
        core.observe(Sighting(second * SECOND, VIP, Kind.REQUEST, A))
    for second in range(31, 80, 3):
        core.observe(Sighting(second * SECOND, VIP, Kind.REPLY, B))
    return core


def status() -> ExporterStatus:
    duration = Histogram((0.1, 1.0))
    duration.observe(SECOND // 2)
    return ExporterStatus(
        observer="node-1",
        captures=[CaptureStatus("eth0", True, 10, 0, 1, 5 * SECOND, {"truncated": 2})],
        kubernetes=KubernetesStatus(True, {"services": 5 * SECOND}, {("services", "timeout"): 1}),
        reconciles={"success": 3, "error": 0},
        reconcile_duration=duration.distribution(),
        log_suppressed={"probe_seen": 4},
        config_reloaded=True,
        config_reloaded_at=SECOND,
    )


def render(core: Core, *, accept: str = "", summary: bool = False, exporter: bool = True) -> str:
    exposition = Exposition(
        snapshot=core.snapshot,
        status=status if exporter else None,
        to_wall=lambda at: at + 1000 * SECOND,
        summary=lambda: summary,
    )
    return exposition.render(accept)[1].decode()


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Values by the label values in the catalogue's order, without the first (`vip`)."""
    labels = next(metric.labels for metric in CATALOGUE if metric.name == name)
    return {
        tuple(sample.labels[label] for label in labels[1:]): sample.value
        for family in parse_text(text)
        for sample in family.samples
        if sample.name == name
    }


def test_names_types_and_labels_are_those_of_the_catalogue() -> None:
    families = {family.name: family for family in parse_text(render(core_after_a_move()))}
    for metric in CATALOGUE:
        family = families.pop(metric.name.removesuffix("_total") if metric.type is Type.COUNTER else metric.name)
        assert family.type == metric.type
        assert family.documentation == metric.help
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample
        assert family.samples, f"{metric.name} has nothing to say in the fullest case"
    assert families == {}


def test_both_formats_are_valid_and_say_the_same() -> None:
    core = core_after_a_move()
    openmetrics = render(core, accept="application/openmetrics-text; version=1.0.0")
    assert openmetrics.endswith("# EOF\n")
    assert "_created" not in openmetrics

    def values(families) -> set[tuple]:
        return {
            (sample.name, tuple(sorted(sample.labels.items())), sample.value)
            for family in families
            for sample in family.samples
        }

    assert values(parse_openmetrics(openmetrics)) == values(parse_text(render(core)))


def test_a_moved_vip() -> None:
    text = render(core_after_a_move())
    assert samples(text, "vip_state") == {
        ("unknown",): 0,
        ("held",): 1,
        ("moving",): 0,
        ("contested",): 0,
        ("silent",): 0,
    }
    assert samples(text, "vip_holder_info") == {("node-2", "02:00:00:00:00:0b"): 1}
    assert samples(text, "vip_source_holder_info") == {
        ("wire", "node-2", "02:00:00:00:00:0b"): 1,
        ("annotation", "node-1", ""): 1,
    }
    assert samples(text, "vip_moves_total") == {(): 1}
    assert samples(text, "vip_source_moves_total") == {("wire",): 1, ("annotation",): 0}
    assert samples(text, "vip_last_move_timestamp_seconds") == {("node-1", "node-2"): 1031}
    assert samples(text, "vip_last_handover_seconds") == {(): 4}
    assert samples(text, "vip_holder_since_timestamp_seconds") == {(): 1031}
    assert samples(text, "vip_last_announcement_timestamp_seconds") == {(): 1079}
    assert samples(text, "vip_announcements_total") == {("request",): 10, ("reply",): 17}
    assert samples(text, "vip_mismatch") == {("host",): 1, ("mac",): 1, ("lease",): 0, ("address",): 0, ("bound",): 0}
    assert samples(text, "vip_requirement_met") == {
        ("distinct_from_nodes",): 1,
        ("load_balancer_service",): 1,
        ("heard_here",): 1,
    }
    assert samples(text, "vip_service_info") == {("kube-system", "ingress-expose"): 1}
    assert 'vip_handover_seconds_bucket{le="2.0"} 0.0' in text
    assert 'vip_handover_seconds_bucket{le="5.0"} 1.0' in text
    assert "vip_handover_seconds_sum 4.0" in text


def test_from_the_start_counters_states_and_checks_are_0_and_the_rest_is_absent() -> None:
    core = Core(at=0, listening=True)
    core.watch(VIP)
    text = render(core, exporter=False)
    present = {sample.name for family in parse_text(text) for sample in family.samples if "vip" in sample.labels}
    assert present == {metric.name for metric in VIP_METRICS if metric.type is Type.COUNTER} | {
        "vip_info",
        "vip_state",
        "vip_mismatch",
        "vip_claimants",
        "vip_announcement_period_seconds",
    }
    assert samples(text, "vip_state")["unknown",] == 1
    for metric in VIP_METRICS:
        if metric.type is Type.COUNTER:
            assert set(samples(text, metric.name).values()) == {0}, metric.name
    for metric in FLEET_METRICS:
        assert f"{metric.name}_count 0.0" in text


@pytest.mark.parametrize(("summary", "most"), [(False, 45), (True, 12)])
@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
def test_series_per_vip_are_bounded(vip, summary, most) -> None:
    """Two claimants and every source that is watched: at most 45 series; 12 in summary, with every mismatch at 1."""
    core = Core(at=0, listening=True, observer="node-1")
    core.observe(NodesSeen(0, (Node("node-1", (ip_address("192.0.2.11"),), (A,)), Node("node-2", (), (B,)))))
    core.observe(service(0, "node-1", vip))
    kind = Kind.REQUEST if vip.version == 4 else Kind.NA
    for second in range(0, 80, 3):
        core.observe(Sighting(second * SECOND, vip, kind, A if second < 30 else B))
    per_vip = Counter(
        sample.labels["vip"]
        for family in parse_text(render(core, summary=summary))
        for sample in family.samples
        if "vip" in sample.labels
    )
    assert 0 < per_vip[str(vip)] <= most


def test_a_flood_adds_at_most_16_claimants() -> None:
    core = Core(at=0, listening=True)
    core.watch(VIP)
    for number in range(2000):
        core.observe(Sighting(number * SECOND // 100, VIP, Kind.REQUEST, Mac(b"\x02\x00\x00" + number.to_bytes(3))))
    assert len(samples(render(core, exporter=False), "vip_claimant_info")) == 16


def test_a_vip_that_is_gone_leaves_no_series() -> None:
    core = core_after_a_move()
    core.observe(ServiceSeen(80 * SECOND, ServiceIntent(ServiceRef("kube-system", "ingress-expose"), ())))
    assert str(VIP) in render(core, exporter=False)  # still announced
    core.tick(200 * SECOND)
    assert str(VIP) not in render(core, exporter=False)


def test_stale_intent_is_shown() -> None:
    core = core_after_a_move()
    assert samples(render(core), "vip_intent_stale") == {(): 0}
    core.observe(IntentFreshness(81 * SECOND, False))
    text = render(core)
    assert samples(text, "vip_intent_stale") == {(): 1}
    assert set(samples(text, "vip_mismatch").values()) == {0}


def test_an_exporter_that_does_not_know_itself_still_shows_the_vips() -> None:
    def broken() -> ExporterStatus:
        raise RuntimeError("no status")

    core = core_after_a_move()
    exposition = Exposition(snapshot=core.snapshot, status=broken, to_wall=lambda at: at)
    assert "vip_moves_total" in exposition.render("")[1].decode()


def test_names_from_outside_are_escaped() -> None:
    core = Core(at=0, listening=True)
    core.observe(service(0, 'no"de\n\\1'))
    assert samples(render(core), "vip_source_holder_info") == {("annotation", 'no"de\n\\1', ""): 1}
