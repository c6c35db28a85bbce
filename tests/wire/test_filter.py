"""The kernel's filter passes what the decoder would not call somebody else's business."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.vip.model import IPAddress, Kind, Sighting
from exporter.wire import craft
from exporter.wire import filter as frame_filter
from exporter.wire.bpf import MAX_INSTRUCTIONS, Program
from exporter.wire.capture import open_source
from exporter.wire.decode import Decoder, IgnoreReason, Outcome
from exporter.wire.filter import compile_filter, programs
from tests import netns
from tests.wire import bpf
from tests.wire.frames import (
    MAC,
    NA,
    NEIGHBOURLY,
    NODE,
    NODE6,
    NODE_NS,
    OTHER,
    OTHER6,
    PROBE,
    PROBE6,
    REPLY,
    REQUEST,
    SPEAKING,
    UNCONCERNED,
    VIP,
    VIP6,
    bent,
    with_bytes,
)

OURS: frozenset[IPAddress] = frozenset((VIP, VIP6))
NODES: frozenset[IPAddress] = frozenset((NODE, NODE6))
NONE: frozenset[IPAddress] = frozenset()
OTHERS_BUSINESS = frozenset({IgnoreReason.OTHER_PROTOCOL, IgnoreReason.OTHER_ADDRESS})
ILL_FORMED = frozenset({IgnoreReason.TRUNCATED, IgnoreReason.BAD_HARDWARE_TYPE, IgnoreReason.BAD_LENGTHS})
"""Of these the filter passes those that have a VIP at the usual place."""


def outcome(
    frame: bytes, vips: Collection[IPAddress] = OURS, neighbours: frozenset[IPAddress] = frozenset()
) -> Outcome:
    return Decoder(dict.fromkeys(vips), neighbours).decode(frame, 0)


def coarse(vips: Collection[IPAddress]) -> Program:
    """The program for when nothing better is possible."""
    return list(programs(vips))[-1]


def passes(program: Program, frame: bytes) -> bool:
    return bpf.run(program, frame) > 0


def announce(vip: IPAddress) -> bytes:
    """As `craft.announcement`, without the cost of composing each."""
    if isinstance(vip, IPv6Address):
        return with_bytes(NA, 62, vip.packed)
    return with_bytes(with_bytes(REQUEST, 28, vip.packed), 38, vip.packed)


def probe(address: IPAddress) -> bytes:
    """As `craft.probe`, likewise."""
    return with_bytes(PROBE6, 62, address.packed) if address.version == 6 else with_bytes(PROBE, 38, address.packed)


def ask(sender: IPAddress) -> bytes:
    """As `craft.ordinary_request` for an address of no interest, likewise."""
    return with_bytes(NODE_NS, 22, sender.packed) if sender.version == 6 else with_bytes(REQUEST, 28, sender.packed)


@pytest.mark.parametrize(
    ("vips", "neighbours"),
    [(OURS, NONE), (OURS, NODES), (NONE, NODES), (OURS - {VIP6}, NODES - {NODE}), (OURS - {VIP}, NODES - {NODE6})],
    ids=["VIPs", "VIPs and neighbours", "neighbours", "a family each", "the other way round"],
)
@given(frame=bent())
def test_agrees_with_the_decoder(vips: frozenset[IPAddress], neighbours: frozenset[IPAddress], frame: bytes) -> None:
    """What passes is never somebody else's business; what is ours and well formed always passes."""
    if passes(compile_filter(vips, neighbours), frame):
        assert outcome(frame, vips, neighbours) not in OTHERS_BUSINESS
    else:
        assert outcome(frame, vips, neighbours) in OTHERS_BUSINESS | ILL_FORMED


@given(bent())
def test_coarse_passes_no_less(frame: bytes) -> None:
    """The filter for too many addresses passes all that the exact one does but ordinary requests and replies."""
    seen = outcome(frame)
    if isinstance(seen, Sighting) and seen.kind not in (Kind.ORDINARY_REQUEST, Kind.ORDINARY_REPLY):
        assert passes(coarse(OURS), frame)


@pytest.mark.parametrize("tags", [(), (0,), (5,), (0xE000, 7)])
@pytest.mark.parametrize("ethertype", [0x8100, 0x88A8, 0x9100])
def test_speaking_frames_pass(tags: tuple[int, ...], ethertype: int) -> None:
    """Plain and behind one or two tags."""
    program = compile_filter(OURS)
    unconcerned = UNCONCERNED + NEIGHBOURLY
    assert all(passes(program, craft.tagged(frame, *tags, ethertype=ethertype)) for frame in SPEAKING)
    assert not any(passes(program, craft.tagged(frame, *tags, ethertype=ethertype)) for frame in unconcerned)


@pytest.mark.parametrize("tags", [(), (0,), (5,), (0xE000, 7)])
def test_neighbourly_frames_pass(tags: tuple[int, ...]) -> None:
    """Beside those about VIPs, frames in which a node speaks for itself pass; probes and questions for it do not."""
    program = compile_filter(OURS, NODES)
    assert all(passes(program, craft.tagged(frame, *tags)) for frame in SPEAKING + NEIGHBOURLY)
    assert not any(passes(program, craft.tagged(frame, *tags)) for frame in UNCONCERNED)


def test_a_neighbour_that_is_a_vip() -> None:
    """It is a VIP: probes for it pass, and what it solicits does not."""
    assert compile_filter(OURS, OURS) == compile_filter(OURS)
    assert passes(compile_filter(OURS, OURS | NODES), PROBE)
    assert not passes(compile_filter(OURS, OURS | NODES), craft.ordinary_request(VIP6, MAC, OTHER6))


def test_odd_lengths_reach_their_counter() -> None:
    """A message with odd lengths that would be about the VIP passes, for the decoder to count it."""
    assert passes(compile_filter(OURS), with_bytes(REQUEST, 18, "08"))


@pytest.mark.parametrize("length", [0, 1, 12, 13, 14, 27, 31])
def test_short_frames_are_dropped(length: int) -> None:
    """What ends before the sender's address ends in the kernel."""
    assert not passes(compile_filter(OURS), REQUEST[:length])


def test_no_addresses() -> None:
    """Without addresses nothing passes."""
    assert set(programs([])) == {compile_filter([])}
    assert not any(passes(compile_filter([]), frame) for frame in SPEAKING)


@pytest.mark.parametrize(
    "vips",
    [
        [IPv4Address(0x0A000000 + 7 * i) for i in range(1000)],
        [IPv4Address(random.Random(1).getrandbits(32) | 1) for _ in range(1000)],
        [IPv6Address((0x20010DB8 << 96) + i) for i in range(1000)],
        [IPv6Address(random.Random(2).getrandbits(128) | 1) for _ in range(200)],
        [*(IPv4Address(0xC0000200 + i) for i in range(250)), *(IPv6Address((0xFD << 120) + i) for i in range(250))],
        [IPv4Address(0xFFFFFFF0 + i) for i in range(15)],
        [IPv4Address(0x0A000000 + 256 * pool + i) for pool in range(50) for i in range(200)],
    ],
    ids=["a pool", "scattered", "a pool of IPv6", "scattered IPv6", "both families", "the last", "50 pools"],
)
def test_many_addresses(vips: list[IPAddress]) -> None:
    """All fit, each passes, their neighbours do not. Ten thousand of pools take no more than a thousand others."""
    program = compile_filter(vips)
    assert len(program) <= MAX_INSTRUCTIONS // 2
    known = set(vips)
    for vip in vips:
        assert passes(program, announce(vip))
        next_one = vip + 1
        assert passes(program, announce(next_one)) == (next_one in known)


def test_too_many_addresses() -> None:
    """Ten thousand scattered addresses make a short program: announcements and probes of anybody pass."""
    program = compile_filter(IPv4Address(0x0A000000 + 3 * i) for i in range(10_000))
    assert len(program) < 40
    assert all(passes(program, frame) for frame in (REQUEST, REPLY, PROBE, craft.announcement(OTHER, MAC)))
    assert not passes(program, craft.ordinary_reply(OTHER, MAC, VIP, MAC))
    assert not passes(program, NA)


def test_many_neighbours() -> None:
    """A thousand VIPs and five hundred nodes fit, and every frame is judged by what it is about."""
    vips = [IPv4Address(0x0A000000 + 7 * i) for i in range(1000)]
    nodes = [IPv4Address(0x0A000003 + 14 * i) for i in range(400)] + [NODE6 + 5 * i for i in range(100)]
    program = compile_filter(vips, nodes)
    assert len(program) <= 2 * len(compile_filter(vips)) <= MAX_INSTRUCTIONS
    for vip in vips:
        assert passes(program, announce(vip))
        assert passes(program, probe(vip))
    for node in nodes:
        assert passes(program, announce(node))
        assert passes(program, ask(node))
        assert not passes(program, probe(node))
        assert not passes(program, ask(node + 1))


def test_too_many_neighbours() -> None:
    """Neighbours that there is no room for are given up, before anything of the VIPs is."""
    vips = [IPv4Address(0x0A000000 + 7 * i) for i in range(2000)]
    nodes = [IPv4Address(0xAC100000 + 7 * i) for i in range(2000)]
    assert compile_filter(vips, nodes) == compile_filter(vips)
    assert passes(compile_filter(vips, nodes), ask(vips[-1]))
    assert passes(compile_filter(vips, nodes[:100]), ask(nodes[99]))


def stripped(frame: bytes) -> bytes:
    """The frame as the receiving kernel filters it: without its outermost tag."""
    return frame[:12] + frame[16:] if frame[12:14] in (b"\x81\x00", b"\x88\xa8") and len(frame) >= 18 else frame


def test_the_kernel_agrees(wire: netns.Wire) -> None:
    """The kernel passes the same frames as the interpreter, over a real wire."""
    chance = random.Random(3)
    frames = []
    for number in range(600):
        frame = bytearray(chance.choice(SPEAKING + UNCONCERNED + NEIGHBOURLY))
        if chance.random() < 0.4:
            frame[chance.randrange(12, len(frame))] = chance.randrange(256)
        tags = [chance.choice((0, 5)) for _ in range(chance.choice((0, 0, 1, 2, 3)))]
        # The destination tells the frames apart.
        frames.append(craft.tagged(struct.pack(">HI", 0x0300, number) + bytes(frame[6:]), *tags))
    with netns.inside(wire.here):
        source = open_source(netns.DEVICE, OURS, NODES, 1 << 20)
    try:
        wire.send(frames)
        time.sleep(0.2)
        heard = {captured.data[:6] for _ in range(4) for captured in source.read()}
    finally:
        source.close()
    program = compile_filter(OURS, NODES)
    assert heard == {frame[:6] for frame in frames if passes(program, stripped(frame))}


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_attach_falls_back(monkeypatch: pytest.MonkeyPatch, tries: int) -> None:
    """Where the kernel has no room, the socket gets the VIPs' own filter, and at the worst the short one."""
    vips, nodes = [IPv4Address(3 * i) for i in range(1, 1001)], [IPv4Address(3 * i) for i in range(5000, 5400)]
    expected = [compile_filter(vips, nodes), compile_filter(vips), coarse(vips)]
    attached: list[Program] = []

    def attach(_: socket.socket, program: Program) -> None:
        attached.append(program)
        if len(program) > len(expected[tries - 1]):
            raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(frame_filter, "_attach", attach)
    with socket.socket() as any_socket:
        frame_filter.attach(any_socket, vips, nodes)
    assert attached == expected[:tries]
    assert len(expected[0]) > len(expected[1]) > 1000 > 40 > len(expected[2])


def test_attach_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other refusal, or no room at all, is said."""

    def refuse(_: socket.socket, program: Program) -> None:
        raise OSError(12 if len(program) > room else 1, "refused")

    monkeypatch.setattr(frame_filter, "_attach", refuse)
    for room, number in ((0, 12), (4096, 1)):  # noqa: B007 - the function above reads it
        with socket.socket() as any_socket, pytest.raises(OSError) as refused:
            frame_filter.attach(any_socket, OURS, NODES)
        assert refused.value.errno == number


def test_largest_programs_attach() -> None:
    """The kernel takes a program for a thousand addresses."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as receiver:
        vips = [IPv4Address(0x0A000000 + 7 * i) for i in range(1000)]
        frame_filter.attach(receiver, vips)
        frame_filter.attach(receiver, vips, [NODE6 + 3 * i for i in range(200)])
        frame_filter.attach(receiver, [IPv4Address(0x0A000000 + 3 * i) for i in range(10_000)])


@given(st.sets(st.ip_addresses(), min_size=1, max_size=60), st.ip_addresses())
def test_any_addresses(vips: set[IPAddress], other: IPAddress) -> None:
    """Exactly the watched addresses pass, whichever they are."""
    vips.discard(IPv4Address(0))
    program = compile_filter(vips)
    assert all(passes(program, announce(vip)) for vip in vips)
    if other not in (*vips, IPv4Address(0)):
        assert not passes(program, announce(other))


@given(st.sets(st.ip_addresses(), max_size=60), st.sets(st.ip_addresses(), max_size=60), st.ip_addresses())
def test_any_neighbours(vips: set[IPAddress], nodes: set[IPAddress], other: IPAddress) -> None:
    """Exactly the neighbours' own words pass beside what is about VIPs, whichever they are."""
    nobody = {IPv4Address(0), IPv6Address(0)}
    vips -= nobody
    nodes -= vips | nobody
    program = compile_filter(vips, nodes)
    for address in (vips | nodes | {other}) - nobody:
        assert passes(program, announce(address)) == (address in vips | nodes)
        assert passes(program, probe(address)) == (address in vips)
        asks_by_arp = address.version == 4 and address in vips
        assert passes(program, ask(address)) == (asks_by_arp or address in nodes)
