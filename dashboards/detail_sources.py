"""The part of *VIP detail* on who says what: each source, each observer, each claimant, and where they contradict."""

from __future__ import annotations

from dashboards import looks, queries
from dashboards.layout import Line
from dashboards.panels import About, Query, lines_of, timeline_of
from dashboards.queries import count_over, named, series, worst
from dashboards.tables import Column, table_of


def sources() -> list[Line]:
    """Who holds it, by source and by observer; what contradicts."""
    return [
        Line(8, [(24, _by_source())]),
        Line(7, [(12, _by_observer()), (12, _bound())]),
        Line(7, [(12, _mismatches()), (12, _requirements())]),
    ]


def claimants() -> list[Line]:
    """Which MACs claim it."""
    return [Line(8, [(14, _claimants()), (10, _live())])]


def _by_source() -> object:
    about = About(
        "Who holds it, by source",
        "A row for each source and the holder that it names (its MAC where the node is not known), by any observer."
        " One row for each source is agreement; two holders at the same time are not, nor are two sources with"
        " different holders for longer than the settle time. A gap: the source names nobody.",
        "nobody, as far as is known",
        ("VIPHolderMismatch", "VIPArpMismatch", "VIPLeaseMismatch", "VIPObserversDisagree"),
    )
    named_by = f"max by (source, who) ({queries.with_who(series('vip_source_holder_info'))})"
    return timeline_of(about, Query("holder", named_by, "{{source}}: {{who}}"), looks.NAMED)


def _by_observer() -> object:
    about = About(
        "State by observer",
        "What each exporter makes of what it hears. One that says *silent* or *unknown* while the others say *held*"
        " does not hear the announcements; several with *held* and different holders above are a split segment.",
        "not watched",
        ("VIPNotHeardOnNode", "VIPObserversDisagree"),
    )
    of_each = queries.state("job, instance, vip")
    return timeline_of(about, Query("state", named(of_each), "{{observer}}"), looks.STATE)


def _bound() -> object:
    about = About(
        "Bound on",
        "Nodes and interfaces that have the address. One node may have it on two interfaces (bridge and macvlan);"
        " two nodes at the same time are bad: the address stayed behind on one of them.",
        "nowhere, as far as is known",
        ("VIPBoundOnSeveralNodes", "VIPBoundMismatch"),
    )
    bound = worst("vip_bound", 'device!=""', by="observer, device")
    return timeline_of(about, Query("bound", bound, "{{observer}}: {{device}}"), looks.BOUND)


def _mismatches() -> object:
    about = About(
        "Mismatches by check",
        "*host*: annotation and wire name different nodes. *mac*: the MAC on the wire is not the expected one."
        " *lease*: lease and annotation differ. *address*: the Service's old address is still announced. *bound*:"
        " bound on a node that does not hold it. Red: for longer than the settle time.",
        "no mismatch",
        ("VIPHolderMismatch", "VIPArpMismatch", "VIPLeaseMismatch", "VIPAddressMismatch", "VIPBoundMismatch"),
    )
    return timeline_of(about, Query("mismatch", worst("vip_mismatch", by="check"), "{{check}}"), looks.MISMATCH)


def _requirements() -> object:
    about = About(
        "Requirements",
        "What a VIP requires, by the observer that thinks worst of it: distinct from the nodes' addresses, in their"
        " subnet, heard by every observer, of a Service that is a load balancer. A gap: nothing is known.",
        "nothing is known",
        ("VIPRequirementNotMet", "VIPNotHeardOnNode"),
    )
    met = f"min by (requirement) ({series('vip_requirement_met')})"
    return timeline_of(about, Query("met", met, "{{requirement}}"), looks.MET)


def _claimants() -> object:
    about = About(
        "Claimants",
        "MACs that have claimed the VIP, until ten minutes after their last frame. *node*: a known node's. *hwaddr*:"
        " the MAC that DHCP mode gives to every node. *fhrp*: a router's virtual MAC. *foreign*: of no known node,"
        " which is bad. *unresolved*: not every node's MAC is known.",
        "nobody, as far as is known",
        ("VIPForeignClaimant", "VIPContested"),
    )
    each = worst("vip_claimant_info", by="job, instance, mac, holder, class")
    columns = [
        Column("mac", "MAC", 170),
        Column("holder", "Node", none="not known"),
        Column("class", "Class", 120),
        Column("Value", "Seen by", 100, decimals=0),
        Column("Value #claimants", "Seen by", 100, decimals=0),
    ]
    return table_of(about, [Query("claimants", f"count by (mac, holder, class) ({each})")], columns, sort="MAC")


def _live() -> object:
    about = About(
        "Live claimants",
        "MACs whose claim is live. Two for some seconds is a move, two for longer a contest, or one node with two"
        " MACs. *Given up*: claims refused because there were too many.",
        "not watched",
        ("VIPContested", "VIPForeignClaimant"),
    )
    given_up = count_over("vip_claimants_overflow_total")
    return lines_of(
        about,
        Query("live", worst("vip_claimants"), "live"),
        Query("overflow", given_up, "given up", color=looks.RED),
        unit="short",
        decimals=0,
        steps=True,
    )
