"""The one place that imports scapy: it reads and writes the records of capture files and composes frames.

Not used on the way of live frames, where dissecting costs a hundred times what `decode` does. Whoever imports this
module does so where it is needed, since scapy takes a quarter of a second and 20 MiB. What scapy would complain about
on standard error is found out and reported by the caller instead.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from scapy.error import Scapy_Exception
from scapy.utils import RawPcapNgReader, RawPcapReader, RawPcapWriter

from exporter.vip.model import SECOND, IPAddress, Mac, Nanoseconds, format_mac

logging.getLogger("scapy.runtime").setLevel(logging.CRITICAL)

PCAPNG_MAGIC = bytes.fromhex("0a0d0d0a")
PCAP_MAGICS = frozenset(bytes.fromhex(magic) for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1"))

_SPEAKS_OF_INTERFACES_AND_PACKETS = frozenset({1, 2, 3, 6})
_OUTBOUND = 2
_TIME_OFFSET = 14
"""Option if_tsoffset: seconds to add to the times of an interface."""


class Record(NamedTuple):
    """One packet of a capture file."""

    link_type: int
    at: Nanoseconds | None
    """Since 1970, UTC; None where the file does not say."""
    data: bytes
    outgoing: bool


class RecordStream(Protocol):
    """What records are read from."""

    def record_begins(self) -> None:
        """The next read is the first of a record: the file may well end here."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, fewer only at the end. Raises EOFError to give up."""


class RecordError(Exception):
    """The records make no sense from here on."""


def read_records(stream: RecordStream, *, pcapng: bool) -> Iterator[Record]:
    """The records of a capture whose first bytes are one of the magics above, as far as they can be read.

    Raises:
        RecordError: the file is damaged. Not always: at some damage the records simply end.
    """
    try:
        yield from _read_pcapng(stream) if pcapng else _read_pcap(stream)
    except (Scapy_Exception, struct.error, ValueError) as error:
        raise RecordError(str(error)) from error


def _read_pcap(stream: RecordStream) -> Iterator[Record]:
    reader = RawPcapReader(cast(Any, stream))
    link_type = reader.linktype & 0xFFFF
    unit = 1 if reader.nano else 1000
    while True:
        stream.record_begins()
        packet = next(reader, None)
        if packet is None:
            return
        data, meta = packet
        yield Record(link_type, meta.sec * SECOND + meta.usec * unit, data, False)


def _read_pcapng(stream: RecordStream) -> Iterator[Record]:
    for data, meta in cast("Iterable[tuple[bytes, Any]]", _SectionedReader(cast(Any, stream))):
        at = None
        if meta.tshigh is not None:
            # Whole numbers all the way: a float cannot hold nanoseconds since 1970.
            at = (meta.tshigh << 32 | meta.tslow) * SECOND // meta.tsresol
        yield Record(meta.linktype, at, data, meta.direction == _OUTBOUND)


class _SectionedReader(RawPcapNgReader):
    """scapy's reader, which numbers interfaces through the whole file, while each section has numbers of its own."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # Secrets and process names are of no use here, and would pile up in memory.
        self.blocktypes = {
            kind: read for kind, read in self.blocktypes.items() if kind in _SPEAKS_OF_INTERFACES_AND_PACKETS
        }

    def _read_block(self, *arguments: Any, **options: Any) -> Any:
        cast(RecordStream, self.f).record_begins()
        return super()._read_block(*arguments, **options)

    def _check_interface_id(self, intid: int) -> bool:
        # scapy would pass over the packet without a word.
        if not super()._check_interface_id(intid):
            raise Scapy_Exception(f"no interface {intid}")
        return True

    def _read_block_idb(self, block: bytes, size: int) -> None:
        super()._read_block_idb(block, size)
        link_type, snap_length, options = self.interfaces[-1]
        offset = self._read_options(block[8:]).get(_TIME_OFFSET)
        if isinstance(offset, bytes) and len(offset) == 8:
            options["tsoffset"] = struct.unpack(self.endian + "q", offset)[0]
        # 0 means no limit (pcapng, section 4.2).
        self.interfaces[-1] = (link_type, snap_length or 0xFFFFFFFF, options)

    def _read_block_epb(self, block: bytes, size: int) -> Any:
        packet = super()._read_block_epb(block, size)
        assert packet is not None  # which it would only be without its interface
        data, meta = packet
        (interface,) = struct.unpack(self.endian + "I", block[:4])
        offset = self.interfaces[interface][2].get("tsoffset", 0)
        if not offset:
            return data, meta
        ticks = max(0, (meta.tshigh << 32 | meta.tslow) + offset * meta.tsresol)
        return data, meta._replace(tshigh=ticks >> 32, tslow=ticks & 0xFFFFFFFF)

    def _read_block_shb(self) -> None:
        super()._read_block_shb()
        self.interfaces.clear()


def write_records(
    path: Path, packets: Iterable[tuple[Nanoseconds, bytes]], *, link_type: int, compressed: bool, big_endian: bool
) -> None:
    """Write a pcap file with nanosecond times."""
    endianness = ">" if big_endian else "<"
    with RawPcapWriter(str(path), linktype=link_type, gz=compressed, endianness=endianness, nano=True) as writer:
        writer.write_header(b"")
        for at, data in packets:
            writer.write_packet(data, sec=at // SECOND, usec=at % SECOND)


def compose_arp(*, source: Mac, destination: Mac, op: int, sha: Mac, spa: IPAddress, tha: Mac, tpa: IPAddress) -> bytes:
    """An Ethernet frame with an ARP message."""
    from scapy.layers.l2 import ARP, Ether

    arp = ARP(op=op, hwsrc=format_mac(sha), psrc=str(spa), hwdst=format_mac(tha), pdst=str(tpa))
    return bytes(Ether(src=format_mac(source), dst=format_mac(destination)) / arp)


def compose_advertisement(
    *,
    source: Mac,
    destination: Mac,
    source_address: IPAddress,
    destination_address: IPAddress,
    target: IPAddress,
    mac: Mac | None,
    solicited: bool,
    override: bool,
) -> bytes:
    """An Ethernet frame with a neighbour advertisement; without the link-layer address option if `mac` is None."""
    # Deferred: IPv6 in scapy takes 0.3 s to import, and who replays a capture has no use for it.
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
    from scapy.layers.l2 import Ether

    message = ICMPv6ND_NA(tgt=str(target), R=0, S=int(solicited), O=int(override))
    if mac is not None:
        message /= ICMPv6NDOptDstLLAddr(lladdr=format_mac(mac))
    header = IPv6(src=str(source_address), dst=str(destination_address), hlim=255)
    return bytes(Ether(src=format_mac(source), dst=format_mac(destination)) / header / message)


def compose_solicitation(
    *,
    source: Mac,
    destination: Mac,
    source_address: IPAddress,
    destination_address: IPAddress,
    target: IPAddress,
    mac: Mac | None,
) -> bytes:
    """An Ethernet frame with a neighbour solicitation; without the link-layer address option if `mac` is None."""
    from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
    from scapy.layers.l2 import Ether

    message = ICMPv6ND_NS(tgt=str(target))
    if mac is not None:
        message /= ICMPv6NDOptSrcLLAddr(lladdr=format_mac(mac))
    header = IPv6(src=str(source_address), dst=str(destination_address), hlim=255)
    return bytes(Ether(src=format_mac(source), dst=format_mac(destination)) / header / message)
