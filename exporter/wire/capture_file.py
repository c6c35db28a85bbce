"""Reads a capture file from front to back, as what each packet tells or why it tells nothing, in the memory of one.

pcap (micro- and nanoseconds, either byte order) and pcapng, plain or gzip, from a file or standard input. Errors name
the file and what to do about it. Needs no privilege.
"""

from __future__ import annotations

import gzip
import os
import stat
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol, Self, cast

from exporter.vip.model import SECOND, Nanoseconds
from exporter.wire.decode import Decoder, IgnoreReason, Outcome

STDIN = "-"

_ETHERNET = 1
_COOKED = 113
_COOKED_V2 = 276
_LINK_TYPES = {
    0: "BSD loopback",
    9: "PPP",
    12: "raw IP",
    101: "raw IP",
    105: "802.11",
    127: "802.11 with radiotap",
    228: "raw IPv4",
    229: "raw IPv6",
    253: "netlink",
}

_COOKED_HEADER = struct.Struct(">H2xH8sH")
_COOKED_V2_HEADER = struct.Struct(">H8xBB8s")
_COOKED_OUTGOING = 4

_FOREIGN_MAGICS = {b"\xfd7zX": "xz", b"(\xb5/\xfd": "zstd", b"BZh": "bzip2", b"PK\x03\x04": "zip"}
_END_OF_TIME: Nanoseconds = 253_402_300_800 * SECOND
"""The year 10000, which RFC 3339 cannot write."""
_GZIP_MAGIC = b"\x1f\x8b"
_LARGEST_READ = 16 * 1024 * 1024
"""No packet is as large; a damaged length field asks for up to 4 GiB."""


class CaptureFileError(Exception):
    """The file cannot be used. The message is one line for the user."""


class Packet(NamedTuple):
    """What one packet of the file came to."""

    at: Nanoseconds
    """Since 1970, UTC, as the file has it: not necessarily in order."""
    outcome: Outcome


class CaptureFile:
    """A context manager over one file; iterate over it once.

    Args:
        path: the file; `-`: standard input.

    Raises:
        CaptureFileError: on opening, or while iterating.
    """

    def __init__(self, path: str | os.PathLike[str], decoder: Decoder) -> None:
        self.name = "standard input" if path == STDIN else str(os.fspath(path))
        self.size: int | None = None
        """In bytes, compressed as it is; None where it cannot be known."""
        self._decoder = decoder
        self._warnings: list[str] = []
        self._unreadable: dict[int, int] = {}
        self._file = cast(_Peekable, sys.stdin.buffer) if path == STDIN else self._open(path)
        self._owned = path != STDIN
        try:
            self._stream = _RecordStream(self._unpacked())
            self._pcapng = self._is_pcapng()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._owned:
            self._file.close()

    @property
    def consumed(self) -> int:
        """Bytes read so far, of `size`."""
        return 0 if self.size is None else self._file.tell()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know of the file, one line each; complete after the last packet."""
        return tuple(self._warnings)

    def __iter__(self) -> Iterator[Packet]:
        # Deferred: scapy takes a quarter of a second to import, which only those who read a capture should wait for.
        from exporter.wire import scapy_adapter

        at, packets, misdated = 0, 0, 0
        try:
            for link_type, stamp, data, outgoing in scapy_adapter.read_records(self._stream, pcapng=self._pcapng):
                if self._stream.cut:
                    break
                packets += 1
                if stamp is not None and 0 <= stamp < _END_OF_TIME:
                    at = stamp
                elif stamp is not None:
                    misdated += 1
                yield Packet(at, self._decode(link_type, data, at, outgoing))
        except scapy_adapter.RecordError:
            self._stream.damaged = not self._stream.cut
        if misdated:
            self._warnings.append(f"{self.name}: {misdated} packets have an impossible time; the last one counts")
        self._finish(packets)

    def _decode(self, link_type: int, data: bytes, at: Nanoseconds, outgoing: bool) -> Outcome:
        if link_type == _ETHERNET:
            return self._decoder.decode(data, at, outgoing=outgoing)
        if link_type == _COOKED:
            if len(data) < _COOKED_HEADER.size:
                return IgnoreReason.TRUNCATED
            direction, length, sender, ethertype = _COOKED_HEADER.unpack_from(data)
            payload = memoryview(data)[_COOKED_HEADER.size :]
        elif link_type == _COOKED_V2:
            if len(data) < _COOKED_V2_HEADER.size:
                return IgnoreReason.TRUNCATED
            ethertype, direction, length, sender = _COOKED_V2_HEADER.unpack_from(data)
            payload = memoryview(data)[_COOKED_V2_HEADER.size :]
        else:
            self._unreadable[link_type] = self._unreadable.get(link_type, 0) + 1
            return IgnoreReason.UNKNOWN_LINK_TYPE
        outgoing = outgoing or direction == _COOKED_OUTGOING
        return self._decoder.decode_cooked(ethertype, payload, sender[:length], at, outgoing=outgoing)

    def _finish(self, packets: int) -> None:
        if self._stream.error is not None:
            reason = self._stream.error.strerror or self._stream.error
            raise CaptureFileError(f"{self.name}: cannot be read after packet {packets}: {reason}")
        kinds = ", ".join(f"{_LINK_TYPES.get(kind, 'unknown')} (link type {kind})" for kind in sorted(self._unreadable))
        unreadable = sum(self._unreadable.values())
        if unreadable and unreadable == packets:
            raise CaptureFileError(
                f"{self.name}: captured on {kinds}, which carries no ARP; capture on an Ethernet interface"
            )
        if unreadable:
            self._warnings.append(f"{self.name}: {unreadable} packets captured on {kinds} were ignored")
        if self._stream.damaged or (not self._stream.cut and self._stream.more()):
            self._warnings.append(f"{self.name}: damaged after packet {packets}; what follows was not read")
        elif self._stream.cut:
            self._warnings.append(f"{self.name}: ends in the middle of a record; all {packets} whole packets were read")

    def _open(self, path: str | os.PathLike[str]) -> _Peekable:
        try:
            file = Path(path).open("rb")  # noqa: SIM115 - closed by close()
        except FileNotFoundError:
            raise CaptureFileError(f"{self.name}: there is no such file; correct the path") from None
        except PermissionError:
            raise CaptureFileError(
                f"{self.name}: you may not read it; tcpdump writes captures as another user"
            ) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise CaptureFileError(f"{self.name}: cannot be opened: {reason}") from None
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            self.size = status.st_size
        return file

    def _unpacked(self) -> _Peekable:
        try:
            magic = self._file.peek(4)[:4]
        except OSError as error:
            raise CaptureFileError(f"{self.name}: cannot be read: {error.strerror or error}") from None
        if not magic:
            raise CaptureFileError(f"{self.name}: is empty; a running tcpdump writes at once with -U")
        if magic.startswith(_GZIP_MAGIC):
            return cast(_Peekable, gzip.GzipFile(fileobj=cast("IO[bytes]", self._file)))
        return self._file

    def _is_pcapng(self) -> bool:
        from exporter.wire import scapy_adapter

        magic = self._stream.magic()
        if magic is None:
            raise CaptureFileError(f"{self.name}: the gzip data is damaged or cut off; copy the file again")
        if magic != scapy_adapter.PCAPNG_MAGIC and magic not in scapy_adapter.PCAP_MAGICS:
            for foreign, program in _FOREIGN_MAGICS.items():
                if magic.startswith(foreign):
                    raise CaptureFileError(f"{self.name}: is packed with {program}; unpack it first")
            raise CaptureFileError(f"{self.name}: is neither pcap nor pcapng; write it with `tcpdump -w`")
        return magic == scapy_adapter.PCAPNG_MAGIC


class _Peekable(Protocol):
    def peek(self, size: int, /) -> bytes: ...
    def read(self, size: int, /) -> bytes: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...


class _RecordStream:
    """The unpacked bytes, with an eye on how they end: the records' reader stops the same way at any trouble."""

    def __init__(self, source: _Peekable) -> None:
        self._source = source
        self._between_records = False
        self.cut = False
        """The file ends in the middle of a record, as that of a killed tcpdump."""
        self.damaged = False
        self.error: OSError | None = None

    def magic(self) -> bytes | None:
        try:
            return self._source.peek(4)[:4]
        except (OSError, EOFError, zlib.error):
            return None

    def more(self) -> bool:
        self.record_begins()
        try:
            return self.read(1) != b""
        except EOFError:
            return False

    def record_begins(self) -> None:
        self._between_records = True

    def read(self, size: int, /) -> bytes:
        if size > _LARGEST_READ:
            self.damaged = True
            raise EOFError
        try:
            data = self._source.read(size)
        except EOFError:
            self.cut = True
            raise
        except (gzip.BadGzipFile, zlib.error):
            self.damaged = True
            raise EOFError from None
        except OSError as error:
            self.error = error
            raise EOFError from None
        if len(data) < size and (data or not self._between_records):
            self.cut = True
        self._between_records = False
        return data
