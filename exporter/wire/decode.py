"""Turns one frame into what it tells of a VIP or of a node's own address, or into the reason why it tells nothing.

Never raises, whatever the bytes, and never does I/O. Each rule stands before the frames that it turns away. They
come in this order: structure, then the address (is anybody watching it?), then the VLAN, then the message itself. So
a frame about an address of no interest is `other_address`, however odd it is otherwise.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import NamedTuple

from exporter.vip.model import ANNOUNCEMENTS, IPAddress, Kind, Mac, Nanoseconds, NeighbourSeen, Sighting

ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
VLAN_ETHERTYPES = frozenset({0x8100, 0x88A8, 0x9100})
"""802.1Q, 802.1ad, and what some switches used for stacked tags before 802.1ad."""

ICMPV6 = 58
NEIGHBOUR_SOLICITATION = 135
NEIGHBOUR_ADVERTISEMENT = 136

MAX_TAGS = 8
"""Tags looked behind in one frame. No network stacks as many; a crafted frame may stack hundreds."""
MAX_DISCOVERED = 10_000
"""Addresses that a discovering decoder gets to know, so that a flood of made-up ones stays affordable."""

Frame = bytes | memoryview


class IgnoreReason(StrEnum):
    """Why nothing comes of a frame."""

    TRUNCATED = "truncated"
    """It ends before its own headers say (cut by the capture's snap length, or malformed)."""
    OTHER_PROTOCOL = "other_protocol"
    """Neither ARP nor neighbour discovery's solicitation or advertisement."""
    BAD_HARDWARE_TYPE = "bad_hardware_type"
    """ARP for hardware other than Ethernet."""
    BAD_LENGTHS = "bad_lengths"
    """Not a six-byte hardware address, or (ARP) not a four-byte IPv4 address."""
    BAD_OPCODE = "bad_opcode"
    """ARP that is neither request nor reply, or a reply in the name of 0.0.0.0."""
    BAD_SHA = "bad_sha"
    """The sender's hardware address is zero or a group's, which nobody can hold (RFC 1812, section 3.3.2)."""
    OTHER_ADDRESS = "other_address"
    """It speaks for no watched address; so does who merely asks for one, or probes for a node's own."""
    OTHER_VLAN = "other_vlan"
    """It came in a VLAN where the address is not watched: there it is another address."""
    BAD_HOP_LIMIT = "bad_hop_limit"
    """Neighbour discovery that may have crossed a router (RFC 4861, section 7.1)."""
    BAD_CHECKSUM = "bad_checksum"
    """ICMPv6 checksum wrong: every receiver discards it."""
    MALFORMED_ND = "malformed_nd"
    """Neighbour discovery that breaks another rule of RFC 4861, section 7.1: every receiver discards it."""
    NO_LINK_LAYER_ADDRESS = "no_link_layer_address"
    """Unsolicited advertisement, or solicitation, without the option that names a MAC."""
    TOO_MANY_ADDRESSES = "too_many_addresses"
    """Announces yet another address when `MAX_DISCOVERED` are known already."""
    NEIGHBOUR_REPEATED = "neighbour_repeated"
    """The same MAC spoke for the same node's address a moment ago."""
    NEIGHBOUR_FLOOD = "neighbour_flood"
    """More is said of nodes' own addresses than is worth hearing."""
    UNKNOWN_LINK_TYPE = "unknown_link_type"
    """Captured on a kind of link without ARP frames that can be read here (capture files only)."""


Outcome = Sighting | NeighbourSeen | IgnoreReason


class _Watched(NamedTuple):
    address: IPAddress | None
    """None: not known yet, the announcement in hand would make it known."""
    vlan: int
    """0: untagged."""
    neighbour: bool = False
    """The address is no VIP but a node's own."""


_UNDISCOVERED = _Watched(None, 0)

_ETHERNET = struct.Struct(">6x6sH")
_TAG = struct.Struct(">HH")
_ARP = struct.Struct(">6sH6s4s6x4s")
_ND = struct.Struct(">4xHxB16s16sBB2xB3x16s")
"""IPv6 header, then the 24 bytes that solicitation and advertisement have in common."""
_IPV6_HEADER = 40
_ND_FIXED = 24
_SOLICITED = 0x40
_SOURCE_LINK_LAYER_ADDRESS, _TARGET_LINK_LAYER_ADDRESS = 1, 2

_ETHERNET_FOR_IPV4 = bytes.fromhex("0001 0800 06 04")
_REQUEST = 1
_ANY_IPV4 = bytes(4)
_BROADCAST_IPV4 = b"\xff" * 4
_ANY_IPV6 = bytes(16)
_NO_MAC = bytes(6)
_STACKED = -1
"""In place of a VLAN id: several tags with an id, which no VIP can be configured with."""

_ARP_KINDS = {
    (_REQUEST, True): Kind.REQUEST,
    (_REQUEST, False): Kind.ORDINARY_REQUEST,
    (2, True): Kind.REPLY,
    (2, False): Kind.ORDINARY_REPLY,
}


class Decoder:
    """Knows the watched addresses and reads frames about them."""

    def __init__(
        self, vips: Mapping[IPAddress, int | None] | None = None, neighbours: frozenset[IPAddress] = frozenset()
    ) -> None:
        self._discovers = False
        self._vips: dict[bytes, _Watched] = {}
        self._neighbours: dict[bytes, _Watched] = {}
        self.watch(vips or {}, neighbours)

    @classmethod
    def discovering(cls) -> Decoder:
        """A decoder that watches, untagged, every address from its first announcement on."""
        decoder = cls()
        decoder._discovers = True
        return decoder

    @property
    def watched(self) -> dict[IPAddress, int | None]:
        """The VIPs watched now, with their VLAN ids."""
        return {vip.address: vip.vlan or None for vip in list(self._vips.values()) if vip.address}

    @property
    def neighbours(self) -> frozenset[IPAddress]:
        """The nodes' own addresses that are listened for now."""
        return frozenset(neighbour.address for neighbour in self._neighbours.values() if neighbour.address)

    def watch(self, vips: Mapping[IPAddress, int | None], neighbours: frozenset[IPAddress] = frozenset()) -> None:
        """Replace the watched addresses.

        Args:
            vips: each with its VLAN id (1 to 4094), or None for untagged and VLAN 0.
            neighbours: nodes' own addresses, untagged and in VLAN 0. One that is a VIP counts as that alone.
        """
        self._vips = {vip.packed: _Watched(vip, vlan or 0) for vip, vlan in vips.items()}
        self._neighbours = {
            address.packed: _Watched(address, 0, neighbour=True)
            for address in neighbours - vips.keys()
            # Nobody speaks for this one.
            if not address.is_unspecified
        }

    def decode(
        self, frame: Frame, at: Nanoseconds, *, outgoing: bool = False, stripped_tag: int | None = None
    ) -> Outcome:
        """Read an Ethernet frame.

        Args:
            frame: from the destination address on; padding at its end does no harm.
            at: when it was captured.
            outgoing: this host sent it.
            stripped_tag: the tag control information that the kernel took out of the frame: its outermost tag.
        """
        if len(frame) < 14:
            return IgnoreReason.TRUNCATED
        sender, ethertype = _ETHERNET.unpack_from(frame)
        vlan = stripped_tag & 0xFFF if stripped_tag else 0
        return self._packet(ethertype, frame, 14, sender, vlan, at, outgoing)

    def decode_cooked(
        self, ethertype: int, payload: Frame, sender: bytes, at: Nanoseconds, *, outgoing: bool = False
    ) -> Outcome:
        """Read a packet whose Ethernet header the capture replaced (Linux "cooked" captures).

        Args:
            ethertype: of the payload; that of a VLAN tag if the payload begins with one.
            payload: what followed the Ethernet header.
            sender: the sender's hardware address, of any length.
        """
        return self._packet(ethertype, payload, 0, sender, 0, at, outgoing)

    def _packet(
        self, ethertype: int, frame: Frame, offset: int, sender: bytes, vlan: int, at: Nanoseconds, outgoing: bool
    ) -> Outcome:
        if ethertype in VLAN_ETHERTYPES:
            for _ in range(MAX_TAGS):
                if len(frame) < offset + 4:
                    return IgnoreReason.TRUNCATED
                tag, ethertype = _TAG.unpack_from(frame, offset)
                offset += 4
                # Id 0 carries a priority only and names no VLAN (IEEE 802.1Q, section 9.6).
                if tag & 0xFFF:
                    vlan = _STACKED if vlan else tag & 0xFFF
                if ethertype not in VLAN_ETHERTYPES:
                    break
            else:
                return IgnoreReason.OTHER_VLAN
        if ethertype == ETHERTYPE_ARP:
            return self._arp(frame, offset, vlan, at, outgoing)
        if ethertype == ETHERTYPE_IPV6:
            return self._ipv6(frame, offset, sender, vlan, at, outgoing)
        return IgnoreReason.OTHER_PROTOCOL

    def _arp(self, frame: Frame, offset: int, vlan: int, at: Nanoseconds, outgoing: bool) -> Outcome:
        """RFC 826, RFC 5227. tha is not looked at: announcers fill it with sha, zeros or the broadcast address."""
        if len(frame) < offset + _ARP.size:
            return IgnoreReason.TRUNCATED
        header, op, sha, spa, tpa = _ARP.unpack_from(frame, offset)

        if header != _ETHERNET_FOR_IPV4:
            other_hardware = header[:2] != _ETHERNET_FOR_IPV4[:2]
            return IgnoreReason.BAD_HARDWARE_TYPE if other_hardware else IgnoreReason.BAD_LENGTHS

        # Nobody speaks for 0.0.0.0: such a sender still wants to know whether tpa is free (RFC 5227, section 2.1.1).
        if spa != _ANY_IPV4:
            address, kind = spa, _ARP_KINDS.get((op, spa == tpa))
        else:
            address, kind = tpa, Kind.PROBE if op == _REQUEST else None
        watched = self._vips.get(address)
        if watched is None:
            watched = _UNDISCOVERED if self._discovers and kind in ANNOUNCEMENTS else self._neighbours.get(spa)
            if watched is None:
                return IgnoreReason.OTHER_ADDRESS

        if vlan != watched.vlan:
            return IgnoreReason.OTHER_VLAN

        # Who speaks for himself is believed before the opcode is looked at (RFC 826, "Packet Reception").
        if kind is None and not watched.neighbour:
            return IgnoreReason.BAD_OPCODE

        return self._told(watched, address, at, kind, sha, outgoing)

    def _ipv6(self, frame: Frame, offset: int, sender: bytes, vlan: int, at: Nanoseconds, outgoing: bool) -> Outcome:
        """RFC 4861 and, for the solicitation from `::`, RFC 4862."""
        body = offset + _IPV6_HEADER
        if len(frame) < body:
            return IgnoreReason.TRUNCATED
        if frame[offset] >> 4 != 6 or frame[offset + 6] != ICMPV6:
            return IgnoreReason.OTHER_PROTOCOL
        if len(frame) > body and frame[body] not in (NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT):
            return IgnoreReason.OTHER_PROTOCOL
        if len(frame) < body + _ND_FIXED:
            return IgnoreReason.TRUNCATED
        length, hop_limit, source, destination, message, code, flags, target = _ND.unpack_from(frame, offset)

        # A solicitation speaks for its target only if its sender has no address yet. Else it merely asks for it, and
        # tells the MAC of its source.
        kind: Kind | None
        if message == NEIGHBOUR_ADVERTISEMENT:
            speaker, kind = target, Kind.SOLICITED_NA if flags & _SOLICITED else Kind.NA
        elif source == _ANY_IPV6:
            speaker, kind = source, Kind.PROBE
        else:
            speaker, kind = source, None
        watched = None if kind is None else self._vips.get(target)
        if watched is None:
            watched = _UNDISCOVERED if self._discovers and kind is Kind.NA else self._neighbours.get(speaker)
            if watched is None:
                return IgnoreReason.OTHER_ADDRESS

        if vlan != watched.vlan:
            return IgnoreReason.OTHER_VLAN

        # RFC 4861, section 7.1: what every receiver must check before it believes the message.
        if hop_limit != 255:
            return IgnoreReason.BAD_HOP_LIMIT
        end = body + length
        if len(frame) < end:
            return IgnoreReason.TRUNCATED
        if length < _ND_FIXED or code != 0 or (kind is Kind.SOLICITED_NA and destination[0] == 0xFF):
            return IgnoreReason.MALFORMED_ND
        if kind is None and target[0] == 0xFF:
            return IgnoreReason.MALFORMED_ND
        # The network card may still have to fill in the checksum of what this host sends.
        if not outgoing and not _checksum_holds(frame, offset + 8, end, length):
            return IgnoreReason.BAD_CHECKSUM
        wanted = _SOURCE_LINK_LAYER_ADDRESS if kind is None else _TARGET_LINK_LAYER_ADDRESS
        option = _link_layer_address(wanted, frame, body + _ND_FIXED, end)
        if isinstance(option, IgnoreReason):
            return option

        if kind is Kind.PROBE:
            mac = sender
        elif option is not None:
            mac = option
        elif kind is Kind.SOLICITED_NA:
            # RFC 4861, section 4.4: an answer to one asker may leave the option out, he has the address already.
            mac = sender
        else:
            return IgnoreReason.NO_LINK_LAYER_ADDRESS
        return self._told(watched, target, at, kind, mac, outgoing)

    def _told(
        self, watched: _Watched, address: bytes, at: Nanoseconds, kind: Kind | None, mac: bytes, outgoing: bool
    ) -> Outcome:
        if len(mac) != 6:
            return IgnoreReason.BAD_LENGTHS
        # RFC 1812, section 3.3.2: a group's address belongs to nobody, and neither does none at all.
        if mac[0] & 1 or mac == _NO_MAC:
            return IgnoreReason.BAD_SHA
        known = watched.address
        if known is None:
            discovered = self._discover(address)
            if isinstance(discovered, IgnoreReason):
                return discovered
            known = discovered
        if watched.neighbour or kind is None:
            return NeighbourSeen(at, known, Mac(mac))
        return Sighting(at, known, kind, Mac(mac), outgoing)

    def _discover(self, packed: bytes) -> IPAddress | IgnoreReason:
        vip = ip_address(packed)
        # Only a unicast address can be announced (RFC 1122, section 3.2.1.3; RFC 4861, section 7.1.2).
        if vip.is_multicast or vip.is_loopback or vip.is_unspecified or packed == _BROADCAST_IPV4:
            return IgnoreReason.OTHER_ADDRESS
        if len(self._vips) >= MAX_DISCOVERED:
            return IgnoreReason.TOO_MANY_ADDRESSES
        self._vips[packed] = _Watched(vip, 0)
        return vip


def _checksum_holds(frame: Frame, start: int, end: int, length: int) -> bool:
    """RFC 4443, section 2.3, over `frame[start:end]`: source, destination and the ICMPv6 message of `length` bytes."""
    # 2**16 is 1 modulo 0xFFFF, so the remainder of one large number is the ones' complement sum of its 16-bit words.
    total = int.from_bytes(frame[start:end], "big") << (8 * (length % 2))
    return (total + length + ICMPV6) % 0xFFFF == 0


def _link_layer_address(wanted: int, frame: Frame, start: int, end: int) -> bytes | IgnoreReason | None:
    """The MAC in an option of the wanted type, None without it.

    RFC 4861, section 4.6: options count their length in units of eight bytes.
    """
    mac = None
    while start < end:
        if end - start < 8 or frame[start + 1] == 0 or start + 8 * frame[start + 1] > end:
            return IgnoreReason.MALFORMED_ND
        if frame[start] == wanted and mac is None:
            if frame[start + 1] != 1:
                return IgnoreReason.BAD_LENGTHS
            mac = bytes(frame[start + 2 : start + 8])
        start += 8 * frame[start + 1]
    return mac
