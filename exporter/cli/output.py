"""Writes an answer to standard output, all of it or with an error; and aligns the columns of tables."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with their cells aligned, two spaces between them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def say(answer: str, *, encoding: str | None = None) -> None:
    """Write it to standard output.

    Args:
        encoding: None: the terminal's.

    Raises:
        OSError: nobody takes it, or not all.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name may have letters that the terminal's character set lacks.
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    try:
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()
    except OSError:
        # What is still buffered would be tried again when the program ends, and change its exit status.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise
