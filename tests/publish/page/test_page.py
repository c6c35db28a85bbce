"""The page's HTML: well formed, safe under its policy, nothing from outside as markup, parts that fit the document."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest

from exporter.publish.moment import Moment
from exporter.publish.page import Page
from exporter.publish.parts import difference
from exporter.publish.status import CaptureStatus, KubernetesStatus
from exporter.vip.model import (
    BoundSeen,
    HostSeen,
    LeaseSeen,
    Link,
    Node,
    NodesSeen,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
)
from tests.publish.page.moments import AB, HELD, HOST, STATUS, Reading, deaf, moment
from tests.vip.situations import NEW_VIP, VIP, VIP6, announce, interleave, lease, mac_of, new_core, service

MANY = [ip_address(f"10.0.0.{number}") for number in range(1, 13)]
ALL_HELD = interleave(*(announce("A", until=30, vip=address) for address in MANY))
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{% raw %}&amp;"


def hostile() -> Moment:
    """Whatever can carry text from outside does."""
    inputs = interleave(
        [NodesSeen(0, (Node(HOSTILE, (ip_address("192.0.2.11"),), (mac_of("A"),)), *AB[0].nodes[1:]))],
        [HostSeen(0, (Link(HOSTILE, mac_of("A"), (ip_network("192.0.2.0/24"),)),))],
        [BoundSeen(0, VIP, (HOSTILE,))],
        [ServiceSeen(0, ServiceIntent(ServiceRef(HOSTILE, HOSTILE), (VIP,), vip_host=HOSTILE + "2"))],
        [LeaseSeen(0, VIP, HOSTILE + "3", None, HOSTILE, 1, 0)],
        announce("A", until=30),
        announce("B", from_=31, until=90),
        announce("A", from_=92, until=120),
        announce("X", from_=99, until=120),
    )
    status = replace(
        STATUS,
        observer=HOSTILE,
        captures=[CaptureStatus(HOSTILE, False, 1, 1, 1, None, {})],
        kubernetes=KubernetesStatus(False, {HOSTILE: 0}, {}),
    )
    return moment(
        inputs,
        until=120,
        status=status,
        healthy=(False, HOSTILE),
        ready=(False, HOSTILE),
        core=new_core(observer=HOSTILE),
    )


MOMENTS = {
    "held": moment(),
    "contested": moment(interleave(AB, HOST, announce("A", until=30), announce("X", until=30, from_=1)), until=30),
    "silent": moment(AB, until=30),
    "disagree": moment(interleave(AB, service(0, "node-b"), lease(0, "node-b"), announce("A", until=60)), until=60),
    "blind": moment(status=deaf("eth0", kubernetes=False)),
    "three": moment(HELD, watch=[VIP, NEW_VIP, VIP6]),
    "many": moment(ALL_HELD, until=30, watch=MANY),
    "none": moment([], until=1, watch=()),
    "hostile": hostile(),
}
QUERIES = [(), (VIP,), (VIP, ip_address('fe80::1%"><script>'))]
PAGES = [
    pytest.param(Page(lambda seen=seen: seen), query, id=f"{name}-{len(query)}")
    for name, seen in MOMENTS.items()
    for query in QUERIES
]


@pytest.mark.parametrize(("page", "query"), PAGES)
def test_the_document_is_well_formed_and_its_ids_are_unique(page, query) -> None:
    reading = Reading(page.document(query))
    assert len(reading.ids) == len(set(reading.ids))
    referred = {
        one
        for _, attributes in reading.elements
        for name in ("aria-labelledby", "aria-describedby", "for")
        for one in (attributes.get(name) or "").split()
    }
    assert referred - set(reading.ids) == set()
    inner = {a["href"][1:] for tag, a in reading.elements if tag == "a" and (a["href"] or "").startswith("#")}
    assert inner - set(reading.ids) == set()


@pytest.mark.parametrize(("page", "query"), PAGES)
def test_nothing_in_it_needs_more_than_its_policy_allows(page, query) -> None:
    document = page.document(query)
    elements = Reading(document).elements
    attributes = {name for _, given in elements for name in given}
    assert "style" not in attributes
    assert {name for name in attributes if name.startswith("on")} == set()
    assert [tag for tag, _ in elements].count("script") == 1
    assert [tag for tag, _ in elements].count("style") == 1
    assert {given["src"] for _, given in elements if "src" in given} == set()
    links = {given["href"] or "" for tag, given in elements if tag == "a"}
    assert all(link.startswith(("/", "#")) for link in links)


@pytest.mark.parametrize(("page", "query"), PAGES)
def test_the_parts_are_those_of_the_document(page, query) -> None:
    document, parts = page.document(query), page.parts(query)
    assert all(html in document for html in parts.elements.values())
    for name, html in parts.elements.items():
        tag, attributes = Reading(html).elements[0]
        assert attributes["id"] == name
        assert html.startswith(f"<{tag}")
        # None lies within another.
        assert set(Reading(html).ids) & set(parts.elements) == {name}
    for container, names in parts.lists.items():
        assert f'id="{container}">{"".join(parts.elements[name] for name in names)}</' in document


def test_the_h1_comes_first_and_no_level_is_left_out() -> None:
    for seen in MOMENTS.values():
        elements = Reading(Page(lambda seen=seen: seen).document()).elements
        levels = [int(tag[1]) for tag, _ in elements if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_text_from_outside_is_text() -> None:
    reading = Reading(Page(hostile).document())
    assert "img" not in {tag for tag, _ in reading.elements}
    # Each place that shows it shows it as it is, in words; and no template takes it for its own.
    assert reading.text.count(" ".join(HOSTILE.split())) >= 15


def test_words_without_scripts() -> None:
    """Everything is there before a script runs; the page then asks for itself anew."""
    document = Page(moment).document()
    text = Reading(document).text
    for words in (
        "192.0.2.10 is held by node-a",
        "Agreed by wire, annotation, local",
        "at least since 2026-11-23 07:13:20 UTC",
        "bound on eth0 of node-a",
        "heard for the first time: node-a (02:00:00:00:00:41) announces it",
        "LoadBalancer Service met",
        "1,234",
    ):
        assert words in text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in document


def test_a_quiet_vip_is_not_sent_again_as_time_goes_by() -> None:
    quiet = interleave(AB, HOST, announce("A", until=120))
    before, after = (Page(lambda until=until: moment(quiet, until=until)).parts() for until in (121, 124))
    assert before.at != after.at
    told = difference(before, after)
    assert (told["elements"], told["lists"]) == ({}, {})


def test_a_change_is_sent_with_what_it_concerns_and_nothing_else() -> None:
    few = [VIP, NEW_VIP]
    well = interleave(*(announce("A", until=120, vip=address) for address in few))
    worse = interleave(well, announce("B", from_=90, until=120))
    before, after = (Page(lambda of=of: moment(of, until=120, watch=few)).parts() for of in (well, worse))
    told = difference(before, after)
    assert {"title", "icon", "summary", "vip-192-0-2-10"} <= set(told["elements"])
    assert "vip-192-0-2-20" not in told["elements"]
    assert "health" not in told["elements"]


def test_what_is_read_out_is_state_and_holder() -> None:
    (says,) = (given["data-says"] for _, given in Reading(Page(moment).document()).elements if "data-says" in given)
    assert says == "192.0.2.10 is held by node-a"


def test_the_table_is_there_when_it_is_needed() -> None:
    parts = Page(lambda: MOMENTS["many"]).parts()
    assert parts.lists["cards"] == ()
    assert len(parts.lists["rows"]) == len(MANY)
    assert Reading(parts.elements["count-held"]).text == "12"
    assert Page(lambda: MOMENTS["many"]).parts((MANY[0],)).lists["rows"] == ()
