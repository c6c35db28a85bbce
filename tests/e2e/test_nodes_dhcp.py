"""An exporter on every node, and VIPs by DHCP: the MAC on the wire tells of nobody, the other sources must."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.lab.cluster import HWADDR, MACVLAN
from exporter.lab.interfaces import change_address
from exporter.lab.network import DEVICE, mac_of
from tests.e2e.observers import (
    PERIOD,
    SETTLE,
    VIP,
    LabObservers,
    Scrapes,
    agree,
    bound,
    bound_nodes,
    holders,
    mismatches,
    more,
    observers,
    sources,
    without_mismatch,
)

NAMED_BY = ("lease", "annotation")
"""The sources that can name a node to every observer."""


@pytest.fixture(scope="module")
def running() -> Iterator[LabObservers]:
    with observers(dhcp=True, version=(0, 9, 2)) as running:
        yield running


def macs(scrapes: Scrapes) -> set[str]:
    return {scrape.mac(VIP) for scrape in scrapes.values()}


def test_quiet(running: LabObservers) -> None:
    """The wire knows a MAC and no node; its own observer recognises its frames, for they leave from there."""
    scrapes = running.held_by("node-1")
    assert macs(scrapes) == {HWADDR.hex(":")}
    assert {name: sources(scrape)["wire"] for name, scrape in scrapes.items()} == {
        "node-1": "node-1",
        "node-2": "",
        "node-3": "",
        "observer": "",
    }
    assert (bound_nodes(scrapes), bound(scrapes["node-1"])) == (1, {MACVLAN})
    running.throughout(SETTLE, without_mismatch)


def test_several_interfaces_of_one_node(running: LabObservers) -> None:
    """Macvlan and parent both carry the VIP: still one node."""
    before = running.held_by("node-1")
    host = running.lab.nodes["node-1"].host
    change_address(host, VIP, bound=True)
    try:
        scrapes = running.eventually(lambda scrapes: bound(scrapes["node-1"]) == {DEVICE, MACVLAN}, within=0)
        assert bound_nodes(scrapes) == 1
        after = running.throughout(PERIOD, without_mismatch)
    finally:
        change_address(host, VIP, bound=False)
    assert more(before, after, "vip_moves_total") == {0}
    running.eventually(lambda scrapes: bound(scrapes["node-1"]) == {MACVLAN}, within=0)


def test_clean_move(running: LabObservers) -> None:
    """Counted once, though no MAC changes; and nothing is a mismatch meanwhile."""
    before = running.held_by("node-1")
    running.lab.nodes["node-1"].release()
    running.lab.nodes["node-2"].take_over()
    running.throughout(SETTLE + 1, without_mismatch)
    after = running.scrape()
    assert agree(after, "node-2", named_by=NAMED_BY)
    assert macs(after) == {HWADDR.hex(":")}
    assert bound_nodes(after) == 1
    assert more(before, after, "vip_moves_total") == {1}
    assert more(before, after, "vip_contests_total") == {0}
    for source in NAMED_BY:
        grown = {
            scrape.total("vip_source_moves_total", source=source)
            - before[name].total("vip_source_moves_total", source=source)
            for name, scrape in after.items()
        }
        assert grown == {1}


def test_macvlan_left_on_the_node_that_lost_the_lease(running: LabObservers) -> None:
    """Both announce with one MAC: the wire shows nothing, the bound addresses do. The lease names the holder."""
    before = running.held_by("node-2")
    running.lab.nodes["node-3"].take_over()
    assert running.lab.nodes["node-2"].announces

    def doubled(scrapes: Scrapes) -> bool:
        found = {name: mismatches(scrape) for name, scrape in scrapes.items() if mismatches(scrape)}
        return bound_nodes(scrapes) == 2 and found == {"node-2": {"bound"}}

    after = running.eventually(doubled, within=SETTLE)
    assert {sources(scrape)["lease"] for scrape in after.values()} == {"node-3"}
    assert holders(after) == {"node-3"}
    assert macs(after) == {HWADDR.hex(":")}
    assert more(before, after, "vip_moves_total") == {1}
    assert more(before, after, "vip_contests_total") == {0}
    running.throughout(1, doubled)
    running.lab.nodes["node-2"].unbind()
    running.eventually(
        lambda scrapes: agree(scrapes, "node-3", named_by=NAMED_BY) and without_mismatch(scrapes), within=1
    )


def test_up_to_0_8_1_the_node_announces_with_its_own_mac(running: LabObservers) -> None:
    """The annotation hwaddr is there and never on the wire: that is right for this version."""
    for node in running.lab.nodes.values():
        node.release()
    running.lab.cluster.set_version((0, 8, 1))
    scrapes = running.held_by("node-1")
    assert macs(scrapes) == {mac_of("node-1").hex(":")}
    assert bound(scrapes["node-1"]) == {DEVICE}
    running.throughout(SETTLE + 1, without_mismatch)
