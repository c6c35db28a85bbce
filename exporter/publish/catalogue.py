"""The one table of all metrics: name, type, labels, help. The collector, the reference and the tests read it.

Names and labels are a contract with dashboards and alerts: one that is `stable` changes only with a major version.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    type: Type
    help: str
    labels: tuple[str, ...] = ()
    summary: bool = False
    """Also exported with `--metrics.detail=summary` (of the metrics per VIP)."""
    stage: str = "stable"


def _gauge(name: str, help: str, *labels: str, summary: bool = False) -> Metric:
    return Metric(name, Type.GAUGE, help, labels, summary)


def _counter(name: str, help: str, *labels: str, summary: bool = False) -> Metric:
    return Metric(name, Type.COUNTER, help, labels, summary)


def _histogram(name: str, help: str) -> Metric:
    return Metric(name, Type.HISTOGRAM, help)


VIP_METRICS: tuple[Metric, ...] = (
    _gauge("vip_info", "A watched virtual IP and how it gets its address.", "vip", "mode", "family", summary=True),
    _gauge("vip_service_info", "A Service that uses the address.", "vip", "vip_namespace", "vip_service"),
    _gauge("vip_state", "1 for the state that the VIP is in, 0 for the others.", "vip", "state", summary=True),
    _gauge(
        "vip_holder_info",
        "Who holds the VIP, by the strongest evidence; absent while that is not known.",
        "vip",
        "holder",
        "mac",
        summary=True,
    ),
    _gauge("vip_holder_since_timestamp_seconds", "Since when the present holder has held the VIP.", "vip"),
    _gauge(
        "vip_source_holder_info",
        "Who holds the VIP according to one source; absent while it names nobody.",
        "vip",
        "source",
        "holder",
        "mac",
    ),
    _counter("vip_moves_total", "Times the VIP went over to another holder.", "vip", summary=True),
    _counter("vip_source_moves_total", "Times one source went over to another holder.", "vip", "source"),
    _counter("vip_mac_changes_total", "Times the same holder went on with another MAC.", "vip"),
    _counter(
        "vip_contests_total", "Contests: two or more claimants beyond the grace time of a move.", "vip", summary=True
    ),
    _counter("vip_withdrawn_claims_total", "Claims beside the holder that ended without a move or a contest.", "vip"),
    _gauge(
        "vip_last_move_timestamp_seconds",
        "When the VIP last moved (the new holder's first announcement); absent before the first move.",
        "vip",
        "from",
        "to",
        summary=True,
    ),
    _counter("vip_announcements_total", "Frames that claimed the VIP for their sender.", "vip", "kind"),
    _gauge(
        "vip_last_announcement_timestamp_seconds",
        "When the VIP was last announced, by whomever; absent before the first time.",
        "vip",
        summary=True,
    ),
    _gauge(
        "vip_announcement_period_seconds",
        "Interval between announcements that is reckoned with; 0 for announcers that do not repeat.",
        "vip",
    ),
    _gauge("vip_claimants", "MACs with a live claim to the VIP.", "vip"),
    _gauge(
        "vip_claimant_info",
        "A MAC that claims the VIP, until ten minutes after its last frame; at most 16.",
        "vip",
        "mac",
        "holder",
        "class",
    ),
    _counter("vip_claims_total", "Claims begun.", "vip", "class"),
    _counter("vip_claimants_overflow_total", "Claims refused or given up because there were too many.", "vip"),
    _counter("vip_sightings_total", "Frames that spoke for the VIP without claiming it.", "vip", "kind"),
    _gauge(
        "vip_mismatch", "1 where two sources contradict each other for longer than the settle time.", "vip", "check",
        summary=True,
    ),
    _gauge("vip_requirement_met", "Whether a documented requirement is met.", "vip", "requirement"),
    _gauge("vip_intent_stale", "1 while what Kubernetes says of the VIP is too old to be believed.", "vip"),
    _gauge(
        "vip_last_handover_seconds",
        "Time without an announcement in the last move: new holder's first minus old holder's last, at least 0; absent "
        "where that could not be measured.",
        "vip",
    ),
    _counter(
        "vip_lease_transitions_total",
        "Times the Lease that decides on the VIP changed hands, by its own count; absent where none is known.",
        "vip",
    ),
    _gauge(
        "vip_lease_expiry_timestamp_seconds",
        "When the Lease that decides on the VIP expires unless it is renewed; in the past: it has expired.",
        "vip",
    ),
    _gauge(
        "vip_bound",
        "1 for each interface of this node that has the address; 0, without a device, while none has.",
        "vip",
        "observer",
        "device",
    ),
)  # fmt: skip

FLEET_METRICS: tuple[Metric, ...] = (
    _gauge(
        "vip_node_mac_info",
        "A MAC by which a node is known: an interface of this node, heard with a node's address, or configured.",
        "holder",
        "mac",
        "device",
    ),
    _histogram("vip_handover_seconds", "Time without an announcement in a move, over all VIPs."),
    _histogram(
        "vip_annotation_lag_seconds",
        "How much later than the new holder's first announcement its annotation came, over all VIPs; 0 if earlier.",
    ),
)

EXPORTER_METRICS: tuple[Metric, ...] = (
    _gauge(
        "vip_exporter_build_info", "This exporter.", "version", "revision", "pythonversion", "observer"
    ),
    _gauge("vip_exporter_capture_up", "1 while frames can be heard on the interface.", "device"),
    _counter("vip_exporter_capture_frames_total", "Frames that passed the kernel's filter.", "device"),
    _counter("vip_exporter_capture_dropped_total", "Frames that the kernel had no room for.", "device"),
    _counter("vip_exporter_capture_reopens_total", "Times the capture was opened anew.", "device"),
    _gauge("vip_exporter_capture_last_frame_timestamp_seconds", "When the last frame came.", "device"),
    _counter("vip_exporter_ignored_frames_total", "Frames that were no sighting, by reason.", "device", "reason"),
    _gauge("vip_exporter_kubernetes_up", "1 while the last request to the Kubernetes API succeeded."),
    _gauge(
        "vip_exporter_kubernetes_last_sync_timestamp_seconds",
        "When the Kubernetes API last said anything of the resource.",
        "resource",
    ),
    _counter("vip_exporter_kubernetes_errors_total", "Failed requests to the Kubernetes API.", "resource", "reason"),
    _counter("vip_exporter_reconciles_total", "Reconciliations, by result.", "result"),
    _histogram("vip_exporter_reconcile_duration_seconds", "How long a reconciliation took."),
    _counter("vip_exporter_log_suppressed_total", "Log lines held back because there were too many.", "event"),
    _gauge("vip_exporter_state_file_up", "1 while the state file can be written; absent where none is configured."),
    _gauge("vip_exporter_config_last_reload_successful", "1 if the last reading of the configuration succeeded."),
    _gauge(
        "vip_exporter_config_last_reload_success_timestamp_seconds", "When the configuration was last read well."
    ),
)  # fmt: skip

CATALOGUE: tuple[Metric, ...] = VIP_METRICS + FLEET_METRICS + EXPORTER_METRICS
