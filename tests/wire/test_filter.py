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
from exporter.wire.decode import Decoder, IgnoreReason
from exporter.wire.filter import MAX_INSTRUCTIONS, Program, compile_filter
from exporter.wire.frame_source import PacketSocket
from tests import netns
from tests.wire import bpf
from tests.wire.frames import MAC, NA, OTHER, PROBE, REPLY, REQUEST, SPEAKING, UNCONCERNED, VIP, VIP6, bent, with_bytes

OURS: frozenset[IPAddress] = frozenset((VIP, VIP6))
OTHERS_BUSINESS = frozenset({IgnoreReason.OTHER_PROTOCOL, IgnoreReason.OTHER_ADDRESS})
ILL_FORMED = frozenset({IgnoreReason.TRUNCATED, IgnoreReason.BAD_HARDWARE_TYPE, IgnoreReason.BAD_LENGTHS})
"""Of these the filter passes those that have a VIP at the usual place."""


def outcome(frame: bytes, vips: Collection[IPAddress] = OURS) -> Sighting | IgnoreReason:
    return Decoder(dict.fromkeys(vips)).decode(frame, 0)


def passes(program: Program, frame: bytes) -> bool:
    return bpf.run(program, frame) > 0


def announce(vip: IPAddress) -> bytes:
    """As `craft.announcement`, without the cost of composing each."""
    if isinstance(vip, IPv6Address):
        return with_bytes(NA, 62, vip.packed)
    return with_bytes(with_bytes(REQUEST, 28, vip.packed), 38, vip.packed)


@given(bent())
def test_agrees_with_the_decoder(frame: bytes) -> None:
    """What passes is never somebody else's business; what is ours and well formed always passes."""
    if passes(compile_filter(OURS), frame):
        assert outcome(frame) not in OTHERS_BUSINESS
    else:
        assert outcome(frame) in OTHERS_BUSINESS | ILL_FORMED


@given(bent())
def test_coarse_passes_no_less(frame: bytes) -> None:
    """The filter for too many addresses passes all that the exact one does but ordinary requests and replies."""
    seen = outcome(frame)
    if isinstance(seen, Sighting) and seen.kind not in (Kind.ORDINARY_REQUEST, Kind.ORDINARY_REPLY):
        assert passes(compile_filter(OURS, exact=False), frame)


@pytest.mark.parametrize("tags", [(), (0,), (5,), (0xE000, 7)])
@pytest.mark.parametrize("ethertype", [0x8100, 0x88A8, 0x9100])
def test_speaking_frames_pass(tags: tuple[int, ...], ethertype: int) -> None:
    """Plain and behind one or two tags."""
    program = compile_filter(OURS)
    assert all(passes(program, craft.tagged(frame, *tags, ethertype=ethertype)) for frame in SPEAKING)
    assert not any(passes(program, craft.tagged(frame, *tags, ethertype=ethertype)) for frame in UNCONCERNED)


def test_odd_lengths_reach_their_counter() -> None:
    """A message with odd lengths that would be about the VIP passes, for the decoder to count it."""
    assert passes(compile_filter(OURS), with_bytes(REQUEST, 18, "08"))


@pytest.mark.parametrize("length", [0, 1, 12, 13, 14, 27, 31])
def test_short_frames_are_dropped(length: int) -> None:
    """What ends before the sender's address ends in the kernel."""
    assert not passes(compile_filter(OURS), REQUEST[:length])


def test_no_addresses() -> None:
    """Without addresses nothing passes."""
    assert compile_filter([]) == compile_filter([], exact=False)
    assert not any(passes(compile_filter([]), frame) for frame in SPEAKING)


@pytest.mark.parametrize(
    "vips",
    [
        [IPv4Address(0x0A000000 + 7 * i) for i in range(1000)],
        [IPv4Address(random.Random(1).getrandbits(32) | 1) for _ in range(1000)],
        [IPv6Address((0x20010DB8 << 96) + i) for i in range(1000)],
        [IPv6Address(random.Random(2).getrandbits(128) | 1) for _ in range(200)],
        [*(IPv4Address(0xC0000200 + i) for i in range(250)), *(IPv6Address((0xFD << 120) + i) for i in range(250))],
    ],
    ids=["a pool", "scattered", "a pool of IPv6", "scattered IPv6", "both families"],
)
def test_many_addresses(vips: list[IPAddress]) -> None:
    """A thousand addresses fit, each passes, their neighbours do not, and no frame takes more than 60 instructions."""
    program = compile_filter(vips)
    assert len(program) <= MAX_INSTRUCTIONS // 2
    known = set(vips)
    for vip in vips:
        assert passes(program, announce(vip))
        neighbour = vip + 1
        assert passes(program, announce(neighbour)) == (neighbour in known)


def test_too_many_addresses() -> None:
    """Ten thousand scattered addresses make a short program: announcements and probes of anybody pass."""
    program = compile_filter(IPv4Address(0x0A000000 + 3 * i) for i in range(10_000))
    assert len(program) < 40
    assert all(passes(program, frame) for frame in (REQUEST, REPLY, PROBE, craft.announcement(OTHER, MAC)))
    assert not passes(program, craft.ordinary_reply(OTHER, MAC, VIP, MAC))
    assert not passes(program, NA)


def stripped(frame: bytes) -> bytes:
    """The frame as the receiving kernel filters it: without its outermost tag."""
    return frame[:12] + frame[16:] if frame[12:14] in (b"\x81\x00", b"\x88\xa8") and len(frame) >= 18 else frame


def test_the_kernel_agrees(wire: netns.Wire) -> None:
    """The kernel passes the same frames as the interpreter, over a real wire."""
    chance = random.Random(3)
    frames = []
    for number in range(600):
        frame = bytearray(chance.choice(SPEAKING + UNCONCERNED))
        if chance.random() < 0.4:
            frame[chance.randrange(12, len(frame))] = chance.randrange(256)
        tags = [chance.choice((0, 5)) for _ in range(chance.choice((0, 0, 1, 2, 3)))]
        # The destination tells the frames apart.
        frames.append(craft.tagged(struct.pack(">HI", 0x0300, number) + bytes(frame[6:]), *tags))
    with netns.inside(wire.here):
        source = PacketSocket(netns.DEVICE, OURS, 1 << 20)
    try:
        wire.send(frames)
        time.sleep(0.2)
        heard = {captured.data[:6] for _ in range(4) for captured in source.read()}
    finally:
        source.close()
    program = compile_filter(OURS)
    assert heard == {frame[:6] for frame in frames if passes(program, stripped(frame))}


def test_attach_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no room for the exact filter, the socket gets the short one."""
    attached: list[int] = []

    def attach(_: socket.socket, program: Program) -> None:
        attached.append(len(program))
        if len(program) > 100:
            raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(frame_filter, "_attach", attach)
    with socket.socket() as any_socket:
        frame_filter.attach(any_socket, [IPv4Address(i) for i in range(1, 1001)])
    assert attached[0] > 1000
    assert attached[1] < 40


def test_largest_programs_attach() -> None:
    """The kernel takes a program for a thousand addresses."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as receiver:
        frame_filter.attach(receiver, [IPv4Address(0x0A000000 + 7 * i) for i in range(1000)])
        frame_filter.attach(receiver, [IPv4Address(0x0A000000 + 3 * i) for i in range(10_000)])


@given(st.sets(st.ip_addresses(), min_size=1, max_size=60), st.ip_addresses())
def test_any_addresses(vips: set[IPAddress], other: IPAddress) -> None:
    """Exactly the watched addresses pass, whichever they are."""
    vips.discard(IPv4Address(0))
    program = compile_filter(vips)
    assert all(passes(program, announce(vip)) for vip in vips)
    if other not in (*vips, IPv4Address(0)):
        assert not passes(program, announce(other))
