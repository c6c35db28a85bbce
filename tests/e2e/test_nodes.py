"""An exporter on every node: what all of them must say of moves, of what a crash leaves behind, and of a new MAC."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from urllib.request import ProxyHandler, build_opener

import pytest

from exporter.lab.interfaces import change_mac
from exporter.lab.network import BRIDGE, DEVICE, NODES, mac_of
from exporter.vip.model import parse_mac
from tests.e2e.conftest import GRACE, SLACK
from tests.e2e.observers import (
    ALL,
    LEASE,
    PERIOD,
    SETTLE,
    VIP,
    LabObservers,
    Scrapes,
    agree,
    bound,
    bound_nodes,
    mismatches,
    more,
    observers,
    sources,
    totals,
    without_mismatch,
)


@pytest.fixture(scope="module")
def running() -> Iterator[LabObservers]:
    """node-1 has its address on a bridge."""
    with observers(bridged=["node-1"]) as running:
        yield running


def test_quiet(running: LabObservers) -> None:
    """All sources agree, on every observer; only the holder's own has the address; every node's MAC is known."""
    running.lab.nodes["node-1"].take_over()
    scrapes = running.eventually(lambda scrapes: agree(scrapes, "node-1"), within=2)
    assert {name: sources(scrape).get("local") for name, scrape in scrapes.items()} == {
        "node-1": "node-1",
        "node-2": None,
        "node-3": None,
        "observer": None,
    }
    assert bound_nodes(scrapes) == 1
    assert bound(scrapes["node-1"]) == {BRIDGE}

    def known(scrapes: Scrapes) -> bool:
        pairs = {(node, mac_of(node).hex(":")) for node in NODES}
        return all(
            pairs
            <= {
                (dict(labels)["holder"], dict(labels)["mac"])
                for name, labels in scrape.series
                if name == "vip_node_mac_info"
            }
            for scrape in scrapes.values()
        )

    scrapes = running.eventually(known, within=4)
    assert without_mismatch(scrapes)
    assert set(totals(scrapes, "vip_moves_total").values()) == {0}
    own = {dict(labels)["device"] for name, labels in scrapes["node-2"].series if name == "vip_node_mac_info"}
    assert DEVICE in own


def test_the_observer_is_reached_from_this_machine(running: LabObservers) -> None:
    """As by a browser during the demo."""
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"{running.lab.url}/-/ready", timeout=5) as answer:
        assert answer.read() == b"ok\n"


def test_clean_move(running: LabObservers) -> None:
    """One move for every observer, never a mismatch, and soon they agree by every source."""
    before = running.held_by("node-1")
    nodes = running.lab.nodes
    begun = ended = 0.0

    def move() -> None:
        nonlocal begun, ended
        nodes["node-1"].release()
        begun = time.monotonic()
        nodes["node-2"].take_over()
        ended = time.monotonic()

    moving = threading.Thread(target=move)
    moving.start()
    agreed: dict[str, float] = {}

    def watch(scrapes: Scrapes) -> bool:
        now = time.monotonic()
        for name, scrape in scrapes.items():
            if agree({name: scrape}, "node-2"):
                agreed.setdefault(name, now)
        return without_mismatch(scrapes)

    running.throughout(SETTLE + 2, watch)
    moving.join()
    after = running.scrape()
    delays = {name: round(at - ended, 3) for name, at in agreed.items()}
    print(f"take-over took {ended - begun:.3f} s; agreed after the last source's change, in s: {delays}")
    assert agreed.keys() == set(ALL)
    assert max(delays.values()) < 1 + SLACK
    assert agree(after, "node-2")
    assert bound_nodes(after) == 1
    assert more(before, after, "vip_moves_total") == {1}
    for name in ("vip_contests_total", "vip_withdrawn_claims_total", "vip_mac_changes_total"):
        assert more(before, after, name) == {0}
    for name in ALL:
        (event,) = running.events(name, "vip_moved")[-1:]
        assert (event["from"], event["to"]) == ("node-1", "node-2")


def test_crash_with_the_address_left_behind(running: LabObservers) -> None:
    """The VIP is bound on two nodes; the one that lost it says so itself, and nobody else has anything to say."""
    before = running.held_by("node-2")
    nodes = running.lab.nodes
    nodes["node-2"].crash()
    time.sleep(LEASE)
    nodes["node-3"].take_over()

    def stale(scrapes: Scrapes) -> bool:
        found = {name: mismatches(scrape) for name, scrape in scrapes.items() if mismatches(scrape)}
        return bound_nodes(scrapes) == 2 and found == {"node-2": {"bound"}}

    after = running.eventually(stale, within=SETTLE)
    assert {scrape.holder(VIP) for scrape in after.values()} == {"node-3"}
    assert sources(after["node-2"])["local"] == "node-2"
    assert more(before, after, "vip_moves_total") == {1}
    assert more(before, after, "vip_contests_total") == {0}
    running.throughout(1, stale)
    nodes["node-2"].unbind()
    running.eventually(lambda scrapes: agree(scrapes, "node-3") and without_mismatch(scrapes), within=1)
    assert running.events("node-2", "mismatch_ended")[-1]["check"] == "bound"


def test_bridge_with_a_new_mac(running: LabObservers) -> None:
    """As when a VM starts: the same holder with another MAC, and no move."""
    before = running.held_by("node-1")
    node = running.lab.nodes["node-1"]
    mac = parse_mac("02:00:00:00:00:01")
    change_mac(node.host, mac)

    def changed(scrapes: Scrapes) -> bool:
        return agree(scrapes, "node-1") and {scrape.mac(VIP) for scrape in scrapes.values()} == {mac.hex(":")}

    after = running.eventually(changed, within=GRACE + PERIOD)
    running.throughout(SETTLE, lambda scrapes: changed(scrapes) and without_mismatch(scrapes))
    assert more(before, after, "vip_mac_changes_total") == {1}
    assert more(before, after, "vip_moves_total") == {0}
    assert more(before, after, "vip_contests_total") == {0}
