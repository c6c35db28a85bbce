"""Lengths of time in words, for people."""

from __future__ import annotations

from exporter.vip.model import SECOND, Nanoseconds

_DAY, _HOUR, _MINUTE, _SECOND = (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")


def length(duration: Nanoseconds) -> str:
    """In its two largest units: `2.3 s`, `4 m 10 s`, `3 d 2 h`. Less than nothing counts as nothing."""
    whole = max(0, duration) // SECOND
    if whole < 60:
        return f"{max(0, duration) / SECOND:.1f} s"
    for (unit, name), (smaller, smaller_name) in ((_DAY, _HOUR), (_HOUR, _MINUTE), (_MINUTE, _SECOND)):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // smaller} {smaller_name}"
    raise AssertionError
