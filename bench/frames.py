"""The frames that the measurements send."""

from __future__ import annotations

from ipaddress import IPv4Address

from bench.stage import VIPS
from exporter.vip.model import Kind, Mac
from exporter.wire import craft

NODE = Mac(bytes.fromhex("020000000011"))
OTHER_NODE = Mac(bytes.fromhex("020000000012"))

OTHERS = tuple(
    craft.ordinary_request(IPv4Address("198.51.100.0") + number, NODE, IPv4Address("198.51.100.1"))
    for number in range(2, 255)
)
"""ARP about addresses that nobody watches."""

CONTESTED = tuple(
    craft.announcement(VIPS[0], node, kind) for kind in (Kind.REPLY, Kind.REQUEST) for node in (NODE, OTHER_NODE)
)
"""Announcements of one VIP by two nodes in turn: what costs an exporter most."""
