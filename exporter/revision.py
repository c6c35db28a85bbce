"""Says which commit this program was built from, where its build wrote that down."""

from __future__ import annotations

from pathlib import Path

REVISION = Path(__file__).parent / "REVISION"
"""One line, written before the package is built; not there in a clone."""


def revision() -> str:
    """The commit; empty: the build did not say."""
    try:
        return REVISION.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
