"""What a frame comes to: one table over all kinds and reasons, and properties over any bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.vip.model import IPAddress, Kind, Mac, NeighbourSeen, Sighting
from exporter.wire import craft, decode
from exporter.wire.decode import Decoder, IgnoreReason
from tests.wire.frames import (
    ASKER,
    MAC,
    NA,
    NEIGHBOURLY,
    NODE,
    NODE6,
    NODE_MAC,
    NODE_NA,
    NODE_NS,
    NODE_REPLY,
    NODE_REQUEST,
    NODE_SOLICITED_NA,
    ORDINARY_REPLY,
    ORDINARY_REQUEST,
    OTHER,
    OTHER6,
    PROBE,
    PROBE6,
    REPLY,
    REQUEST,
    SOLICITED_NA,
    SPEAKING,
    UNCONCERNED,
    VIP,
    VIP6,
    bent,
    checksummed,
    with_bytes,
)

WATCHED: Mapping[IPAddress, int | None] = {VIP: None, VIP6: None}
NODES: frozenset[IPAddress] = frozenset((NODE, NODE6))
AT = 1_700_000_000_123_456_789
LEARNING = b"\x01\x00\x5e\x00\x00\x01"

KINDS = {
    "an ARP announcement": (REQUEST, Kind.REQUEST),
    "a gratuitous reply, tha = sha": (REPLY, Kind.REPLY),
    "a gratuitous reply, tha broadcast": (with_bytes(REPLY, 32, "ffffffffffff"), Kind.REPLY),
    "an announcement, tha zero": (with_bytes(REQUEST, 32, "000000000000"), Kind.REQUEST),
    "an announcement from another source address": (craft.announcement(VIP, MAC, source=ASKER), Kind.REQUEST),
    "an announcement padded to 60 bytes": (REQUEST + bytes(18), Kind.REQUEST),
    "an ARP probe": (PROBE, Kind.PROBE),
    "the VIP asks for another address": (ORDINARY_REQUEST, Kind.ORDINARY_REQUEST),
    "an answer for the VIP": (ORDINARY_REPLY, Kind.ORDINARY_REPLY),
    "an unsolicited advertisement": (NA, Kind.NA),
    "an unsolicited advertisement, padded": (NA + bytes(9), Kind.NA),
    "a solicited advertisement": (SOLICITED_NA, Kind.SOLICITED_NA),
    "duplicate address detection": (PROBE6, Kind.PROBE),
    "a priority tag": (craft.tagged(REQUEST, 0xE000), Kind.REQUEST),
    "two priority tags": (craft.tagged(NA, 0, 0xE000), Kind.NA),
}


@pytest.mark.parametrize(("frame", "kind"), KINDS.values(), ids=KINDS.keys())
def test_kinds(frame: bytes, kind: Kind) -> None:
    """Whoever speaks for a watched address is seen, with the kind of his message."""
    vip = VIP if kind in (Kind.REQUEST, Kind.REPLY) or b"\x08\x06" in frame[12:22] else VIP6
    assert Decoder(WATCHED).decode(frame, AT) == Sighting(AT, vip, kind, MAC)


SHORT_SOLICITED = checksummed(with_bytes(SOLICITED_NA, 18, "0018"))
NO_OPTION = checksummed(with_bytes(NA, 18, "0018"))

REASONS: dict[str, tuple[bytes, IgnoreReason]] = {
    "nothing": (b"", IgnoreReason.TRUNCATED),
    "half an Ethernet header": (REQUEST[:13], IgnoreReason.TRUNCATED),
    "an ARP message without its last byte": (REQUEST[:41], IgnoreReason.TRUNCATED),
    "a tag without what it tags": (craft.tagged(REQUEST, 0)[:16], IgnoreReason.TRUNCATED),
    "half an IPv6 header": (NA[:50], IgnoreReason.TRUNCATED),
    "an advertisement without all of its target": (NA[:70], IgnoreReason.TRUNCATED),
    "an advertisement without all of its option": (NA[:-1], IgnoreReason.TRUNCATED),
    "IPv4": (with_bytes(REQUEST, 12, "0800"), IgnoreReason.OTHER_PROTOCOL),
    "a 802.3 length in place of the ethertype": (with_bytes(REQUEST, 12, "0026"), IgnoreReason.OTHER_PROTOCOL),
    "IPv4 behind a tag": (with_bytes(craft.tagged(REQUEST, 5), 16, "0800"), IgnoreReason.OTHER_PROTOCOL),
    "TCP over IPv6": (with_bytes(NA, 20, "06"), IgnoreReason.OTHER_PROTOCOL),
    "an IPv6 frame of another version": (with_bytes(NA, 14, "40"), IgnoreReason.OTHER_PROTOCOL),
    "an ICMPv6 echo request": (with_bytes(NA, 54, "80"), IgnoreReason.OTHER_PROTOCOL),
    "a short ICMPv6 echo request": (with_bytes(NA, 54, "80")[:62], IgnoreReason.OTHER_PROTOCOL),
    "InfiniBand": (with_bytes(REQUEST, 14, "0020"), IgnoreReason.BAD_HARDWARE_TYPE),
    "hlen 20": (with_bytes(REQUEST, 18, "14"), IgnoreReason.BAD_LENGTHS),
    "plen 16": (with_bytes(REQUEST, 19, "10"), IgnoreReason.BAD_LENGTHS),
    "another protocol's addresses": (with_bytes(REQUEST, 16, "86dd"), IgnoreReason.BAD_LENGTHS),
    "opcode 0": (with_bytes(REQUEST, 20, "0000"), IgnoreReason.BAD_OPCODE),
    "RARP's opcode": (with_bytes(REQUEST, 20, "0003"), IgnoreReason.BAD_OPCODE),
    "a reply from 0.0.0.0": (with_bytes(PROBE, 20, "0002"), IgnoreReason.BAD_OPCODE),
    "sha zero": (with_bytes(REQUEST, 22, "000000000000"), IgnoreReason.BAD_SHA),
    "sha broadcast": (with_bytes(REPLY, 22, "ffffffffffff"), IgnoreReason.BAD_SHA),
    "sha a multicast group (a load balancer's trick)": (with_bytes(REPLY, 22, LEARNING), IgnoreReason.BAD_SHA),
    "a probe with sha zero": (with_bytes(PROBE, 22, "000000000000"), IgnoreReason.BAD_SHA),
    "a group as target link-layer address": (checksummed(with_bytes(NA, 80, LEARNING)), IgnoreReason.BAD_SHA),
    "duplicate detection from a group": (with_bytes(PROBE6, 6, LEARNING), IgnoreReason.BAD_SHA),
    "another address announced": (craft.announcement(OTHER, MAC), IgnoreReason.OTHER_ADDRESS),
    "another address advertised": (craft.announcement(OTHER6, MAC), IgnoreReason.OTHER_ADDRESS),
    "a probe for another address": (craft.probe(OTHER, MAC), IgnoreReason.OTHER_ADDRESS),
    "somebody asks for the VIP": (craft.ordinary_request(OTHER, MAC, VIP), IgnoreReason.OTHER_ADDRESS),
    "somebody answers the VIP": (craft.ordinary_reply(OTHER, MAC, VIP, ASKER), IgnoreReason.OTHER_ADDRESS),
    "somebody solicits the VIP": (with_bytes(PROBE6, 22, OTHER6.packed), IgnoreReason.OTHER_ADDRESS),
    "another address, in a VLAN": (craft.tagged(craft.announcement(OTHER, MAC), 5), IgnoreReason.OTHER_ADDRESS),
    "a VLAN": (craft.tagged(REQUEST, 5), IgnoreReason.OTHER_VLAN),
    "a service tag": (craft.tagged(NA, 5, ethertype=0x88A8), IgnoreReason.OTHER_VLAN),
    "a VLAN in a VLAN": (craft.tagged(REQUEST, 5, 6), IgnoreReason.OTHER_VLAN),
    "a VLAN behind a priority tag": (craft.tagged(REQUEST, 0, 6), IgnoreReason.OTHER_VLAN),
    "300 tags": (craft.tagged(REQUEST, *[7] * 300), IgnoreReason.OTHER_VLAN),
    "hop limit 254": (with_bytes(NA, 21, "fe"), IgnoreReason.BAD_HOP_LIMIT),
    "a wrong checksum": (with_bytes(NA, 80, ASKER), IgnoreReason.BAD_CHECKSUM),
    "code 1": (checksummed(with_bytes(NA, 55, "01")), IgnoreReason.MALFORMED_ND),
    "too short by its own header": (checksummed(with_bytes(NA, 18, "0017")), IgnoreReason.MALFORMED_ND),
    "a solicited advertisement to everybody": (checksummed(with_bytes(NA, 58, "60")), IgnoreReason.MALFORMED_ND),
    "an option of length 0": (checksummed(with_bytes(NA, 79, "00")), IgnoreReason.MALFORMED_ND),
    "an option beyond the end": (checksummed(with_bytes(NA, 79, "02")), IgnoreReason.MALFORMED_ND),
    "half an option": (checksummed(with_bytes(NA, 18, "001c")), IgnoreReason.MALFORMED_ND),
    "a link-layer address of 14 bytes": (
        checksummed(with_bytes(NA, 18, "0028")[:79] + b"\2" + bytes(14)),
        IgnoreReason.BAD_LENGTHS,
    ),
    "an unsolicited advertisement that names no MAC": (NO_OPTION, IgnoreReason.NO_LINK_LAYER_ADDRESS),
}


@pytest.mark.parametrize(("frame", "reason"), REASONS.values(), ids=REASONS.keys())
def test_reasons(frame: bytes, reason: IgnoreReason) -> None:
    """Each frame that is no sighting has its reason."""
    assert Decoder(WATCHED).decode(frame, AT) is reason


def test_every_reason_is_tried() -> None:
    """The table above leaves no reason out but those that arise elsewhere."""
    elsewhere = {
        IgnoreReason.TOO_MANY_ADDRESSES,
        IgnoreReason.NEIGHBOUR_REPEATED,
        IgnoreReason.NEIGHBOUR_FLOOD,
        IgnoreReason.UNKNOWN_LINK_TYPE,
    }
    assert {reason for _, reason in REASONS.values()} == set(IgnoreReason) - elsewhere


NS_NO_OPTION = checksummed(with_bytes(NODE_NS, 18, "0018"))

NEIGHBOURS = {
    "a node asks": (NODE_REQUEST, NODE),
    "a node asks for a VIP": (craft.ordinary_request(NODE, NODE_MAC, VIP), NODE),
    "a node answers": (NODE_REPLY, NODE),
    "a node announces itself": (craft.announcement(NODE, NODE_MAC), NODE),
    "a node announces itself by a reply": (craft.announcement(NODE, NODE_MAC, Kind.REPLY), NODE),
    "a node says something unheard of": (with_bytes(NODE_REQUEST, 20, "0009"), NODE),
    "a node's frame through a bridge that changed its source": (with_bytes(NODE_REQUEST, 6, ASKER), NODE),
    "a node asks, with a priority tag": (craft.tagged(NODE_REQUEST, 0xE000), NODE),
    "a node advertises itself": (NODE_NA, NODE6),
    "a node answers in IPv6": (NODE_SOLICITED_NA, NODE6),
    "a node answers in IPv6 without the option": (checksummed(with_bytes(NODE_SOLICITED_NA, 18, "0018")), NODE6),
    "a node solicits": (NODE_NS, NODE6),
    "a node solicits a VIP": (craft.ordinary_request(NODE6, NODE_MAC, VIP6), NODE6),
    "a node solicits behind two priority tags": (craft.tagged(NODE_NS, 0, 0xE000), NODE6),
    "the option of a solicitation, not the frame's source": (with_bytes(NODE_NS, 6, ASKER), NODE6),
}


@pytest.mark.parametrize(("frame", "address"), NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_neighbours(frame: bytes, address: IPAddress) -> None:
    """Who speaks for a node's own address tells its MAC, whatever he says; unless it is asked for, nobody cares."""
    assert Decoder(WATCHED, NODES).decode(frame, AT) == NeighbourSeen(AT, address, NODE_MAC)
    assert Decoder(WATCHED).decode(frame, AT) is IgnoreReason.OTHER_ADDRESS


NEIGHBOUR_REASONS: dict[str, tuple[bytes, IgnoreReason]] = {
    "a probe for a node's address": (craft.probe(NODE, MAC), IgnoreReason.OTHER_ADDRESS),
    "a reply from 0.0.0.0": (with_bytes(craft.probe(NODE, MAC), 20, "0002"), IgnoreReason.OTHER_ADDRESS),
    "duplicate detection": (craft.probe(NODE6, MAC), IgnoreReason.OTHER_ADDRESS),
    "somebody asks for a node": (craft.ordinary_request(OTHER, ASKER, NODE), IgnoreReason.OTHER_ADDRESS),
    "somebody answers a node": (craft.ordinary_reply(OTHER, ASKER, NODE, NODE_MAC), IgnoreReason.OTHER_ADDRESS),
    "somebody solicits a node": (craft.ordinary_request(OTHER6, ASKER, NODE6), IgnoreReason.OTHER_ADDRESS),
    "the VIP solicits": (craft.ordinary_request(VIP6, MAC, OTHER6), IgnoreReason.OTHER_ADDRESS),
    "a VLAN": (craft.tagged(NODE_REQUEST, 5), IgnoreReason.OTHER_VLAN),
    "a VLAN, IPv6": (craft.tagged(NODE_NS, 5), IgnoreReason.OTHER_VLAN),
    "cut off": (NODE_REQUEST[:41], IgnoreReason.TRUNCATED),
    "hlen 20": (with_bytes(NODE_REQUEST, 18, "14"), IgnoreReason.BAD_LENGTHS),
    "sha zero": (with_bytes(NODE_REPLY, 22, "000000000000"), IgnoreReason.BAD_SHA),
    "sha a group": (with_bytes(NODE_REQUEST, 22, LEARNING), IgnoreReason.BAD_SHA),
    "a group in the option": (checksummed(with_bytes(NODE_NS, 80, LEARNING)), IgnoreReason.BAD_SHA),
    "hop limit 254": (with_bytes(NODE_NS, 21, "fe"), IgnoreReason.BAD_HOP_LIMIT),
    "a wrong checksum": (with_bytes(NODE_NS, 80, ASKER), IgnoreReason.BAD_CHECKSUM),
    "an advertisement with a wrong checksum": (with_bytes(NODE_NA, 80, ASKER), IgnoreReason.BAD_CHECKSUM),
    "code 1": (checksummed(with_bytes(NODE_NS, 55, "01")), IgnoreReason.MALFORMED_ND),
    "solicits a group": (
        checksummed(with_bytes(NODE_NS, 62, "ff020000000000000000000000000001")),
        IgnoreReason.MALFORMED_ND,
    ),
    "half an option": (checksummed(with_bytes(NODE_NS, 18, "001c")), IgnoreReason.MALFORMED_ND),
    "a solicitation without the option": (NS_NO_OPTION, IgnoreReason.NO_LINK_LAYER_ADDRESS),
    "a solicitation with the other option": (
        checksummed(with_bytes(NODE_NS, 78, "02")),
        IgnoreReason.NO_LINK_LAYER_ADDRESS,
    ),
    "an advertisement without the option": (
        checksummed(with_bytes(NODE_NA, 18, "0018")),
        IgnoreReason.NO_LINK_LAYER_ADDRESS,
    ),
}


@pytest.mark.parametrize(("frame", "reason"), NEIGHBOUR_REASONS.values(), ids=NEIGHBOUR_REASONS.keys())
def test_neighbour_reasons(frame: bytes, reason: IgnoreReason) -> None:
    """What teaches nothing of a node has its reason, by the rules that hold for VIPs."""
    assert Decoder(WATCHED, NODES).decode(frame, AT) is reason


@pytest.mark.parametrize("frame", SPEAKING)
def test_a_vip_is_a_vip(frame: bytes) -> None:
    """An address asked for as both is a VIP alone: what speaks for it is a sighting, all else is nothing."""
    both = Decoder(WATCHED, NODES | WATCHED.keys())
    assert both.decode(frame, AT) == Decoder(WATCHED).decode(frame, AT)
    assert both.neighbours == NODES
    assert both.decode(craft.ordinary_request(VIP6, MAC, OTHER6), AT) is IgnoreReason.OTHER_ADDRESS


def test_nobody_is_no_neighbour() -> None:
    """A node whose address is said to be 0.0.0.0 or :: makes no probe a teacher."""
    nobody: frozenset[IPAddress] = frozenset((IPv4Address(0), IPv6Address(0)))
    decoder = Decoder({}, nobody)
    assert {decoder.decode(frame, AT) for frame in (PROBE, PROBE6)} == {IgnoreReason.OTHER_ADDRESS}
    assert decoder.neighbours == frozenset()


def test_solicited_without_option_is_the_senders() -> None:
    """A solicited advertisement may leave the option out: then the frame's source counts."""
    assert Decoder(WATCHED).decode(SHORT_SOLICITED, AT) == Sighting(AT, VIP6, Kind.SOLICITED_NA, MAC)


def test_outgoing_frames() -> None:
    """What this host sends is marked, and its checksum may still be unfinished."""
    unfinished = with_bytes(NA, 56, "dead")
    assert Decoder(WATCHED).decode(unfinished, AT, outgoing=True) == Sighting(AT, VIP6, Kind.NA, MAC, outgoing=True)


@pytest.mark.parametrize(
    ("frame", "stripped_tag", "seen"),
    [
        (REQUEST, None, False),
        (REQUEST, 0, False),
        (REQUEST, 5, True),
        (REQUEST, 0xE005, True),
        (REQUEST, 6, False),
        (craft.tagged(REQUEST, 5), None, True),
        (craft.tagged(REQUEST, 5), 0, True),
        (craft.tagged(REQUEST, 0), 5, True),
        (craft.tagged(REQUEST, 5), 5, False),
        (craft.tagged(REQUEST, 5), 6, False),
        (craft.tagged(REQUEST, 5, ethertype=0x9100), None, True),
    ],
)
def test_configured_vlan(frame: bytes, stripped_tag: int | None, seen: bool) -> None:
    """A VIP with a VLAN id is watched in that VLAN alone, whether the kernel has stripped the tag or not."""
    expected = Sighting(AT, VIP, Kind.REQUEST, MAC) if seen else IgnoreReason.OTHER_VLAN
    assert Decoder({VIP: 5}).decode(frame, AT, stripped_tag=stripped_tag) == expected


def test_stripped_tag_of_an_untagged_vip() -> None:
    """A stripped tag counts like an inline one."""
    decoder = Decoder(WATCHED)
    assert decoder.decode(REQUEST, AT, stripped_tag=5) is IgnoreReason.OTHER_VLAN
    assert isinstance(decoder.decode(REQUEST, AT, stripped_tag=0xE000), Sighting)


def test_watch_replaces() -> None:
    """After `watch`, only the new addresses are known; a sighting carries the very object given."""
    decoder = Decoder(WATCHED)
    decoder.watch({OTHER: None})
    assert decoder.decode(REQUEST, AT) is IgnoreReason.OTHER_ADDRESS
    outcome = decoder.decode(craft.announcement(OTHER, MAC), AT)
    assert isinstance(outcome, Sighting)
    assert outcome.vip is OTHER
    assert decoder.watched == {OTHER: None}
    decoder.watch({}, NODES)
    outcome = decoder.decode(NODE_REQUEST, AT)
    assert isinstance(outcome, NeighbourSeen)
    assert outcome.address is NODE
    assert (decoder.watched, decoder.neighbours) == ({}, NODES)
    decoder.watch(WATCHED)
    assert decoder.decode(NODE_REQUEST, AT) is IgnoreReason.OTHER_ADDRESS


def test_discovery() -> None:
    """A discovering decoder knows an address from its first proper, untagged announcement on."""
    decoder = Decoder.discovering()
    before = [decoder.decode(frame, AT) for frame in (PROBE, ORDINARY_REQUEST, ORDINARY_REPLY, SOLICITED_NA, PROBE6)]
    assert set(before) == {IgnoreReason.OTHER_ADDRESS}
    assert decoder.decode(craft.tagged(REQUEST, 5), AT) is IgnoreReason.OTHER_VLAN
    assert decoder.decode(with_bytes(REQUEST, 22, "000000000000"), AT) is IgnoreReason.BAD_SHA
    assert decoder.decode(with_bytes(REQUEST, 20, "0009"), AT) is IgnoreReason.OTHER_ADDRESS
    assert decoder.watched == {}
    assert isinstance(decoder.decode(REPLY, AT), Sighting)
    assert isinstance(decoder.decode(NA, AT), Sighting)
    assert decoder.watched == {VIP: None, VIP6: None}
    assert all(isinstance(decoder.decode(frame, AT), Sighting) for frame in SPEAKING)


def test_a_neighbour_is_discovered_once_it_announces_itself() -> None:
    """Every address that anyone announces is watched; until then, what a node says of its own tells its MAC."""
    decoder = Decoder.discovering()
    decoder.watch({}, NODES)
    ordinary = craft.ordinary_request(NODE, NODE_MAC, wanted=VIP)
    assert decoder.decode(ordinary, AT) == NeighbourSeen(AT, NODE, NODE_MAC)
    for frame in (craft.announcement(NODE, NODE_MAC), NODE_NA):
        assert isinstance(decoder.decode(frame, AT), Sighting)
    assert decoder.watched == {NODE: None, NODE6: None}
    assert isinstance(decoder.decode(ordinary, AT), Sighting)


@pytest.mark.parametrize("address", ["224.0.0.1", "255.255.255.255", "127.0.0.1"])
def test_discovery_of_unicast_only(address: str) -> None:
    """Nobody can announce a group's, the broadcast or a loopback address."""
    packed = bytes(map(int, address.split(".")))
    frame = with_bytes(with_bytes(REQUEST, 28, packed), 38, packed)
    assert Decoder.discovering().decode(frame, AT) is IgnoreReason.OTHER_ADDRESS


def test_discovery_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up addresses beyond the bound have a reason of their own; known ones go on."""
    monkeypatch.setattr(decode, "MAX_DISCOVERED", 1)
    decoder = Decoder.discovering()
    assert isinstance(decoder.decode(REQUEST, AT), Sighting)
    assert decoder.decode(craft.announcement(OTHER, MAC), AT) is IgnoreReason.TOO_MANY_ADDRESSES
    assert isinstance(decoder.decode(REPLY, AT), Sighting)


def test_cooked() -> None:
    """A packet without Ethernet header is read the same, tags at its beginning included."""
    decoder = Decoder({VIP: 5, VIP6: None})
    assert decoder.decode_cooked(0x8100, b"\0\5" + REQUEST[12:], MAC, AT) == Sighting(AT, VIP, Kind.REQUEST, MAC)
    assert decoder.decode_cooked(0x86DD, PROBE6[14:], MAC, AT) == Sighting(AT, VIP6, Kind.PROBE, MAC)
    assert decoder.decode_cooked(0x86DD, PROBE6[14:], b"", AT) is IgnoreReason.BAD_LENGTHS
    assert decoder.decode_cooked(0x86DD, NA[14:], b"", AT, outgoing=True) == Sighting(AT, VIP6, Kind.NA, MAC, True)
    decoder.watch({}, NODES)
    assert decoder.decode_cooked(0x0806, NODE_REQUEST[14:], ASKER, AT) == NeighbourSeen(AT, NODE, NODE_MAC)
    assert decoder.decode_cooked(0x86DD, NODE_NS[14:], b"", AT) == NeighbourSeen(AT, NODE6, NODE_MAC)
    assert decoder.decode_cooked(0x8100, b"\0\5" + NODE_REQUEST[12:], MAC, AT) is IgnoreReason.OTHER_VLAN


def test_many_tags_are_cheap() -> None:
    """Three hundred tags take no longer than a few (scapy: 7.7 ms)."""
    frame = craft.tagged(REQUEST, *[0] * 300)
    decoder = Decoder(WATCHED)
    began = time.perf_counter()
    for _ in range(1000):
        assert decoder.decode(frame, AT) is IgnoreReason.OTHER_VLAN
    assert time.perf_counter() - began < 0.5


@given(frame=st.binary(max_size=200), tag=st.none() | st.integers(0, 0xFFFF), outgoing=st.booleans())
@example(frame=b"\0" * 12, tag=None, outgoing=False)
def test_any_bytes(frame: bytes, tag: int | None, outgoing: bool) -> None:
    """Whatever the bytes, there is an outcome and no exception, cooked frames included."""
    for decoder in (Decoder(WATCHED, NODES), Decoder.discovering()):
        outcome = decoder.decode(frame, AT, outgoing=outgoing, stripped_tag=tag)
        assert isinstance(outcome, Sighting | NeighbourSeen | IgnoreReason)
        for ethertype in (0x0806, 0x86DD, 0x8100, 0):
            cooked = decoder.decode_cooked(ethertype, memoryview(frame), frame[:8], AT)
            assert isinstance(cooked, Sighting | NeighbourSeen | IgnoreReason)


@given(bent(), st.booleans())
def test_bent_frames(frame: bytes, outgoing: bool) -> None:
    """A frame damaged anywhere has an outcome, which tells of a watched address and of a possible MAC if of any."""
    outcome = Decoder(WATCHED, NODES).decode(memoryview(frame), AT, outgoing=outgoing)
    if isinstance(outcome, IgnoreReason):
        return
    if isinstance(outcome, Sighting):
        assert outcome.vip in WATCHED
    else:
        assert outcome.address in NODES
    assert len(outcome.mac) == 6
    assert not outcome.mac[0] & 1
    assert outcome.mac != Mac(bytes(6))


@given(bent())
def test_neighbours_change_nothing_for_vips(frame: bytes) -> None:
    """A frame that tells of a VIP tells the same with and without neighbours."""
    alone = Decoder(WATCHED).decode(frame, AT)
    beside = Decoder(WATCHED, NODES).decode(frame, AT)
    assert beside == alone or alone is IgnoreReason.OTHER_ADDRESS


def test_unconcerned() -> None:
    """Nobody in these frames speaks for a VIP or a node, nor for a VIP in those about nodes."""
    assert {Decoder(WATCHED, NODES).decode(frame, AT) for frame in UNCONCERNED} == {IgnoreReason.OTHER_ADDRESS}
    assert {Decoder(WATCHED).decode(frame, AT) for frame in NEIGHBOURLY} == {IgnoreReason.OTHER_ADDRESS}
