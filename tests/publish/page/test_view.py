"""What the page says: state, holder, verdict and sources of each situation, in words."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from exporter.publish.html.words import element_id, listed
from exporter.publish.page.card import Card, Unwatched
from exporter.publish.page.view import MOST_CARDS, view
from exporter.vip.model import Kind, Mode, ServiceIntent, ServiceRef, ServiceSeen, Sighting, seconds
from tests.publish.page.moments import AB, HELD, HOST, STATUS, deaf, moment
from tests.vip.situations import (
    NEW_VIP,
    VIP,
    VIP6,
    announce,
    bound,
    capture,
    frames,
    interleave,
    lease,
    mac_of,
    service,
)

CONTEST = interleave(AB, HOST, lease(0, "node-a"), announce("A", until=30), announce("B", until=30, from_=1))


def shown(inputs, until, **kwargs) -> Card:
    (card,) = view(moment(inputs, until=until, **kwargs)).cards
    assert isinstance(card, Card)
    return card


SITUATIONS = [
    (
        "held, and every source agrees",
        HELD,
        12,
        {
            "state": "held",
            "tone": "calm",
            "holder": "node-a",
            "note": "",
            "verdict": "Agreed by wire, annotation, local",
            "since_words": "at least since",
            "marks": {"wire": "agrees", "lease": "", "annotation": "agrees", "local": "agrees"},
            "title": "✓ node-a holds 192.0.2.10 – vip-exporter",
            "summary": "192.0.2.10 is held by node-a",
        },
    ),
    (
        "moving",
        interleave(AB, announce("A", until=12), frames("B", 11)),
        12,
        {
            "state": "moving",
            "tone": "warn",
            "holder": "node-a",
            "note": "until now; whether it moves is being decided",
            "verdict": "MOVING: another has begun to announce it; look again in a moment",
            "title": "→ moving 192.0.2.10 – vip-exporter",
        },
    ),
    (
        "moved: since when is known",
        interleave(AB, announce("A", until=12), announce("B", from_=14, until=60)),
        60,
        {"state": "held", "holder": "node-b", "since_words": "since", "move": "node-a → node-b"},
    ),
    (
        "contested: all who announce it are named, and what the lease says",
        CONTEST,
        30,
        {
            "state": "contested",
            "tone": "bad",
            "holder": "node-a against node-b",
            "note": "the lease names node-a",
            "verdict": "CONTESTED: several announce it: 2 claimants",
            "since_words": "contested since",
            "marks": {"wire": "", "lease": "names", "annotation": "", "local": ""},
            "title": "✗ contested 192.0.2.10 – vip-exporter",
            "summary": "192.0.2.10 is contested",
        },
    ),
    (
        "silent, with a holder by lease",
        interleave(AB, lease(0, "node-b"), announce("B", until=12)),
        40,
        {
            "state": "silent",
            "tone": "bad",
            "holder": "node-b",
            "note": "by lease; nobody announces it",
            "verdict": "SILENT: nobody announces it",
            "since_words": "silent since",
            "title": "○ silent 192.0.2.10 – vip-exporter",
        },
    ),
    (
        "held, but the sources disagree",
        interleave(AB, lease(0, "node-a"), announce("B", until=12)),
        12,
        {
            "state": "held",
            "tone": "warn",
            "holder": "node-b",
            "verdict": "THE SOURCES DISAGREE",
            "marks": {"wire": "agrees", "lease": "differs", "annotation": "", "local": ""},
            "title": "! 192.0.2.10 needs a look – vip-exporter",
            "summary": "192.0.2.10 is held by node-b, but the sources disagree",
        },
    ),
    (
        "a stranger's MAC beside a lease",
        interleave(AB, lease(0, "node-a"), announce("X", until=12)),
        12,
        {"tone": "warn", "holder": "node-a", "note": "by lease", "marks": {"wire": "differs", "lease": "agrees"}},
    ),
    (
        "a MAC that is no node's, and nobody else is named",
        interleave(AB, announce("X", until=12)),
        12,
        {
            "state": "held",
            "tone": "warn",
            "holder": "02:00:00:00:00:58",
            "title": "! 192.0.2.10 needs a look – vip-exporter",
            "summary": "192.0.2.10 is held by 02:00:00:00:00:58, but it is announced from a MAC that is no node's",
        },
    ),
    (
        "only a MAC is known",
        announce("X", until=12),
        12,
        {
            "state": "held",
            "holder": "02:00:00:00:00:58",
            "note": "node not known",
            "verdict": "Agreed, by one source alone: wire",
            "title": "✓ 02:00:00:00:00:58 holds 192.0.2.10 – vip-exporter",
        },
    ),
    (
        "every node has the MAC (DHCP)",
        interleave(
            AB,
            service(0, "node-b", mode=Mode.DHCP, hwaddr="M", announces_hwaddr=True),
            lease(0, "node-b"),
            announce("M", until=12),
        ),
        12,
        {"state": "held", "holder": "node-b", "note": "by lease", "mode": "dhcp", "tone": "calm"},
    ),
    (
        "nothing is known",
        [],
        1,
        {
            "state": "unknown",
            "tone": "dim",
            "holder": "",
            "verdict": "UNKNOWN: nothing that can be seen from here tells who holds it",
            "summary": "The state of 192.0.2.10 is unknown",
            "title": "? unknown 192.0.2.10 – vip-exporter",
        },
    ),
    (
        "nothing is heard, but the lease names one",
        lease(0, "node-a"),
        1,
        {"state": "unknown", "tone": "dim", "holder": "node-a", "note": "by lease; nothing is heard on the wire"},
    ),
]


@pytest.mark.parametrize(
    ("inputs", "until", "says"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS]
)
def test_a_situation(inputs, until, says) -> None:
    seen = view(moment(inputs, until=until))
    (card,) = seen.cards
    marks = {source.name: source.mark for source in card.sources}
    actual = {
        **{
            name: str(getattr(card, name))
            for name in ("state", "tone", "note", "verdict", "since_words", "move", "mode")
        },
        "holder": " against ".join(name.text for name in card.holders),
        "marks": {name: mark for name, mark in marks.items() if name in says.get("marks", ())},
        "title": seen.summary.title,
        "summary": seen.summary.words,
    }
    assert {name: actual[name] for name in says} == says


DETAILS = [
    ("wire", "announced", 12, HELD),
    ("wire", "no announcement heard yet", 12, AB),
    ("wire", "2 claimants, announced", 30, CONTEST),
    ("wire", "which is NO NODE'S, announced", 12, interleave(AB, lease(0, "node-a"), announce("X", until=12))),
    ("wire", "whose node is not known, announced", 12, announce("X", until=12)),
    ("wire", "last announced", 30, interleave(AB, announce("A", until=1))),
    ("lease", "no Lease found", 12, HELD),
    ("lease", "renewed", 12, interleave(lease(0, "node-a"), HELD)),
    ("lease", "EXPIRED; it named node-a", 12, interleave(lease(0, "node-a", expires=5), HELD)),
    ("lease", "changing hands", 12, interleave(lease(0, ""), HELD)),
    ("annotation", "kube-vip.io/vipHost", 12, HELD),
    ("annotation", "names nobody", 12, interleave(AB, service(0))),
    ("annotation", "no Service that is watched has this address", 12, AB),
    ("annotation", "not believed while the Lease has expired", 12, interleave(lease(0, "node-a", expires=5), HELD)),
    ("local", "bound on eth0, eth1 of node-a", 12, interleave(HOST, bound(0, "eth0", "eth1"))),
    ("local", "not bound on node-a", 12, HOST),
    ("local", "not available", 12, AB),
]


@pytest.mark.parametrize(("source", "detail", "until", "inputs"), DETAILS)
def test_how_a_source_knows(source, detail, until, inputs) -> None:
    card = shown(inputs, until)
    assert {one.name: one.detail for one in card.sources}[source] == detail


def test_without_kubernetes_nobody_expects_a_service() -> None:
    card = shown(announce("A", until=12), 12, status=replace(STATUS, kubernetes=None))
    assert {one.name: one.detail for one in card.sources}["lease"] == "Kubernetes is not watched"
    assert "LoadBalancer Service" not in {check.name for check in card.checks}


def test_claimants_are_told_apart_in_words() -> None:
    card = shown(interleave(AB, announce("A", until=30), announce("X", until=30, from_=1)), 30)
    assert [(one.mac[-2:], one.node, one.whose, one.odd) for one in card.claimants] == [
        ("41", "node-a", "a node's", False),
        ("58", "", "no node's", True),
    ]


def test_of_many_contenders_the_first_are_named_in_large_type() -> None:
    inputs = interleave(*(announce(letter, until=30, from_=number) for number, letter in enumerate("ABCDE")))
    card = shown(inputs, 30)
    assert len(card.holders) == 3
    assert card.note == "and 2 more; no other source names a holder"
    assert len(card.claimants) == 5


def test_a_failed_requirement_has_a_remedy_and_a_met_one_none() -> None:
    card = shown(interleave(AB, service(0, "node-a", load_balancer=False), announce("A", until=12)), 12)
    assert card.tone == "warn"
    remedies = {check.name: (check.glyph, check.word, bool(check.remedy)) for check in card.checks}
    assert remedies["LoadBalancer Service"] == ("✗", "FAILED", True)
    assert remedies["One holder"] == ("✓", "met", False)


def test_a_mismatch_has_its_meaning_and_since_when() -> None:
    card = shown(interleave(AB, service(0, "node-b"), announce("A", until=60)), 60)
    assert next((one.check, one.words, one.since.clock) for one in card.mismatches) == (
        "host",
        "the annotation names another node than the wire",
        "07:13:20",
    )


def test_the_past_is_told_newest_first_and_as_a_time_line() -> None:
    card = shown(interleave(AB, announce("A", until=30), announce("B", from_=32, until=90), capture(85, False)), 90)
    assert [(event.when.clock, event.words) for event in card.events] == [
        ("07:14:45", "nothing can be heard on eth0"),
        ("07:13:52", "moved from node-a to node-b after 2.0 s without an announcement, decided 5.0 s later"),
        ("07:13:20", "heard for the first time: node-a (02:00:00:00:00:41) announces it"),
    ]
    assert card.moved == card.events[1].when
    assert "held by node-a for 32.0 s, then moving for 5.0 s, then held by node-b for 48.0 s" in card.line.label
    assert [tick.kind for tick in card.line.strip.ticks] == ["move"]


def test_what_happened_before_a_move_was_decided_stands_where_it_happened() -> None:
    """B's first frame comes before the probe, and that it has moved is known after it."""
    probe = Sighting(seconds(34), VIP, Kind.PROBE, mac_of("X"))
    inputs = interleave(AB, announce("A", until=30), announce("B", from_=32, until=60), [probe])
    events = shown(inputs, 60).events
    assert [event.words.split()[0] for event in events] == ["02:00:00:00:00:58", "moved", "heard"]
    assert [event.when.clock for event in events] == ["07:13:54", "07:13:52", "07:13:20"]


def test_while_it_is_contested_nobody_agrees_but_a_source_may_differ_from_the_stronger_one() -> None:
    inputs = interleave(CONTEST, service(0, "node-b"))
    marks = {source.name: source.mark for source in shown(inputs, 30).sources}
    assert marks == {"wire": "", "lease": "names", "annotation": "differs", "local": ""}


# --- the summary and many VIPs ----------------------------------------------------------------------------------------

MANY = [ip_address(f"10.0.0.{number}") for number in range(1, MOST_CARDS + 3)]


def announced(*addresses, until: float = 30, who: str = "A"):
    return interleave(*(announce(who, until=until, vip=address) for address in addresses))


def summary(inputs, *, watch, until: float = 30):
    return view(moment(inputs, until=until, watch=watch)).summary


def test_all_is_well() -> None:
    assert summary(announced(VIP, NEW_VIP), watch=[VIP, NEW_VIP]).words == "Both VIPs are held"
    found = summary(announced(*MANY), watch=MANY)
    assert (found.words, found.title, found.trouble) == ("All 10 VIPs are held", "✓ 10 VIPs held – vip-exporter", ())


def test_the_worst_comes_first_and_is_counted() -> None:
    inputs = interleave(
        announced(*MANY[:7]),
        announced(MANY[7], until=3),
        announced(MANY[9]),
        announced(MANY[9], who="B"),
    )
    found = summary(inputs, watch=MANY)
    assert found.words == "1 of 10 is contested, 2 silent"
    assert found.title == "✗ 1 contested, 2 silent – vip-exporter"
    assert [link.words for link in found.trouble] == ["10.0.0.10", "10.0.0.8", "10.0.0.9"]
    assert found.trouble[0].href == "/?vip=10.0.0.10"
    assert found.tone == "bad"


def test_held_but_wrong_is_not_called_well() -> None:
    inputs = interleave(AB, announced(VIP, NEW_VIP), lease(0, "node-b"))
    found = summary(inputs, watch=[VIP, NEW_VIP])
    assert (found.words, found.tone, found.glyph) == ("Both VIPs are held, but 1 needs a look", "warn", "!")
    assert [(link.words, link.href) for link in found.trouble] == [("192.0.2.10", "#vip-192-0-2-10")]


def test_many_are_rows_the_troubled_first_then_by_address() -> None:
    inputs = interleave(AB, announced(*MANY[:-1]), announced(MANY[-1], until=3), lease(0, "node-b", vip=MANY[4]))
    seen = view(moment(inputs, until=30, watch=MANY))
    assert seen.cards == ()
    assert [row.address for row in seen.rows] == [
        "10.0.0.10", "10.0.0.5", *(str(one) for one in MANY[:-1] if one != MANY[4]),
    ]  # fmt: skip
    assert [(row.state, row.holder, row.wrong) for row in seen.rows[:3]] == [
        ("silent", "", "nobody announces it"),
        ("held", "node-a", "the sources disagree"),
        ("held", "node-a", ""),
    ]


def test_few_stay_in_the_order_of_addresses_but_for_the_alarming() -> None:
    inputs = interleave(announced(NEW_VIP, VIP6), announced(VIP, until=30), announced(VIP6, who="B"))
    seen = view(moment(inputs, until=30, watch=[VIP, NEW_VIP, VIP6]))
    assert [card.address for card in seen.cards] == ["2001:db8::10", "192.0.2.10", "192.0.2.20"]


def test_who_asks_for_some_gets_cards_of_them_and_a_word_on_what_is_not_watched() -> None:
    seen = view(moment(announced(*MANY), until=30, watch=MANY), [MANY[2], ip_address("192.0.2.99")])
    assert [(type(card), card.address) for card in seen.cards] == [(Unwatched, "192.0.2.99"), (Card, "10.0.0.3")]
    assert seen.rows == ()
    assert seen.narrowed == "1 of 10 watched VIPs are shown."


def test_no_vip_at_all() -> None:
    seen = view(moment([], until=1, watch=()))
    assert seen.summary.words == "No virtual IP is watched yet"
    assert (seen.cards, seen.rows) == ((), ())


# --- the exporter itself ----------------------------------------------------------------------------------------------


def warned(**kwargs) -> tuple[str, ...]:
    return view(moment(**kwargs)).warnings


def test_what_it_cannot_hear_is_said_first() -> None:
    assert warned() == ()
    assert warned(status=deaf("eth0")) == ("This exporter hears nothing on eth0: what the wire says is not known",)
    assert warned(status=deaf("eth1")) == ("This exporter hears nothing on eth1: what is announced there is not known",)
    assert warned(status=deaf(kubernetes=False)) == (
        "Kubernetes does not answer: what Leases and annotations say is as it was before",
    )
    assert warned(healthy=(False, "stuck"), ready=(False, "stuck")) == ("This exporter is not healthy: stuck",)
    assert warned(ready=(False, "starting")) == ("This exporter is not ready: starting",)


def test_its_own_health() -> None:
    bad = replace(STATUS, state_file_up=False, config_reloaded=False)
    items = {item.name: (item.is_well, item.words) for item in view(moment(status=bad)).health.items}
    assert items == {
        "Healthy": (True, "yes"),
        "Ready": (True, "yes"),
        "Kubernetes": (True, "answers"),
        "State file": (False, "cannot be written; the log says why"),
        "Configuration": (False, "the last reload was refused, the log says why; in force since"),
    }


# --- small words ------------------------------------------------------------------------------------------------------


def test_ids_are_safe_and_differ() -> None:
    addresses = [VIP, VIP6, ip_address("::1"), ip_address("2001:db8:1::"), ip_address("fe80::1%<b>")]
    ids = [element_id(address) for address in addresses]
    assert ids[:2] == ["vip-192-0-2-10", "vip-2001-db8--10"]
    assert len(set(ids)) == len(ids)
    assert all(one.replace("-", "").isalnum() for one in ids)


@pytest.mark.parametrize(
    ("words", "text"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_enumerations(words, text) -> None:
    assert listed(words) == text


def test_a_row_does_not_change_by_announcements_alone() -> None:
    def rows(until: int):
        inputs = [
            ServiceSeen(0, ServiceIntent(ServiceRef("a", "b"), tuple(MANY))),
            *(
                Sighting(seconds(at), address, Kind.REQUEST, mac_of("A"))
                for at in range(0, until, 3)
                for address in MANY
            ),
        ]
        return view(moment(inputs, until=until, watch=())).rows

    assert len(rows(30)) == len(MANY)
    assert rows(30) == rows(300)


def test_what_all_have_in_common_is_said_of_all() -> None:
    assert summary([], watch=[VIP, NEW_VIP], until=1).words == "Both VIPs are unknown"
    assert summary([], watch=MANY, until=20).words == "All 10 VIPs are silent"
