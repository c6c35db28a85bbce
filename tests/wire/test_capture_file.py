"""Capture files of every make, whole and damaged."""

from __future__ import annotations

import gzip
import io
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.vip.model import SECOND, Kind, Nanoseconds, NeighbourSeen, Sighting
from exporter.wire import craft
from exporter.wire.capture_file import CaptureFile, CaptureFileError, Packet
from exporter.wire.decode import Decoder, IgnoreReason
from tests.wire.frames import (
    MAC,
    NA,
    NODE,
    NODE6,
    NODE_MAC,
    NODE_NS,
    NODE_REPLY,
    PROBE6,
    REPLY,
    REQUEST,
    SOLICITED_NA,
    VIP,
    VIP6,
    bent,
)

AT = 1_700_000_000_123_456_789
"""No float holds this."""
PACKETS = [(AT, REQUEST), (AT + 3 * SECOND + 1, REPLY), (AT + 6 * SECOND, NA)]
SIGHTINGS = [
    Packet(AT, Sighting(AT, VIP, Kind.REQUEST, MAC)),
    Packet(AT + 3 * SECOND + 1, Sighting(AT + 3 * SECOND + 1, VIP, Kind.REPLY, MAC)),
    Packet(AT + 6 * SECOND, Sighting(AT + 6 * SECOND, VIP6, Kind.NA, MAC)),
]


def read(path: Path) -> tuple[list[Packet], tuple[str, ...]]:
    """All packets, with every announced address watched, and the warnings."""
    with CaptureFile(path, Decoder.discovering()) as capture:
        packets = list(capture)
    return packets, capture.warnings


def pcap(
    packets: Sequence[tuple[Nanoseconds, bytes]], *, link_type: int = 1, endian: str = "<", nano: bool = False
) -> bytes:
    unit = 1 if nano else 1000
    file = struct.pack(endian + "IHHIIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)
    for at, frame in packets:
        file += struct.pack(endian + "IIII", at // SECOND, at % SECOND // unit, len(frame), len(frame)) + frame
    return file


def block(kind: int, body: bytes, endian: str) -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(endian + "I", len(body) + 12)
    return struct.pack(endian + "I", kind) + length + body + length


def option(code: int, value: bytes, endian: str) -> bytes:
    return struct.pack(endian + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def section(endian: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(endian + "IHHq", 0x1A2B3C4D, 1, 0, -1), endian)


def interface(resolution: int | None = None, *, link_type: int = 1, endian: str = "<") -> bytes:
    options = b"" if resolution is None else option(9, bytes([resolution]), endian)
    return block(1, struct.pack(endian + "HHI", link_type, 0, 0) + options, endian)


def packet(ticks: int, frame: bytes, *, number: int = 0, direction: int | None = None, endian: str = "<") -> bytes:
    head = struct.pack(endian + "5I", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    options = b"" if direction is None else option(2, struct.pack(endian + "I", direction), endian)
    return block(6, head + frame + b"\0" * (-len(frame) % 4) + options, endian)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("big_endian", [False, True])
def test_written_and_read(tmp_path: Path, compressed: bool, big_endian: bool) -> None:
    """What is written is read back, to the nanosecond, whatever the packing and byte order."""
    path = tmp_path / "capture"
    craft.write_capture(path, PACKETS, compressed=compressed, big_endian=big_endian)
    assert read(path) == (SIGHTINGS, ())


@pytest.mark.parametrize("link_type", [1, 113])
def test_neighbours(tmp_path: Path, link_type: int) -> None:
    """Each packet in which a node speaks for itself tells it, cooked packets too; nothing is held back in a file."""
    header = b"" if link_type == 1 else b"\0\0\0\1\0\6" + NODE_MAC + b"\0\0"
    frames = [frame if link_type == 1 else header + frame[12:] for frame in (NODE_REPLY, NODE_NS, NODE_REPLY)]
    path = tmp_path / "capture"
    path.write_bytes(pcap([(AT, frame) for frame in frames], link_type=link_type, nano=True))
    decoder = Decoder.discovering()
    decoder.watch({}, frozenset((NODE, NODE6)))
    with CaptureFile(path, decoder) as capture:
        told = [outcome for _, outcome in capture]
    assert told == [NeighbourSeen(AT, address, NODE_MAC) for address in (NODE, NODE6, NODE)]


@pytest.mark.parametrize("endian", ["<", ">"])
def test_microseconds(tmp_path: Path, endian: str) -> None:
    """A pcap file with microseconds, as tcpdump writes it."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(pcap(PACKETS, endian=endian))
    packets, warnings = read(path)
    assert [each.at for each in packets] == [at // 1000 * 1000 for at, _ in PACKETS]
    assert [each.outcome for each in packets if isinstance(each.outcome, IgnoreReason)] == []
    assert warnings == ()


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize(
    ("resolution", "ticks", "at"),
    [
        (None, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, AT, AT),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (12, 1_700_000_000_123_456_789, 1_700_000_000_123_456),
        (0x80 | 30, (1_700_000_000 << 30) + (1 << 29), 1_700_000_000_500_000_000),
    ],
)
def test_pcapng_resolutions(tmp_path: Path, endian: str, resolution: int | None, ticks: int, at: int) -> None:
    """pcapng times are exact in every resolution, decimal or binary."""
    path = tmp_path / "capture.pcapng"
    path.write_bytes(section(endian) + interface(resolution, endian=endian) + packet(ticks, REQUEST, endian=endian))
    assert read(path) == ([Packet(at, Sighting(at, VIP, Kind.REQUEST, MAC))], ())


def test_pcapng_sections(tmp_path: Path) -> None:
    """Captures strung together: each section's interfaces are its own, directions are kept, strange blocks skipped."""
    strange = block(0xBAD, b"whatever", "<") + block(10, b"\0" * 8, "<")
    first = section() + interface(9) + strange + packet(AT, REQUEST, direction=2)
    second = section(">") + interface(6, endian=">") + packet(AT // 1000, REPLY, direction=1, endian=">")
    path = tmp_path / "capture.pcapng.gz"
    path.write_bytes(gzip.compress(first + second))
    packets, warnings = read(path)
    assert packets == [
        Packet(AT, Sighting(AT, VIP, Kind.REQUEST, MAC, outgoing=True)),
        Packet(AT // 1000 * 1000, Sighting(AT // 1000 * 1000, VIP, Kind.REPLY, MAC)),
    ]
    assert warnings == ()


def test_pcapng_without_times(tmp_path: Path) -> None:
    """A packet without time counts as of the one before."""
    simple = block(3, struct.pack("<I", len(REPLY)) + REPLY, "<")
    path = tmp_path / "capture.pcapng"
    idb = block(1, struct.pack("<HHI", 1, 0, 65535) + option(9, b"\x09", "<"), "<")
    path.write_bytes(section() + idb + packet(AT, REQUEST) + simple)
    assert [each.at for each in read(path)[0]] == [AT, AT]


def cooked(frame: bytes, direction: int) -> bytes:
    return struct.pack(">HHH8s", direction, 1, 6, frame[6:12]) + frame[12:]


def cooked_v2(frame: bytes, direction: int) -> bytes:
    return frame[12:14] + struct.pack(">HIHBB8s", 0, 7, 1, direction, 6, frame[6:12]) + frame[14:]


@pytest.mark.parametrize(("link_type", "cook"), [(113, cooked), (276, cooked_v2)])
def test_cooked(tmp_path: Path, link_type: int, cook: object) -> None:
    """Linux's cooked captures (`tcpdump -i any`), both versions: packet type 4 is what the host sent."""
    assert callable(cook)
    frames = [cook(REQUEST, 1), cook(NA, 4), cook(PROBE6, 2), cook(craft.tagged(REQUEST, 5), 1), cook(REQUEST, 0)[:10]]
    path = tmp_path / "any.pcap"
    path.write_bytes(pcap([(AT, frame) for frame in frames], link_type=link_type, nano=True))
    packets, warnings = read(path)
    assert [each.outcome for each in packets] == [
        Sighting(AT, VIP, Kind.REQUEST, MAC),
        Sighting(AT, VIP6, Kind.NA, MAC, outgoing=True),
        Sighting(AT, VIP6, Kind.PROBE, MAC),
        IgnoreReason.OTHER_VLAN,
        IgnoreReason.TRUNCATED,
    ]
    assert warnings == ()


def test_other_link_type(tmp_path: Path) -> None:
    """A capture of a link that has no ARP is an error that names the link."""
    path = tmp_path / "wifi.pcap"
    path.write_bytes(pcap(PACKETS, link_type=127))
    with pytest.raises(CaptureFileError, match=r"wifi\.pcap: .*radiotap \(link type 127\).*Ethernet"):
        read(path)


def test_mixed_link_types(tmp_path: Path) -> None:
    """Where only some packets are of another link, they are counted and mentioned."""
    path = tmp_path / "mixed.pcapng"
    path.write_bytes(
        section() + interface(9, link_type=101) + interface(9) + packet(AT, b"\x45") + packet(AT, REQUEST, number=1)
    )
    packets, warnings = read(path)
    assert [each.outcome for each in packets] == [
        IgnoreReason.UNKNOWN_LINK_TYPE,
        Sighting(AT, VIP, Kind.REQUEST, MAC),
    ]
    assert len(warnings) == 1
    assert "raw IP (link type 101)" in warnings[0]


def test_snap_length(tmp_path: Path) -> None:
    """Packets cut by the snap length are `truncated`; padding to come is no loss."""
    path = tmp_path / "short.pcap"
    path.write_bytes(pcap([(AT, REQUEST[:41]), (AT, REQUEST), (AT, SOLICITED_NA[:60])]))
    outcomes = [each.outcome for each in read(path)[0]]
    assert [outcomes[0], outcomes[2]] == [IgnoreReason.TRUNCATED] * 2
    assert isinstance(outcomes[1], Sighting)


WHOLE = {
    "pcap": pcap(PACKETS, nano=True),
    "pcapng": section() + interface(9) + b"".join(packet(at, frame) for at, frame in PACKETS),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_cut_anywhere(tmp_path: Path, kind: str) -> None:
    """Cut after any byte: all whole packets are read, and a warning comes exactly if the cut was inside a record."""
    path = tmp_path / "cut"
    whole = WHOLE[kind]
    boundaries = {}
    headers = len(pcap([])) if kind == "pcap" else len(section() + interface(9))
    boundaries[headers] = 0
    for count in range(1, len(PACKETS) + 1):
        records = [packet(at, frame) for at, frame in PACKETS[:count]]
        boundaries[len(pcap(PACKETS[:count])) if kind == "pcap" else headers + sum(map(len, records))] = count
    if kind == "pcapng":
        boundaries[len(section())] = 0
    for length in range(4, len(whole) + 1):
        path.write_bytes(whole[:length])
        packets, warnings = read(path)
        assert packets == SIGHTINGS[: max((n for at, n in boundaries.items() if at <= length), default=0)]
        assert bool(warnings) == (length not in boundaries), length
        assert all(str(path) in warning for warning in warnings)


def test_cut_gzip(tmp_path: Path) -> None:
    """An incomplete gzip file gives the packets that it has, and a warning."""
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(pcap([(AT + i, os.urandom(200)) for i in range(300)]))[:20_000])
    packets, warnings = read(path)
    assert 50 < len(packets) < 150
    assert len(warnings) == 1
    assert "in the middle" in warnings[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello, this is no capture", "neither pcap nor pcapng"),
        (b"\xd4\xc3", "neither pcap nor pcapng"),
        (gzip.compress(b""), "neither pcap nor pcapng"),
        (gzip.compress(b"no capture"), "neither pcap nor pcapng"),
        (gzip.compress(pcap(PACKETS))[:10], "gzip data is damaged"),
        (b"\x1f\x8bnonsense", "gzip data is damaged"),
        (b"\xfd7zXZ\0", "packed with xz; unpack it first"),
        (b"(\xb5/\xfd....", "packed with zstd"),
    ],
)
def test_no_capture(tmp_path: Path, content: bytes, message: str) -> None:
    """What is no capture is an error of one line that names the file."""
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(CaptureFileError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    """Neither is what is missing or a directory."""
    with pytest.raises(CaptureFileError, match="no such file"):
        read(tmp_path / "missing")
    with pytest.raises(CaptureFileError, match="directory"):
        read(tmp_path)
    with pytest.raises(CaptureFileError, match="null"):
        read(Path("a\0b"))


@pytest.mark.parametrize("compressed", [False, True])
def test_standard_input(tmp_path: Path, compressed: bool) -> None:
    """`-` reads from a pipe, which cannot be rewound and has no size."""
    path = tmp_path / "capture"
    craft.write_capture(path, PACKETS, compressed=compressed)
    program = (
        "from exporter.wire.capture_file import CaptureFile; from exporter.wire.decode import Decoder\n"
        "capture = CaptureFile('-', Decoder.discovering())\n"
        "print(capture.size, len(list(capture)), capture.warnings)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=path.read_bytes(), capture_output=True, check=True, timeout=20
    )
    assert (done.stdout.decode().strip(), done.stderr) == ("None 3 ()", b"")


def test_progress(tmp_path: Path) -> None:
    """The bytes consumed rise to the file's size."""
    path = tmp_path / "capture"
    craft.write_capture(path, [(AT + i, os.urandom(100)) for i in range(5000)], compressed=True)
    with CaptureFile(path, Decoder()) as capture:
        consumed = [capture.consumed for _ in capture]
        assert consumed == sorted(consumed)
        assert 0 < consumed[2500] < consumed[-1] <= path.stat().st_size == capture.size == capture.consumed


def test_memory_is_flat(tmp_path: Path) -> None:
    """A hundred thousand packets take no more memory than a few."""
    path = tmp_path / "capture.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(pcap([]))
        for i in range(100):
            file.write(pcap([(AT + i, REQUEST + bytes(500))] * 1000)[24:])
    with CaptureFile(path, Decoder.discovering()) as capture:
        packets = iter(capture)
        next(packets)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sum(1 for _ in packets) == 99_999
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


def test_complaints_stay_out_of_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is wrong with a file is told by warnings alone."""
    path = tmp_path / "cut"
    path.write_bytes(WHOLE["pcap"][:-3])
    read(path)
    path.write_bytes(WHOLE["pcapng"][:-3])
    read(path)
    assert capfd.readouterr() == ("", "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    damage=st.lists(st.tuples(st.integers(4, 300), st.binary(min_size=1, max_size=4)), max_size=4),
    compressed=st.booleans(),
)
def test_damage(tmp_path: Path, kind: str, damage: list[tuple[int, bytes]], compressed: bool) -> None:
    """A file damaged anywhere gives packets, warnings or the one error, and never another exception."""
    content = bytearray(WHOLE[kind])
    for at, value in damage:
        content[at : at + len(value)] = value
    path = tmp_path / "damaged"
    path.write_bytes(gzip.compress(content) if compressed else bytes(content))
    try:
        packets, warnings = read(path)
    except CaptureFileError as error:
        assert str(path) in str(error)
    else:
        assert packets == SIGHTINGS or damage
        assert all(str(path) in warning for warning in warnings)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300).map(lambda tail: pcap([])[:24] + tail) | st.binary(max_size=300).map(section().__add__))
def test_any_records(tmp_path: Path, content: bytes) -> None:
    """Whatever follows a proper header: packets, warnings or the one error."""
    path = tmp_path / "any"
    path.write_bytes(content)
    try:
        read(path)
    except CaptureFileError as error:
        assert str(path) in str(error)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(bent(), max_size=5))
def test_same_as_the_decoder(tmp_path: Path, frames: list[bytes]) -> None:
    """A file's packets come to what the decoder makes of the frames."""
    path = tmp_path / "frames"
    path.write_bytes(pcap([(AT, frame) for frame in frames], nano=True))
    decoder = Decoder.discovering()
    assert read(path)[0] == [Packet(AT, decoder.decode(frame, AT)) for frame in frames]


def test_announcements_as_kube_vip_sends_them() -> None:
    """Destination, tha and flags of the composed frames are those of kube-vip."""
    mac = bytes(MAC)
    assert REQUEST[:12] == b"\xff" * 6 + mac
    assert REQUEST[14:] == bytes.fromhex("000108000604 0001") + mac + VIP.packed + b"\xff" * 6 + VIP.packed
    assert REPLY[14:] == bytes.fromhex("000108000604 0002") + mac + VIP.packed + mac + VIP.packed
    assert NA[:12] == bytes.fromhex("333300000001") + mac
    assert NA[38:54] == bytes.fromhex("ff02" + "00" * 13 + "01")
    assert NA[58] == 0x20
    assert NA[62:78] == VIP6.packed
    assert NA[78:] == b"\x02\x01" + mac


def test_announcement_of_the_wrong_family() -> None:
    """A kind that cannot announce the address is refused."""
    for vip, kind in ((VIP, Kind.NA), (VIP6, Kind.REPLY), (VIP, Kind.PROBE)):
        with pytest.raises(ValueError, match="does not announce"):
            craft.announcement(vip, MAC, kind)


def test_scapy_stays_out_of_the_way() -> None:
    """Neither live capture nor the opening of a capture's module imports scapy."""
    program = "import sys, exporter.wire.capture, exporter.wire.capture_file; print('scapy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.strip() == "False"


def test_unreadable_midway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails while a file is read is an error with the system's reason."""

    class Failing(io.BytesIO):
        def peek(self, _: int) -> bytes:
            return self.getvalue()[:4]

        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 100:
                raise OSError(5, "Input/output error")
            return super().read(size)

    path = tmp_path / "capture"
    path.write_bytes(WHOLE["pcap"])
    monkeypatch.setattr(CaptureFile, "_open", lambda *_: Failing(WHOLE["pcap"]))
    with pytest.raises(CaptureFileError, match=r"after packet 2: Input/output error"):
        read(path)
