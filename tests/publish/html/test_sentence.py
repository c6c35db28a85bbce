"""Every event in plain words, with all that is known and with as little as may be."""

from __future__ import annotations

import pytest

from exporter.publish.html.sentence import decided, sentence
from exporter.vip.model import EventName

MAC_1, MAC_2 = "02:00:00:00:00:11", "02:00:00:00:00:12"

WORDS = [
    ("vip_seen", {"holder": "node-1", "mac": MAC_1}, f"heard for the first time: node-1 ({MAC_1}) announces it"),
    ("vip_seen", {"holder": "", "mac": MAC_1}, f"heard for the first time: {MAC_1} announces it"),
    (
        "vip_moved",
        {"from": "node-1", "to": "node-2", "source": "wire", "handover_seconds": 1.3},
        "moved from node-1 to node-2 after 1.3 s without an announcement",
    ),
    (
        "vip_moved",
        {"from": "", "from_mac": MAC_1, "to": "", "to_mac": MAC_2, "source": "wire", "handover_seconds": 0.0},
        f"moved from {MAC_1} to {MAC_2}, which spoke before the other had stopped",
    ),
    ("vip_moved", {"from": "node-1", "to": "node-2", "source": "wire"}, "moved from node-1 to node-2"),
    (
        "vip_moved",
        {"from": "node-1", "to": "node-2", "source": "lease"},
        "moved from node-1 to node-2, as the lease says",
    ),
    (
        "mac_changed",
        {"from": "node-1", "to": "node-1", "from_mac": MAC_1, "to_mac": MAC_2},
        f"node-1 goes on with another MAC: {MAC_2} instead of {MAC_1}",
    ),
    (
        "claim_withdrawn",
        {"mac": MAC_2, "claimant": "", "frames": 1},
        f"a stray announcement of {MAC_2} was withdrawn after 1 frame",
    ),
    (
        "claim_withdrawn",
        {"mac": MAC_2, "claimant": "node-2", "frames": 3},
        f"the claim of node-2 ({MAC_2}) was withdrawn after 3 frames",
    ),
    (
        "contest_started",
        {"from": "node-1", "to": "node-2", "from_mac": MAC_1, "to_mac": MAC_2},
        f"contested: node-2 ({MAC_2}) announces it beside node-1",
    ),
    ("contest_ended", {"from": "node-1", "to": "node-1"}, "contested no more: node-1 is left, as before"),
    (
        "contest_ended",
        {"from": "node-1", "to": "node-2"},
        "contested no more: node-2 is left, node-1 had it before",
    ),
    ("vip_silent", {"holder": "node-1", "mac": MAC_1}, "silent: nobody announces it, node-1 held it last"),
    (
        "vip_silent",
        {"holder": "node-1", "mac": ""},
        "silent: nobody announces it; node-1 is named as its holder",
    ),
    ("vip_silent", {"holder": "", "mac": ""}, "silent: nobody announces it"),
    (
        "vip_returned",
        {"holder": "node-1", "silence_seconds": 250.0},
        "node-1 announces it again after 4 m 10 s of silence",
    ),
    (
        "mismatch_started",
        {"check": "host", "annotation": "node-1", "wire": "node-2"},
        "mismatch host began: the annotation names node-1, node-2 announces it",
    ),
    (
        "mismatch_started",
        {"check": "mac", "mac": MAC_1, "hwaddr": MAC_2},
        f"mismatch mac began: {MAC_1} announces it, not {MAC_2}",
    ),
    (
        "mismatch_started",
        {"check": "mac", "mac": MAC_1, "hwaddr": ""},
        f"mismatch mac began: {MAC_1} announces it, which is no MAC of the node that the annotation names",
    ),
    (
        "mismatch_started",
        {"check": "lease", "lease": "node-1", "annotation": "node-2"},
        "mismatch lease began: the lease names node-1, the annotation node-2",
    ),
    (
        "mismatch_started",
        {"check": "address", "announced": "192.0.2.9"},
        "mismatch address began: 192.0.2.9 is still announced",
    ),
    (
        "mismatch_started",
        {"check": "bound", "bound_on": "node-1", "holder": "node-2"},
        "mismatch bound began: bound on node-1, held by node-2",
    ),
    ("mismatch_ended", {"check": "host"}, "mismatch host ended"),
    ("probe_seen", {"mac": MAC_1, "class": "foreign"}, f"{MAC_1} asked whether the address is free"),
    ("capture_lost", {"device": "eth0", "reason": "is down"}, "nothing can be heard on eth0: is down"),
    ("capture_restored", {"device": "eth0"}, "eth0 can be heard again"),
    ("of_another_version", {}, "of_another_version"),
]


@pytest.mark.parametrize(("event", "fields", "words"), WORDS)
def test_words(event, fields, words) -> None:
    assert sentence({"event": event, "time": "2026-11-23T10:00:00.000000Z", "vip": "192.0.2.100"} | fields) == words


def test_every_event_has_words() -> None:
    assert {event for event, _, _ in WORDS} >= set(EventName)


@pytest.mark.parametrize("event", EventName)
def test_an_event_without_any_field_still_reads_as_a_sentence(event) -> None:
    words = sentence({"event": event})
    assert words
    assert "None" not in words
    assert "  " not in words


@pytest.mark.parametrize(
    ("event", "since", "words"),
    [
        ("vip_moved", "2026-11-23T09:59:39.000000Z", ", decided 21.0 s later"),
        ("vip_moved", "2026-11-23T09:59:59.500000Z", ""),
        ("vip_moved", "2026-11-23T10:00:09.000000Z", ""),
        ("vip_moved", "yesterday", ""),
        ("mismatch_started", "2026-11-23T09:59:39.000000Z", ""),
    ],
)
def test_how_much_later_a_move_was_decided(event, since, words) -> None:
    assert decided({"event": event, "time": "2026-11-23T10:00:00.000000Z", "since": since}) == words
