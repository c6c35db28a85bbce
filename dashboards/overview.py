"""The dashboard *VIP overview*: are all VIPs well, and could we hear it if not?"""

from __future__ import annotations

from functools import partial

from grafana_foundation_sdk.builders import dashboard as build

from dashboards import looks, queries
from dashboards.layout import Line, Section, place
from dashboards.looks import DETAIL, OVERVIEW
from dashboards.page import page
from dashboards.panels import About, Query, bars_of, stat_of, timeline_of
from dashboards.queries import HEARD_HERE, RANGE, count_over, named, vips_in, worst
from dashboards.tables import Column, table_of

_NO_VIPS = "no VIPs"


def overview() -> build.Dashboard:
    made = page(
        uid=OVERVIEW,
        title="VIP overview",
        text="All virtual IPs: who holds each of them, since when, whether everyone agrees, and who can hear it.",
        many_vips=True,
        other=(DETAIL, "VIP detail"),
    )
    return place(
        made,
        [
            Section("", [Line(4, _stats()), Line(8, [(24, _vips())])]),
            Section(
                "Over time",
                [Line(8, [(24, _states())]), Line(7, [(12, _moves()), (12, _contests())])],
            ),
            Section("Coverage: who can hear", [Line(8, [(24, _observers())]), Line(8, [(24, _hearing())])]),
        ],
    )


def _stats() -> list[tuple[int, object]]:
    by_state = [
        ("held", "One node has the VIP, and nobody beside it.", ("VIPUnheld",)),
        ("moving", "A new claimant has come up. Normal for seconds during a failover.", ("VIPMoved",)),
        (
            "contested",
            "Two or more claimants go on beyond the grace time of a move: traffic goes now to one, now to the other.",
            ("VIPContested",),
        ),
        ("silent", "Nobody announces it any more, by the majority of the observers.", ("VIPSilent", "VIPUnheld")),
        ("unknown", "Nothing was heard yet, or the observers are blind.", ("VIPAllObserversBlind",)),
    ]
    fleet = f"count(count by (vip) ({queries.series('vip_info')}))"
    all_vips = About(
        "VIPs", "How many virtual IPs are watched. All of them should be held.", "none", ("VIPExporterAbsent",)
    )
    mismatch = About(
        "Mismatch",
        "VIPs where two sources have contradicted each other for longer than the settle time. Any is worth a look;"
        " the VIP's page says which check.",
        _NO_VIPS,
        ("VIPHolderMismatch", "VIPArpMismatch", "VIPLeaseMismatch", "VIPAddressMismatch", "VIPBoundMismatch"),
    )
    number = partial(stat_of, decimals=0)
    stats = [number(all_vips, Query("vips", fleet))]
    for state, text, alerts in by_state:
        about = About(state.capitalize(), f"VIPs in this state. {text}", _NO_VIPS, alerts)
        stats.append(number(about, Query(state, vips_in(state)), limits=looks.in_state(state), tile=True))
    contradicted = Query("mismatch", f"sum({queries.mismatches()} > bool 0)")
    stats.append(number(mismatch, contradicted, limits=looks.NONE_IS_GOOD, tile=True))
    return [(3, panel) for panel in (*stats, _hearing_at_all())]


def _hearing_at_all() -> object:
    about = About(
        "Observers",
        "Exporters that hear frames on an interface, and exporters in all. One that cannot hear is blind: see"
        " Coverage below.",
        "none",
        ("VIPExporterBlind", "VIPAllObserversBlind"),
    )
    return stat_of(
        about,
        Query("hearing", f"sum({worst('vip_exporter_capture_up', by='job, instance')})", "can hear"),
        Query("all", f"count({worst('vip_exporter_build_info', by='job, instance')})", "in all"),
        decimals=0,
    )


def _vips() -> object:
    asked = [
        Query("state", queries.state()),
        Query("holder", queries.most_named()),
        Query("since", queries.held_since()),
        Query("named", queries.nodes_named()),
        Query("mismatches", queries.mismatches()),
        Query("moves", count_over("vip_moves_total", window=RANGE)),
        Query("contests", count_over("vip_contests_total", window=RANGE)),
        Query("age", queries.announcement_age()),
        Query("heard", queries.heard_by()),
        Query("watched", queries.watched_by()),
    ]
    columns = [
        Column("vip", "VIP", link=looks.to_detail("${__value.raw}")),
        Column("Value #state", "State", 110, words=looks.STATE),
        Column("holder", "Holder", none="not known"),
        Column("mac", "MAC", 160, none="not known"),
        Column("Value #since", "Held since", 140, "dateTimeFromNow", none="not known"),
        Column("Value #named", "Nodes named", 120, decimals=0, none="none", limits=looks.ONE_IS_GOOD),
        Column("Value #mismatches", "Mismatches", 110, decimals=0, limits=looks.NONE_IS_GOOD),
        Column("Value #moves", "Moves", 90, decimals=0, limits=looks.SOME_ARE_WORTH_A_LOOK),
        Column("Value #contests", "Contests", 90, decimals=0, limits=looks.NONE_IS_GOOD),
        Column("Value #age", "Last announced, ago", 160, "s", decimals=1, none="never"),
        Column("Value #heard", "Heard by", 100, decimals=0, none="not told"),
        Column("Value #watched", "Watched by", 110, decimals=0),
    ]
    about = About(
        "VIPs",
        "One row for each VIP; click its address for its page. *Holder* and *MAC* are those that most observers"
        " name. *Nodes named*: how many different nodes wire, lease, annotation and bound addresses name; 1 means"
        " that all agree. *Moves* and *Contests* are counted over the visible time. *Heard by* fewer observers than"
        " *Watched by*: some segment does not carry the announcements. With --metrics.detail=summary what is not"
        " exported is missing here.",
        "no VIP is watched",
        ("VIPObserversDisagree", "VIPFlapping", "VIPBoundOnSeveralNodes", "VIPNotHeardOnNode"),
    )
    return table_of(about, asked, columns, sort="VIP")


def _states() -> object:
    about = About(
        "State of each VIP",
        "A row for each VIP. *held* is good. *moving* for seconds is a failover, for longer a fault. *contested* and"
        " *silent* are bad. *unknown*: nothing was heard yet, or the observers are blind. Contested or moving if any"
        " observer says so, silent if most do. What is short can fall between two points of a long range; contests"
        " are marked in any case.",
        "no VIP is watched",
        ("VIPContested", "VIPSilent"),
    )
    link = looks.to_detail("${__field.labels.vip}")
    return timeline_of(about, Query("state", queries.state(), "{{vip}}"), looks.STATE, link=link)


def _moves() -> object:
    about = About(
        "Moves",
        "How often each VIP went over to another holder, a bar for each interval. One bar is a failover; a row of"
        " them is a VIP that flaps. A move at the edge of an interval can show in both.",
        "no VIP is watched",
        ("VIPMoved", "VIPFlapping"),
    )
    link = looks.to_detail("${__field.labels.vip}")
    return bars_of(about, Query("moves", count_over("vip_moves_total"), "{{vip}}"), link=link)


def _contests() -> object:
    about = About(
        "Contests",
        "How often two claimants of a VIP went on beside each other, a bar for each interval. Also those that began"
        " and ended between two scrapes. Any is bad.",
        "no VIP is watched",
        ("VIPContested",),
    )
    link = looks.to_detail("${__field.labels.vip}")
    return bars_of(about, Query("contests", count_over("vip_contests_total"), "{{vip}}"), link=link)


def _observers() -> object:
    instance = "job, instance"
    heard = queries.series("vip_requirement_met", HEARD_HERE)
    asked = [
        Query("build", worst("vip_exporter_build_info", by="job, instance, observer, version")),
        Query("capture", worst("vip_exporter_capture_up", by=instance)),
        Query("heard", f"sum by ({instance}) ({heard})"),
        Query("watched", f"count by ({instance}) ({worst('vip_info', by='job, instance, vip')})"),
        Query("frame", f"min by ({instance}) {queries.age('vip_exporter_capture_last_frame_timestamp_seconds')}"),
        Query("kubernetes", worst("vip_exporter_kubernetes_up", by=instance)),
    ]
    columns = [
        Column("observer", "Observer"),
        Column("instance", "Instance"),
        Column("Value #capture", "Capture", 110, words=looks.UP, none="no interface"),
        Column("Value #heard", "VIPs heard", 120, decimals=0, none="not told"),
        Column("Value #watched", "VIPs watched", 120, decimals=0, none="0"),
        Column("Value #frame", "Last frame, ago", 150, "s", decimals=1, none="never"),
        Column("Value #kubernetes", "Kubernetes", 130, words=looks.UP, none="not used"),
        Column("version", "Version", 140),
        Column("job", "Job", 160),
    ]
    about = About(
        "Observers",
        "One row for each exporter. *Capture* down: it is blind. *VIPs heard* fewer than *VIPs watched*: its segment"
        " does not carry the announcements. *Kubernetes* down: what it knows of Services and Leases grows old.",
        "no exporter is scraped",
        ("VIPExporterBlind", "VIPNotHeardOnNode", "VIPExporterKubernetesStale", "VIPExporterAbsent"),
    )
    return table_of(about, asked, columns, sort="Observer")


def _hearing() -> object:
    about = About(
        "Which observer hears which VIP",
        "A row for each observer and VIP. *does not hear* on one observer: the announcements do not reach its"
        " segment. On all of them: the VIP is silent. A gap: it cannot be told, or --metrics.detail=summary.",
        "not told",
        ("VIPNotHeardOnNode", "VIPExporterBlind"),
    )
    heard = f"min by (job, instance, vip) ({queries.series('vip_requirement_met', HEARD_HERE)})"
    return timeline_of(about, Query("heard", named(heard), "{{observer}}: {{vip}}"), looks.HEARS)
