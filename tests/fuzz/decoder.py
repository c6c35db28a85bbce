"""The frame decoder: one frame, tagged or not, cooked or not, sent by this host or another.

An input is three bytes and a frame: how it came (`Way`), and the tag that the kernel took out (0: none).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import IntFlag
from ipaddress import ip_address

from exporter.vip.model import IPAddress, Kind, NeighbourSeen, Sighting
from exporter.wire.decode import VLAN_ETHERTYPES, Decoder, IgnoreReason, Outcome
from exporter.wire.filter import programs
from tests.fuzz.dissected import checksum_holds, claimed
from tests.wire import bpf
from tests.wire.frames import NODE, NODE6, VIP, VIP6

AT = 1_700_000_000_123_456_789
TAGGED_VIP, TAGGED_VIP6 = ip_address("192.0.2.30"), ip_address("2001:db8::30")
TAG = 5
VIPS: dict[IPAddress, int | None] = {VIP: None, VIP6: None, TAGGED_VIP: TAG, TAGGED_VIP6: TAG}
NODES: frozenset[IPAddress] = frozenset((NODE, NODE6))
EXACT, COARSE = next(programs(VIPS, NODES)), list(programs(VIPS, NODES))[-1]
ARP_KINDS = {Kind.REQUEST, Kind.REPLY, Kind.PROBE, Kind.ORDINARY_REQUEST, Kind.ORDINARY_REPLY}
ND_KINDS = {Kind.NA, Kind.PROBE, Kind.SOLICITED_NA}
OTHERS_BUSINESS = frozenset({IgnoreReason.OTHER_PROTOCOL, IgnoreReason.OTHER_ADDRESS})
ILL_FORMED = frozenset({IgnoreReason.TRUNCATED, IgnoreReason.BAD_HARDWARE_TYPE, IgnoreReason.BAD_LENGTHS})

TOKENS = (
    *(address.packed for address in (*VIPS, NODE, NODE6)),
    *(ethertype.to_bytes(2, "big") for ethertype in (*sorted(VLAN_ETHERTYPES), 0x0806, 0x86DD)),
    bytes.fromhex("00010800060400"),
    bytes.fromhex("0000"),
    bytes.fromhex("0005"),
    bytes.fromhex("3aff"),
    bytes.fromhex("8700"),
    bytes.fromhex("8800"),
    bytes.fromhex("0101"),
    bytes.fromhex("0201"),
    bytes(16),
    bytes(6),
    b"\xff" * 6,
    bytes.fromhex("ff0200000000000000000000000000"),
)


class Way(IntFlag):
    """How the frame came."""

    OUTGOING = 1
    COOKED = 2
    DISCOVERING = 4


def check(data: bytes) -> None:
    if len(data) < 3:
        return
    way, frame = Way(data[0] & 7), data[3:]
    stripped = int.from_bytes(data[1:3], "big") or None
    outcome = decoded(frame, way, stripped)
    assert isinstance(outcome, Sighting | NeighbourSeen | IgnoreReason)
    assert decoded(memoryview(frame), way, stripped) == outcome, "bytes and memoryview differ"
    if outcome is not IgnoreReason.TRUNCATED:
        assert decoded(frame + bytes(18), way, stripped) == outcome, "padding matters"
        assert decoded(frame + b"\xff" * 7, way, stripped) == outcome, "padding matters"
    # A cooked packet has its own header, which no capture cuts: here its ethertype stands at the usual place.
    least = 14 if Way.COOKED in way else 0
    for end in (len(frame) // 2, len(frame) - 1):
        cut = decoded(frame[: max(least, end)], way, stripped)
        assert cut in (outcome, IgnoreReason.TRUNCATED), "a cut frame says something else"
    if not isinstance(outcome, IgnoreReason):
        check_told(outcome, frame, way, stripped)
    if not way & (Way.COOKED | Way.DISCOVERING):
        check_filter(frame, outcome, stripped)


def decoded(frame: bytes | memoryview, way: Way, stripped: int | None) -> Outcome:
    """By a decoder that has seen no other frame."""
    decoder = Decoder.discovering() if Way.DISCOVERING in way else Decoder()
    decoder.watch(VIPS, NODES)
    outgoing = Way.OUTGOING in way
    if Way.COOKED not in way:
        return decoder.decode(frame, AT, outgoing=outgoing, stripped_tag=stripped)
    ethertype = int.from_bytes(frame[12:14], "big")
    length = 6 if stripped is None else stripped % 9
    return decoder.decode_cooked(ethertype, frame[14:], bytes(frame[6 : 6 + length]), AT, outgoing=outgoing)


def check_told(told: Sighting | NeighbourSeen, frame: bytes, way: Way, stripped: int | None) -> None:
    """What is told is what an independent dissector reads in the frame, and can be true."""
    assert told.at == AT
    assert len(told.mac) == 6
    assert type(told.mac) is bytes
    assert not told.mac[0] & 1
    assert any(told.mac)
    packet, vlans = untagged(frame)
    if Way.COOKED not in way:
        vlans = [stripped & 0xFFF if stripped else 0, *vlans]
    named = [vlan for vlan in vlans if vlan]
    assert Way.OUTGOING in way or packet[:2] == b"\x08\x06" or checksum_holds(packet)
    if isinstance(told, NeighbourSeen):
        assert told.address in NODES
        assert not named
        assert (told.address, told.mac) in claimed(packet, frame[6:12])
        return
    assert told.outgoing is (Way.OUTGOING in way)
    assert told.kind in (ARP_KINDS if told.vip.version == 4 else ND_KINDS)
    if told.vip in VIPS:
        assert named == [VIPS[told.vip]] * (VIPS[told.vip] is not None)
    else:
        assert Way.DISCOVERING in way
        assert told.kind.is_announcement
        assert not (told.vip.is_multicast or told.vip.is_unspecified or told.vip.is_loopback)
        assert not named
    assert (told.vip, told.mac) in claimed(packet, frame[6:12])


def untagged(frame: bytes) -> tuple[bytes, list[int]]:
    """From the ethertype behind all tags on, and their ids."""
    vlans = []
    rest = frame[12:]
    while int.from_bytes(rest[:2], "big") in VLAN_ETHERTYPES:
        vlans.append(int.from_bytes(rest[2:4], "big") & 0xFFF)
        rest = rest[4:]
    return rest, vlans


def check_filter(frame: bytes, outcome: Outcome, stripped: int | None) -> None:
    """The kernel's filter passes whatever says something of what is watched, and nothing that is others' business."""
    if len(untagged(frame)[1]) > 2:
        return  # which it does not look behind
    if bpf.run(EXACT, frame):
        assert outcome not in OTHERS_BUSINESS, "the filter passes others' business"
    else:
        assert outcome in OTHERS_BUSINESS | ILL_FORMED, "the filter drops what is ours"
    if isinstance(outcome, Sighting) and outcome.kind not in (Kind.ORDINARY_REQUEST, Kind.ORDINARY_REPLY):
        assert bpf.run(COARSE, frame), "the coarse filter drops what is ours"


def mutate(data: bytes, most: int, seed: int, mutated: Callable[[bytes, int], bytes]) -> bytes:
    """Now and then with a tag put in or taken out, and mostly with the ICMPv6 checksum and length put right."""
    chance = random.Random(seed)
    data = mutated(data, most).ljust(3, b"\0")
    head, frame = data[:3], data[3:]
    if chance.random() < 0.1:
        tag = chance.choice(sorted(VLAN_ETHERTYPES)).to_bytes(2, "big") + chance.choice((0, TAG, 0xE000, 9)).to_bytes(2)
        frame = frame[:12] + tag + frame[12:]
    packet, vlans = untagged(frame)
    if chance.random() < 0.9 and packet[:2] == b"\x86\xdd" and len(packet) >= 66:
        start = 14 + 4 * len(vlans)
        frame = corrected(frame, start, length=chance.random() < 0.5)
    return (head + frame)[:most]


def corrected(frame: bytes, start: int, *, length: bool) -> bytes:
    """The frame with an ICMPv6 checksum that holds; also with the length of all that there is."""
    packet = bytearray(frame[start:])
    if length:
        packet[4:6] = (len(packet) - 40).to_bytes(2, "big")
    size = int.from_bytes(packet[4:6], "big")
    packet[42:44] = bytes(2)
    words = packet[8:40] + size.to_bytes(4, "big") + b"\0\0\0\x3a" + packet[40 : 40 + size] + bytes(size % 2)
    total = sum(int.from_bytes(words[i : i + 2], "big") for i in range(0, len(words), 2))
    packet[42:44] = (0xFFFF - total % 0xFFFF).to_bytes(2, "big")
    return frame[:start] + bytes(packet)
