"""The dashboard *VIP detail*: what happened to this VIP, and who says what?"""

from __future__ import annotations

from functools import partial

from grafana_foundation_sdk.builders import dashboard as build

from dashboards import looks, queries
from dashboards.detail_exporter import exporter
from dashboards.detail_sources import claimants, sources
from dashboards.detail_wire import wire
from dashboards.layout import Line, Section, place
from dashboards.looks import DETAIL, OVERVIEW
from dashboards.page import page
from dashboards.panels import About, Query, stat_of
from dashboards.queries import RANGE, count_over, worst


def detail() -> build.Dashboard:
    made = page(
        uid=DETAIL,
        title="VIP detail",
        text="One virtual IP: what happened to it, who says who holds it, and how well it can be heard.",
        many_vips=False,
        other=(OVERVIEW, "VIP overview"),
    )
    return place(
        made,
        [
            Section("", [Line(4, _now()), Line(4, _lately())]),
            Section("Who says what", sources()),
            Section("Claimants", claimants()),
            Section("Announcements and handover", wire()),
            Section("Exporter", exporter()),
        ],
    )


def _now() -> list[tuple[int, object]]:
    state = About(
        "State",
        "*held* is good. *moving* for seconds is a failover. *contested*: two claimants beyond the grace time of a"
        " move. *silent*: nobody announces it any more. *unknown*: nothing was heard yet, or the observers are blind.",
        "not watched",
        ("VIPContested", "VIPSilent", "VIPUnheld"),
    )
    holder = About(
        "Holder",
        "The node that most observers name, by the strongest evidence of each; its MAC where the node is not known.",
        "nobody",
        ("VIPHolderMismatch", "VIPObserversDisagree"),
    )
    since = About("Held since", "Since when the present holder has held it.", "not known", ("VIPMoved",))
    last = About(
        "Last announced, ago",
        "Time from the last announcement to the last scrape, by the observer that heard it last. It should stay"
        " below the period; announcers that do not repeat themselves may be silent for ever.",
        "never",
        ("VIPSilent",),
    )
    period = About(
        "Period",
        "Interval between announcements: configured, learned, or the default of 3 s. The VIP is silent after three"
        " of them, but not before 10 s.",
        "not known",
        ("VIPSilent",),
    )
    handover = About(
        "Last handover",
        "Time without an announcement in the last move. A graceful one takes 1 to 5 s; a crash takes as long as the"
        " Lease.",
        "no move known",
        ("VIPHandoverSlow",),
    )
    seconds = partial(stat_of, unit="s", decimals=1)
    who = Query("holder", queries.with_who(queries.most_named()))
    return [
        (4, stat_of(state, Query("state", queries.state()), words=looks.STATE, tile=True)),
        (6, stat_of(holder, who, unit="string", label="who")),
        (4, stat_of(since, Query("since", queries.held_since()), unit="dateTimeFromNow")),
        (4, seconds(last, Query("age", queries.announcement_age()))),
        (3, seconds(period, Query("period", worst("vip_announcement_period_seconds")), words=looks.PERIOD)),
        (3, seconds(handover, Query("handover", queries.last_handover()))),
    ]


def _lately() -> list[tuple[int, object]]:
    moves = About(
        "Moves",
        "How often it went over to another holder in the visible time.",
        "not watched",
        ("VIPMoved", "VIPFlapping"),
    )
    contests = About(
        "Contests",
        "How often two claimants went on beside each other in the visible time. Any is bad.",
        "not watched",
        ("VIPContested",),
    )
    mismatches = About(
        "Mismatches now",
        "Checks in which two sources have contradicted each other for longer than the settle time. Any is worth a"
        " look.",
        "not watched",
        ("VIPHolderMismatch", "VIPArpMismatch", "VIPLeaseMismatch", "VIPAddressMismatch", "VIPBoundMismatch"),
    )
    nodes = About(
        "Nodes named",
        "How many different nodes wire, lease, annotation and bound addresses name, over all observers. 1: all agree.",
        "none",
        ("VIPObserversDisagree",),
    )
    heard = About(
        "Heard by",
        "Observers that hear the announcements, and observers that watch the VIP.",
        "not told",
        ("VIPNotHeardOnNode",),
    )
    move, contest = (count_over(name, window=RANGE) for name in ("vip_moves_total", "vip_contests_total"))
    hear, watch = Query("heard", queries.heard_by(), "hear it"), Query("watched", queries.watched_by(), "watch it")
    number = partial(stat_of, decimals=0)
    tile = partial(number, tile=True)
    return [
        (4, tile(moves, Query("moves", move), limits=looks.SOME_ARE_WORTH_A_LOOK)),
        (5, tile(contests, Query("contests", contest), limits=looks.NONE_IS_GOOD)),
        (5, tile(mismatches, Query("mismatches", queries.mismatches()), limits=looks.NONE_IS_GOOD)),
        (5, tile(nodes, Query("named", queries.nodes_named()), limits=looks.ONE_IS_GOOD)),
        (5, number(heard, hear, watch)),
    ]
