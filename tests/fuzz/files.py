"""A file that lies in memory only, for readers that want a path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_of(data: bytes) -> Iterator[Path]:
    """Its path is good for as long as the context lasts."""
    descriptor = os.memfd_create("fuzz")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
