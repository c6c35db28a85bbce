"""The stand-in for kube-vip: byte for byte what kube-vip sends, and what else it leaves behind."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice

import pytest

from exporter.lab.kubeapi import KubeAPI
from exporter.lab.kubevip import KubeVip, Spoofer, rounds
from exporter.lab.network import DEVICE, Network, inside
from exporter.vip.model import ServiceRef, parse_mac

VIP = IPv4Address("192.0.2.100")
SERVICE = ServiceRef("kube-system", "ingress-expose")
PERIOD = 0.1

# Destination, source, EtherType, htype, ptype, hlen, plen, op, sha, spa, tha, tpa.
REPLY = bytes.fromhex("ffffffffffff 020000000011 0806 0001 0800 06 04 0002 020000000011 c0000264 020000000011 c0000264")
REQUEST = bytes.fromhex(
    "ffffffffffff 020000000011 0806 0001 0800 06 04 0001 020000000011 c0000264 ffffffffffff c0000264"
)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network(prefix="vipx-kubevip") as network:
        yield network


@pytest.fixture
def api() -> KubeAPI:
    api = KubeAPI()
    api.apply("services", {"metadata": {"namespace": SERVICE.namespace, "name": SERVICE.name}})
    return api


@pytest.fixture
def nodes(network: Network, api: KubeAPI) -> Iterator[dict[str, KubeVip]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                KubeVip(host=network.hosts[name], vips=[VIP], period=PERIOD, api=api, service=SERVICE)
            )
            for name in ("node-1", "node-2")
        }


@pytest.fixture
def wire(network: Network) -> Iterator[socket.socket]:
    """What the observer hears of ARP."""

    def open_inside() -> socket.socket:
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        sniffer.bind((DEVICE, 0x0806))
        sniffer.settimeout(1)
        sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        return sniffer

    with inside(network.observer.namespace, open_inside) as sniffer:
        yield sniffer


def addresses(network: Network, name: str) -> set[str]:
    command = ["ip", "-netns", network.hosts[name].namespace, "-json", "address", "show", "dev", DEVICE]
    shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {f"{info['local']}/{info['prefixlen']}" for info in shown[0]["addr_info"] if info["family"] == "inet"}


def test_frames_are_those_of_kube_vip(nodes: dict[str, KubeVip], wire: socket.socket) -> None:
    """Reply and request in turn, the first at once, then one each period."""
    begun = time.monotonic()
    nodes["node-1"].take_over()
    heard, times = [], []
    for _ in range(6):
        heard.append(wire.recv(2048))
        times.append(time.monotonic() - begun)
    assert heard == [REPLY, REQUEST] * 3
    assert 5 * PERIOD <= times[-1] < 5 * PERIOD + 0.2


def test_take_over_binds_and_annotates(network: Network, nodes: dict[str, KubeVip], api: KubeAPI) -> None:
    nodes["node-1"].take_over()
    assert "192.0.2.100/32" in addresses(network, "node-1")
    assert annotations_of(api) == {"kube-vip.io/vipHost": "node-1"}
    nodes["node-1"].release()
    nodes["node-2"].take_over()
    assert "192.0.2.100/32" not in addresses(network, "node-1")
    assert annotations_of(api) == {"kube-vip.io/vipHost": "node-2"}
    nodes["node-2"].release()


def test_release_is_silent(nodes: dict[str, KubeVip], wire: socket.socket) -> None:
    """No frame says that a holder is gone."""
    nodes["node-1"].take_over()
    nodes["node-1"].release()
    sent = len(nodes["node-1"].sent)
    assert [wire.recv(2048) for _ in range(sent)]
    with pytest.raises(TimeoutError):
        wire.recv(2048)


def test_crash_leaves_the_address(network: Network, nodes: dict[str, KubeVip], api: KubeAPI) -> None:
    nodes["node-1"].take_over()
    nodes["node-1"].crash()
    assert "192.0.2.100/32" in addresses(network, "node-1")
    assert annotations_of(api) == {"kube-vip.io/vipHost": "node-1"}
    nodes["node-1"].release()


def test_split_brain_is_not_annotated(nodes: dict[str, KubeVip], api: KubeAPI, wire: socket.socket) -> None:
    nodes["node-1"].take_over()
    nodes["node-2"].split_brain()
    heard = {wire.recv(2048)[6:12].hex(":") for _ in range(6)}
    assert heard == {"02:00:00:00:00:11", "02:00:00:00:00:12"}
    assert annotations_of(api) == {"kube-vip.io/vipHost": "node-1"}
    for node in nodes.values():
        node.release()


def test_spoofer_never_repeats_a_mac(network: Network, wire: socket.socket) -> None:
    with Spoofer(host=network.hosts["node-3"], vip=VIP) as spoofer:
        spoofer.flood(2000)
        macs = [wire.recv(2048)[6:12] for _ in range(1000)]
    assert len(set(macs)) == 1000
    assert not any(mac[0] & 1 or mac.startswith(b"\x02\x00\x00") for mac in macs)


@pytest.mark.parametrize(
    ("vips", "shown"),
    [
        pytest.param(["192.0.2.100"], [["reply"], ["request"], ["reply"]], id="one alternates"),
        pytest.param(["192.0.2.100", "192.0.2.101"], [["reply", "request"]] * 3, id="two show one opcode each"),
        pytest.param(
            ["192.0.2.100", "2001:db8::100"], [["reply", "na"], ["request", "na"], ["reply", "na"]], id="IPv6 apart"
        ),
    ],
)
def test_the_opcode_alternates_for_the_whole_process(vips: list[str], shown: list[list[str]]) -> None:
    def kind(frame: bytes) -> str:
        return "na" if frame[12:14] == b"\x86\xdd" else {1: "request", 2: "reply"}[frame[21]]

    batches = islice(rounds([ip_address(vip) for vip in vips], parse_mac("02:00:00:00:00:11")), 3)
    assert [[kind(frame) for frame in batch] for batch in batches] == shown


def test_ipv6_frames_are_unsolicited_advertisements() -> None:
    """To all nodes, Override set, Solicited and Router not, with the MAC as target link-layer address."""
    vip = IPv6Address("2001:db8::100")
    (frame,) = next(rounds([vip], parse_mac("02:00:00:00:00:11")))
    assert frame[:14] == bytes.fromhex("333300000001 020000000011 86dd")
    assert frame[38:54] == IPv6Address("ff02::1").packed
    icmp = frame[54:]
    assert (icmp[0], icmp[4:8], icmp[8:24], icmp[24:]) == (
        136,
        bytes.fromhex("20000000"),
        vip.packed,
        bytes.fromhex("0201 020000000011"),
    )


def annotations_of(api: KubeAPI) -> dict[str, str]:
    found: dict[str, str] = api.annotate("services", SERVICE.namespace, SERVICE.name, {})["metadata"]["annotations"]
    return found
