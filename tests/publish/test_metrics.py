"""The exposition: what the catalogue promises is there, with these names, types and labels, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.publish.catalogue import CATALOGUE, VIP_METRICS, Type
from exporter.publish.metrics import Exposition
from exporter.publish.status import CaptureStatus, ExporterStatus, KubernetesStatus
from exporter.vip.core import Core
from exporter.vip.histogram import Histogram
from exporter.vip.model import (
    SECOND,
    Check,
    IntentFreshness,
    Kind,
    Mac,
    Mode,
    Node,
    NodesSeen,
    Requirement,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
    Sighting,
    Source,
    parse_mac,
)
from exporter.vip.snapshot import LeaseState, Mismatch, NodeMac, Snapshot, SourceHolder, VipSnapshot

VIP = ip_address("192.0.2.100")
VIP6 = ip_address("2001:db8::100")
A, B = parse_mac("02:00:00:00:00:0a"), parse_mac("02:00:00:00:00:0b")
LEASE = LeaseState("kube-system/plndr-svcs-lock", "node-2", True, 95 * SECOND, 31 * SECOND, 7)


def service(at: int, host: str, *addresses) -> ServiceSeen:
    intent = ServiceIntent(ServiceRef("kube-system", "ingress-expose"), addresses or (VIP,), Mode.STATIC, host)
    return ServiceSeen(at * SECOND, intent)


def core_after_a_move(vip=VIP, *, until: int = 80) -> Core:
    """A VIP that moved from node-1 to node-2 with its handover, and a mismatch: the annotation never followed."""
    core = Core(at=0, listening=True, observer="node-1")
    core.observe(NodesSeen(0, (Node("node-1", (ip_address("192.0.2.11"),), (A,)), Node("node-2", (), (B,)))))
    core.observe(service(0, "node-1", vip))
    first, second = (Kind.REQUEST, Kind.REPLY) if vip.version == 4 else (Kind.NA, Kind.NA)
    for at in range(0, 30, 3):
        core.observe(Sighting(at * SECOND, vip, first, A))
    for at in range(31, until, 3):
        core.observe(Sighting(at * SECOND, vip, second, B))
    return core


def with_every_source(snapshot: Snapshot, **said: object) -> Snapshot:
    """The same with a Lease, an address bound here, every requirement and the nodes' MACs; or with what is `said`."""

    def filled(vip: VipSnapshot) -> VipSnapshot:
        others = [source for source in vip.sources if source.source in (Source.WIRE, Source.ANNOTATION)]
        others += [SourceHolder(Source.LEASE, "node-2", "", 31 * SECOND), SourceHolder(Source.LOCAL, "node-1", "", 0)]
        values = {
            "sources": tuple(others),
            "requirements": dict.fromkeys(Requirement, True),
            "lease": LEASE,
            "bound": ("mgmt-br",),
        }
        return replace(vip, **(values | said))

    macs = (NodeMac("node-1", "02:00:00:00:00:0a", "mgmt-br"), NodeMac("node-2", "02:00:00:00:00:0b", ""))
    return replace(snapshot, vips=tuple(filled(vip) for vip in snapshot.vips), node_macs=macs)


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
        state_file_up=True,
        config_reloaded=True,
        config_reloaded_at=SECOND,
    )


def render(
    snapshot: Core | Callable[[], Snapshot], *, accept: str = "", summary: bool = False, exporter: bool = True
) -> str:
    exposition = Exposition(
        snapshot=snapshot.snapshot if isinstance(snapshot, Core) else snapshot,
        status=status if exporter else None,
        to_wall=lambda at: at + 1000 * SECOND,
        observer="node-1",
        summary=lambda: summary,
    )
    return exposition.render(accept)[1].decode()


def render_full(core: Core, *, accept: str = "", summary: bool = False, **said: object) -> str:
    return render(lambda: with_every_source(core.snapshot(), **said), accept=accept, summary=summary)


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
    families = {family.name: family for family in parse_text(render_full(core_after_a_move()))}
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
    openmetrics = render_full(core, accept="application/openmetrics-text; version=1.0.0")
    assert openmetrics.endswith("# EOF\n")
    assert "_created" not in openmetrics

    def values(families) -> set[tuple]:
        return {
            (sample.name, tuple(sorted(sample.labels.items())), sample.value)
            for family in families
            for sample in family.samples
        }

    assert values(parse_openmetrics(openmetrics)) == values(parse_text(render_full(core)))


@pytest.mark.parametrize("openmetrics", [False, True])
def test_names_need_no_mending(openmetrics) -> None:
    """What the library makes of names by default, looking at each, is what is written without looking at any."""
    core = core_after_a_move()
    exposition = Exposition(
        snapshot=lambda: with_every_source(core.snapshot()), status=status, to_wall=lambda at: at, observer="node-1"
    )
    by_default = choose_encoder("application/openmetrics-text" if openmetrics else "text/plain")
    content_type, body = exposition.render(openmetrics)
    assert (by_default[0](exposition._registry), by_default[1]) == (body, content_type)


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
    counters = {metric.name for metric in VIP_METRICS if metric.type is Type.COUNTER}
    # The Lease's own count is not ours to begin at 0.
    assert present == counters - {"vip_lease_transitions_total"} | {
        "vip_info",
        "vip_state",
        "vip_mismatch",
        "vip_claimants",
        "vip_announcement_period_seconds",
    }
    assert samples(text, "vip_state")["unknown",] == 1
    for name in counters & present:
        assert set(samples(text, name).values()) == {0}, name
    assert samples(text, "vip_source_moves_total").keys() == {("wire",), ("annotation",)}
    for name in ("vip_handover_seconds", "vip_annotation_lag_seconds"):
        assert f"{name}_count 0.0" in text


LEASE_CASES: dict[str, tuple[LeaseState | None, dict, dict]] = {
    "none is known": (None, {}, {}),
    "renewed": (LEASE, {(): 7}, {(): 1095}),
    "it changes hands": (replace(LEASE, holder=""), {(): 7}, {(): 1095}),
    "expired": (replace(LEASE, fresh=False), {(): 7}, {(): 1095}),
    "of the intent file": (LeaseState("", "node-2", True, None, None, None), {}, {}),
}


@pytest.mark.parametrize(("lease", "transitions", "expiry"), LEASE_CASES.values(), ids=LEASE_CASES)
def test_a_lease_shows_its_own_count_and_when_it_expires(lease, transitions, expiry) -> None:
    text = render_full(core_after_a_move(), lease=lease)
    assert samples(text, "vip_lease_transitions_total") == transitions
    assert samples(text, "vip_lease_expiry_timestamp_seconds") == expiry
    assert (("lease",) in samples(text, "vip_source_moves_total")) is (lease is not None)


BOUND_CASES: dict[str, tuple[tuple[str, ...] | None, dict]] = {
    "cannot be told": (None, {}),
    "not bound": ((), {("node-1", ""): 0}),
    "bound": (("mgmt-br",), {("node-1", "mgmt-br"): 1}),
    "bound twice": (("mgmt-br", "vip-0a1b2c3d"), {("node-1", "mgmt-br"): 1, ("node-1", "vip-0a1b2c3d"): 1}),
}


@pytest.mark.parametrize(("bound", "series"), BOUND_CASES.values(), ids=BOUND_CASES)
def test_where_the_address_is_bound(bound, series) -> None:
    """One series for each interface; 0 without a device where there is none; absent where nobody can tell."""
    text = render_full(core_after_a_move(), bound=bound)
    assert samples(text, "vip_bound") == series
    assert (("local",) in samples(text, "vip_source_moves_total")) is (bound is not None)


def test_the_macs_of_the_nodes() -> None:
    text = render_full(core_after_a_move())
    assert 'vip_node_mac_info{device="mgmt-br",holder="node-1",mac="02:00:00:00:00:0a"} 1.0' in text
    assert 'vip_node_mac_info{device="",holder="node-2",mac="02:00:00:00:00:0b"} 1.0' in text
    assert text.count("vip_node_mac_info{") == 2


@pytest.mark.parametrize(("up", "line"), [(None, None), (True, "1.0"), (False, "0.0")])
def test_the_state_file_is_absent_where_none_is_configured(up, line) -> None:
    exposition = Exposition(
        snapshot=core_after_a_move().snapshot, status=lambda: ExporterStatus(state_file_up=up), to_wall=lambda at: at
    )
    lines = exposition.render()[1].decode().splitlines()
    found = [text.partition(" ")[2] for text in lines if text.startswith("vip_exporter_state_file_up ")]
    assert found == ([line] if line else [])


@pytest.mark.parametrize(("vip", "full"), [(VIP, 52), (VIP6, 50)], ids=["IPv4", "IPv6"])
def test_series_per_vip_when_every_source_speaks(vip, full) -> None:
    """One Service, one claimant, one interface, a move behind it: this is all that a VIP can show, and it shows it."""
    core = core_after_a_move(vip, until=31 + 700)  # the old holder's slot is free after ten minutes
    assert series_of(vip, render_full(core)) == full


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
def test_series_per_vip_in_summary(vip) -> None:
    """At most 12, even with every check failing at once."""
    core = core_after_a_move(vip)
    every = tuple(Mismatch(check, 0) for check in Check)
    assert series_of(vip, render_full(core, summary=True, mismatches=every)) == 12


def series_of(vip, text: str) -> int:
    series = Counter(
        sample.labels["vip"] for family in parse_text(text) for sample in family.samples if "vip" in sample.labels
    )
    return series[str(vip)]


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
    assert "vip_moves_total" in exposition.render()[1].decode()


def test_names_from_outside_are_escaped() -> None:
    core = Core(at=0, listening=True)
    core.observe(service(0, 'no"de\n\\1'))
    assert samples(render(core), "vip_source_holder_info") == {("annotation", 'no"de\n\\1', ""): 1}
