"""What a replayed capture shows: from it come text, JSON, metrics and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.vip.announcers import Announced
from exporter.vip.model import IPAddress, Nanoseconds
from exporter.vip.snapshot import Event, Snapshot


@dataclass(frozen=True, slots=True)
class Replay:
    """Times are nanoseconds since 1970, UTC."""

    snapshot: Snapshot
    """At the time of the last packet."""
    events: tuple[Event, ...]
    announced: Mapping[IPAddress, Announced] | None
    """None: nobody asked for it."""
    ignored: dict[str, int]
    packets: int
    first: Nanoseconds
    last: Nanoseconds
    warnings: tuple[str, ...]
    """What is wrong with the file, one line each, where that did not keep it from being read."""
