"""The frames of the day, each composed once."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from exporter.vip.model import Kind, Mac
from exporter.wire import craft

NODES = ("node-1", "node-2", "node-3")
ADDRESSES = {name: f"192.0.2.{11 + number}" for number, name in enumerate(NODES)}
MACS = {name: tuple(bytes([2, 0, 0, 0, number + 1, port]) for port in (1, 2)) for number, name in enumerate(NODES)}
"""Each node has two interfaces."""
_TEMPLATE = Mac(b"\x06\xaa\xbb\xcc\xdd\xee")


def class_of(mac: bytes) -> str:
    """What the documentation calls it; all nodes' MACs are known from the start."""
    if any(mac in macs for macs in MACS.values()):
        return "node"
    if mac[:5] == bytes.fromhex("00005e0001"):
        return "fhrp"
    return "hwaddr" if mac[:4] == b"\x02\xdc\xbc\x00" else "foreign"


@cache
def announcement(vip: str, mac: bytes, kind: str) -> bytes:
    return craft.announcement(ip_address(vip), Mac(mac), Kind(kind))


@cache
def _forgery(vip: str) -> bytes:
    return craft.announcement(ip_address(vip), _TEMPLATE, Kind.REQUEST)


def forged(vip: str, mac: bytes) -> bytes:
    """An announcement (IPv4) by one of very many MACs."""
    return _forgery(vip).replace(_TEMPLATE, mac)


@cache
def sightings(vip: str) -> tuple[tuple[bytes, str], ...]:
    """Frames about the VIP that claim nothing, each with the kind that it counts as."""
    address, stranger, own = ip_address(vip), Mac(b"\x06\x00\x00\x00\x00\x01"), Mac(MACS["node-2"][0])
    frames = [(craft.probe(address, stranger), "probe"), (craft.probe(address, own), "own_probe")]
    if isinstance(address, IPv6Address):
        asker = IPv6Address("2001:db8::9")
        frames.append((craft.ordinary_reply(address, own, asker, stranger), "solicited_na"))
    else:
        asker = IPv4Address("192.0.2.9")
        frames.append((craft.ordinary_request(address, own, asker), "ordinary_request"))
        frames.append((craft.ordinary_reply(address, own, asker, stranger), "ordinary_reply"))
    return tuple(frames)


@cache
def ignored(vip: str) -> tuple[tuple[bytes, str], ...]:
    """Frames that come to nothing, each with the reason."""
    address, own = ip_address(vip), Mac(MACS["node-1"][0])
    good = craft.announcement(address, own)
    frames = [
        (good[:30], "truncated"),
        (craft.tagged(good, 7), "other_vlan"),
        (craft.announcement(IPv4Address("198.51.100.1"), own), "other_address"),
        (good[:12] + b"\x08\x00" + good[14:], "other_protocol"),
    ]
    if isinstance(address, IPv6Address):
        frames.append((good[:21] + b"\x40" + good[22:], "bad_hop_limit"))
        frames.append((good[:56] + bytes([good[56] ^ 1]) + good[57:], "bad_checksum"))
    else:
        frames.append((good[:15] + b"\x02" + good[16:], "bad_hardware_type"))
        frames.append((good[:18] + b"\x08" + good[19:], "bad_lengths"))
        frames.append((good[:21] + b"\x09" + good[22:], "bad_opcode"))
        frames.append((good[:22] + bytes(6) + good[28:], "bad_sha"))
    return tuple(frames)


@cache
def neighbour(node: str) -> bytes:
    """A node speaks for its own address."""
    return craft.ordinary_request(IPv4Address(ADDRESSES[node]), Mac(MACS[node][0]), IPv4Address("192.0.2.1"))
