"""Writes an answer to standard output, all of it or with an error; and what it is made of: columns, lengths of time."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from exporter.vip.model import SECOND, Nanoseconds


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with their cells aligned, two spaces between them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def ago(duration: Nanoseconds) -> str:
    """A length of time in its two largest units: `2.3 s`, `4 m 10 s`, `3 d 2 h`."""
    whole = max(0, duration) // SECOND
    if whole < 60:
        return f"{max(0, duration) / SECOND:.1f} s"
    for (length, unit), (smaller, smaller_unit) in ((_DAY, _HOUR), (_HOUR, _MINUTE), (_MINUTE, _SECOND)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // smaller} {smaller_unit}"
    raise AssertionError


_DAY, _HOUR, _MINUTE, _SECOND = (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")


def say(answer: str) -> None:
    """Write it to standard output.

    Raises:
        OSError: nobody takes it, or not all.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may have letters that the terminal's character set lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()
    except OSError:
        # What is still buffered would be tried again when the program ends, and change its exit status.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise
