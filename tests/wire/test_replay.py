"""What a capture file teaches of nodes, and what the core makes of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from exporter.cluster.intent_file import read_intent_file
from exporter.publish.replayed import Replay
from exporter.replay import replay
from exporter.vip.model import SECOND, IPAddress
from exporter.vip.snapshot import VipSnapshot
from exporter.wire import craft
from tests.wire.frames import ASKER, NODE, NODE6, NODE_MAC, NODE_NS, NODE_REQUEST, OTHER, VIP, VIP6

START = 1_700_000_000 * SECOND

NODES = f"""
nodes:
  - {{name: node-1, addresses: [{NODE}, "{NODE6}"]}}
  - {{name: node-2, addresses: [{OTHER}]}}
"""

Run = Callable[..., Replay]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Replay frames that are a second apart, with an intent file."""

    def run(frames: Collection[bytes], intent: str = NODES, vips: Collection[IPAddress] = ()) -> Replay:
        (tmp_path / "intent.yaml").write_text(intent, encoding="utf-8")
        packets = ((START + number * SECOND, frame) for number, frame in enumerate(frames))
        craft.write_capture(tmp_path / "capture.pcap", packets)
        intent_file = read_intent_file(tmp_path / "intent.yaml")
        return replay(str(tmp_path / "capture.pcap"), vips=vips, intent=intent_file)

    return run


def only(result: Replay) -> VipSnapshot:
    (vip,) = result.snapshot.vips
    return vip


@pytest.mark.parametrize("vip", [VIP, VIP6])
@pytest.mark.parametrize("frame", [NODE_REQUEST, NODE_NS], ids=["ARP", "neighbour discovery"])
@pytest.mark.parametrize("at", [0, 1, 3], ids=["first", "in the middle", "last"])
@pytest.mark.parametrize("named", [True, False], ids=["with --vip", "without"])
def test_a_node_gives_itself_away(run: Run, vip: IPAddress, frame: bytes, at: int, named: bool) -> None:
    """One frame in which the node speaks for itself tells who the VIP's holder is, wherever it stands in the file."""
    frames = [craft.announcement(vip, NODE_MAC)] * 3
    frames.insert(at, frame)
    result = run(frames, vips=[vip] if named else [])
    assert (only(result).address, only(result).holder, result.ignored) == (vip, "node-1", {})


def test_a_nodes_own_announcement(run: Run) -> None:
    """Without --vip every announced address is shown; a node that announces its own thereby tells its MAC."""
    itself = craft.announcement(NODE, NODE_MAC)
    result = run([itself, craft.announcement(VIP, NODE_MAC), itself, craft.announcement(NODE6, NODE_MAC)])
    assert {vip.address: vip.holder for vip in result.snapshot.vips} == dict.fromkeys((VIP, NODE, NODE6), "node-1")


def test_a_mac_of_two_nodes_names_none(run: Run) -> None:
    """Where one MAC speaks for two nodes, it tells nobody's."""
    other = craft.ordinary_request(OTHER, NODE_MAC, VIP)
    result = run([NODE_REQUEST, other, craft.announcement(VIP, NODE_MAC)])
    assert only(result).holder == ""
    assert result.snapshot.shared_macs == {"02:00:00:00:00:21": ("node-1", "node-2")}


def test_a_nodes_address_that_becomes_a_vip(run: Run) -> None:
    """When a Service takes a node's address, what is said for it from then on is a sighting of a VIP."""
    intent = f"vips:\n  - {{address: {VIP}, timeline: [{{at: 1.5, addresses: [{NODE}]}}]}}\n{NODES}"
    announcement = craft.announcement(NODE, ASKER)
    result = run([craft.announcement(VIP, ASKER), announcement, NODE_NS, announcement, announcement], intent)
    vips = {vip.address: vip for vip in result.snapshot.vips}
    assert sum(vips[NODE].announcements.values()) == 3
    assert {mac.mac: mac.node for mac in result.snapshot.node_macs} == {
        "02:00:00:00:00:0b": "node-1",
        "02:00:00:00:00:21": "node-1",
    }
