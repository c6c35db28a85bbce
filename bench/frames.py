"""The frames that the measurements send."""

from __future__ import annotations

from ipaddress import IPv4Address

from bench.stage import VIPS
from exporter.vip.model import Kind, Mac
from exporter.wire import craft

NODE = Mac(bytes.fromhex("020000000011"))
OTHER_NODE = Mac(bytes.fromhex("020000000012"))

_NEIGHBOURS = tuple(IPv4Address("192.0.2.0") + number for number in (*range(2, 100), *range(200, 254)))
_WANTED = IPv4Address("192.0.2.254")
OTHERS = tuple(
    craft.ordinary_request(address, Mac(bytes.fromhex("02000001") + address.packed[2:]), _WANTED)
    for address in _NEIGHBOURS
)
"""ARP of other hosts of the segment, about addresses that nobody watches."""

CONTESTED = tuple(
    craft.announcement(VIPS[0], node, kind) for kind in (Kind.REPLY, Kind.REQUEST) for node in (NODE, OTHER_NODE)
)
"""Announcements of one VIP by two nodes in turn: what costs an exporter most."""
