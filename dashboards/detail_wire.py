"""The part of *VIP detail* on what the wire tells over time: announcements, moves, handovers; the Lease beside it."""

from __future__ import annotations

from dashboards import looks, queries
from dashboards.layout import Line
from dashboards.panels import About, Query, bars_of, gauge_of, lines_of
from dashboards.queries import between_bounds, count_over, rate, worst


def wire() -> list[Line]:
    """Announcements, then moves and how long they took."""
    return [
        Line(8, [(12, _age()), (12, _kinds())]),
        Line(8, [(8, _handover()), (8, _handovers()), (8, _lag())]),
        Line(8, [(8, _counted()), (8, _lease()), (8, _sightings())]),
    ]


def _age() -> object:
    about = About(
        "Time since the last announcement",
        "As it was at each scrape, by the observer that heard the last one. It should stay below the period. Beyond"
        " the dashed line, max(3 periods, 10 s), the VIP is silent; announcers that do not repeat themselves have no"
        " such line.",
        "never announced",
        ("VIPSilent",),
    )
    return lines_of(
        about,
        Query("age", queries.announcement_age(), "since the last announcement", color=looks.BLUE),
        Query("period", worst("vip_announcement_period_seconds"), "period", color=looks.GREEN, dashed=True),
        Query("limit", queries.silence_limit(), "silent beyond", color=looks.RED, dashed=True),
        unit="s",
    )


def _kinds() -> object:
    about = About(
        "Announcements",
        "Frames a second that claim the VIP, by kind, at the observer that hears most. kube-vip sends one every"
        " period, by turns as request and reply; more is a second claimant.",
        "none heard",
        ("VIPSilent", "VIPContested"),
    )
    return lines_of(about, Query("frames", rate("vip_announcements_total", by="kind"), "{{kind}}"), unit="pps")


def _sightings() -> object:
    about = About(
        "Other frames for the VIP",
        "Frames a second that speak for the VIP without claiming it, by kind. *probe*: a stranger asks whether the"
        " address is free, and would like to have it.",
        "none heard",
        ("VIPDuplicateAddressProbe",),
    )
    return lines_of(about, Query("frames", rate("vip_sightings_total", by="kind"), "{{kind}}"), unit="pps")


def _handover() -> object:
    about = About(
        "Last handover",
        "Time without an announcement in the move before, as it stood at each moment. A step is a new move.",
        "no move known",
        ("VIPHandoverSlow",),
    )
    query = Query("handover", queries.last_handover(), "last handover")
    return lines_of(about, query, unit="s", steps=True)


def _handovers() -> object:
    about = About(
        "Handovers of all VIPs",
        "How many moves took how long, over all VIPs and the visible time. Short is good; those beyond a minute are"
        " outages.",
        "no moves",
        ("VIPHandoverSlow",),
    )
    return gauge_of(about, _buckets("vip_handover_seconds"))


def _lag() -> object:
    about = About(
        "Annotation after the wire, all VIPs",
        "How much later than the new holder's first announcement its annotation came, over all VIPs and the visible"
        " time. Up to 10 s is usual.",
        "no moves",
        ("VIPHolderMismatch",),
    )
    return gauge_of(about, _buckets("vip_annotation_lag_seconds"))


def _buckets(metric: str) -> list[Query]:
    return [Query(f"b{place}", expr, legend) for place, (legend, expr) in enumerate(between_bounds(metric))]


def _counted() -> object:
    about = About(
        "Moves and what is beside them",
        "A bar for each interval. *moves*; *withdrawn claims*: someone announced it and stopped again; *MAC"
        " changes*: the same holder with another MAC; *lease transitions*: the Lease's own count, which should go"
        " with the moves.",
        "not watched",
        ("VIPMoved", "VIPFlapping"),
    )
    return bars_of(
        about,
        Query("moves", count_over("vip_moves_total"), "moves"),
        Query("withdrawn", count_over("vip_withdrawn_claims_total"), "withdrawn claims"),
        Query("macs", count_over("vip_mac_changes_total"), "MAC changes"),
        Query("lease", count_over("vip_lease_transitions_total"), "lease transitions"),
    )


def _lease() -> object:
    about = About(
        "Time left of the Lease",
        "As it was at each scrape. Each renewal lifts it again. At 0 the Lease has expired, and names nobody.",
        "no Lease",
        ("VIPLeaseMismatch", "VIPUnheld"),
    )
    return lines_of(about, Query("left", queries.lease_left(), "left"), unit="s")
