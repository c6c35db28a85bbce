"""The part of *VIP detail* on the exporters: do they hear, do they hear everything, do they know Kubernetes' word?"""

from __future__ import annotations

from dashboards import looks, queries
from dashboards.layout import Line
from dashboards.panels import About, Query, lines_of, timeline_of
from dashboards.queries import RATE, named, rate, series, worst
from dashboards.tables import Column, table_of


def exporter() -> list[Line]:
    """The section's lines."""
    return [
        Line(7, [(12, _capture()), (12, _kubernetes())]),
        Line(8, [(8, _dropped()), (8, _ignored()), (8, _sync())]),
        Line(8, [(8, _reconciles()), (16, _builds())]),
    ]


def _capture() -> object:
    about = About(
        "Capture",
        "Whether frames can be heard, by observer and interface. *down*: this observer is blind.",
        "no interface",
        ("VIPExporterBlind", "VIPAllObserversBlind"),
    )
    up = named(worst("vip_exporter_capture_up", by="job, instance, device"))
    return timeline_of(about, Query("up", up, "{{observer}}: {{device}}"), looks.UP)


def _kubernetes() -> object:
    about = About(
        "Kubernetes",
        "Whether the last request to the Kubernetes API succeeded, by observer. *down*: what it knows of Services"
        " and Leases grows old; the wire is still heard.",
        "not used",
        ("VIPExporterKubernetesStale",),
    )
    up = named(worst("vip_exporter_kubernetes_up", by="job, instance"))
    return timeline_of(about, Query("up", up, "{{observer}}"), looks.UP)


def _dropped() -> object:
    about = About(
        "Frames dropped",
        "Frames a second that the kernel had no room for. Any is bad: what could not be heard proves nothing.",
        "no interface",
        ("VIPExporterCaptureDropping",),
    )
    lost = f"sum by (job, instance, device) (rate({series('vip_exporter_capture_dropped_total')}[{RATE}]))"
    return lines_of(about, Query("dropped", named(lost), "{{observer}}: {{device}}"), unit="pps")


def _ignored() -> object:
    about = About(
        "Frames ignored",
        "Frames a second that were no sighting of a watched VIP, by reason, at the observer and interface that had"
        " most. Ordinary traffic is normal; malformed frames are worth a look.",
        "none",
        ("VIPExporterCaptureDropping",),
    )
    ignored = f"{rate('vip_exporter_ignored_frames_total', by='reason')} > 0"  # there are many reasons
    return lines_of(about, Query("ignored", ignored, "{{reason}}"), unit="pps")


def _sync() -> object:
    about = About(
        "Age of what Kubernetes said",
        "Time since the API last said anything of each resource, at the observer where it is oldest. Minutes are bad.",
        "not used",
        ("VIPExporterKubernetesStale",),
    )
    oldest = f"max by (resource) {queries.age('vip_exporter_kubernetes_last_sync_timestamp_seconds')}"
    return lines_of(about, Query("age", oldest, "{{resource}}"), unit="s")


def _reconciles() -> object:
    about = About(
        "Duration of reconciliations",
        "How long it takes to go through all VIPs, over the chosen exporters. It should stay far below a second.",
        "none yet",
        ("VIPExporterBlind",),
    )
    each = f"sum by (le) (rate({series('vip_exporter_reconcile_duration_seconds_bucket')}[{RATE}]))"
    return lines_of(
        about,
        Query("median", f"histogram_quantile(0.5, {each})", "half of them below"),
        Query("slowest", f"histogram_quantile(0.99, {each})", "99 % below"),
        unit="s",
    )


def _builds() -> object:
    about = About(
        "Exporters",
        "What runs where. Different versions side by side are normal only during a rollout.",
        "no exporter is scraped",
        ("VIPExporterAbsent",),
    )
    build = worst("vip_exporter_build_info", by="job, instance, observer, version, revision, pythonversion")
    columns = [
        Column("observer", "Observer"),
        Column("instance", "Instance"),
        Column("version", "Version", 120),
        Column("revision", "Revision", 140, none="not known"),
        Column("pythonversion", "Python", 100),
        Column("job", "Job", 140),
    ]
    return table_of(about, [Query("build", build)], columns, sort="Observer")
