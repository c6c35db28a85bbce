"""What a frame claims, read by scapy's dissector: a second opinion on what the decoder says of it."""

from __future__ import annotations

from ipaddress import ip_address

from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    in6_chksum,
)
from scapy.layers.l2 import ARP

from exporter.vip.model import IPAddress, Mac


def claimed(packet: bytes, sender: bytes) -> set[tuple[IPAddress, Mac]]:
    """The addresses that somebody speaks for, with the MAC that each is said to have.

    Args:
        packet: an ethertype and what follows it.
        sender: the frame's own source address.
    """
    if packet[:2] == b"\x08\x06":
        arp = ARP(packet[2:])
        assert (arp.hwtype, arp.ptype, arp.hwlen, arp.plen) == (1, 0x0800, 6, 4)
        speaks_for = arp.psrc if arp.psrc != "0.0.0.0" else arp.pdst
        return {(ip_address(speaks_for), _mac(arp.hwsrc))}
    assert packet[:2] == b"\x86\xdd"
    ip = IPv6(packet[2:])
    assert (ip.version, ip.nh, ip.hlim) == (6, 58, 255)
    if ICMPv6ND_NA in ip:
        message = ip[ICMPv6ND_NA]
        assert message.code == 0
        assert not (message.S and ip_address(ip.dst).is_multicast)
        option = message.getlayer(ICMPv6NDOptDstLLAddr)
        mac = sender if option is None else _mac(option.lladdr)
        return {(ip_address(message.tgt), Mac(mac))}
    message = ip[ICMPv6ND_NS]
    assert message.code == 0
    assert not ip_address(message.tgt).is_multicast
    if ip.src == "::":
        return {(ip_address(message.tgt), Mac(sender))}
    return {(ip_address(ip.src), _mac(message.getlayer(ICMPv6NDOptSrcLLAddr).lladdr))}


def _mac(text: str) -> Mac:
    return Mac(bytes.fromhex(text.replace(":", "")))


def checksum_holds(packet: bytes) -> bool:
    """Whether the ICMPv6 checksum of a packet, after its ethertype, is right."""
    ip = IPv6(packet[2:])
    return bool(in6_chksum(58, ip, packet[42 : 42 + ip.plen]) == 0)
