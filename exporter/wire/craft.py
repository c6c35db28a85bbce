"""Frames as announcers put them on the wire, for the demo and the tests. It composes them and sends none."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from exporter.vip.model import IPAddress, Kind, Mac, Nanoseconds
from exporter.wire import scapy_adapter

BROADCAST = Mac(b"\xff" * 6)
NO_MAC = Mac(bytes(6))
ALL_NODES = IPv6Address("ff02::1")

_REQUEST = 1
_REPLY = 2


def announcement(vip: IPAddress, mac: Mac, kind: Kind | None = None, *, source: Mac | None = None) -> bytes:
    """What kube-vip sends each period for a VIP that it holds.

    Args:
        kind: REQUEST or REPLY, which kube-vip alternates; NA for IPv6. None: REQUEST or NA, as the family has it.
        source: the frame's own source address where it differs from the announced one.

    Raises:
        ValueError: `kind` is no announcement of the VIP's family.
    """
    kind = kind or (Kind.REQUEST if vip.version == 4 else Kind.NA)
    if kind is Kind.NA and isinstance(vip, IPv6Address):
        return _advertisement(vip, mac, source or mac, _multicast_mac(ALL_NODES), ALL_NODES, solicited=False)
    if kind not in (Kind.REQUEST, Kind.REPLY) or vip.version != 4:
        raise ValueError(f"{kind} does not announce {vip}")
    request = kind is Kind.REQUEST
    return scapy_adapter.compose_arp(
        source=source or mac,
        destination=BROADCAST,
        op=_REQUEST if request else _REPLY,
        sha=mac,
        spa=vip,
        tha=BROADCAST if request else mac,
        tpa=vip,
    )


def probe(vip: IPAddress, mac: Mac) -> bytes:
    """Somebody who would like to have the address asks whether it is taken: ARP probe, or duplicate detection."""
    if isinstance(vip, IPv6Address):
        return _solicitation(IPv6Address(0), mac, vip)
    return ordinary_request(IPv4Address(0), mac, vip)


def ordinary_request(sender: IPAddress, mac: Mac, wanted: IPAddress) -> bytes:
    """`sender` asks who has `wanted`: ARP request, or neighbour solicitation with the sender's link-layer address."""
    if isinstance(wanted, IPv6Address):
        return _solicitation(sender, mac, wanted)
    return scapy_adapter.compose_arp(
        source=mac, destination=BROADCAST, op=_REQUEST, sha=mac, spa=sender, tha=NO_MAC, tpa=wanted
    )


def ordinary_reply(vip: IPAddress, mac: Mac, asker: IPAddress, asker_mac: Mac) -> bytes:
    """Somebody answers for the VIP, to the one who asked: ARP reply, or solicited advertisement."""
    if isinstance(vip, IPv6Address):
        return _advertisement(vip, mac, mac, asker_mac, asker, solicited=True)
    return scapy_adapter.compose_arp(
        source=mac, destination=asker_mac, op=_REPLY, sha=mac, spa=vip, tha=asker_mac, tpa=asker
    )


def tagged(frame: bytes, *vlans: int, ethertype: int = 0x8100) -> bytes:
    """The frame behind VLAN tags, the outermost first. Id 0 makes a priority tag."""
    tags = b"".join(ethertype.to_bytes(2, "big") + vlan.to_bytes(2, "big") for vlan in vlans)
    return frame[:12] + tags + frame[12:]


def write_capture(
    path: Path,
    packets: Iterable[tuple[Nanoseconds, bytes]],
    *,
    link_type: int = 1,
    compressed: bool = False,
    big_endian: bool = False,
) -> None:
    """Write frames with their times (nanoseconds since 1970, UTC) as a pcap file."""
    scapy_adapter.write_records(path, packets, link_type=link_type, compressed=compressed, big_endian=big_endian)


def link_local(mac: Mac) -> IPv6Address:
    """The address that an interface with this MAC gives itself (RFC 4291, appendix A)."""
    identifier = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return IPv6Address(IPv6Address("fe80::").packed[:8] + identifier)


def _advertisement(
    vip: IPv6Address, mac: Mac, source: Mac, destination: Mac, destination_address: IPAddress, *, solicited: bool
) -> bytes:
    return scapy_adapter.compose_advertisement(
        source=source,
        destination=destination,
        source_address=link_local(source),
        destination_address=destination_address,
        target=vip,
        mac=mac,
        solicited=solicited,
        override=True,
    )


def _solicitation(sender: IPAddress, mac: Mac, wanted: IPv6Address) -> bytes:
    group = _solicited_node(wanted)
    return scapy_adapter.compose_solicitation(
        source=mac,
        destination=_multicast_mac(group),
        source_address=sender,
        destination_address=group,
        target=wanted,
        # RFC 4861, section 4.3: who has no address yet must not leave his MAC behind either.
        mac=None if sender.is_unspecified else mac,
    )


def _solicited_node(address: IPv6Address) -> IPv6Address:
    return IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + address.packed[13:])


def _multicast_mac(group: IPv6Address) -> Mac:
    return Mac(b"\x33\x33" + group.packed[12:])
