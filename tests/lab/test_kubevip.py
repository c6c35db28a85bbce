"""The stand-in for kube-vip: byte for byte what kube-vip sends, and what else it leaves behind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice
from typing import Any

import pytest

from exporter.lab.cluster import HWADDR, LEASE, MACVLAN, SERVICE, Cluster, Version
from exporter.lab.interfaces import bound_on, change_address, change_mac, delete_macvlan, devices
from exporter.lab.kubeapi import KubeAPI
from exporter.lab.kubevip import KubeVip, rounds
from exporter.lab.network import DEVICE, NODES, Network, inside
from exporter.lab.spoofer import Spoofer
from exporter.vip.model import SECOND, parse_mac
from tests.lab.conftest import object_of

VIP = IPv4Address("192.0.2.100")
PERIOD = 0.1
MAC = parse_mac("02:00:00:00:00:11")

# Destination, source, EtherType, htype, ptype, hlen, plen, op, sha, spa, tha, tpa.
REPLY = bytes.fromhex("ffffffffffff 020000000011 0806 0001 0800 06 04 0002 020000000011 c0000264 020000000011 c0000264")
REQUEST = bytes.fromhex(
    "ffffffffffff 020000000011 0806 0001 0800 06 04 0001 020000000011 c0000264 ffffffffffff c0000264"
)
MACS = {"node-1": "02:00:00:00:00:11", "node-2": "02:00:00:00:00:12", "node-3": "02:00:00:00:00:13"}


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network(prefix="vipx-kubevip", bridged=["node-3"]) as network:
        yield network


@pytest.fixture(autouse=True)
def nothing_stays_bound(network: Network) -> Iterator[None]:
    yield
    for name in NODES:
        host = network.hosts[name]
        change_address(host, VIP, bound=False)
        delete_macvlan(host, MACVLAN)


@dataclass
class Stage:
    """Three nodes whose kube-vip has nothing to do yet."""

    network: Network
    api: KubeAPI
    cluster: Cluster
    nodes: dict[str, KubeVip]

    def bound(self, name: str) -> set[str]:
        return bound_on(self.network.hosts[name], VIP)

    @property
    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = object_of(self.api, "services", SERVICE)["metadata"]["annotations"]
        return {key.removeprefix("kube-vip.io/"): value for key, value in found.items()}

    @property
    def lease(self) -> dict[str, Any]:
        found: dict[str, Any] = object_of(self.api, "leases", LEASE)["spec"]
        return found


@pytest.fixture
def play(network: Network) -> Iterator[Callable[..., Stage]]:
    with ExitStack() as stack:

        def enter(**options: Any) -> Stage:
            api = KubeAPI()
            cluster = Cluster(api=api, vips=[VIP], lease_seconds=1, **options)
            cluster.create(network.hosts.values())
            nodes = {
                name: stack.enter_context(
                    KubeVip(host=network.hosts[name], cluster=cluster, period=PERIOD, renew=PERIOD)
                )
                for name in NODES
            }
            return Stage(network, api, cluster, nodes)

        yield enter


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


def source(frame: bytes) -> str:
    return frame[6:12].hex(":")


def test_frames_are_those_of_kube_vip(play: Callable[..., Stage], wire: socket.socket) -> None:
    """Reply and request in turn, the first at once, then one each period."""
    stage = play()
    node = stage.nodes["node-1"]
    node.take_over()
    assert len(node.sent) == 1
    assert [wire.recv(2048) for _ in range(6)] == [REPLY, REQUEST] * 3
    node.fall_silent()
    assert 5 * PERIOD - 0.01 <= (node.sent[5] - node.sent[0]) / SECOND < 5 * PERIOD + 1


def test_take_over_takes_the_lease_binds_and_annotates(play: Callable[..., Stage]) -> None:
    stage = play()
    stage.nodes["node-1"].take_over()
    assert stage.bound("node-1") == {DEVICE}
    assert stage.annotations == {"loadbalancerIPs": str(VIP), "vipHost": "node-1"}
    assert (stage.lease["holderIdentity"], stage.lease["leaseTransitions"]) == ("node-1", 0)
    stage.nodes["node-1"].release()
    stage.nodes["node-2"].take_over()
    assert (stage.bound("node-1"), stage.bound("node-2")) == (set(), {DEVICE})
    assert stage.annotations["vipHost"] == "node-2"
    assert (stage.lease["holderIdentity"], stage.lease["leaseTransitions"]) == ("node-2", 1)


def test_release_gives_the_lease_up_before_the_address(play: Callable[..., Stage], wire: socket.socket) -> None:
    """And no frame says that a holder is gone."""
    stage = play()
    node = stage.nodes["node-1"]
    node.take_over()
    release = threading.Thread(target=node.release)
    release.start()
    until = time.monotonic() + 2
    while stage.lease["holderIdentity"] and time.monotonic() < until:
        time.sleep(0.001)
    assert (stage.lease["holderIdentity"], stage.bound("node-1")) == ("", {DEVICE})
    release.join()
    assert stage.bound("node-1") == set()
    assert [wire.recv(2048) for _ in node.sent]
    with pytest.raises(TimeoutError):
        wire.recv(2048)


def test_crash_leaves_the_address_and_lets_the_lease_expire(play: Callable[..., Stage]) -> None:
    stage = play()
    node = stage.nodes["node-1"]
    node.take_over()
    time.sleep(2.5 * PERIOD)
    assert stage.lease["renewTime"] > stage.lease["acquireTime"]
    node.crash()
    before = stage.lease
    time.sleep(2 * PERIOD)
    assert (stage.lease, stage.bound("node-1"), node.announces) == (before, {DEVICE}, False)
    node.unbind()
    assert stage.bound("node-1") == set()


def test_falling_silent_leaves_all_else_as_it_is(play: Callable[..., Stage]) -> None:
    """The lease is still renewed: a dead data path, not a dead node."""
    stage = play()
    node = stage.nodes["node-1"]
    node.take_over()
    node.fall_silent()
    before = stage.lease["renewTime"]
    time.sleep(2 * PERIOD)
    assert stage.lease["renewTime"] > before
    assert (stage.bound("node-1"), node.announces) == ({DEVICE}, False)


def test_split_brain_is_known_to_nobody(play: Callable[..., Stage], wire: socket.socket) -> None:
    stage = play()
    stage.nodes["node-1"].take_over()
    stage.nodes["node-2"].split_brain()
    assert {source(wire.recv(2048)) for _ in range(6)} == {MACS["node-1"], MACS["node-2"]}
    assert (stage.annotations["vipHost"], stage.lease["holderIdentity"]) == ("node-1", "node-1")


def test_who_lost_the_lease_does_not_renew_it(play: Callable[..., Stage]) -> None:
    """Also when it goes on as if nothing had happened."""
    stage = play()
    stage.nodes["node-1"].take_over()
    stage.nodes["node-2"].take_over()
    time.sleep(2 * PERIOD)
    assert (stage.lease["holderIdentity"], stage.lease["leaseTransitions"]) == ("node-2", 1)
    assert stage.nodes["node-1"].announces


@pytest.mark.parametrize(
    ("version", "wire_first"),
    [pytest.param((0, 8, 1), True, id="up to 0.8"), pytest.param((0, 9, 2), False, id="from 0.9")],
)
def test_order_of_wire_and_annotation(
    play: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, version: Version, wire_first: bool
) -> None:
    """From 0.9 on the first frame comes with kube-vip's next round, up to a period after the annotation."""
    stage = play(version=version)
    annotated: list[int] = []
    annotate = stage.cluster.annotate

    def note(holder: str) -> None:
        annotate(holder)
        annotated.append(time.monotonic_ns())

    monkeypatch.setattr(stage.cluster, "annotate", note)
    node = stage.nodes["node-1"]
    node.take_over()
    until = time.monotonic() + 2
    while not node.sent and time.monotonic() < until:
        time.sleep(0.005)
    assert stage.annotations["vipHost"] == "node-1"
    assert (node.sent[0] < annotated[0]) is wire_first


class TestDHCP:
    def test_from_0_8_2_a_macvlan_holds_and_announces(self, play: Callable[..., Stage], wire: socket.socket) -> None:
        """With the same MAC on every node."""
        stage = play(dhcp=True, version=(0, 8, 2))
        for name in ("node-1", "node-2"):
            node = stage.nodes[name]
            node.take_over()
            assert {source(wire.recv(2048)) for _ in range(3)} == {HWADDR.hex(":")}
            assert devices(node.host)[MACVLAN] == HWADDR
            assert stage.bound(name) == {MACVLAN}
            assert stage.annotations == {
                "loadbalancerIPs": "0.0.0.0",
                "vipHost": name,
                "hwaddr": HWADDR.hex(":"),
                "requestedIP": str(VIP),
            }
            node.release()
            assert MACVLAN not in devices(node.host)

    def test_a_crash_leaves_the_macvlan(self, play: Callable[..., Stage]) -> None:
        stage = play(dhcp=True, version=(0, 9, 2))
        node = stage.nodes["node-1"]
        node.take_over()
        node.crash()
        assert stage.bound("node-1") == {MACVLAN}
        node.take_over()
        node.unbind()
        assert (MACVLAN in devices(node.host), node.announces) == (False, False)

    def test_up_to_0_8_1_the_node_announces(self, play: Callable[..., Stage], wire: socket.socket) -> None:
        """The macvlan asks for the address, and has none."""
        stage = play(dhcp=True, version=(0, 8, 1))
        node = stage.nodes["node-1"]
        node.take_over()
        assert source(wire.recv(2048)) == MACS["node-1"]
        assert stage.bound("node-1") == {DEVICE}
        assert devices(node.host)[MACVLAN] == HWADDR
        assert stage.annotations["hwaddr"] == HWADDR.hex(":")


@pytest.mark.parametrize("name", ["node-1", "node-3"])
def test_frames_follow_the_mac_of_the_interface(
    play: Callable[..., Stage], wire: socket.socket, network: Network, name: str
) -> None:
    """Of a bridge too (node-3), which begins with its port's."""
    stage = play()
    node = stage.nodes[name]
    node.take_over()
    assert source(wire.recv(2048)) == MACS[name]
    new = parse_mac("02:00:00:00:00:03")
    change_mac(node.host, new)
    try:
        heard = {source(wire.recv(2048)) for _ in range(4)}
    finally:
        change_mac(node.host, node.host.mac)
    assert new.hex(":") in heard
    assert heard <= {MACS[name], new.hex(":")}


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

    batches = islice(rounds([ip_address(vip) for vip in vips], lambda: MAC), 3)
    assert [[kind(frame) for frame in batch] for batch in batches] == shown


def test_ipv6_frames_are_unsolicited_advertisements() -> None:
    """To all nodes, Override set, Solicited and Router not, with the MAC as target link-layer address."""
    vip = IPv6Address("2001:db8::100")
    (frame,) = next(rounds([vip], lambda: MAC))
    assert frame[:14] == bytes.fromhex("333300000001 020000000011 86dd")
    assert frame[38:54] == IPv6Address("ff02::1").packed
    icmp = frame[54:]
    assert (icmp[0], icmp[4:8], icmp[8:24], icmp[24:]) == (
        136,
        bytes.fromhex("20000000"),
        vip.packed,
        bytes.fromhex("0201 020000000011"),
    )
