"""All that there is to show at one moment, for those who put it into words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exporter.publish.records import Record, ToWall
from exporter.publish.status import ExporterStatus
from exporter.vip.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    snapshot: Snapshot
    status: ExporterStatus
    healthy: tuple[bool, str]
    """Whether it is, and why or why not."""
    ready: tuple[bool, str]
    events: Callable[[], Sequence[Record]]
    """All that are remembered."""
    to_wall: ToWall
