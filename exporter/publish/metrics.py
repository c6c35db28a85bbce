"""Snapshots as Prometheus metrics; the only module that imports prometheus_client.

Whatever follows from state is made anew at each scrape, so what is gone leaves no series behind. A scrape never fails
because one part of it does: that part is missing, and logged.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
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
        encode, content_type = choose_encoder("application/openmetrics-text" if openmetrics else "text/plain")
        return content_type, encode(self._registry)


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
        metrics = [metric for metric in VIP_METRICS if metric.summary or not summary]
        families = {metric.name: _family(metric) for metric in metrics}
        for vip in snapshot.vips:
            address = str(vip.address)
            for name, labels, value in self._rows(vip, summary=summary):
                if name in families:
                    families[name].add_metric([address, *labels], value)
        yield from families.values()
        node_macs, handover, annotation_lag = FLEET_METRICS
        nodes = _family(node_macs)
        for known in snapshot.node_macs:
            nodes.add_metric((known.node, known.mac, known.device), 1)
        yield nodes
        yield _histogram_family(handover, snapshot.handover)
        yield _histogram_family(annotation_lag, snapshot.annotation_lag)

    def _rows(self, vip: VipSnapshot, *, summary: bool) -> Rows:
        """All series of one VIP, without the label `vip` that comes first in each."""

        def time(at: Nanoseconds) -> float:
            return self._to_wall(at) / SECOND

        yield "vip_info", (vip.mode, str(vip.address.version)), 1
        for service in vip.services:
            yield "vip_service_info", (service.namespace, service.name), 1
        for state in State:
            if state is vip.state or not summary:
                yield "vip_state", (state,), float(state is vip.state)
        if vip.holder or vip.holder_mac:
            yield "vip_holder_info", (vip.holder, vip.holder_mac), 1
            if vip.holder_since is not None:
                yield "vip_holder_since_timestamp_seconds", (), time(vip.holder_since)
        for source in vip.sources:
            yield "vip_source_holder_info", (source.source, source.node, source.mac), 1
        yield "vip_moves_total", (), vip.moves
        # Where there is no Lease, or what is bound cannot be told, that source has nothing to count.
        mute = {Source.LEASE} if vip.lease is None else set()
        mute |= {Source.LOCAL} if vip.bound is None else set()
        for source_name, moves in vip.source_moves.items():
            if source_name not in mute or moves:
                yield "vip_source_moves_total", (source_name,), moves
        yield "vip_mac_changes_total", (), vip.mac_changes
        yield "vip_contests_total", (), vip.contests
        yield "vip_withdrawn_claims_total", (), vip.withdrawn_claims
        if vip.last_move is not None:
            move = vip.last_move
            yield "vip_last_move_timestamp_seconds", (move.origin, move.target), time(move.at)
        announcements, sightings = _KINDS[vip.address.version]
        for kind in announcements:
            yield "vip_announcements_total", (kind,), vip.announcements[kind]
        for other in sightings:
            yield "vip_sightings_total", (other,), vip.sightings[other]
        if vip.last_announcement is not None:
            yield "vip_last_announcement_timestamp_seconds", (), time(vip.last_announcement)
        yield "vip_announcement_period_seconds", (), vip.period / SECOND
        yield "vip_claimants", (), len(vip.claimants)
        for claimant in vip.listed_claimants:
            yield "vip_claimant_info", (claimant.mac, claimant.holder, claimant.claimant_class), 1
        for claimant_class in ClaimantClass:
            yield "vip_claims_total", (claimant_class,), vip.claims[claimant_class]
        yield "vip_claimants_overflow_total", (), vip.claimants_overflow
        failing = {mismatch.check for mismatch in vip.mismatches}
        for check in Check:
            if check in failing or not summary:
                yield "vip_mismatch", (check,), float(check in failing)
        for requirement, met in vip.requirements.items():
            yield "vip_requirement_met", (requirement,), float(met)
        if vip.intent_stale is not None:
            yield "vip_intent_stale", (), float(vip.intent_stale)
        if vip.last_handover is not None:
            yield "vip_last_handover_seconds", (), vip.last_handover / SECOND
        if vip.lease is not None:
            if vip.lease.transitions is not None:
                yield "vip_lease_transitions_total", (), vip.lease.transitions
            if vip.lease.expires is not None:
                yield "vip_lease_expiry_timestamp_seconds", (), time(vip.lease.expires)
        if vip.bound is not None:
            for device in vip.bound or ("",):
                yield "vip_bound", (self._observer, device), float(bool(device))


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
