"""The crafted entries of the corpora that are no text: each by a name that says what it guards.

`python -m tests.fuzz.seeds` writes them anew.
"""

from __future__ import annotations

import gzip
import struct

from exporter.vip.model import SECOND
from exporter.wire import craft
from tests.fuzz.decoder import AT, TAG, TAGGED_VIP, TAGGED_VIP6, Way, corrected
from tests.fuzz.targets import CORPUS
from tests.wire.frames import (
    ASKER,
    MAC,
    NA,
    NODE_NA,
    NODE_NS,
    NODE_REPLY,
    ORDINARY_REPLY,
    ORDINARY_REQUEST,
    OTHER6,
    PROBE,
    PROBE6,
    REPLY,
    REQUEST,
    SOLICITED_NA,
    with_bytes,
)
from tests.wire.test_capture_file import block, cooked, cooked_v2, interface, option, packet, pcap, section

STRANGE_OPTION = bytes.fromhex("0e01000000000000")
IN_VLAN = craft.announcement(TAGGED_VIP, MAC)
NS_WITH_TWO_OPTIONS = corrected(NODE_NS + STRANGE_OPTION, 14, length=True)
TIMES = [(AT, REQUEST), (AT + 3 * SECOND, NA), (AT + 6 * SECOND, NODE_REPLY)]


def frames() -> dict[str, bytes]:
    """For the target `decoder`."""
    return {
        "arp-announcement": came(REQUEST),
        "arp-gratuitous-reply-outgoing": came(REPLY, Way.OUTGOING),
        "arp-probe": came(PROBE),
        "arp-ordinary-request-of-the-vip": came(ORDINARY_REQUEST),
        "arp-ordinary-reply-for-the-vip": came(ORDINARY_REPLY),
        "arp-of-a-node": came(NODE_REPLY),
        "arp-in-the-vips-vlan-tag-stripped": came(IN_VLAN, tag=TAG),
        "arp-in-the-vips-vlan-inline": came(craft.tagged(IN_VLAN, TAG)),
        "arp-priority-tag-is-no-vlan": came(craft.tagged(REQUEST, 0xE000, ethertype=0x88A8)),
        "arp-tags-stacked-to-the-limit": came(craft.tagged(REQUEST, *[0] * 7)),
        "arp-tags-stacked-beyond-the-limit": came(craft.tagged(REQUEST, *[0] * 9)),
        "arp-two-vlans-the-inner-one-is-the-vips": came(craft.tagged(IN_VLAN, 9, TAG)),
        "arp-two-vlans-stripped-and-inline": came(craft.tagged(IN_VLAN, TAG), tag=9),
        "arp-two-vlans-of-one-id": came(craft.tagged(IN_VLAN, TAG), tag=TAG),
        "arp-of-another-hardware": came(with_bytes(REQUEST, 14, "0006")),
        "arp-with-odd-lengths": came(with_bytes(REQUEST, 18, "0804")),
        "arp-that-is-no-request": came(with_bytes(REQUEST, 20, "0009")),
        "arp-reply-for-nobody": came(with_bytes(with_bytes(REPLY, 28, "00000000"), 38, "c000020a")),
        "arp-from-a-group": came(with_bytes(REQUEST, 22, "01")),
        "arp-from-no-mac": came(with_bytes(REQUEST, 22, bytes(6))),
        "arp-cut-in-the-last-address": came(REQUEST[:41]),
        "cut-in-the-ethernet-header": came(REQUEST[:13]),
        "cut-in-a-tag": came(craft.tagged(REQUEST, TAG)[:17]),
        "arp-cooked": came(REQUEST, Way.COOKED),
        "arp-cooked-tagged": came(craft.tagged(REQUEST, TAG), Way.COOKED),
        "nd-dad-cooked-with-a-sender-of-eight-bytes": came(PROBE6, Way.COOKED, tag=8),
        "nd-unsolicited": came(NA),
        "nd-solicited": came(SOLICITED_NA),
        "nd-solicited-without-option": came(shortened(SOLICITED_NA)),
        "nd-unsolicited-without-option": came(shortened(NA)),
        "nd-duplicate-address-detection": came(PROBE6),
        "nd-of-a-node": came(NODE_NA),
        "nd-solicitation-by-a-node": came(NODE_NS),
        "nd-solicitation-for-a-group": came(corrected(with_bytes(NODE_NS, 62, "ff"), 14, length=True)),
        "nd-two-options": came(NS_WITH_TWO_OPTIONS),
        "nd-option-of-no-length": came(corrected(with_bytes(NA, 79, "00"), 14, length=True)),
        "nd-option-beyond-the-end": came(corrected(with_bytes(NA, 79, "09"), 14, length=True)),
        "nd-option-of-two-units": came(corrected(with_bytes(NA + bytes(8), 79, "02"), 14, length=True)),
        "nd-wrong-checksum": came(with_bytes(NA, 56, "0000")),
        "nd-wrong-checksum-outgoing-is-the-cards-to-fill-in": came(with_bytes(NA, 56, "0000"), Way.OUTGOING),
        "nd-odd-length": came(corrected(with_bytes(NA, 18, "001f"), 14, length=False)),
        "nd-hop-limit-of-a-router": came(with_bytes(NA, 21, "40")),
        "nd-code-that-is-not-zero": came(corrected(with_bytes(NA, 55, "01"), 14, length=True)),
        "nd-solicited-to-a-group": came(corrected(with_bytes(SOLICITED_NA, 38, "ff"), 14, length=True)),
        "nd-shorter-than-a-message": came(corrected(with_bytes(NA, 18, "0010"), 14, length=False)),
        "nd-in-the-vips-vlan": came(craft.tagged(craft.announcement(TAGGED_VIP6, MAC), TAG)),
        "discovered-arp": came(craft.announcement(craft.link_local(ASKER), MAC), Way.DISCOVERING),
        "discovered-nd": came(craft.announcement(OTHER6, MAC), Way.DISCOVERING),
        "discovered-broadcast-is-no-vip": came(
            with_bytes(with_bytes(REQUEST, 28, "ffffffff"), 38, "ffffffff"), Way.DISCOVERING
        ),
        "neither-arp-nor-nd": came(with_bytes(REQUEST, 12, "0800")),
        "icmpv6-that-is-no-nd": came(with_bytes(NA, 54, "80")),
    }


def captures() -> dict[str, bytes]:
    """For the target `capture`."""
    pcapng = section() + interface(9) + b"".join(packet(at, frame) for at, frame in TIMES)
    swapped = section(">") + interface(6, endian=">")
    swapped += b"".join(packet(at // 1000, frame, endian=">") for at, frame in TIMES)
    offset = block(1, struct.pack("<HHI", 1, 0, 0) + option(14, struct.pack("<q", -3600), "<"), "<")
    many = packed(pcap([(AT + number, bytes(60)) for number in range(400)]))
    any_device = [(at, cooked(frame, kind)) for (at, frame), kind in zip(TIMES, (0, 4, 1), strict=True)]
    any_device_v2 = [(at, cooked_v2(frame, kind)) for (at, frame), kind in zip(TIMES, (0, 4, 1), strict=True)]
    return {
        "pcap-microseconds": pcap(TIMES),
        "pcap-microseconds-big-endian": pcap(TIMES, endian=">"),
        "pcap-nanoseconds": pcap(TIMES, nano=True),
        "pcap-nanoseconds-big-endian": pcap(TIMES, nano=True, endian=">"),
        "pcap-cooked": pcap(any_device, link_type=113),
        "pcap-cooked-v2": pcap(any_device_v2, link_type=276),
        "pcap-cooked-shorter-than-its-header": pcap([(AT, any_device[0][1][:9])], link_type=113),
        "pcap-of-wireless": pcap(TIMES, link_type=127),
        "pcap-without-packets": pcap([]),
        "pcap-cut-in-a-packet": pcap(TIMES)[:-9],
        "pcap-cut-in-its-header": pcap(TIMES)[:11],
        "pcap-record-of-gigabytes": pcap([])[:24] + struct.pack("<IIII", 1, 1, 0xFFFFFFF0, 0xFFFFFFF0) + bytes(40),
        "pcap-record-of-no-bytes": pcap([(AT, b""), *TIMES]),
        "pcap-goes-back-in-time": pcap([*TIMES, *TIMES]),
        "pcapng": pcapng,
        "pcapng-big-endian": swapped,
        "pcapng-two-sections": pcapng + swapped,
        "pcapng-two-interfaces": section() + interface(9, link_type=101) + interface(6) + packet(7, REQUEST, number=1),
        "pcapng-interface-that-is-not-there": section() + interface(9) + packet(AT, REQUEST, number=3),
        "pcapng-time-offset": section() + offset + packet(AT // 1000, REQUEST),
        "pcapng-time-offset-before-1970": section() + offset + packet(5, REQUEST),
        "pcapng-binary-resolution": section() + interface(0x80 | 30) + packet(AT, REQUEST),
        "pcapng-resolution-beyond-all-numbers": section() + interface(127) + packet(AT, REQUEST),
        "pcapng-year-beyond-all-calendars": section() + interface(0) + packet(2**63, REQUEST) + packet(5, REPLY),
        "pcapng-simple-packet-without-time": section() + interface() + block(3, struct.pack("<I", 42) + REQUEST, "<"),
        "pcapng-outgoing": section() + interface(9) + packet(AT, REQUEST, direction=2),
        "pcapng-strange-blocks": section() + block(0xBAD, b"x" * 9, "<") + block(10, bytes(8), "<") + interface(9),
        "pcapng-obsolete-packet": section()
        + interface()
        + block(2, struct.pack("<HHIIII", 0, 0, 0, 5, 42, 42) + REQUEST, "<"),
        "pcapng-block-of-no-length": section() + struct.pack("<II", 6, 0) + bytes(24),
        "pcapng-block-of-gigabytes": section() + struct.pack("<II", 6, 0xFFFFFFFC) + bytes(24),
        "pcapng-without-interfaces": section() + packet(AT, REQUEST),
        "gzip-pcap": packed(pcap(TIMES)),
        "gzip-pcapng": packed(pcapng),
        "gzip-cut": packed(pcapng)[:60],
        "gzip-damaged": with_bytes(packed(pcapng), 30, "ffffff"),
        "gzip-that-ends-in-a-member-of-nonsense": many + many[:10] + b"\x07" * 20,
        "gzip-whose-checksum-is-wrong": many[:-8] + bytes(8),
        "gzip-two-members": packed(pcap(TIMES)) + packed(pcap(TIMES)[24:]),
        "gzip-in-gzip": packed(packed(pcap(TIMES))),
        "gzip-of-nothing": packed(b""),
        "empty": b"",
        "zstd": bytes.fromhex("28b52ffd") + bytes(20),
        "text": b"no capture at all",
    }


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def came(frame: bytes, way: int = 0, tag: int = 0) -> bytes:
    return bytes([way]) + tag.to_bytes(2, "big") + frame


def shortened(frame: bytes) -> bytes:
    """Without its link-layer address option."""
    return corrected(frame[:78], 14, length=True)


def main() -> None:
    for target, entries in {"decoder": frames(), "capture": captures()}.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in entries.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
