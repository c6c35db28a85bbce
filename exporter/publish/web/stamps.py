"""Tell whether files have changed since they were read, without reading them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Stamp = tuple[int, ...]


def stamp(path: Path) -> Stamp:
    """What is another one when the file is written, replaced, goes, comes, or may be read where it might not.

    Symbolic links are followed: Kubernetes replaces a whole directory of a volume by turning one of them.
    """
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    except ValueError:  # no name of a file at all
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def changed(stamps: Mapping[Path, Stamp]) -> bool:
    return any(stamp(path) != before for path, before in stamps.items())
