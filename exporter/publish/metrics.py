"""Snapshots as Prometheus metrics; the only module that imports prometheus_client.

Whatever follows from state is made anew at each scrape, so what is gone leaves no series behind. A scrape never fails
because one part of it does: that part is missing, and logged.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Sample
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from exporter import __version__, log
from exporter.publish.catalogue import EXPORTER_METRICS, FLEET_METRICS, VIP_METRICS, Metric, Type
from exporter.publish.records import ToWall
from exporter.publish.status import ExporterStatus
from exporter.vip.histogram import Distribution
from exporter.vip.model import SECOND, Check, ClaimantClass, Kind, Nanoseconds, Source, State
from exporter.vip.snapshot import Snapshot, VipSnapshot

disable_created_metrics()  # type: ignore[no-untyped-call]

Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily
Rows = Iterator[tuple[str, Sequence[str], float]]
"""Metric name, label values in the order of the catalogue, value."""
VipRows = Iterator[tuple[str, dict[str, str], float]]
"""The same with the labels as a sample has them. Several may share one dictionary, which nobody changes."""

_NAMES_AS_THEY_ARE = "none"
"""No scheme that the library knows: it escapes label values, and leaves names alone. By default it looks through each
name of each sample for what has no place in one, which takes long, and the catalogue has none such."""

_KINDS = {
    4: ((Kind.REQUEST, Kind.REPLY), ("probe", "own_probe", Kind.ORDINARY_REQUEST, Kind.ORDINARY_REPLY)),
    6: ((Kind.NA,), ("probe", "own_probe", Kind.SOLICITED_NA)),
}


class Exposition:
    """Makes the body of `/metrics`.

    Args:
        snapshot: the VIPs as of now.
        status: the exporter itself; without it, only the VIPs are shown.
        to_wall: what moment a time of these stands for.
        observer: the name of the node on which addresses are bound.
        summary: whether to show at most 12 series for each VIP.
    """

    def __init__(
        self,
        *,
        snapshot: Callable[[], Snapshot],
        status: Callable[[], ExporterStatus] | None,
        to_wall: ToWall,
        observer: str = "",
        summary: Callable[[], bool] = lambda: False,
    ) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_VipCollector(snapshot, to_wall, observer, summary))
        if status is not None:
            self._registry.register(_ExporterCollector(status, to_wall))

    def render(self, openmetrics: bool = False) -> tuple[str, bytes]:
        """Content type and body, in OpenMetrics or in Prometheus' text format.

        Raises:
            ValueError: a label's value is no text (a lone surrogate).
        """
        if openmetrics:
            return CONTENT_TYPE_LATEST, generate_openmetrics(self._registry, escaping=_NAMES_AS_THEY_ARE)  # type: ignore[no-untyped-call]
        return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry, escaping=_NAMES_AS_THEY_ARE)


class _VipCollector(Collector):
    def __init__(
        self, snapshot: Callable[[], Snapshot], to_wall: ToWall, observer: str, summary: Callable[[], bool]
    ) -> None:
        self._snapshot = snapshot
        self._to_wall = to_wall
        self._observer = observer
        self._summary = summary

    def collect(self) -> Iterable[Family]:
        snapshot, summary = self._snapshot(), self._summary()
        families = {metric.name: _family(metric) for metric in VIP_METRICS if metric.summary or not summary}
        # `add_metric` does the same, but pairs names and values of labels anew for each of what may be 100,000.
        samples = {name: family.samples for name, family in families.items()}
        for vip in snapshot.vips:
            for name, labels, value in self._rows(vip, summary=summary):
                samples[name].append(Sample(name, labels, value))
        yield from families.values()
        node_macs, handover, annotation_lag = FLEET_METRICS
        nodes = _family(node_macs)
        for known in snapshot.node_macs:
            nodes.add_metric((known.node, known.mac, known.device), 1)
        yield nodes
        yield _histogram_family(handover, snapshot.handover)
        yield _histogram_family(annotation_lag, snapshot.annotation_lag)

    def _rows(self, vip: VipSnapshot, *, summary: bool) -> VipRows:
        """All series of one VIP: there are up to 45 of them, of thousands of VIPs."""
        address = str(vip.address)
        alone = {"vip": address}
        """The labels of what a VIP has only one of."""
        yield "vip_info", {"vip": address, "mode": vip.mode, "family": str(vip.address.version)}, 1
        if vip.holder or vip.holder_mac:
            yield "vip_holder_info", {"vip": address, "holder": vip.holder, "mac": vip.holder_mac}, 1
        yield "vip_moves_total", alone, vip.moves
        yield "vip_contests_total", alone, vip.contests
        if vip.last_move is not None:
            move = vip.last_move
            labels = {"vip": address, "from": move.origin, "to": move.target}
            yield "vip_last_move_timestamp_seconds", labels, self._time(move.at)
        if vip.last_announcement is not None:
            yield "vip_last_announcement_timestamp_seconds", alone, self._time(vip.last_announcement)
        failing = {mismatch.check for mismatch in vip.mismatches}
        if summary:
            yield "vip_state", {"vip": address, "state": vip.state}, 1
            for check in failing:
                yield "vip_mismatch", {"vip": address, "check": check}, 1
            return
        for state in State:
            yield "vip_state", {"vip": address, "state": state}, float(state is vip.state)
        for check in Check:
            yield "vip_mismatch", {"vip": address, "check": check}, float(check in failing)
        yield from self._details(vip, address, alone)

    def _details(self, vip: VipSnapshot, address: str, alone: dict[str, str]) -> VipRows:
        """What is left out of the summary."""
        for service in vip.services:
            labels = {"vip": address, "vip_namespace": service.namespace, "vip_service": service.name}
            yield "vip_service_info", labels, 1
        if vip.holder_since is not None and (vip.holder or vip.holder_mac):
            yield "vip_holder_since_timestamp_seconds", alone, self._time(vip.holder_since)
        for source in vip.sources:
            labels = {"vip": address, "source": source.source, "holder": source.node, "mac": source.mac}
            yield "vip_source_holder_info", labels, 1
        # Where there is no Lease, or what is bound cannot be told, that source has nothing to count.
        mute = {Source.LEASE} if vip.lease is None else set()
        mute |= {Source.LOCAL} if vip.bound is None else set()
        for source_name, moves in vip.source_moves.items():
            if source_name not in mute or moves:
                yield "vip_source_moves_total", {"vip": address, "source": source_name}, moves
        yield "vip_mac_changes_total", alone, vip.mac_changes
        yield "vip_withdrawn_claims_total", alone, vip.withdrawn_claims
        announcements, sightings = _KINDS[vip.address.version]
        for kind in announcements:
            yield "vip_announcements_total", {"vip": address, "kind": kind}, vip.announcements[kind]
        for other in sightings:
            yield "vip_sightings_total", {"vip": address, "kind": other}, vip.sightings[other]
        yield "vip_announcement_period_seconds", alone, vip.period / SECOND
        yield "vip_claimants", alone, len(vip.claimants)
        for claimant in vip.listed_claimants:
            mac, holder, its_class = claimant.mac, claimant.holder, claimant.claimant_class
            yield "vip_claimant_info", {"vip": address, "mac": mac, "holder": holder, "class": its_class}, 1
        for claimant_class in ClaimantClass:
            yield "vip_claims_total", {"vip": address, "class": claimant_class}, vip.claims[claimant_class]
        yield "vip_claimants_overflow_total", alone, vip.claimants_overflow
        for requirement, met in vip.requirements.items():
            yield "vip_requirement_met", {"vip": address, "requirement": requirement}, float(met)
        if vip.intent_stale is not None:
            yield "vip_intent_stale", alone, float(vip.intent_stale)
        if vip.last_handover is not None:
            yield "vip_last_handover_seconds", alone, vip.last_handover / SECOND
        if vip.lease is not None:
            if vip.lease.transitions is not None:
                yield "vip_lease_transitions_total", alone, vip.lease.transitions
            if vip.lease.expires is not None:
                yield "vip_lease_expiry_timestamp_seconds", alone, self._time(vip.lease.expires)
        if vip.bound is not None:
            for device in vip.bound or ("",):
                yield "vip_bound", {"vip": address, "observer": self._observer, "device": device}, float(bool(device))

    def _time(self, at: Nanoseconds) -> float:
        return self._to_wall(at) / SECOND


class _ExporterCollector(Collector):
    def __init__(self, status: Callable[[], ExporterStatus], to_wall: ToWall) -> None:
        self._status = status
        self._to_wall = to_wall

    def collect(self) -> Iterable[Family]:
        try:
            status = self._status()
        except Exception as error:  # noqa: BLE001 - the VIPs must be shown even if the exporter does not know itself
            log.error("exporter status unavailable", error=error)
            return
        families = {metric.name: _family(metric) for metric in EXPORTER_METRICS if metric.type is not Type.HISTOGRAM}
        for name, labels, value in self._rows(status):
            families[name].add_metric(labels, value)
        yield from families.values()
        if status.reconcile_duration is not None:
            metric = next(metric for metric in EXPORTER_METRICS if metric.type is Type.HISTOGRAM)
            yield _histogram_family(metric, status.reconcile_duration)

    def _rows(self, status: ExporterStatus) -> Rows:
        def time(at: Nanoseconds) -> float:
            return self._to_wall(at) / SECOND

        build = (__version__, status.revision, platform.python_version(), status.observer)
        yield "vip_exporter_build_info", build, 1
        for capture in status.captures:
            device = (capture.device,)
            yield "vip_exporter_capture_up", device, float(capture.up)
            yield "vip_exporter_capture_frames_total", device, capture.frames
            yield "vip_exporter_capture_dropped_total", device, capture.dropped
            yield "vip_exporter_capture_reopens_total", device, capture.reopens
            if capture.last_frame is not None:
                yield "vip_exporter_capture_last_frame_timestamp_seconds", device, time(capture.last_frame)
            for reason, number in capture.ignored.items():
                yield "vip_exporter_ignored_frames_total", (capture.device, reason), number
        if status.kubernetes is not None:
            yield "vip_exporter_kubernetes_up", (), float(status.kubernetes.up)
            for resource, at in status.kubernetes.last_sync.items():
                yield "vip_exporter_kubernetes_last_sync_timestamp_seconds", (resource,), time(at)
            for (resource, reason), number in status.kubernetes.errors.items():
                yield "vip_exporter_kubernetes_errors_total", (resource, reason), number
        for result, number in status.reconciles.items():
            yield "vip_exporter_reconciles_total", (result,), number
        for event, number in status.log_suppressed.items():
            yield "vip_exporter_log_suppressed_total", (event,), number
        if status.state_file_up is not None:
            yield "vip_exporter_state_file_up", (), float(status.state_file_up)
        if status.config_reloaded is not None:
            yield "vip_exporter_config_last_reload_successful", (), float(status.config_reloaded)
        if status.config_reloaded_at is not None:
            yield "vip_exporter_config_last_reload_success_timestamp_seconds", (), time(status.config_reloaded_at)


def _family(metric: Metric) -> GaugeMetricFamily | CounterMetricFamily:
    family = CounterMetricFamily if metric.type is Type.COUNTER else GaugeMetricFamily
    return family(metric.name, metric.help, labels=metric.labels)


def _histogram_family(metric: Metric, distribution: Distribution) -> HistogramMetricFamily:
    below, buckets = 0, []
    for bound, number in zip((*map(float, distribution.bounds), float("inf")), distribution.counts, strict=True):
        below += number
        buckets.append(("+Inf" if bound == float("inf") else str(bound), below))
    return HistogramMetricFamily(metric.name, metric.help, buckets=buckets, sum_value=distribution.total)
