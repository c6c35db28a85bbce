"""The reader of capture files: pcap and pcapng of either byte order, packed or not, whole, cut and damaged.

What it reads goes on to the core, as in `vip-exporter replay`.
"""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from exporter.publish.records import replay_record
from exporter.vip.core import Core
from exporter.vip.model import NeighbourSeen, Sighting
from exporter.wire.capture_file import _END_OF_TIME, CaptureFile, CaptureFileError, Packet
from exporter.wire.decode import Decoder, IgnoreReason, Outcome
from exporter.wire.neighbours import Neighbours
from exporter.wire.scapy_adapter import PCAP_MAGICS, PCAPNG_MAGIC
from tests.fuzz.files import file_of
from tests.wire.frames import NODE, NODE6

GZIP = b"\x1f\x8b"
SMALLEST_RECORD = 12
"""Bytes: a block of pcapng with nothing in it."""
DEFLATE_MOST = 1032
"""Bytes that one packed byte stands for, at most (zlib's own account of its algorithm)."""
LONGEST = 8192
"""Bytes that a mutation unpacks."""

TOKENS = (
    *PCAP_MAGICS,
    PCAPNG_MAGIC,
    bytes.fromhex("1a2b3c4d"),
    bytes.fromhex("4d3c2b1a"),
    GZIP,
    *(struct.pack("<I", value) for value in (0, 1, 2, 3, 6, 10, 12, 16, 32, 113, 276, 0xFFFFFFFF, 1 << 24)),
    *(struct.pack(">I", value) for value in (1, 3, 6, 12, 32, 113, 276, 1 << 24)),
    bytes.fromhex("09000100"),
    bytes.fromhex("00090001"),
    bytes.fromhex("0e000800"),
    bytes.fromhex("000e0008"),
    bytes.fromhex("02000400"),
    bytes.fromhex("0806"),
    bytes.fromhex("86dd"),
)


class Read(NamedTuple):
    """What comes of a file."""

    packets: list[Packet]
    warnings: tuple[str, ...]
    error: str


def check(data: bytes) -> None:
    read = read_capture(data)
    most = len(data) * DEFLATE_MOST if data.startswith(GZIP) else len(data)
    assert len(read.packets) <= most // SMALLEST_RECORD
    for packet in read.packets:
        assert 0 <= packet.at < _END_OF_TIME
        assert isinstance(packet.outcome, Sighting | NeighbourSeen | IgnoreReason)
    for said in (*read.warnings, *filter(None, [read.error])):
        assert said.startswith("FILE: "), said
        assert "\n" not in said
        assert said.isprintable()
    if not data.startswith(GZIP) and data[:4] in (*PCAP_MAGICS, PCAPNG_MAGIC):
        assert read_capture(gzip.compress(data, 1)) == read, "packed, it says something else"
        half = read_capture(data[: max(4, len(data) * 2 // 3)]).packets
        assert half == read.packets[: len(half)], "cut, it says something else"
    judge(read.packets)


def read_capture(data: bytes) -> Read:
    decoder = Decoder.discovering()
    decoder.watch({}, frozenset((NODE, NODE6)))
    packets: list[Packet] = []
    warnings: tuple[str, ...] = ()
    error = ""
    with file_of(data) as path:
        try:
            with CaptureFile(path, decoder) as capture:
                packets.extend(capture)
                assert capture.consumed <= len(data) == capture.size
            warnings = capture.warnings
        except CaptureFileError as failed:
            error = str(failed)
        name = str(path)
    return Read(packets, tuple(text.replace(name, "FILE") for text in warnings), error.replace(name, "FILE"))


def judge(packets: list[Packet]) -> None:
    """The core takes whatever was read, in the order of the file, and what it says of it can be told."""
    if not packets:
        return
    core = Core(at=packets[0].at, listening=True, discover=True)
    neighbours = Neighbours()
    now = packets[0].at
    for at, outcome in packets:
        now = max(now, at)
        told: Outcome = outcome if isinstance(outcome, Sighting) else neighbours.judge(outcome, now)
        if not isinstance(told, IgnoreReason):
            core.observe(told)
    assert core.now <= now
    for vip in core.snapshot().vips:
        assert replay_record(vip)["vip"] == str(vip.address)


def mutate(data: bytes, most: int, seed: int, mutated: Callable[[bytes, int], bytes]) -> bytes:
    """What is packed is changed unpacked; lengths are mostly put right."""
    chance = random.Random(seed)
    unpacked = unzipped(data) if data.startswith(GZIP) and chance.random() < 0.9 else b""
    packed = unpacked != b""
    content = mutated(unpacked or data, most)
    if chance.random() < 0.8:
        content = with_lengths(content)
    if packed or chance.random() < 0.02:
        content = gzip.compress(content, 1, mtime=0)
    return content[:most]


def unzipped(data: bytes) -> bytes:
    """Its first member; empty where that is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data, LONGEST)
    except zlib.error:
        return b""


def with_lengths(content: bytes) -> bytes:
    """With each block's second length like its first, which is made whole words and kept within the file."""
    if content[:4] != PCAPNG_MAGIC or len(content) < 12:
        return content
    order = ">" if content[8:12] == bytes.fromhex("1a2b3c4d") else "<"
    whole = bytearray(content)
    at = 0
    while at + 12 <= len(whole):
        if whole[at : at + 4] == PCAPNG_MAGIC:
            order = ">" if whole[at + 8 : at + 12] == bytes.fromhex("1a2b3c4d") else "<"
        (length,) = struct.unpack_from(order + "I", whole, at + 4)
        length = min(max(12, length // 4 * 4), (len(whole) - at) // 4 * 4)
        struct.pack_into(order + "I", whole, at + 4, length)
        struct.pack_into(order + "I", whole, at + length - 4, length)
        at += length
    return bytes(whole)
