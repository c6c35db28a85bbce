"""Where `make test` unpacks Debian's Prometheus and Alertmanager, so that none of their services is started here."""

from __future__ import annotations

from pathlib import Path

UNPACKED = Path(__file__).parent.parent / "build" / "debian"


def program(name: str) -> Path:
    """One of their programs.

    Raises:
        AssertionError: it is missing. Nothing is skipped for want of it.
    """
    path = UNPACKED / "usr" / "bin" / name
    assert path.exists(), f"{path} is missing: `make test` unpacks it"
    return path
