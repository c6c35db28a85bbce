"""Frames by name, and strategies that bend them, shared by the tests of this folder."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from exporter.vip.model import Kind, parse_mac
from exporter.wire import craft

VIP = IPv4Address("192.0.2.10")
VIP6 = IPv6Address("2001:db8::10")
OTHER = IPv4Address("192.0.2.11")
OTHER6 = IPv6Address("2001:db8::11")
NODE = IPv4Address("192.0.2.21")
NODE6 = IPv6Address("2001:db8::21")
MAC = parse_mac("02:00:00:00:00:0a")
ASKER = parse_mac("02:00:00:00:00:0b")
NODE_MAC = parse_mac("02:00:00:00:00:21")

REQUEST = craft.announcement(VIP, MAC)
REPLY = craft.announcement(VIP, MAC, Kind.REPLY)
NA = craft.announcement(VIP6, MAC)
PROBE = craft.probe(VIP, MAC)
PROBE6 = craft.probe(VIP6, MAC)
ORDINARY_REQUEST = craft.ordinary_request(VIP, MAC, OTHER)
ORDINARY_REPLY = craft.ordinary_reply(VIP, MAC, OTHER, ASKER)
SOLICITED_NA = craft.ordinary_reply(VIP6, MAC, craft.link_local(ASKER), ASKER)

SPEAKING = (REQUEST, REPLY, NA, PROBE, PROBE6, ORDINARY_REQUEST, ORDINARY_REPLY, SOLICITED_NA)
UNCONCERNED = (
    craft.announcement(OTHER, MAC),
    craft.announcement(OTHER6, MAC),
    craft.probe(OTHER, MAC),
    craft.probe(OTHER6, MAC),
    craft.ordinary_request(OTHER, ASKER, VIP),
    craft.ordinary_request(OTHER6, ASKER, VIP6),
    craft.ordinary_request(VIP6, MAC, OTHER6),
    craft.probe(NODE, MAC),
    craft.probe(NODE6, MAC),
    craft.ordinary_request(OTHER, ASKER, NODE),
    craft.ordinary_request(OTHER6, ASKER, NODE6),
    craft.ordinary_reply(OTHER, ASKER, NODE, NODE_MAC),
    craft.ordinary_reply(OTHER6, ASKER, NODE6, NODE_MAC),
)
"""About neither a VIP nor a node's own address."""

NODE_REQUEST = craft.ordinary_request(NODE, NODE_MAC, OTHER)
NODE_REPLY = craft.ordinary_reply(NODE, NODE_MAC, OTHER, ASKER)
NODE_NA = craft.announcement(NODE6, NODE_MAC)
NODE_SOLICITED_NA = craft.ordinary_reply(NODE6, NODE_MAC, craft.link_local(ASKER), ASKER)
NODE_NS = craft.ordinary_request(NODE6, NODE_MAC, OTHER6)
NEIGHBOURLY = (
    NODE_REQUEST,
    NODE_REPLY,
    craft.announcement(NODE, NODE_MAC),
    craft.announcement(NODE, NODE_MAC, Kind.REPLY),
    craft.ordinary_request(NODE, NODE_MAC, VIP),
    NODE_NA,
    NODE_SOLICITED_NA,
    NODE_NS,
    craft.ordinary_request(NODE6, NODE_MAC, VIP6),
)
"""About a node's own address."""


def with_bytes(frame: bytes, at: int, value: bytes | str) -> bytes:
    """The frame with other bytes (hexadecimal, if text) from an offset on."""
    value = bytes.fromhex(value) if isinstance(value, str) else value
    return frame[:at] + value + frame[at + len(value) :]


def checksummed(frame: bytes) -> bytes:
    """An untagged ICMPv6 frame with its checksum put right."""
    length = int.from_bytes(frame[18:20], "big")
    message = frame[54 : 54 + length]
    blank = message[:2] + b"\0\0" + message[4:]
    words = frame[22:54] + length.to_bytes(4, "big") + b"\0\0\0\x3a" + blank + b"\0" * (length % 2)
    total = sum(int.from_bytes(words[i : i + 2], "big") for i in range(0, len(words), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return with_bytes(frame, 56, (0xFFFF - total).to_bytes(2, "big"))


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A proper frame after up to two tags, a few changed bytes, and a cut or some padding."""
    frame = draw(st.sampled_from(SPEAKING + UNCONCERNED + NEIGHBOURLY))
    frame = craft.tagged(
        frame,
        *draw(st.lists(st.integers(0, 0xFFFF), max_size=2)),
        ethertype=draw(st.sampled_from((0x8100, 0x88A8, 0x9100))),
    )
    for _ in range(draw(st.integers(0, 3))):
        frame = with_bytes(frame, draw(st.integers(0, len(frame) - 1)), bytes([draw(st.integers(0, 255))]))
    return draw(st.sampled_from((frame, frame + bytes(18), frame[: draw(st.integers(0, len(frame)))])))
