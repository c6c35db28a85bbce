"""The nodes' talk: everybody on the segment hears who has which address."""

from __future__ import annotations

import socket
import time
from ipaddress import IPv4Address

from exporter.lab.chatter import Chatter
from exporter.lab.interfaces import change_mac
from exporter.lab.network import DEVICE, NODES, Network, inside
from exporter.vip.model import parse_mac


def hear(sniffer: socket.socket, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The addresses and MACs in broadcast ARP requests, until all of these are among them; at most ten seconds."""
    found: set[tuple[str, str]] = set()
    until = time.monotonic() + 10
    while not wanted <= found and time.monotonic() < until:
        try:
            frame = sniffer.recv(2048)
        except TimeoutError:
            continue
        if frame[:6] == b"\xff" * 6 and frame[21] == 1:
            found.add((str(IPv4Address(frame[28:32])), frame[22:28].hex(":")))
    return found


def test_nodes_ask_for_each_other_by_broadcast_with_the_mac_that_they_have() -> None:
    """Every two seconds or so; a bridged one with its bridge's."""
    with Network(prefix="vipx-chatter", bridged=["node-3"]) as network:
        hosts = [network.hosts[name] for name in NODES]

        def open_inside() -> socket.socket:
            sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
            sniffer.bind((DEVICE, 0x0806))
            sniffer.settimeout(0.2)
            return sniffer

        with Chatter(hosts), inside(network.observer.namespace, open_inside) as sniffer:
            first = {(str(host.address), host.mac.hex(":")) for host in hosts}
            assert hear(sniffer, first) == first
            for host in hosts[1:]:
                change_mac(host, parse_mac(f"02:00:00:00:01:{host.mac[5]:02x}"))
            then = {("192.0.2.12", "02:00:00:00:01:12"), ("192.0.2.13", "02:00:00:00:01:13")}
            assert hear(sniffer, then) - first == then
